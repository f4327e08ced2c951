"""Binder sessions from BinderHub's launch events (`events-YYYY-MM-DD.jsonl`).

An event says when a launch succeeded, not when its session ended nor who it was: each is someone of
their own, and lasts `hours` (an assumption that the caller makes). The published archive of
mybinder.org rounds times to the minute.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from hub_costs.usage.collect import GAPS, Collected
from pangeo_core.errors import BadInput

SCHEMA = "binderhub.jupyter.org/launch"
DAY = pd.Timedelta(days=1)


def collect(
    paths: Sequence[Path],
    *,
    hours: float = 1 / 3,
    cpu_cores: float = 0.01,
    memory_gib: float = 450 / 1024,
) -> Collected:
    """Return one session for each successful launch in the files.

    A file covers the day in its name; days between the first and the last without a file are gaps.
    Lines that are no launch event stay as rows without a time, so that checking counts them. Raises
    `BadInput` where a file cannot be read or is not named for a day.
    """
    rows: list[dict[str, Any]] = []
    days = []
    for path in paths:
        days.append(_day(path))
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(
                f"The events {path.name} cannot be read.", why=str(error), fix="Fetch it again."
            ) from None
        for number, line in enumerate(lines, start=1):
            event = _event(line)
            if event is not None and event.get("status") not in (None, "success"):
                continue
            start = pd.to_datetime((event or {}).get("timestamp"), utc=True, errors="coerce")
            rows.append(
                {
                    "user": f"{path.stem}-{number}",
                    "hub": str((event or {}).get("origin", "binder")),
                    "kind": "binder",
                    "start": start,
                    "end": start + pd.Timedelta(hours=hours),
                    "cpu_cores": cpu_cores,
                    "memory_gib": memory_gib,
                    "node_type": "",
                    "capacity": "on-demand",
                }
            )
    if not days:
        raise BadInput("No events file was named.", fix="Pass events-YYYY-MM-DD.jsonl.")
    missing = pd.date_range(min(days), max(days), freq="D").difference(pd.DatetimeIndex(days))
    gaps = pd.DataFrame([(day, day + DAY, "binder") for day in missing], columns=list(GAPS))
    end = max(days) + DAY + pd.Timedelta(hours=hours)
    return Collected(pd.DataFrame(rows), "binder events", min(days), end, gaps)


def _day(path: Path) -> pd.Timestamp:
    try:
        return pd.Timestamp(pd.to_datetime(path.stem, format="events-%Y-%m-%d", utc=True))
    except ValueError:
        raise BadInput(
            f"{path.name} does not say which day it covers.", fix="Name it events-YYYY-MM-DD.jsonl."
        ) from None


def _event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and event.get("schema") == SCHEMA else None
