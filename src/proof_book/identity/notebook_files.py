"""The book's notebooks: find them, and know what each reads and writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import nbformat

from pangeo_core.errors import BadInput
from proof_book.identity.code_graph import hidden

FOLDER = "notebooks"
METADATA = "pangeo_deploy"
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
    for pattern in declared(notebook, "inputs"):
        whole = f"{pattern.rstrip('/')}/**/*" if (project / pattern).is_dir() else pattern
        matches = {
            path
            for path in project.glob(whole)
            if path.is_file() and not hidden(path.relative_to(project).parts)
        }
        if not matches:
            raise BadInput(
                f"{notebook.path.name} declares the input {pattern!r}, and no file matches it",
                fix="Correct `pangeo_deploy.inputs` in the notebook's metadata, or add the file.",
            )
        files |= matches
    return sorted(files)


def declared(notebook: Notebook, what: str) -> list[str]:
    """Return the `inputs` or `outputs` that the notebook's metadata declares, as written."""
    patterns = list(notebook.content.metadata.get(METADATA, {}).get(what, []))
    for pattern in patterns:
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise BadInput(
                f"{notebook.path.name} declares {pattern!r} among its {what}, outside the project",
                fix="They are relative to the project's folder.",
            )
    return patterns


def rounds(found: Sequence[Notebook]) -> list[list[Notebook]]:
    """Return the notebooks in rounds: each after those whose declared outputs it reads."""
    makes = {book.name: declared(book, "outputs") for book in found}
    reads = {book.name: declared(book, "inputs") for book in found}
    needs = {
        name: {
            maker
            for maker, outputs in makes.items()
            if any(_meet(pattern, output) for pattern in patterns for output in outputs)
        }
        for name, patterns in reads.items()
    }
    result: list[list[Notebook]] = []
    waiting = list(found)
    while waiting:
        names = {book.name for book in waiting}
        ready = [book for book in waiting if not needs[book.name] & names]
        if not ready:
            raise BadInput(
                f"the notebooks {', '.join(sorted(names))} wait for one another's outputs",
                fix="Correct `pangeo_deploy.inputs` and `outputs` in their metadata.",
            )
        result.append(ready)
        waiting = [book for book in waiting if book not in ready]
    return result


def _meet(pattern: str, output: str) -> bool:
    """Tell whether the input `pattern` (a file, folder or glob) takes in the file `output`."""
    return fnmatch(output, pattern) or output.startswith(f"{pattern.rstrip('/')}/")


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
