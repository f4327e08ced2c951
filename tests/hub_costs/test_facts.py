from decimal import Decimal
from pathlib import Path

import pytest

from hub_costs import data_files
from hub_costs.estimates import published_tables
from pangeo_core.errors import BadInput, MissingPrerequisite

ROOT = Path(__file__).parents[2]
TABLE = "openscapes_totals_by_report"
GOOD = "# cited\nreport,month,usd\n2024-07,2024-06,1309.08\n2024-07,2024-07,895.12\n"


@pytest.mark.parametrize("name", published_tables.TABLES)
def test_every_table_of_the_repository_reads(name):
    assert len(published_tables.read(name, ROOT / "data")) > 0


@pytest.mark.parametrize("name", published_tables.TABLES)
def test_every_table_cites_its_source_in_the_file_and_in_the_readme(name):
    head = [x for x in (ROOT / "data" / f"{name}.csv").read_text().splitlines() if x[0] == "#"]
    assert any(line.startswith("# Source: ") and "/" in line for line in head)
    assert f"`{name}.csv`" in (ROOT / "data" / "README.md").read_text()


def write(folder, content):
    (folder / f"{TABLE}.csv").write_text(content)
    return folder


def test_money_is_read_exactly(tmp_path):
    frame = published_tables.read(TABLE, write(tmp_path, GOOD))
    assert list(frame.usd) == [Decimal("1309.08"), Decimal("895.12")]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (GOOD[:-1], 4),
        (GOOD[: GOOD.rindex(",")] + "\n", 4),
        (GOOD.replace("895.12", "895,12"), 4),
        (GOOD.replace("1309.08", "nan"), 3),
        (GOOD.replace("1309.08", "1e3"), 3),
        (GOOD.replace("2024-06", "2024-31"), 3),
        (GOOD.replace("usd", "eur"), 2),
        ("# cited\nreport,month,usd\n", 3),
        ("", 1),
        ("\x00\xff", 1),
    ],
    ids=[
        "cut line",
        "cut row",
        "comma",
        "nan",
        "exponent",
        "month",
        "column",
        "no rows",
        "empty",
        "binary",
    ],
)
def test_a_damaged_table_is_refused_with_file_line_and_way_out(tmp_path, content, line):
    with pytest.raises(BadInput) as caught:
        published_tables.read(TABLE, write(tmp_path, content))
    assert f"{TABLE}.csv, line {line}:" in caught.value.what
    assert "git checkout" in caught.value.fix


def test_bytes_that_are_not_text_are_refused(tmp_path):
    (tmp_path / f"{TABLE}.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="cannot be read"):
        published_tables.read(TABLE, tmp_path)


def test_the_data_folder_is_found_from_below_and_from_outside(tmp_path, monkeypatch):
    table = ROOT / "data" / f"{TABLE}.csv"
    monkeypatch.chdir(ROOT / "tests" / "hub_costs")
    assert data_files.find(f"{TABLE}.csv") == table
    monkeypatch.chdir(tmp_path)
    assert data_files.find(f"{TABLE}.csv") == table, "our own checkout's"
    with pytest.raises(MissingPrerequisite, match=r"data/none\.csv"):
        data_files.find("none.csv")


def test_our_reading_of_the_charts_adds_to_the_totals_that_the_reports_print():
    """Each bar is read by itself; together they may miss the printed total by their steps."""
    services = published_tables.read("openscapes_services_by_report", ROOT / "data")
    totals = published_tables.read(TABLE, ROOT / "data").set_index(["report", "month"]).usd
    steps = (
        published_tables.read("openscapes_reports", ROOT / "data").set_index("report").usd_per_step
    )
    compared = 0
    for (report, month), bars in services.groupby(["report", "month"]):
        if (report, month) in totals.index:
            compared += 1
            off = abs(sum(bars.usd) - totals[report, month])
            assert off <= 2 * len(bars) * steps[report], (report, month)
    assert compared > 0
