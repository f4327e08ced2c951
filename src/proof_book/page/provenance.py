"""Where each result comes from: notebook, cell, parameters, inputs, code, a recorded run, its cost.

All of it follows from the sources, so that two builds of one commit say the same. What a run took
is therefore not that of this build, but of a recorded one: `tools/measure_notebooks.py` writes it
to data/notebook_costs.csv, with the key of the sources that it measured.
"""

import ast
import csv
import hashlib
import re
from collections.abc import Mapping
from decimal import Decimal
from importlib import metadata
from pathlib import Path
from typing import Any

from pangeo_core.errors import BadInput
from pangeo_core.files import digest
from proof_book.identity.keys import sources_key
from proof_book.identity.notebook_files import FOLDER, declared_inputs
from proof_book.page.executed_results import Result
from proof_book.run.executed import Executed

FILE = "provenance.json"
COSTS = "data/notebook_costs.csv"
BINDER = "https://mybinder.org/v2/gh"
PARAMETERS = "parameters"
_ORIGIN = re.compile(r"#\s*((Source|Measured|Read|Computed|Recorded)\b.*)")


def describe(
    project: Path,
    done: Mapping[str, Executed],
    found: Mapping[str, Result],
    repository: str,
    commit: str | None,
) -> dict[str, Any]:
    """Return the provenance of the results `found`, as JSON: `notebooks` and `results` by name.

    `repository` is the public address, `commit` what is built (None: a working copy). Raises
    `BadInput` where a result names a data file that its notebook does not declare.
    """
    ref = commit or "main"
    recorded = read_costs(project)
    return {
        "package": {"name": "pangeo-deploy", "version": metadata.version("pangeo-deploy")},
        "repository": repository,
        "commit": commit,
        "notebooks": {
            name: _notebook(project, one, f"{repository}/blob/{ref}", ref, recorded.get(name))
            | _cost(recorded.get(name))
            for name, one in done.items()
        },
        "results": {
            key: _result(project, done[result.notebook], result, f"{repository}/blob/{ref}")
            for key, result in found.items()
        },
    }


def _notebook(
    project: Path, one: Executed, blob: str, ref: str, recorded: Mapping[str, str] | None
) -> dict[str, Any]:
    file = f"{FOLDER}/{one.notebook.path.name}"
    owner = "/".join(blob.split("/")[3:5])
    key = sources_key(one.parts)
    current = recorded is not None and recorded["sources"] == key
    run: dict[str, Any] | None = None if recorded is None else {**recorded, "current": current}
    return {
        "file": file,
        "source": f"{blob}/{file}?plain=1",
        "binder": f"{BINDER}/{owner}/{ref}?urlpath=lab/tree/{file}",
        "parameters": parameters_of(one),
        "inputs": {
            path.relative_to(project).as_posix(): {
                "sha256": digest_of(path),
                "origin": origin_of(path),
            }
            for path in declared_inputs(one.notebook, project)
        },
        "modules": len(one.parts["module"]),
        "sources_key": key,
        "recorded_run": run,
    }


def _result(project: Path, one: Executed, result: Result, blob: str) -> dict[str, Any]:
    file = one.notebook.path
    inputs = [
        path.relative_to(project).as_posix() for path in declared_inputs(one.notebook, project)
    ]
    named = {}
    for source in result.sources:
        inside = [path for path in inputs if path.startswith(f"{source.rstrip('/')}/")]
        if source in inputs:
            named[source] = digest_of(project / source)
        elif inside:
            named[source] = digest(project, [project / path for path in inside])
        elif source.startswith("data/"):
            raise BadInput(
                f"{result.key} names {source} as a source, which its notebook does not declare",
                why="A change of that file would leave the result as it was.",
                fix=f"Add it to `pangeo_deploy.inputs` in the metadata of {file.name}.",
            )
    cell = one.content.cells[result.cell - 1]
    line = _line(file, cell.get("id", ""))
    return {
        "kind": result.kind,
        "notebook": result.notebook,
        "cell": result.cell,
        "origin": result.origin,
        "sources": list(result.sources),
        "digests": named,
        "source": f"{blob}/{FOLDER}/{file.name}?plain=1" + (f"#L{line}" if line else ""),
    }


def _line(file: Path, cell: str) -> int:
    """Return the line of the notebook's file where the cell with this id begins, or 0."""
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if f'"id": "{cell}"' in line:
            return number
    return 0


def parameters_of(one: Executed) -> dict[str, str]:
    """Return the notebook's parameters: those of its cell of that tag, and those it was given."""
    found: dict[str, str] = {}
    for cell in one.notebook.content.cells:
        if cell.cell_type == "code" and PARAMETERS in cell.metadata.get("tags", []):
            for node in ast.parse(cell.source).body:
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    found[node.targets[0].id] = ast.unparse(node.value)
    return found | {name: repr(value) for name, value in one.notebook.parameters.items()}


def digest_of(file: Path) -> str:
    """Return the sha256 of what `file` holds, as `sha256sum` prints it."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def origin_of(file: Path) -> str:
    """Return what a table says at its top of where it comes from, or nothing."""
    if file.suffix != ".csv":
        return ""
    with file.open(errors="replace") as lines:
        for line in lines:
            if not line.startswith("#"):
                break
            if found := _ORIGIN.match(line):
                return found.group(1).strip()
    return ""


def read_costs(project: Path) -> dict[str, dict[str, str]]:
    """Return what a run of each notebook took when it was last recorded, by notebook.

    The keys are `seconds`, `peak_mb`, `sources` (the key of the sources), `on` and `machine`.
    """
    file = project / COSTS
    if not file.exists():
        return {}
    lines = file.read_text().splitlines()
    head = dict(_heading(line) for line in lines if line.startswith("#"))
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return {row.pop("notebook"): {**row, **head} for row in rows}


def _heading(line: str) -> tuple[str, str]:
    text = line.removeprefix("#").strip()
    if found := re.match(r"Measured on (\S+)", text):
        return "on", found.group(1)
    name, _, value = text.partition(": ")
    return name.lower(), value


def _cost(recorded: Mapping[str, str] | None) -> dict[str, str]:
    """Return what a run costs on the machine whose price was recorded with it."""
    price = re.match(r"(\S+) USD an hour of an? (\S+)", (recorded or {}).get("price", ""))
    if recorded is None or not price:
        return {}
    usd = Decimal(recorded["seconds"]) / 3600 * Decimal(price[1])
    return {"usd_to_reproduce": f"{usd:.5f}", "machine": price[2]}
