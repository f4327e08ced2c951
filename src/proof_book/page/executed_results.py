"""The results that executed notebooks hold: figures, tables and numbers, read and checked."""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pangeo_core.errors import BadInput
from pangeo_core.origin import RESULT, Origin
from proof_book.page.spreadsheet import inert

FOLDER = "results"
INDEX = "index.json"

REQUIRED = {
    "figure": ("caption", "alt", "sources", "data", "light", "dark"),
    "table": ("caption", "sources", "data"),
    "number": ("caption", "sources", "text", "value"),
}
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_USES = re.compile(r"\{(?:value|result)\}`?\s*([\w-]+)/[\w-]+")
# What is written to a file of its own beside the index, and under which ending.
_FILES = {"light": "light.svg", "dark": "dark.svg", "data": "csv"}


@dataclass(frozen=True)
class Result:
    """One figure, table or number with where it comes from.

    `cell` counts from 1. `files` holds, by content (`light`, `dark`, `data`), the file it was
    written to, relative to the results' folder.
    """

    notebook: str
    cell: int
    kind: str
    name: str
    origin: str
    caption: str
    sources: tuple[str, ...]
    alt: str = ""
    text: str = ""
    value: str = ""
    unit: str = ""
    files: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Return the name by which pages refer to it, such as `05-cost/cost-by-service`."""
        return f"{self.notebook}/{self.name}"

    @property
    def anchor(self) -> str:
        """Return the id it has on a page."""
        return f"result-{self.notebook}-{self.name}"


def collect(executed: Iterable[tuple[str, Any]], folder: Path) -> dict[str, Result]:
    """Write the results of the `executed` notebooks (name, content) to `folder`.

    They are returned by key. Every result is checked first; all that is wrong is told at once.
    """
    found: dict[str, Result] = {}
    problems: list[str] = []
    for notebook, content in executed:
        for number, cell in enumerate(content.cells, 1):
            for bundle in bundles(cell):
                wrong = problems_of(bundle)
                key = f"{notebook}/{bundle.get('name')}"
                if key in found:
                    wrong.append(f"the name is already that of cell {found[key].cell}")
                if wrong:
                    name = bundle.get("name", "a result without a name")
                    problems += [f"{notebook}, cell {number}, {name}: {what}" for what in wrong]
                    continue
                found[key] = _write(notebook, number, bundle, folder)
    if problems:
        raise BadInput(
            f"{len(problems)} results in the notebooks cannot be published",
            why="\n".join(problems),
            fix="Correct the cells named.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    index = {key: asdict(result) for key, result in found.items()}
    (folder / INDEX).write_text(json.dumps(index, indent=1, sort_keys=True) + "\n")
    return found


def load(folder: Path) -> dict[str, Result]:
    """Return the results that `collect` wrote to `folder`, by key."""
    index = json.loads((folder / INDEX).read_text())
    return {
        key: Result(**{**entry, "sources": tuple(entry["sources"])}) for key, entry in index.items()
    }


def uses(text: str) -> set[str]:
    """Return the notebooks whose results a page's `text` shows."""
    return set(_USES.findall(text))


def bundles(cell: Any) -> list[dict[str, Any]]:
    """Return the results that a notebook's cell displays, as it displayed them."""
    outputs = cell.get("outputs", []) if cell.cell_type == "code" else []
    return [output["data"][RESULT] for output in outputs if RESULT in output.get("data", {})]


def problems_of(bundle: dict[str, Any]) -> list[str]:
    """Return what is wrong with a result as a cell displayed it, a sentence each."""
    kind, name, origin = bundle.get("kind"), bundle.get("name"), bundle.get("origin")
    if kind not in REQUIRED:
        return [f"kind is {kind!r}, and must be one of {', '.join(REQUIRED)}"]
    wrong = [f"{key} is missing" for key in REQUIRED[kind] if not bundle.get(key)]
    if not _NAME.fullmatch(str(name)):
        wrong.append("the name must be lower-case words joined by hyphens")
    if origin not in list(Origin):
        wrong.append(f"origin is {origin!r}, and must be one of {', '.join(Origin)}")
    if bundle.get("alt") and not is_sentence(bundle["alt"]):
        wrong.append(
            f"the alt text {bundle['alt']!r} must be a sentence that says what the figure shows"
        )
    return wrong


def is_sentence(text: str) -> bool:
    """Tell whether `text` reads as a sentence: words, a capital, a full stop, and no file name."""
    return (
        len(text.split()) >= 4
        and text[0].isupper()
        and text.rstrip()[-1] in ".!?)"
        and not re.search(r"\.(svg|png|jpe?g|ipynb)\b", text)
    )


def _write(notebook: str, cell: int, bundle: dict[str, Any], folder: Path) -> Result:
    files = {}
    folder.mkdir(parents=True, exist_ok=True)
    for content, ending in _FILES.items():
        if bundle.get(content):
            files[content] = f"{notebook}-{bundle['name']}.{ending}"
            text = inert(bundle[content]) if content == "data" else bundle[content]
            (folder / files[content]).write_text(text, newline="")
    plain = {key: str(bundle.get(key, "")) for key in ("caption", "alt", "text", "value", "unit")}
    return Result(
        notebook,
        cell,
        bundle["kind"],
        bundle["name"],
        bundle["origin"],
        sources=tuple(bundle["sources"]),
        files=files,
        **plain,
    )
