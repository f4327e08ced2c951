"""Every page of the real book in a real browser: desktop and phone, light and dark, no network."""

import contextlib
import json
import re
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Error, Route

import proof_book as publish
from pangeo_core.origin import Origin
from proof_book.page.executed_results import is_sentence
from tests.book.conftest import COLOURS, LOADED, SCHEMES, SIZES, Open, pages

# They share a built book, and the first of them builds it.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
OF_COLOUR = ["color-contrast", "link-in-text-block"]
OFF = {"enabled": False}
MOST_BYTES = 2_500_000
# What a reader waits for, in numbers that do not depend on the machine: the files that must come
# before the first paint, and the scripts.
MOST_BLOCKING, MOST_SCRIPT_BYTES, SEARCH_BYTES = 20, 160_000, 200_000
# The panels of a page are alike: a few are looked into, since axe looks at each node of all.
OPEN_SOME = "[...document.querySelectorAll('.result-proof')].slice(0, 3).map(d => d.open = true)"


def test_the_book_has_the_pages_of_its_contents_and_no_others(
    soups: dict[str, BeautifulSoup],
) -> None:
    assert sorted(soups) == sorted(pages())


@pytest.mark.parametrize("page", pages())
def test_page(address: str, visit: Open, page: str) -> None:
    """One visit: what changes with the size and the colours is looked at in each of the four."""
    seen = visit(f"{address}/{page}")
    assert seen.elsewhere == []
    assert 10_000 < seen.bytes < MOST_BYTES
    blocking, scripts = seen.page.evaluate(LOADED)
    searches = page == "search.html"  # which needs the index of all pages, and what reads it
    assert 0 < len(blocking) <= MOST_BLOCKING + 3 * searches, blocking
    assert 0 < scripts < MOST_SCRIPT_BYTES + SEARCH_BYTES * searches
    broken = "[...document.images].filter(i => i.complete && !i.naturalWidth).length"
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    seen.page.evaluate(OPEN_SOME)
    looks: dict[str, str] = {}
    for size in SIZES:
        for scheme in SCHEMES:
            seen.turn(size, scheme)
            where = f"{page}, {size}, {scheme}"
            assert seen.page.locator("html").get_attribute("data-theme") == scheme, where
            assert seen.page.evaluate(wide) <= 0, where
            assert seen.page.evaluate(broken) == 0, where
            # The rules that do not look at colours say the same in both schemes, and those that
            # do say the same of a text whose colours and sizes did not change with the width.
            look = seen.page.evaluate(COLOURS)
            same = size != "desktop" and look == looks[scheme]
            looks.setdefault(scheme, look)
            found = seen.axe({"runOnly": OF_COLOUR}, ("article",) if same else ("[data-alike]",))
            assert found["passes"] > 0, where
            assert found["violations"] == [], where
            if scheme == "dark":
                continue
            found = seen.axe({"runOnly": WCAG, "rules": dict.fromkeys(OF_COLOUR, OFF)})
            assert found["passes"] > 15, where
            assert found["violations"] == [], where
    assert seen.errors == []


def test_every_link_and_anchor_resolves(html: Path, soups: dict[str, BeautifulSoup]) -> None:
    ids = {
        page: {tag["id"] for tag in soup.find_all(id=True)} | {""} for page, soup in soups.items()
    }
    wrong, checked = [], 0
    for page, soup in soups.items():
        for tag in soup.find_all(["a", "img", "link", "script", "source", "iframe"]):
            link = tag.get("href") or tag.get("src")
            if not link or link.startswith("data:"):
                continue
            if urlsplit(link).scheme:
                if tag.name != "a" or urlsplit(link).scheme not in ("https", "mailto"):
                    wrong.append((page, link))  # loaded from elsewhere, or not safe
                continue
            target, anchor = urldefrag(urljoin(f"/{page}", link))
            file = unquote(urlsplit(target).path).lstrip("/")
            checked += 1
            if not (html / file).is_file() or unquote(anchor) not in ids.get(file, {"", anchor}):
                wrong.append((page, link))
    assert wrong == []
    assert checked > 200


def test_every_picture_says_what_it_shows(soups: dict[str, BeautifulSoup]) -> None:
    figures = 0
    for page, soup in soups.items():
        for image in soup.select("article img"):
            figures += 1
            assert is_sentence(image.get("alt", "")), (page, image)
        for image in soup.select("img"):  # those of the theme's buttons too
            assert image.get("alt"), (page, image)
    assert figures >= 8


