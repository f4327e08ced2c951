"""Take the README's picture of the book's cost page: docs/cost-page.png. Run `make book` first."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

PROJECT = Path(__file__).resolve().parent.parent
PAGE = PROJECT / "_build/html/notebooks/05-cost.html"


def main() -> None:
    """Open the page, go to its first figure, and save what a reader sees."""
    if not PAGE.exists() or not (chromium := shutil.which("chromium")):
        sys.exit("It takes the built book and Debian's Chromium: make book; make test")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1180, "height": 860}, color_scheme="light")
        page.goto(PAGE.as_uri())
        page.locator("#result-05-cost-cost-by-service").scroll_into_view_if_needed()
        page.mouse.wheel(0, 30)
        page.wait_for_timeout(500)
        (PROJECT / "docs").mkdir(exist_ok=True)
        page.screenshot(path=PROJECT / "docs/cost-page.png")
        browser.close()


if __name__ == "__main__":
    main()
