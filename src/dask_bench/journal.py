"""The journal of a running campaign: one line per run, on disk as soon as the run is done.

A run file is written as a whole, which takes longer the more runs it has. During the campaign its
journal is beside it: if the process is killed, every finished run can be read. The last line may be
incomplete; it is ignored.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any


def path_of(run_file: Path) -> Path:
    """Return the journal of a run file."""
    return run_file.with_name(f"{run_file.name}.journal")


def begin(run_file: Path, plan: Mapping[str, Any]) -> None:
    """Begin the journal of a campaign, or continue an existing one."""
    journal = path_of(run_file)
    _whole_lines(journal)
    _append(journal, {"plan": plan})


def add(run_file: Path, row: Mapping[str, Any]) -> None:
    """Add a run."""
    _append(path_of(run_file), {"run": row})


def end(run_file: Path) -> None:
    """Remove the journal: its runs are in the run file."""
    path_of(run_file).unlink(missing_ok=True)


def read(run_file: Path) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """Return the last plan and all runs; None and no runs without a journal."""
    journal = path_of(run_file)
    if not journal.is_file():
        return None, []
    plan, rows = None, []
    for entry in _entries(journal.read_text().splitlines()):
        plan = entry.get("plan", plan)
        if "run" in entry:
            row = entry["run"]
            if row.get("started"):
                row["started"] = datetime.fromisoformat(row["started"])
            rows.append(row)
    return plan, rows


def _entries(lines: Iterable[str]) -> Iterable[dict[str, Any]]:
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            return


def _append(journal: Path, entry: Mapping[str, Any]) -> None:
    with journal.open("a") as file:
        file.write(json.dumps(entry, default=_plain) + "\n")


def _whole_lines(journal: Path) -> None:
    """Remove an incomplete last line, so that the next begins on a line of its own."""
    if journal.is_file() and not (content := journal.read_bytes()).endswith(b"\n"):
        journal.write_bytes(content[: content.rfind(b"\n") + 1])


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else str(value)
