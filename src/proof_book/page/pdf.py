"""The whole book as one tagged PDF: Sphinx' single page, printed by Chromium where there is one."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from pangeo_core.errors import BadInput, MissingPrerequisite
from pangeo_core.progress import Event, Progress, silent
from proof_book.page import render

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_SECONDS = 300
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--export-tagged-pdf",
    "--generate-pdf-document-outline",
    "--no-pdf-header-footer",
    "--virtual-time-budget=20000",
)
# Printed pages have no mode to follow, no buttons, and no room for a sidebar.
_STYLE = "<style>@media print{.sbt-scroll-pixel-helper,.bd-sidebar-primary{display:none}}</style>"


def make(out: Path, *, progress: Progress = silent) -> Path:
    """Print the book that was laid out in `out/stage` to `out/book.pdf`; return that file.

    Raises `MissingPrerequisite` where there is no Chromium, `BadInput` where no book was built.
    """
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise MissingPrerequisite(
            "There is no Chromium on PATH, and so no PDF.",
            why="It prints the book's single page. The pages themselves need no browser.",
            fix="Debian: apt-get install chromium",
        )
    if not (out / "stage" / "_toc.yml").is_file():
        raise BadInput(f"No book was built in {out}.", fix="pangeo-deploy book build")
    target = out / "book.pdf"
    with tempfile.TemporaryDirectory(dir=out) as name:
        scratch = Path(name)
        progress(Event("single page", "start"))
        html = render.single_page(out / "stage", scratch / "book")
        page = html.read_text().replace("</head>", f"{_STYLE}</head>", 1)
        html.write_text(page.replace("<html", '<html data-theme="light" data-mode="light"', 1))
        progress(Event("single page", "done"))
        progress(Event("pdf", "start"))
        printed = scratch / "book.pdf"
        done = subprocess.run(
            [
                browser,
                *_OPTIONS,
                f"--user-data-dir={scratch / 'profile'}",
                f"--print-to-pdf={printed}",
                html.as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode or not printed.is_file():
            raise MissingPrerequisite(
                f"{browser} printed nothing.", why="\n".join(done.stderr.splitlines()[-3:])
            )
        printed.replace(target)
        progress(Event("pdf", "done"))
    return target
