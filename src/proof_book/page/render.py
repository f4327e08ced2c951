"""Render the stage with Jupyter Book and put the result in the place of the old book at once.

A book whose stage, tools and pages are as they were is left alone. Otherwise all of it is rendered:
Sphinx's own incremental build leaves the navigation of unchanged pages behind, forgets warnings of
the build before, and takes a page that a killed build left half-written for a finished one.
"""

import ctypes
import errno
import json
import os
import re
import shutil
import sys
from importlib import metadata, util
from pathlib import Path

from pangeo_core.errors import BadInput, MissingPrerequisite
from pangeo_core.files import digest, write_whole
from proof_book.identity.code_graph import source_folder
from proof_book.identity.normalise_outputs import plain
from proof_book.run import processes

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
# What a book is rendered with, besides what is in the stage.
_TOOLS = ("jupyter-book", "sphinx", "myst-nb", "myst-parser", "sphinx-book-theme", "docutils")


def check() -> None:
    """Raise `MissingPrerequisite` if what renders the book is not there: before hours of work."""
    if not util.find_spec("jupyter_book"):
        raise MissingPrerequisite(
            "Jupyter Book is not installed here",
            why="It is in the group `book`, which the notebooks themselves do not need.",
            fix="Run `make book`, which installs it.",
        )


def render(stage: Path, html: Path, scratch: Path) -> bool:
    """Render `stage` to `html` and return True, or return False if `html` is up to date."""
    record = html.with_name("book.json")
    wanted = _inputs(stage)
    if _is_current(record, html, wanted):
        return False
    _run_jupyter_book(stage, scratch, "html")
    fresh = scratch / "_build" / "html"
    _exchange(fresh, html)
    write_whole(record, json.dumps({"inputs": wanted, "pages": _tree(html)}, indent=1))
    return True


def _inputs(stage: Path) -> str:
    versions = {tool: metadata.version(tool) for tool in _TOOLS}
    package = source_folder()  # all of it: the reference pages are made from its sources
    return "-".join((_tree(stage), digest(package, package.rglob("*.py")), json.dumps(versions)))


def _tree(folder: Path) -> str:
    return digest(folder, (path for path in folder.rglob("*") if path.is_file()))


def _is_current(record: Path, html: Path, wanted: str) -> bool:
    try:
        known = json.loads(record.read_text())
        return bool(known["inputs"] == wanted and html.is_dir() and known["pages"] == _tree(html))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def single_page(stage: Path, scratch: Path) -> Path:
    """Render all of `stage` as one page below `scratch`, and return that page."""
    _run_jupyter_book(stage, scratch, "singlehtml")
    return scratch / "_build" / "singlehtml" / "index.html"


def _run_jupyter_book(stage: Path, scratch: Path, builder: str) -> None:
    scratch.mkdir(parents=True, exist_ok=True)
    log = scratch / "log.txt"
    with log.open("wb") as file:
        arguments = ["book", "build", str(stage), "--path-output", str(scratch)]
        arguments += ["--builder", builder]
        child = processes.start(
            [*arguments, "-W", "--keep-going", "-q"], log=file, env=_environment(), cwd=scratch
        )
        with processes.ended_on_exit(child):
            code = child.wait()
    if code:
        told = plain(log.read_text(errors="replace"))
        if (full := os.strerror(errno.ENOSPC)) in told:
            raise OSError(errno.ENOSPC, full, str(scratch))
        raise BadInput(
            "the book did not render without warnings",
            why=_in_the_authors_terms(told, stage),
            fix="Correct the pages named. The last good book is untouched.",
        )


def _environment() -> dict[str, str]:
    environment = processes.environment()
    # Sphinx would put the year of this date in the place of the last copyright year.
    environment.pop("SOURCE_DATE_EPOCH")
    return environment


def _in_the_authors_terms(log: str, stage: Path) -> str:
    """Return the warnings and errors of `log`, with the stage's files as the author knows them."""
    told = [line for line in log.splitlines() if re.search(r"WARNING|ERROR|rror:", line)]
    text = "\n".join(told or log.splitlines()[-20:])
    text = text.replace(f"{stage}/notebooks/", "notebooks/")
    return text.replace(f"{stage}/", "book/")


def _exchange(fresh: Path, html: Path) -> None:
    """Put the folder `fresh` in the place of `html`, in one step where the system can."""
    if not html.exists():
        fresh.rename(html)
        return
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        names = os.fsencode(fresh), os.fsencode(html)
        if libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
            return
    aside = html.with_name(f"{html.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    html.rename(aside)
    fresh.rename(html)
    shutil.rmtree(aside)
