"""What surrounds the text: search, titles, and what each page's foot leads to."""

from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tests.book.conftest import Open


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("how much does it cost", "calculator.html"),
        ("how much does it cost", "cost.html"),
        ("GPU", "calculator.html"),
        ("DNS", "howto-first-deployment.html"),
    ],
)
def test_search_finds_what_people_ask(address: str, visit: Open, query: str, page: str) -> None:
    seen = visit(f"{address}/search.html?q={query.replace(' ', '+')}")
    seen.page.get_by_text("Search finished").wait_for()
    links = seen.page.locator("#search-results li a").all()
    found = [str(link.get_attribute("href")).split("?")[0].split("#")[0] for link in links]
    assert any(one.endswith(page) for one in found), found
    # The query is not under the magnifier.
    field = seen.page.locator(
        ".bd-search-container form.bd-search input, main form.bd-search input"
    )
    assert float(field.first.evaluate("one => parseFloat(getComputedStyle(one).paddingLeft)")) > 30


def test_no_two_pages_share_a_title(soups: dict[str, BeautifulSoup]) -> None:
    titles = [soup.h1.text.rstrip("#").strip() for soup in soups.values() if soup.h1]
    assert sorted(titles) == sorted(set(titles))


def test_feed_data_and_discussion_are_at_the_foot_of_each_page(
    html: Path, soups: dict[str, BeautifulSoup]
) -> None:
    for page, soup in soups.items():
        links = {link.text: str(link["href"]) for link in soup.select(".book-foot a")}
        assert links["Discuss this page"].startswith("https://github.com/"), page
        for name in ("All data (zip)", "Feed (Atom)"):
            assert (html / page).parent.joinpath(links[name]).resolve().is_file(), (page, name)
    by = soups["blog.html"].select_one(".byline")
    assert by is not None
    assert by.text.startswith("By ")
