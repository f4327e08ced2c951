"""List the Dask clusters of a rehearsed hub from the gateway's own database."""

import json
import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from hub_user.idle_rules import LAUNCHED
from hub_user.janitor import Cluster

GIB = 2**30
# The gateway's API shows a user's own clusters only.
QUERY = """
SELECT name, username, start_time, config, state,
       (SELECT count(*) FROM workers WHERE cluster_id = clusters.id AND stop_time IS NULL)
FROM clusters WHERE stop_time IS NULL
"""


def clusters(folder: Path) -> list[Cluster]:
    """Return the running clusters of the hub in `folder`."""
    file = folder / "gateway.sqlite"
    if not file.exists():
        return []
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=10)) as database:
        rows = database.execute(QUERY).fetchall()
    return [cluster(*row) for row in rows]


def cluster(
    name: str, owner: str, started_ms: int, config: str, state: str, workers: int
) -> Cluster:
    """Return a row of the database as a cluster."""
    known = json.loads(config)
    started = datetime.fromtimestamp(started_ms / 1000, UTC)
    return Cluster(
        name,
        owner,
        started,
        workers,
        float(known.get("worker_cores", 1)),
        known.get("worker_memory", 0) / GIB,
        ending(json.loads(state).get("pid")),
        LAUNCHED in known.get("environment", {}),
    )


def ending(scheduler: int | None) -> Callable[[], None]:
    """Return a function that ends a cluster's scheduler; the gateway removes the rest."""

    def end() -> None:
        if scheduler:
            with suppress(ProcessLookupError):
                os.kill(scheduler, signal.SIGTERM)

    return end
