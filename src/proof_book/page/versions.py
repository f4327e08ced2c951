"""Versions of the book: a permanent copy of each, and what their figures said.

`data/versions.csv` lists them. `data/figures_last.json` holds the results of the last one, so that
the next can say what moved.
"""

import csv
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pangeo_core.errors import BadInput
from pangeo_core.files import write_whole
from proof_book.page import executed_results
from proof_book.page.provenance import FILE as PROVENANCE
from proof_book.page.provenance import digest_of

LIST = "data/versions.csv"
LAST = "data/figures_last.json"
COLUMNS = ("version", "date", "commit")


@dataclass(frozen=True)
class Moved:
    """One result that is not as it was: `what` is `changed`, `new` or `gone`."""

    key: str
    what: str
    before: str = ""
    now: str = ""
    ratio: float | None = None


def archive(project: Path, version: str, to: Path, *, out: Path | None = None) -> Path:
    """Keep the book of `project` for good as `to/VERSION`; return that folder.

    The version is added to `data/versions.csv`, with today's date and the commit that was built,
    and its results become those that the next one is compared with. Raises `BadInput` if there is
    no book, if it was not built from a commit, or if the version is already there.
    """
    html, kept = (out or project / "_build") / "html", to / version
    if not (html / "index.html").is_file():
        raise BadInput(f"{html} holds no book.", fix="pangeo-deploy book build")
    proof = json.loads((html / executed_results.FOLDER / PROVENANCE).read_text())
    if proof["commit"] is None:
        raise BadInput(
            "This book was built from a working copy with changes.",
            why="Nobody could build it again.",
            fix="Commit, then: pangeo-deploy book build",
        )
    if kept.exists() or version in [row["version"] for row in read(project)]:
        raise BadInput(
            f"There is a version {version} already.",
            why="A version, once published, does not change.",
            fix="Give the new one another name.",
        )
    part = kept.with_name(f".{version}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(html, part)
    part.rename(kept)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    rows = [*read(project), {"version": version, "date": today, "commit": proof["commit"]}]
    lines = [",".join(COLUMNS), *(",".join(row[name] for name in COLUMNS) for row in rows)]
    write_whole(project / LIST, "\n".join(lines) + "\n")
    write_whole(to / "versions.json", json.dumps(rows, indent=1) + "\n")
    said = {"version": version, "results": summary(html / executed_results.FOLDER)}
    write_whole(project / LAST, json.dumps(said, indent=1, sort_keys=True) + "\n")
    return kept


def read(project: Path) -> list[dict[str, str]]:
    """Return the versions that were published, the oldest first."""
    file = project / LIST
    return list(csv.DictReader(file.read_text().splitlines())) if file.exists() else []


def summary(folder: Path) -> dict[str, dict[str, str]]:
    """Return what the results in `folder` say, by key: a number its text, others a digest."""
    return {
        key: {"text": one.text, "value": one.value}
        if one.kind == "number"
        else {"sha256": digest_of(folder / one.files["data"])}
        for key, one in executed_results.load(folder).items()
    }


def moved(
    before: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]]
) -> list[Moved]:
    """Return what differs, the numbers that moved most first."""
    found = []
    for key in sorted({*before, *now}):
        old, new = before.get(key), now.get(key)
        if old is None or new is None:
            found.append(Moved(key, "gone" if new is None else "new"))
        elif old != new:
            texts = old.get("text", ""), new.get("text", "")
            found.append(Moved(key, "changed", *texts, ratio=_ratio(old, new)))
    return sorted(found, key=lambda one: (-abs((one.ratio or 1) - 1), one.key))


def _ratio(old: Mapping[str, str], new: Mapping[str, str]) -> float | None:
    try:
        return float(new["value"]) / float(old["value"])
    except (KeyError, ValueError, ZeroDivisionError):
        return None


def last(project: Path) -> dict[str, Any]:
    """Return the version and results that were archived last; empty if none was."""
    file = project / LAST
    return dict(json.loads(file.read_text())) if file.exists() else {}
