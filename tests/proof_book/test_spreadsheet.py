"""What is downloaded as csv opens as text and numbers."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proof_book.page import executed_results
from proof_book.page.spreadsheet import STARTS, inert, shown
from tests.proof_book.test_results import notebook

cells = st.text(alphabet=st.sampled_from("=+-@\t\r\n'\"ab,1.5 %"), max_size=6)
tables = st.integers(1, 3).flatmap(
    lambda n: st.lists(st.lists(cells, min_size=n, max_size=n), min_size=1, max_size=4)
)


def written(rows: list[list[str]]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@given(tables)
def test_no_cell_is_a_formula_and_none_is_lost(rows: list[list[str]]) -> None:
    safe = read(inert(written(rows)))
    for cell in (cell for row in safe for cell in row):
        assert not cell.startswith(STARTS) or set(cell) <= set("+-1.,5 %")
    assert [[shown(cell) for cell in row] for row in safe] == read(written(rows))


@pytest.mark.parametrize("number", ["-3.5", "+2", "-1,234.00", "-1e-12", "-5 %", "0"])
def test_numbers_stay_numbers(number: str) -> None:
    assert inert(f"usd\n{number}\n") == f"usd\n{number}\n"


@pytest.mark.parametrize(
    "tag", ['=HYPERLINK("http://example.invalid")', "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1"]
)
def test_a_tag_in_a_downloaded_table_is_text(tmp_path: Path, tag: str) -> None:
    bundle = {
        "kind": "table",
        "name": "owners",
        "origin": "sample",
        "caption": "Who caused what.",
        "sources": ["made up"],
        "data": written([["owner", "usd"], [tag, "-1.50"]]),
    }
    found = executed_results.collect([("05-cost", notebook(bundle))], tmp_path)
    file = tmp_path / found["05-cost/owners"].files["data"]
    assert read(file.read_bytes().decode())[1] == [f"'{tag}", "-1.50"]
