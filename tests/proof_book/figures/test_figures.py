"""Results as a notebook shows them and as the book reads them."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from decimal import Decimal

import pandas as pd
import pytest

from pangeo_core.errors import BadInput
from proof_book.figures import RESULT, figure, number, style, table

FRAME = pd.DataFrame({"month": ["2024-02", "2024-03"], "usd": [Decimal("1.50"), Decimal("2")]})


def draw(axes):
    axes.bar(FRAME.month, [float(v) for v in FRAME.usd])
    axes.set_ylabel("USD a month")


def example(**changes):
    arguments = {
        "name": "cost-by-month",
        "caption": "What the hub cost each month.",
        "alt": "Two bars: 1.50 USD in February, 2 USD in March 2024.",
        "origin": "published",
        "sources": ["data/example.csv"],
        "data": FRAME,
    }
    return figure(draw, **{**arguments, **changes})


def test_a_figure_carries_the_whole_contract():
    bundle = example()._repr_mimebundle_()
    content = bundle[RESULT]
    assert json.loads(json.dumps(content)) == content
    assert {key: content[key] for key in ("kind", "name", "origin", "sources")} == {
        "kind": "figure",
        "name": "cost-by-month",
        "origin": "published",
        "sources": ["data/example.csv"],
    }
    assert content["data"] == "month,usd\n2024-02,1.50\n2024-03,2\n"
    for variant in ("light", "dark"):
        assert ET.fromstring(content[variant]).tag.endswith("svg")
    assert content["light"] != content["dark"]
    assert bundle["image/svg+xml"] == content["light"]
    assert "2 USD in March" in bundle["text/plain"]


def test_two_processes_draw_the_same_bytes():
    """Ids inside an SVG are random unless salted; dates and versions would differ too."""
    code = (
        f"import runpy,hashlib;m=runpy.run_path({__file__!r});f=m['example']();"
        "print(hashlib.sha256((f.light+f.dark).encode()).hexdigest())"
    )
    runs = {subprocess.check_output([sys.executable, "-c", code]) for _ in range(2)}
    assert len(runs) == 1


def test_drawing_leaves_no_trace_in_matplotlib():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    first = example()
    assert dict(mpl.rcParams) == before
    with mpl.rc_context({"font.size": 30, "axes.grid": False}):
        assert example() == first, "a reader's own settings must not change the figure"


def test_the_svg_names_no_machine_and_no_outside_address():
    light = example().light
    assert "matplotlib.org" not in light
    assert not re.search(r"<dc:date>|/home/|/tmp/|/root/", light)
    assert len(light) < 60_000


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("colours", "ink", "page"),
    [
        (style.LIGHT, style.LIGHT_INK, style.LIGHT_PAGE),
        (style.DARK, style.DARK_INK, style.DARK_PAGE),
    ],
    ids=["light", "dark"],
)
def test_colours_stand_out_from_their_page(colours, ink, page):
    assert contrast(ink, page) >= 7
    assert min(contrast(colour, page) for colour in colours) >= 3
    assert len(set(colours)) == len(colours) == 8


@pytest.mark.parametrize(
    "alt",
    ["", "figures/cost.svg", "cost.png", "Cost by month", "What the hub cost each month."],
    ids=["empty", "path", "file", "label", "same as the caption"],
)
def test_alt_text_must_say_what_there_is_to_see(alt):
    with pytest.raises(BadInput):
        example(alt=alt)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Cost By Month"},
        {"name": "../cost"},
        {"origin": "guessed"},
        {"sources": []},
        {"sources": "data/example.csv"},
        {"data": FRAME.head(0)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_result_without_name_origin_sources_or_data_is_refused(change):
    with pytest.raises(BadInput):
        example(**change)


def test_a_number_keeps_its_value_and_shows_its_text():
    bundle = number(
        Decimal("2.8042"),
        "{:.1f} %",
        name="headline-low",
        caption="The smallest error of a headline.",
        origin="published",
        sources=["a"],
        unit="%",
    )._repr_mimebundle_()
    content = bundle[RESULT]
    assert (content["text"], content["value"], content["unit"]) == ("2.8 %", "2.8042", "%")
    assert "2.8 %" in bundle["text/plain"]
    assert "published" in bundle["text/plain"]


def test_a_number_shows_its_interval_and_must_lie_in_it():
    head = {
        "name": "n",
        "caption": "How many times as long it takes.",
        "origin": "measured",
        "sources": ["runs"],
    }
    shown = number(18.03, "{:.1f} times", interval=(14.69, 21.7), **head)
    assert shown.text == "18.0 times (14.7 to 21.7)"
    with pytest.raises(BadInput, match="outside of its own interval"):
        number(22, "{:.1f} times", interval=(14.69, 21.7), **head)


def test_a_number_whose_format_does_not_fit_says_so():
    with pytest.raises(BadInput, match="format"):
        number(
            "six",
            "{:.1f} %",
            name="n",
            caption="It has a caption.",
            origin="published",
            sources=["a"],
        )


def test_a_table_is_csv_for_the_book_and_escaped_html_for_jupyter():
    frame = pd.DataFrame({"service": ["<script>"], "usd": [Decimal("0.10")]})
    bundle = table(
        frame, name="t", caption="One row of a table.", origin="sample", sources=["a"]
    )._repr_mimebundle_()
    assert bundle[RESULT]["data"] == "service,usd\n<script>,0.10\n"
    assert "<script>" not in bundle["text/html"]
    assert "0.10" in bundle["text/html"]
