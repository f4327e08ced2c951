"""Results whose constant parts stand in a file beside the notebook."""

import os
from pathlib import Path

import pandas as pd
import pytest

from pangeo_core.errors import BadInput
from proof_book.figures import declared, figure, number, table

FILE = """
sources:
  bills: &bills [Somebody 2024, data/bills.csv]
  note: &note "{place}: a note"
results:
  lowest-month:
    caption: The hub's cheapest month of {year:.0f}.
    origin: derived
    sources: [*bills, *note]
    text: "{:.0f} USD"
    unit: USD
  bill:
    caption: What the hub cost, month by month.
    origin: published
    sources: *bills
  two-panels:
    caption: What the hub cost, and what its users caused.
    sources: [data/bills.csv]
    size: [6, 3]
    panels: [1, 2]
"""
SOURCES = ["Somebody 2024", "data/bills.csv"]
FRAME = pd.DataFrame({"month": ["2024-02"], "usd": [3]})
ALT = "Two panels with a bar each, of the same height."


@pytest.fixture(autouse=True)
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a notebooks' folder that has the file."""
    folder = tmp_path / "notebooks"
    (folder / "results").mkdir(parents=True)
    write(folder, FILE)
    monkeypatch.chdir(folder)
    return folder


def write(folder: Path, text: str) -> None:
    (folder / "results" / "own.yaml").write_text(text)


def draw(axes):
    for each in axes:
        each.bar(FRAME.month, FRAME.usd)


def test_it_gives_what_the_functions_give() -> None:
    results = declared("results/own.yaml", place="here")
    assert results.number("lowest-month", 12.4, year=2024) == number(
        12.4,
        "{:.0f} USD",
        name="lowest-month",
        caption="The hub's cheapest month of 2024.",
        origin="derived",
        sources=[*SOURCES, "here: a note"],
        unit="USD",
    )
    assert results.table("bill", FRAME) == table(
        FRAME,
        name="bill",
        caption="What the hub cost, month by month.",
        origin="published",
        sources=SOURCES,
    )
    assert results.figure("two-panels", draw, data=FRAME, alt=ALT, origin="sample") == figure(
        draw,
        name="two-panels",
        caption="What the hub cost, and what its users caused.",
        alt=ALT,
        origin="sample",
        sources=["data/bills.csv"],
        data=FRAME,
        size=(6, 3),
        panels=(1, 2),
    )


def test_a_call_says_it_otherwise() -> None:
    results = declared("results/own.yaml")
    own = results.number(
        "lowest-month",
        3,
        caption="Somebody's own cheapest {month}.",  # as it is: it has no fields
        sources=["a {file}"],
        text="{} of 4",
        interval=(2, 4),
    )
    assert (own.text, own.caption) == ("3 of 4 (2 to 4)", "Somebody's own cheapest {month}.")
    assert own.sources == ("a {file}",)


def test_it_is_found_from_the_project_and_from_a_folder_in_it(
    beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (beside.parent / "data").mkdir()
    for folder in (beside.parent, beside.parent / "data"):
        monkeypatch.chdir(folder)
        assert declared("results/own.yaml").file == "results/own.yaml"
    monkeypatch.chdir(os.sep)
    with pytest.raises(BadInput, match=r"no results/own\.yaml beside the notebook"):
        declared("results/own.yaml")


CALLS = {
    "a name that is not there": (
        lambda it: it.table("bil", FRAME),
        r"results/own\.yaml declares no result 'bil'.\nDid you mean bill",
    ),
    "a value that no field asks for": (
        lambda it: it.number("lowest-month", 1, year=2024, month=3, place="x"),
        r"differ by month",
    ),
    "a field without a value": (
        lambda it: it.number("lowest-month", 1, year=2024),
        r"differ by place.*\n.*place, year",
    ),
    "what the kind does not have": (
        lambda it: it.table("lowest-month", FRAME),
        r"says text, unit of 'lowest-month', which a table does not have",
    ),
    "what nobody said": (
        lambda it: it.figure("two-panels", draw, data=FRAME, alt=ALT),
        r"figure 'two-panels' has no origin.\nWrite it in results/own\.yaml",
    ),
    "a number without a format": (
        lambda it: it.number("bill", 1),
        r"number 'bill' has no text",
    ),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_wrong_call_says_what_and_where(call: str) -> None:
    do, told = CALLS[call]
    with pytest.raises(BadInput, match=told):
        do(declared("results/own.yaml"))


FILES = {
    "no YAML": ("results: [", r"own\.yaml is not YAML"),
    "nothing": ("", "declares no results"),
    "a list": ("results: [bill]", "declares no results"),
    "a name without anything": ("results:\n  bill:\n", "declares no results"),
    "an unknown key": (
        "results:\n  bill: {captoin: What it cost.}",
        r"'captoin' of 'bill', .*\n.*caption",
    ),
    "a number as unit": ("results:\n  bill: {unit: 3}", r"unit: 3 of 'bill'.\nWrite text"),
    "one source": ("results:\n  bill: {sources: data/x.csv}", "Write a list"),
    "a number as source": ("results:\n  bill: {sources: [2024]}", "source of 'bill' is not text"),
    "a field without a name": (
        "results:\n  bill: {caption: 'It cost {} USD.'}",
        "braces in the caption or sources of 'bill'",
    ),
    "an open brace": (
        "results:\n  bill: {sources: ['data/{x']}",
        "braces in the caption or sources of 'bill'",
    ),
}


@pytest.mark.parametrize("what", FILES)
def test_a_wrong_file_is_refused_when_it_is_read(beside: Path, what: str) -> None:
    text, told = FILES[what]
    write(beside, text)
    with pytest.raises(BadInput, match=told):
        declared("results/own.yaml")
