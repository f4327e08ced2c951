"""The book's notebooks: find them, know what each depends on, give each its cache key."""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

import pangeo_deploy
from pangeo_deploy.errors import BadInput
from pangeo_deploy.files import digest

FOLDER = "notebooks"
LOCK = "requirements.lock"
INJECTED = "injected-parameters"


@dataclass(frozen=True)
class Notebook:
    """One notebook as its author wrote it, with the parameters it runs with."""

    path: Path
    content: Any
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the name by which the book and its results know it, such as `05-cost`."""
        return self.path.stem


def find(
    project: Path, parameters: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Notebook]:
    """Return the notebooks of `project` in name order; `parameters` holds some by notebook name."""
    given = dict(parameters or {})
    paths = sorted((project / FOLDER).glob("*.ipynb"))
    if not paths:
        raise BadInput(
            f"{project / FOLDER} holds no notebooks",
            fix="Run this from the project's folder, or name that folder.",
        )
    found = [Notebook(path, read(path), given.pop(path.stem, {})) for path in paths]
    if given:
        raise BadInput(
            f"parameters were given for {', '.join(sorted(given))}, which is no notebook here",
            fix=f"The notebooks are {', '.join(book.name for book in found)}.",
        )
    return found


def read(path: Path) -> Any:
    """Return the notebook in `path` in the current format (nbformat 4)."""
    try:
        return nbformat.read(path, as_version=4)
    except (ValueError, KeyError, AttributeError, nbformat.ValidationError) as error:
        raise BadInput(
            f"{path} is not a readable notebook",
            why=str(error),
            fix="Restore it from git, or open and save it in Jupyter.",
        ) from error


def declared_inputs(notebook: Notebook, project: Path) -> list[Path]:
    """Return the files that the notebook's metadata declares: `pangeo_deploy: {inputs: [...]}`.

    Each input is a file, a folder (all it holds) or a glob, relative to the project. Hidden files
    and folders do not count: that is where tools keep their own state.
    """
    files: set[Path] = set()
    for pattern in notebook.content.metadata.get("pangeo_deploy", {}).get("inputs", []):
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise BadInput(
                f"{notebook.path.name} declares the input {pattern!r}, outside the project",
                fix="Inputs are relative to the project's folder.",
            )
        whole = f"{pattern.rstrip('/')}/**/*" if (project / pattern).is_dir() else pattern
        matches = {
            path for path in project.glob(whole) if path.is_file() and not _hidden(path, project)
        }
        if not matches:
            raise BadInput(
                f"{notebook.path.name} declares the input {pattern!r}, and no file matches it",
                fix="Correct `pangeo_deploy.inputs` in the notebook's metadata, or add the file.",
            )
        files |= matches
    return sorted(files)


def _hidden(path: Path, project: Path) -> bool:
    # The workflows are the project's own, although their folder's name is like a tool's.
    parts = [part for part in path.relative_to(project).parts if part != ".github"]
    return any(part.startswith(".") or part == "__pycache__" for part in parts)


def package_sources() -> tuple[Path, list[Path]]:
    """Return the package's folder and its files, all of them: any may change any notebook."""
    root = Path(pangeo_deploy.__file__).parent
    return root, [file for file in root.rglob("*") if file.is_file() and not _hidden(file, root)]


def key_parts(notebook: Notebook, project: Path) -> dict[str, str]:
    """Return what the notebook's outputs depend on, by name: digests, so no clock and no path.

    Prose cells are not among them: editing them changes the page, not the results.
    """
    lock = project / LOCK
    return {
        "code": _digest_json(
            [
                [cell.source, sorted(cell.metadata.get("tags", []))]
                for cell in notebook.content.cells
                if cell.cell_type == "code"
            ]
        ),
        "parameters": _digest_json(notebook.parameters),
        "inputs": digest(project, declared_inputs(notebook, project)),
        "package": digest(*package_sources()),
        "lock": digest(project, [lock] if lock.exists() else []),
        "python": f"{platform.python_implementation()} {platform.python_version()} "
        f"{platform.system()} {platform.machine()}",
    }


def key(parts: Mapping[str, str]) -> str:
    """Return the cache key that stands for `parts`."""
    return _digest_json(parts)


def _digest_json(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def graft(notebook: Notebook, executed: Any) -> Any:
    """Return the notebook as written now with the outputs of `executed`, cell by code cell.

    Both have the same code cells (the key says so); their prose may differ. A parameters cell that
    papermill injected is kept where it put it.
    """
    result = notebook.content.copy()
    outputs = iter([cell for cell in executed.cells if cell.cell_type == "code"])
    cells = []
    for source in notebook.content.cells:
        cell = source.copy()
        if cell.cell_type == "code":
            ran = next(outputs)
            if INJECTED in ran.metadata.get("tags", []):
                cells.append(ran)
                ran = next(outputs)
            cell["outputs"], cell["execution_count"] = ran.outputs, ran.execution_count
        cells.append(cell)
    # papermill puts its cell after the one tagged `parameters`, which may be the last.
    cells.extend(outputs)
    result["cells"] = cells
    result["metadata"] = {**notebook.content.metadata, **executed.metadata}
    return nbformat.from_dict(result)
