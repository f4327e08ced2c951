"""Whether each page of the published book still says what its sources would make it say."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pangeo_core.files import digest, write_whole
from proof_book.identity import keys, notebook_files
from proof_book.identity.code_graph import files_of, source_folder, source_folders
from proof_book.page import executed_results, versions
from proof_book.page.provenance import COSTS
from proof_book.run.executed import Executed

FILE = "status.json"
PROSE = "book"
# What shows on every page, in the panels and at the foot.
_SETTINGS = ("_config.yml", "_toc.yml", "CITATION.cff", COSTS, versions.LIST, versions.LAST)
_REFERENCE = re.compile(r"^```\{(?:cli|api)-reference\}", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """A page of the book, named as in `_toc.yml`; `why` says what makes it stale (fresh: none)."""

    name: str
    why: tuple[str, ...]

    @property
    def fresh(self) -> bool:
        """Whether nothing that the page depends on has changed since it was published."""
        return not self.why


def record(out: Path, project: Path, done: Mapping[str, Executed]) -> None:
    """Write beside the book in `out` what it was made of: `check` compares with it."""
    made_of = {
        "notebooks": {name: one.parts for name, one in done.items()},
        "pages": _pages(project),
        "frame": _frame(project),
    }
    text = json.dumps(made_of, indent=1, sort_keys=True)
    write_whole(out / FILE, text, durable=False)  # without it, all pages are stale: no harm


def check(
    project: Path,
    *,
    out: Path | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Page]:
    """Return each page of the book of `project`, fresh or stale and why. Builds nothing."""
    project = project.resolve()
    out = (out or project / "_build").resolve()
    found = {book.name: book for book in notebook_files.find(project, parameters)}
    pages = _pages(project)
    try:
        made_of = json.loads((out / FILE).read_text())
    except (OSError, ValueError):
        return [Page(name, ("no book is there",)) for name in pages]
    frame = tuple(keys.differences({"": made_of["frame"]}, {"": _frame(project)}))
    changed = {
        name: [
            f"{name}: {what}"
            for what in keys.differences(
                made_of["notebooks"].get(name, {}), keys.parts_of(book, project)
            )
        ]
        for name, book in found.items()
    }
    result = []
    for name, page in pages.items():
        old = made_of["pages"].get(name)
        what = page["file"] if old and old["package"] == page["package"] else "the package"
        why = [] if old == page else [f"{what} changed" if old else f"{page['file']} is new"]
        # Those that the published page draws on count too: one may be gone.
        for book in sorted({*page["uses"], *(old or page)["uses"]}):
            why += changed.get(book, [f"{book} is gone"])
        built = (out / "html" / f"{name}.html").is_file()
        result.append(Page(name, (*why, *frame) if built else ("the page is not there",)))
    return result


def _pages(project: Path) -> dict[str, dict[str, Any]]:
    """Return the pages by name: their file, its digest, and the notebooks whose results it shows.

    A notebook's own file is among what it depends on, and its prose too.
    """
    pages = {}
    prose = sorted((project / PROSE).glob("*.md"))
    for path in [*prose, *sorted((project / notebook_files.FOLDER).glob("*.ipynb"))]:
        is_notebook = path.suffix == ".ipynb"
        name = f"{notebook_files.FOLDER}/{path.stem}" if is_notebook else path.stem
        uses = {path.stem} if is_notebook else executed_results.uses(path.read_text())
        whole = _REFERENCE.search(path.read_text()) if not is_notebook else None
        sources = [file for file in files_of(*source_folders(project)).values() if whole]
        pages[name] = {
            "package": digest(project, sources) if whole else "",
            "file": path.relative_to(project).as_posix(),
            "digest": digest(project, [path]),
            "uses": sorted(uses),
        }
    return pages


def _frame(project: Path) -> dict[str, str]:
    """Return the digests of what every page is made with: settings, order, style and renderer."""
    room = source_folder() / "proof_book"
    files = [*(project / name for name in _SETTINGS), *(project / PROSE).glob("_*/**/*")]
    own = {
        file.relative_to(project).as_posix(): digest(project, [file])
        for file in files
        if file.is_file()
    }
    return own | {
        f"proof_book/{file.relative_to(room).as_posix()}": digest(room, [file])
        for file in room.rglob("*.py")
    }