def test_every_result_says_where_it_comes_from(soups: dict[str, BeautifulSoup]) -> None:
    shown = [(page, result) for page, soup in soups.items() for result in soup.select(".result")]
    assert len(shown) > 20
    for page, result in shown:
        origin = result.select_one(".origin")
        assert origin is not None, (page, result)
        assert origin.text in list(Origin), (page, result)
        rows = {row.text: row.find_next("dd").text for row in result.select(".result-proof dt")}
        assert rows["Label"].startswith(f"{origin.text}. "), (page, result)
        assert rows["Sources"].strip(), (page, result)
        kind = {"result-figure", "result-table", "result-number"} & set(result["class"])
        downloads = [link.text for link in result.select("a.download")]
        assert (
            downloads
            == {
                "result-figure": ["Data (CSV)", "Figure (SVG)"],
                "result-table": ["Data (CSV)"],
                "result-number": [],
            }[kind.pop()]
        ), (page, result)
        if not page.startswith("notebooks/"):
            assert result.select_one("a[href^='notebooks/']"), (page, result)


def test_every_number_in_the_text_leads_to_its_cell(soups: dict[str, BeautifulSoup]) -> None:
    links = [link for soup in soups.values() for link in soup.select("a.result-inline")]
    assert len(links) > 40
    for link in links:
        page, anchor = urldefrag(link["href"])
        target = soups[page].find(id=anchor)
        assert target is not None, link
        assert link.text.replace("\N{NO-BREAK SPACE}", " ") in target.text
        assert any(f"({origin}; notebook" in link["title"] for origin in Origin), link


def test_every_result_and_number_resolves_to_its_provenance(
    html: Path, soups: dict[str, BeautifulSoup]
) -> None:
    proof = json.loads((html / "results/provenance.json").read_text())
    crate = json.loads((html / "ro-crate-metadata.json").read_text())
    known = {one["@id"] for one in crate["@graph"]}
    anchors = {f"result-{key.replace('/', '-')}": key for key in proof["results"]}
    shown = [result for soup in soups.values() for result in soup.select(".result")]
    linked = [link for soup in soups.values() for link in soup.select("a.result-inline")]
    for anchor in [one["id"] for one in shown] + [one["href"].split("#")[1] for one in linked]:
        own = proof["results"][anchors[anchor]]
        book = proof["notebooks"][own["notebook"]]
        assert f"#run-{own['notebook']}" in known
        assert own["source"].startswith(f"{proof['repository']}/blob/")
        assert book["sources_key"]
        # Whatever it names of the repository's data has a digest.
        assert all(one in own["digests"] for one in own["sources"] if one.startswith("data/"))
    terms = ["Label", "Sources", "Computed by", "Parameters", "Code", "A recorded run"]
    for result in shown:
        panel = result.select_one("details.result-proof")
        assert panel is not None, result["id"]
        assert [term.text for term in panel.select("dt")][: len(terms)] == terms
        assert panel.select_one("summary") is not None


# MiB that a notebook may hold, far below Binder's limits. Two have a reason to hold more: a hub's
# ten processes, and an account with Terraform beside it (413 where it runs alone; what it shares
# with other notebooks is counted in part where they run at the same time).
MOST_MIB = {"01-deploy": 480, "02-hub": 1229}


def test_every_notebook_fits_binder(html: Path) -> None:
    took = json.loads((html.parent / "report.json").read_text())["notebooks"]
    assert len(took) > 4
    for name, one in took.items():
        assert 10 < one["peak_mb"] * 1e6 / 2**20 < MOST_MIB.get(name, 400), name


def test_a_link_to_a_page_has_a_preview(html: Path, soups: dict[str, BeautifulSoup]) -> None:
    for page, soup in soups.items():
        if page in ("search.html", "genindex.html"):
            continue
        told = {tag["property"]: tag["content"] for tag in soup.select("meta[property^='og:']")}
        assert told["og:title"], page
        assert len(told["og:description"]) > 40, page
        assert told["og:url"].endswith(f"/{page}"), page
        picture = html / str(told["og:image"]).rpartition("/")[2]
        assert picture.read_bytes().startswith(b"\x89PNG"), page
        assert is_sentence(str(told["og:image:alt"])), page


