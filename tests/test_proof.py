"""The table of what is proven: its tests exist, and a row whose tests did not run is refused."""

import csv

import pytest
from tools.record_proof import ROWS, outcomes, table

from tests.conftest import PROJECT

EVERYTHING = "\n".join(
    f"[gw1] [ 50%] PASSED tests/{file}::test_it " for _, _, files in ROWS for file in files
)


def test_every_row_names_tests_that_exist() -> None:
    assert [
        file for _, _, files in ROWS for file in files if not (PROJECT / "tests" / file).is_file()
    ] == []


def test_the_recorded_table_has_the_rows() -> None:
    lines = (PROJECT / "data/proof.csv").read_text().splitlines()
    recorded = csv.DictReader(line for line in lines if not line.startswith("#"))
    assert [(row["what"], row["rung"]) for row in recorded] == [row[:2] for row in ROWS]


def test_a_test_that_failed_once_is_not_counted_as_passed() -> None:
    failed = f"[gw0] [ 51%] FAILED tests/{ROWS[0][2][0]}::test_it "
    alone = f"tests/{ROWS[1][2][0]}::test_other[a b] PASSED [ 51%]"  # as one process prints it
    rows = table(outcomes(f"{EVERYTHING}\n{failed}\n{alone}"))
    assert (rows[0]["passed"], rows[0]["failed"]) == (len(ROWS[0][2]) - 1, 1)
    assert rows[1]["passed"] == len(ROWS[1][2]) + 1
    assert {row["failed"] for row in rows[1:]} == {0}


def test_a_row_whose_tests_did_not_run_is_refused() -> None:
    with pytest.raises(SystemExit, match=r"No outcome of pangeo_deploy/terraform/test_life\.py"):
        table(outcomes(EVERYTHING.replace("test_life", "test_death")))
