"""What the book publishes about itself: its feed, its data in one file, its DOI once it has one."""

import zipfile
from pathlib import Path
from xml.etree import ElementTree

from proof_book.page import about

ATOM = "{http://www.w3.org/2005/Atom}"
ABOUT = {
    "title": "Hubs & bills",
    "author": "The contributors",
    "released": "2026-11-23",
    "address": "https://example.github.io/book",
}


def test_the_feed_has_the_pages_with_a_byline(tmp_path: Path) -> None:
    (tmp_path / "blog.md").write_text(
        "# Should you <run> one?\n\n```{div} lead\nFor who\nmust decide.\n```\n\n```{byline}\n```\n"
    )
    (tmp_path / "other.md").write_text("# No byline\n")
    feed = ElementTree.fromstring(about.feed(ABOUT, tmp_path.glob("*.md")))
    assert feed.findtext(f"{ATOM}title") == "Hubs & bills"
    (entry,) = feed.findall(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}title") == "Should you <run> one?"
    assert entry.findtext(f"{ATOM}summary") == "For who must decide."
    assert entry.findtext(f"{ATOM}id") == "https://example.github.io/book/blog.html"
    assert entry.findtext(f"{ATOM}updated") == "2026-11-23T00:00:00Z"


def test_all_data_is_one_file_with_the_same_bytes_each_time(tmp_path: Path) -> None:
    (tmp_path / "data" / "months").mkdir(parents=True)
    (tmp_path / "data" / "months" / "may.csv").write_text("a,b\n")
    results = tmp_path / "shown"
    results.mkdir()
    (results / "05-cost-bill.csv").write_text("c\n1\n")
    (results / "index.json").write_text("{}")
    first, second = tmp_path / "1.zip", tmp_path / "2.zip"
    about.archive(tmp_path, results, first)
    about.archive(tmp_path, results, second)
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as whole:
        assert whole.namelist() == ["data/months/may.csv", "results/05-cost-bill.csv"]
        assert whole.read("results/05-cost-bill.csv") == b"c\n1\n"


def test_a_doi_is_taken_over_from_the_citation_file(tmp_path: Path) -> None:
    (tmp_path / "CITATION.cff").write_text("title: T\ndoi: 10.5281/zenodo.1\n")
    told = about.describe(tmp_path, tmp_path, {}, None, "")
    assert told["doi"] == "10.5281/zenodo.1"