def test_the_reference_lists_every_verb(soups: dict[str, BeautifulSoup]) -> None:
    from pangeo_deploy.cli.sphinx_reference import verbs

    headings = [one.code.text for one in soups["reference-cli.html"].select("h2") if one.code]
    assert headings == [name.removeprefix("pangeo-deploy ") for name, _ in verbs()]
    options = soups["reference-cli.html"].select("dl.cli-options dd")
    assert len(options) > 50
    assert all(len(one.text.strip()) > 5 for one in options)


def test_the_pdf_is_the_whole_book_and_tagged(html: Path, browser: Browser) -> None:
    """The fixture says that there is a Chromium."""
    data = publish.pdf(html.parent).read_bytes()
    assert data.startswith(b"%PDF-")
    assert b"/StructTreeRoot" in data
    assert b"/Outlines" in data
    assert data.count(b"/Type /Page\n") + data.count(b"/Type /Page/") > 30


@pytest.mark.parametrize("page", [page for page in pages() if page.startswith("notebooks/")])
def test_a_notebooks_page_leads_to_its_source(soups: dict[str, BeautifulSoup], page: str) -> None:
    links = [link["href"] for link in soups[page].select("a[href]")]
    file = page.replace(".html", ".ipynb")
    assert any(
        one.startswith("https://mybinder.org/v2/gh/") and one.endswith(file) for one in links
    )
    assert any("github.com" in one and f"/{file}?plain=1" in one for one in links)
    assert any(one.endswith(f"_sources/{file}") for one in links)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_figure_has_a_true_dark_variant(address: str, visit: Open, scheme: str) -> None:
    page = visit(f"{address}/cost.html", scheme=scheme).page
    figure = page.locator("figure.result").first
    shown = figure.locator("img:visible")
    assert shown.count() == 1
    assert f".{scheme}.svg" in str(shown.get_attribute("src"))
    # And when the reader asks for the other one.
    other = "light" if scheme == "dark" else "dark"
    for _ in range(3):
        if page.locator("html").get_attribute("data-mode") == other:
            break
        page.locator(".theme-switch-button:visible").first.click()
    assert f".{other}.svg" in str(figure.locator("img:visible").get_attribute("src"))


@pytest.mark.parametrize("page", ["cost.html", "notebooks/05-cost.html"])
def test_a_page_can_be_used_before_its_pictures_have_come(
    address: str, visit: Open, page: str
) -> None:
    """Nor does it need its icons: text, search and the switch of colours work without them."""
    held: list[Route] = []
    pictures = re.compile(r"\.(svg|png|woff2)(\?|$)")
    seen = visit(f"{address}/{page}", hold=(pictures, lambda route: held.append(route)))
    assert held
    assert seen.page.evaluate("document.readyState") == "interactive"  # not `complete`
    assert seen.page.locator("article h1").is_visible()
    before = seen.page.locator("html").get_attribute("data-mode")
    seen.page.locator(".theme-switch-button:visible").first.click()
    assert seen.page.locator("html").get_attribute("data-mode") != before
    seen.page.locator(".search-button__button:visible").first.click()
    field = seen.page.locator("input[type=search]:visible").first
    field.fill("exclusive")
    field.press("Enter", no_wait_after=True)
    seen.page.wait_for_url("**/search.html?q=exclusive*", wait_until="commit")
    for route in held:
        with contextlib.suppress(Error):  # those of the page that was left
            route.abort()


def test_search_finds_what_the_book_says(address: str, visit: Open) -> None:
    seen = visit(f"{address}/search.html?q=exclusive")
    seen.page.wait_for_selector("#search-results li a")
    found = [link.get_attribute("href") for link in seen.page.locator("#search-results li a").all()]
    assert any("cost.html" in str(link) for link in found)
    assert seen.elsewhere == []


def test_the_drawers_of_a_phone_work_with_the_keyboard(address: str, visit: Open) -> None:
    page = visit(f"{address}/report.html", "phone").page
    drawer = page.locator("#pst-primary-sidebar-modal")
    assert not drawer.is_visible()
    page.locator(".primary-toggle").first.focus()
    page.keyboard.press("Enter")
    drawer.wait_for(state="visible")
    assert drawer.get_by_role("link", name="Report", exact=True).is_visible()
    page.keyboard.press("Escape")
    drawer.wait_for(state="hidden")


def test_the_book_can_be_read_from_its_files(html: Path, visit: Open) -> None:
    """`make book` ends with the name of a file: no server, and no complaint."""
    for page in ("index.html", "report.html"):
        seen = visit((html / page).as_uri())
        assert (seen.errors, seen.elsewhere) == ([], [])
        assert seen.page.locator("article h1").is_visible()
