"""How soon each page of the book can be used, and what it makes a browser do.

    python benchmarks/pages.py [--book _build/html] [--runs 3]

Prints one JSON document. Each page is opened in Chromium in a fresh profile, served on this
machine, at a phone's width and at a desktop's. `usable_ms` is when the page is there and nothing
more is in the way of a click: the later of the first paint, the end of the scripts
(DOMContentLoaded) and the end of the last task of over 50 ms. Medians of the runs.
"""

import argparse
import json
import os
import shutil
import statistics
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from pangeo_deploy.deployment import find_project
from proof_book.page import serve

WIDTHS = {"phone": 375, "desktop": 1280}
OBSERVE = """
window.longTasks = [];
new PerformanceObserver(list => longTasks.push(...list.getEntries().map(
  one => [one.startTime, one.duration]))).observe({type: "longtask", buffered: true});
"""
ASK = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const files = performance.getEntriesByType("resource");
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  const ends = longTasks.map(([start, took]) => start + took);
  const sum = all => all.reduce((one, other) => one + other, 0);
  return {
    usable_ms: Math.max(paint ? paint.startTime : 0, page.domContentLoadedEventEnd, ...ends),
    load_ms: page.loadEventEnd,
    long_tasks: longTasks.length,
    blocked_ms: sum(longTasks.map(([_, took]) => took - 50)),
    requests: files.length + 1,
    blocking: files.filter(one => one.renderBlockingStatus == "blocking").length,
    kb: (page.encodedBodySize + sum(files.map(one => one.encodedBodySize))) / 1000,
    script_kb: sum(files.filter(one => /\\.js(\\?|$)/.test(one.name)).map(
      one => one.encodedBodySize)) / 1000,
  };
}"""


def look(browser: Browser, address: str, width: int) -> dict[str, float]:
    """Open `address` once, as if for the first time, and return what it took."""
    context = browser.new_context(viewport={"width": width, "height": 900})
    context.add_init_script(OBSERVE)
    page = context.new_page()
    page.goto(address, wait_until="networkidle")
    told: dict[str, float] = page.evaluate(ASK)
    context.close()
    return told


def measure(html: Path, runs: int) -> tuple[str, list[dict[str, Any]]]:
    """Return the browser's version, and a row a page and width: the medians of `runs` visits."""
    server = serve.serve(html, 0)
    pages = sorted(
        path.relative_to(html).as_posix()
        for path in html.rglob("*.html")
        if "_static" not in path.relative_to(html).parts
    )
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    rows = []
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=program, args=options)
        for page in pages:
            for name, width in WIDTHS.items():
                address = f"http://127.0.0.1:{server.server_port}/{page}"
                seen = [look(browser, address, width) for _ in range(runs)]
                median = {key: statistics.median(one[key] for one in seen) for key in seen[0]}
                rows.append({"page": page, "width": name} | _rounded(median))
        version = browser.version
        browser.close()
    server.shutdown()
    return version, rows


def _rounded(row: dict[str, float]) -> dict[str, float]:
    return {
        key: round(value, 1) if key.endswith("kb") else round(value) for key, value in row.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--book", type=Path, default=find_project() / "_build" / "html")
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    load = os.getloadavg()[0]
    version, rows = measure(given.book, given.runs)
    told = {"load": load, "browser": version, "runs": given.runs, "pages": rows}
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
