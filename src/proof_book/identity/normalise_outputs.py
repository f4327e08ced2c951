"""Make an executed notebook the same bytes wherever and whenever it ran."""

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat

# A kernel compiles each cell under a file name that holds its process id.
_CELL_FILE = re.compile(r"(?:/[\w.+-]+)*/ipykernel_\d+/\d+\.py")
_ADDRESS = re.compile(r"(?<= at 0x)[0-9a-f]{6,16}")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def normalise(notebook: Any, project: Path) -> Any:
    """Return `notebook` without times, process ids, addresses in memory or this machine's paths."""
    result = nbformat.from_dict(notebook)
    result.metadata.pop("papermill", None)
    result.metadata.pop("widgets", None)
    result.metadata.get("language_info", {}).pop("version", None)
    for number, cell in enumerate(result.cells, 1):
        for stamp in ("execution", "papermill"):
            cell.metadata.pop(stamp, None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell["id"] = f"parameters-{number}"
        if cell.cell_type == "code":
            cell["outputs"] = [_scrub(output, _places(project)) for output in _merged(cell.outputs)]
    return result


def dumps(notebook: Any) -> str:
    """Return the notebook as the text that is stored, one way only."""
    return str(nbformat.writes(notebook, version=nbformat.NO_CONVERT)) + "\n"


def plain(text: str) -> str:
    """Return `text` without terminal colours."""
    return _ANSI.sub("", text)


def _merged(outputs: list[Any]) -> list[Any]:
    """Join neighbouring pieces of one stream: where it was cut depends on the machine's load."""
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if output.output_type == "stream" and last is not None and last.get("name") == output.name:
            last["text"] += output.text
        else:
            joined.append(nbformat.from_dict(output))
    return joined


def _places(project: Path) -> list[tuple[str, str]]:
    """Return this machine's paths and what is shown in their stead, the longest first."""
    places = {
        f"{project}/": "",
        str(project): ".",
        sys.prefix: "<python>",
        sys.base_prefix: "<python>",
        str(Path.home()): "~",
        tempfile.gettempdir(): "<tmp>",
    }
    return sorted(
        ((path, name) for path, name in places.items() if len(path) > 1),
        key=lambda place: -len(place[0]),
    )


def _scrub(value: Any, places: list[tuple[str, str]]) -> Any:
    if isinstance(value, str):
        value = _CELL_FILE.sub("<cell>", value)
        for path, name in places:
            value = value.replace(path, name)
        return _ADDRESS.sub("…", value)
    if isinstance(value, dict):
        return nbformat.from_dict({key: _scrub(item, places) for key, item in value.items()})
    if isinstance(value, list):
        return [_scrub(item, places) for item in value]
    return value
