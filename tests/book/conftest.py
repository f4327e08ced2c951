"""The real book, served on this machine, and a browser that can reach nothing else."""

import functools
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright

import proof_book as publish
from tests.conftest import PROJECT

# Chromium as root in a closed network: without the last five it calls home all the time.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"desktop": (1280, 900), "phone": (375, 800)}
SCHEMES = ("light", "dark")
# The theme gives the keyboard a way into what scrolls, a moment after the size has changed.
REACHED = """() => [...document.querySelectorAll('pre, .pst-scrollable-table-container')].every(
  one => one.scrollWidth <= one.clientWidth || one.tabIndex == 0)"""
AXE = """([where, options]) => axe.run(where, options).then(found => ({
  passes: found.passes.length,
  violations: found.violations.map(one => [one.id, one.nodes[0].html]),
}))"""


# The files that come before the first paint, and the bytes of all scripts.
LOADED = """() => {
  const files = performance.getEntriesByType('resource');
  return [
    files.filter(one => one.renderBlockingStatus == 'blocking').map(one => one.name),
    files.filter(one => /\\.js(\\?|$)/.test(one.name)).reduce((n, o) => n + o.encodedBodySize, 0),
  ];
}"""
# What decides whether the text of a page can be read, element by element.
COLOURS = """() => [...document.querySelectorAll('article, article *')].map(one => {
  const style = getComputedStyle(one), size = parseFloat(style.fontSize);
  if (style.display == 'none' || style.visibility == 'hidden' || style.opacity == 0) return '';
  const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
  return [style.color, style.backgroundColor, style.opacity, large].join();
}).join(';')"""
# Code is thousands of words in a dozen colours: two of each are looked at.
ALIKE = """() => {
  const seen = {};
  for (const one of document.querySelectorAll('.highlight pre span[class]')) {
    const kind = [one.className, one.closest('.highlight').parentElement.className].join();
    seen[kind] = (seen[kind] || 0) + 1;
    one.toggleAttribute('data-alike', seen[kind] > 2);
  }
}"""


@pytest.fixture(scope="session")
def html() -> Path:
    """The folder of the real book, built if something changed."""
    return publish.build(PROJECT).index.parent


@pytest.fixture(scope="session")
def soups(html: Path) -> dict[str, BeautifulSoup]:
    """Every page of the book, by its place in it."""
    return {
        path.relative_to(html).as_posix(): BeautifulSoup(path.read_text(), "html.parser")
        for path in sorted(html.rglob("*.html"))
        if "_static" not in path.relative_to(html).parts
    }


@pytest.fixture(scope="session")
def address(html: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=html))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")  # its event loop must not run under the tests of other files
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        missing = "Chromium is not installed (Debian: apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{missing}, and in CI the book's pages must be tested")
        pytest.skip(missing)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield running
        running.close()


@dataclass
class Visit:
    """An open page and all that went on while it opened."""

    page: Page
    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    bytes: int = 0

    def turn(self, size: str, scheme: str) -> None:
        """Make the open page as wide and as light or dark as a reader's screen may become."""
        width, height = SIZES[size]
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        self.page.wait_for_function(f"document.documentElement.dataset.theme == '{scheme}'")
        self.page.wait_for_function(REACHED)

    def axe(self, rules: dict[str, Any], without: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return how many of axe's rules passed, and the violations, each with its first node.

        `without` names what is left out.
        """
        if not self.page.evaluate("typeof axe == 'object'"):
            self.page.evaluate(Axe().axe_script)
            self.page.evaluate(ALIKE)
        where = {"include": [["html"]]} | (
            {"exclude": [[one] for one in without]} if without else {}
        )
        # Its preloading of styles asks for what is not there, which would count as our error.
        options = {**rules, "resultTypes": ["violations"], "preload": False}
        return dict(self.page.evaluate(AXE, [where, options]))

    def open(self, url: str) -> "Visit":
        """Open `url` and wait until nothing more is loaded."""
        self.page.goto(url)
        self.page.wait_for_load_state("networkidle")
        return self


Open = Callable[..., Visit]
# Which requests of a page are not answered, and who takes them instead.
Hold = tuple[re.Pattern[str], Callable[[Route], None]]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """Open a page in a fresh browser profile of a size and colour scheme, without a network."""
    contexts: list[BrowserContext] = []

    def start(
        url: str, size: str = "desktop", scheme: str = "light", hold: Hold | None = None
    ) -> Visit:
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",  # colours that fade would be judged half-way
        )
        contexts.append(context)
        seen = Visit(context.new_page())

        def guard(route: Route) -> None:
            target = urlsplit(route.request.url)
            if target.scheme in ("http", "https") and target.hostname != "127.0.0.1":
                seen.elsewhere.append(route.request.url)
                route.abort()
            else:
                route.continue_()

        context.route("**/*", guard)
        seen.page.on(
            "console",
            lambda message: (
                message.type in ("error", "warning")
                and seen.errors.append(f"{message.type}: {message.text} {message.location}")
            ),
        )
        seen.page.on("pageerror", lambda error: seen.errors.append(str(error)))
        seen.page.on("requestfailed", lambda request: seen.errors.append(f"failed: {request.url}"))
        seen.page.on("response", lambda answer: _weigh(seen, answer))
        if hold is None:
            return seen.open(url)
        context.route(*hold)
        seen.page.goto(url, wait_until="domcontentloaded")
        return seen

    yield start
    for context in contexts:
        context.close()


def _weigh(seen: Visit, answer: object) -> None:
    length = answer.headers.get("content-length", "0")  # type: ignore[attr-defined]
    seen.bytes += int(length)


def pages() -> list[str]:
    """Return the pages that the book must have, from its table of contents."""
    import yaml

    contents = yaml.safe_load((PROJECT / "_toc.yml").read_text())
    chapters = [
        entry["file"]
        for part in contents["parts"]
        for chapter in part["chapters"]
        for entry in (chapter, *chapter.get("sections", ()))
    ]
    return [f"{name}.html" for name in [contents["root"], *chapters, "search", "genindex"]]
