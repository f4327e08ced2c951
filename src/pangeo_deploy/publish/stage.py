"""Lay out what Sphinx renders: prose, configuration, executed notebooks and their results.

book/*              -> the top, so that pages have short addresses
notebooks/*.ipynb   -> notebooks/, executed
_config.yml         -> with the commit that the Binder button opens
(results)           -> results/: an index, and each figure and data table as a file
"""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import yaml

from pangeo_deploy.errors import BadInput
from pangeo_deploy.publish import results
from pangeo_deploy.publish.normalise import dumps
from pangeo_deploy.publish.notebooks import FOLDER

PROSE = "book"
DEFAULT_BRANCH = "main"
FOLD = "hide-input"


def write(stage: Path, project: Path, executed: Mapping[str, Any]) -> dict[str, results.Result]:
    """Write the stage anew from `project` and the `executed` notebooks; return their results."""
    if stage.exists():
        shutil.rmtree(stage)
    config = _config(project)
    try:
        shutil.copytree(project / PROSE, stage, ignore=shutil.ignore_patterns(".*"))
        shutil.copy(project / "_toc.yml", stage)
    except FileNotFoundError as error:
        raise BadInput(
            f"{error.filename} is missing",
            fix="Run this from the project's folder, or restore the file from git.",
        ) from error
    config.setdefault("repository", {})["branch"] = commit(project) or DEFAULT_BRANCH
    (stage / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    (stage / FOLDER).mkdir(exist_ok=True)
    for name, content in executed.items():
        (stage / FOLDER / f"{name}.ipynb").write_text(dumps(_folded(content)))
    return results.collect(executed.items(), stage / results.FOLDER)


def _folded(notebook: Any) -> Any:
    """Fold away the code of the cells that only state a number: the page is for reading."""
    folded = notebook.copy()
    folded["cells"] = [
        {**cell, "metadata": {**cell.metadata, "tags": [*cell.metadata.get("tags", []), FOLD]}}
        if [bundle["kind"] for bundle in results.bundles(cell)] == ["number"]
        else cell
        for cell in notebook.cells
    ]
    return nbformat.from_dict(folded)


def _config(project: Path) -> dict[str, Any]:
    path = project / "_config.yml"
    try:
        config = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise BadInput(
            f"{path} cannot be read", why=str(error), fix="Restore it from git."
        ) from error
    if not isinstance(config, dict):
        raise BadInput(f"{path} holds no settings", fix="Restore it from git.")
    return config


def commit(project: Path) -> str | None:
    """Return the commit that `project` is exactly at, or None: no git, or files were changed."""
    try:
        top, head, changed = (
            subprocess.run(
                ["git", "-C", str(project), *command],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()
            for command in (
                ["rev-parse", "--show-toplevel"],
                ["rev-parse", "HEAD"],
                ["status", "--porcelain"],
            )
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head if Path(top) == project.resolve() and not changed else None
