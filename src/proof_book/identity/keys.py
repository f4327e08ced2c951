"""The cache key of a notebook: all that its outputs depend on, by name, and why it differs."""

import hashlib
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pangeo_core.files import digest
from proof_book.identity.code_graph import (
    files_of,
    module_file,
    reached,
    read_graph,
    source_folder,
    source_folders,
)
from proof_book.identity.notebook_files import FOLDER, Notebook, declared, declared_inputs
from proof_book.run.observed_reads import Seen

LOCK = "requirements.lock"
# What executes a notebook, and decides what is kept of its outputs.
ENGINE = ("run/execute.py", "identity/normalise_outputs.py", "run/processes.py", "run/worker.py")

# Kind of thing (code, inputs, package ...) -> name of the thing -> its digest or value.
Parts = Mapping[str, Mapping[str, str]]


def parts_of(notebook: Notebook, project: Path) -> Parts:
    """Return what the notebook's outputs depend on: digests of contents, so no clock and no path.

    Of the package only what the notebook imports counts, directly or through others. Prose cells
    do not: editing them changes the page, not the results.
    """
    folders = source_folders(project)
    files, graph = files_of(*folders), read_graph(*folders)
    cells = [cell for cell in notebook.content.cells if cell.cell_type == "code"]
    lock = [project / LOCK] if (project / LOCK).exists() else []
    return {
        "code": {
            f"cell {number}": _digest([cell.source, sorted(cell.metadata.get("tags", []))])
            for number, cell in enumerate(cells, 1)
        },
        "parameter": {
            name: json.dumps(value, default=str) for name, value in notebook.parameters.items()
        },
        "input": _digests(project, declared_inputs(notebook, project)),
        "module": {
            name: digest(files[name].parent, [files[name]])
            for name in sorted(reached([cell.source for cell in cells], graph))
        },
        "engine": _digests(
            source_folder(), [source_folder() / "proof_book" / name for name in ENGINE]
        ),
        "lock": _digests(project, lock),
        "Python": {
            "": f"{platform.python_implementation()} {platform.python_version()} "
            f"{platform.system()} {platform.machine()}"
        },
    }


def key_of(parts: Parts) -> str:
    """Return the cache key that stands for `parts`."""
    return _digest(parts)


def sources_key(parts: Parts) -> str:
    """Return a short key of the sources alone, the same on any machine with any Python."""
    return _digest({kind: names for kind, names in parts.items() if kind != "Python"})[:16]


def differences(old: Parts, new: Parts) -> list[str]:
    """Return what is not in `new` as it was in `old`, such as `input data/prices.csv changed`."""
    told = []
    for kind in dict.fromkeys([*new, *old]):
        before, now = old.get(kind, {}), new.get(kind, {})
        for name in dict.fromkeys([*now, *before]):
            if before.get(name) == now.get(name):
                continue
            what = f"{kind} {name}".strip()
            happened = (
                "is new" if name not in before else "is gone" if name not in now else "changed"
            )
            told.append(f"{what} {happened}")
    return told


def undeclared(notebook: Notebook, parts: Parts, seen: Seen) -> list[str]:
    """Return what the notebook used and its key does not know, such as `reads data/prices.csv`.

    A change of that would leave a stale result in the book.
    """
    modules = frozenset(parts["module"])
    known = {
        *parts["input"],
        *parts["lock"],
        f"{FOLDER}/{notebook.path.name}",
        *declared(notebook, "outputs"),
    }
    told = [f"reads {file}" for file in seen.files if file not in known]
    return told + [
        f"imports {module}" for module in seen.modules if not module_file(module, modules)
    ]


def _digests(root: Path, files: list[Path]) -> dict[str, str]:
    return {file.relative_to(root).as_posix(): digest(root, [file]) for file in sorted(files)}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
