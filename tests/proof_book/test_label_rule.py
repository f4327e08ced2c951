"""A label follows from the inputs: the author cannot make a sample a measurement."""

from pathlib import Path

import pytest

from pangeo_core.errors import BadInput
from pangeo_core.origin import Origin
from proof_book.page import label_rule
from proof_book.page.executed_results import Result

ORIGINS = """# comment
file,origin
seen.csv,measured
paper.csv,published
ours.csv,derived
model*.csv,modelled
months/*,sample
"""
PAPER = "month,usd\n2024-01,12.50\n2024-02,7\n"


@pytest.fixture
def book(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "origins.csv").write_text(ORIGINS)
    (tmp_path / "data" / "paper.csv").write_text(PAPER)
    (tmp_path / "data" / "seen.csv").write_text("x\n3\n")
    (tmp_path / "results").mkdir()
    return tmp_path


def number(origin: str, value: str, *sources: str) -> Result:
    return Result("05-cost", 1, "number", "total", origin, "What it cost.", sources, value=value)


ALLOWED = [
    ("published", "12.5", ["data/paper.csv"]),  # 12.50 stands there
    ("derived", "19.5", ["data/paper.csv"]),
    ("measured", "4", ["data/seen.csv"]),
    ("derived", "4", ["data/seen.csv", "data/paper.csv"]),
    ("modelled", "4", ["data/models.csv", "data/paper.csv"]),
    ("sample", "4", ["data/months/2026-10.json"]),
    ("sample", "4", ["data/paper.csv"]),  # more cautious than its inputs ask for
    ("published", "4", ["Somebody 2020, doi 10.1/2"]),  # no file: a person has to look it up
]
REFUSED = [
    ("published", "19.5", ["data/paper.csv"], "19.5 .* stand in none of its sources"),
    ("published", "12.5", ["data/paper.csv", "data/seen.csv"], "seen.csv is measured: a mixture"),
    ("measured", "12.5", ["data/seen.csv", "data/paper.csv"], "paper.csv is published: a mixture"),
    ("measured", "4", ["data/months/2026-10.json"], "is sample, and so is"),
    ("modelled", "4", ["data/months/2026-10.json"], "is sample, and so is"),
    ("derived", "4", ["data/models.csv"], "models.csv is modelled"),
    ("published", "4", ["data/ours.csv"], "ours.csv is derived"),
    ("measured", "4", ["data/unknown.csv"], "unknown.csv is not in data/origins.csv"),
]


@pytest.mark.parametrize(("origin", "value", "sources"), ALLOWED)
def test_a_label_that_follows_is_accepted(
    book: Path, origin: str, value: str, sources: list[str]
) -> None:
    label_rule.refuse([number(origin, value, *sources)], book / "results", book)


@pytest.mark.parametrize(("origin", "value", "sources", "why"), REFUSED)
def test_a_label_that_does_not_follow_is_refused(
    book: Path, origin: str, value: str, sources: list[str], why: str
) -> None:
    with pytest.raises(BadInput, match=why):
        label_rule.refuse([number(origin, value, *sources)], book / "results", book)


def test_every_file_of_the_repository_has_an_origin(project: Path) -> None:
    known = label_rule.read(project)
    assert set(known.values()) <= set(Origin)
    files = [file for file in (project / "data").rglob("*") if file.is_file()]
    names = [file.relative_to(project).as_posix() for file in files]
    own = {"data/README.md", "data/origins.csv"}
    assert {name for name in names if not label_rule.origin_of(name, known)} == own
