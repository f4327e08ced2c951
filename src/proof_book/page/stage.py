"""Lay out what Sphinx renders: prose, configuration, executed notebooks and their results.

book/*              -> the top, so that pages have short addresses
notebooks/*.ipynb   -> notebooks/, executed
_config.yml         -> with the commit that the Binder button opens
(results)           -> results/: an index, each figure and data table as a file, their provenance
(the same)          -> published/: what is copied to the top of the book, under addresses that last
"""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import yaml

from pangeo_core.errors import BadInput
from proof_book.identity.normalise_outputs import dumps
from proof_book.identity.notebook_files import FOLDER
from proof_book.page import (
    about,
    executed_results,
    label_rule,
    provenance,
    ro_crate,
    sphinx_book,
    typed_numbers,
)
from proof_book.run.executed import Executed

PROSE = "book"
# Published as it is, at the root of the site.
PUBLISHED = "published"
DEFAULT_BRANCH = "main"
FOLD = "hide-input"


def write(
    stage: Path, project: Path, done: Mapping[str, Executed]
) -> dict[str, executed_results.Result]:
    """Write the stage anew from `project` and its `done` notebooks; return their results."""
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
    repository = config.setdefault("repository", {})
    head = commit(project)
    repository["branch"] = head or DEFAULT_BRANCH
    (stage / FOLDER).mkdir(exist_ok=True)
    for name, one in done.items():
        (stage / FOLDER / f"{name}.ipynb").write_text(dumps(_folded(one.content)))
    contents = {name: one.content for name, one in done.items()}
    found = executed_results.collect(contents.items(), stage / executed_results.FOLDER)
    proof = provenance.describe(project, done, found, repository.get("url", ""), head)
    (stage / executed_results.FOLDER / provenance.FILE).write_text(_json(proof))
    label_rule.refuse(found.values(), stage / executed_results.FOLDER, project)
    typed_numbers.refuse((project / PROSE).glob("*.md"), found.values())
    extra = config.setdefault("sphinx", {}).setdefault("config", {})
    extra["html_extra_path"] = [PUBLISHED]
    picture, shown = about.preview(found, stage / executed_results.FOLDER, config.get("title", ""))
    told = about.describe(project, stage / executed_results.FOLDER, config, head, shown)
    (stage / executed_results.FOLDER / sphinx_book.FILE).write_text(_json(told))
    shutil.copytree(stage / executed_results.FOLDER, stage / PUBLISHED / executed_results.FOLDER)
    if picture:
        (stage / PUBLISHED / sphinx_book.PREVIEW).write_bytes(picture)
    if told["address"] and told["released"]:
        (stage / PUBLISHED / about.FEED).write_text(
            about.feed(told, (project / PROSE).glob("*.md"))
        )
    about.archive(project, stage / executed_results.FOLDER, stage / PUBLISHED / about.ARCHIVE)
    described = ro_crate.describe(project, proof, found, stage / PUBLISHED)
    (stage / PUBLISHED / ro_crate.FILE).write_text(_json(described))
    (stage / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    return found


def _json(document: Any) -> str:
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _folded(notebook: Any) -> Any:
    """Fold away the code of the cells that only state a number: the page is for reading."""
    folded = notebook.copy()
    folded["cells"] = [
        {**cell, "metadata": {**cell.metadata, "tags": [*cell.metadata.get("tags", []), FOLD]}}
        if [bundle["kind"] for bundle in executed_results.bundles(cell)] == ["number"]
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
