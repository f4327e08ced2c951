"""Dask clusters and workers with their users, from Dask-Gateway's own database (SQLite).

The tables are those of dask-gateway-server 2026 (`backends/db_base.py`): times are milliseconds.
On Kubernetes the gateway keeps no database; there the pods tell (`collect.prometheus`).
"""

import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd

from hub_costs.usage.collect import Collected
from pangeo_core.errors import BadInput

_QUERY = """
select username, name as cluster, 'dask-scheduler' as kind, name, start_time, stop_time
from clusters
union all
select c.username, c.name, 'dask-worker', w.name, w.start_time,
       coalesce(w.stop_time, c.stop_time)
from workers w join clusters c on c.id = w.cluster_id
"""


def collect(
    path: Path,
    *,
    worker_cores: float,
    worker_memory_gib: float,
    scheduler_cores: float = 1.0,
    scheduler_memory_gib: float = 2.0,
    hub: str = "hub",
    now: pd.Timestamp | None = None,
) -> Collected:
    """Return the schedulers and workers that the database at `path` knows; sizes are the options'.

    What has no stop still runs at `now` (default: the last time in the database). Opened read-only.
    Raises `BadInput` where the file is missing or no gateway's database.
    """
    if not path.is_file():
        raise BadInput(f"There is no gateway database {path.name}.", fix="Check the path.")
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            table = pd.read_sql_query(_QUERY, database)
    except (sqlite3.Error, pd.errors.DatabaseError) as error:
        raise BadInput(
            f"{path.name} is no database of Dask-Gateway.",
            why=str(error).splitlines()[0],
            fix="Pass the file that DatabaseBackend.db_url names.",
        ) from None
    if table.empty:
        raise BadInput(f"{path.name} has no clusters.", fix="Collect after somebody used Dask.")
    worker = table["kind"] == "dask-worker"
    raw = pd.DataFrame(
        {
            "user": table["username"],
            "hub": hub,
            "kind": table["kind"],
            "start": _moments(table["start_time"]),
            "end": _moments(table["stop_time"]),
            "cpu_cores": worker.map({True: worker_cores, False: scheduler_cores}),
            "memory_gib": worker.map({True: worker_memory_gib, False: scheduler_memory_gib}),
            "node_type": "",
            "capacity": "on-demand",
            "server": table["cluster"],
        }
    )
    if raw["start"].isna().all():
        raise BadInput(
            f"No cluster in {path.name} has a time at which it started.",
            fix="Pass the file that DatabaseBackend.db_url names.",
        )
    last = now or max(raw["start"].max(), raw["end"].max()) + pd.Timedelta(milliseconds=1)
    return Collected(raw, path.name, raw["start"].min(), last)


def _moments(milliseconds: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return times in UTC; what is none, or beyond what a time can be, is NaT."""
    numbers = pd.to_numeric(milliseconds, errors="coerce")
    return pd.to_datetime(numbers, unit="ms", utc=True, errors="coerce")
