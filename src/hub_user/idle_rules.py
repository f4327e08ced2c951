"""When a server or a Dask cluster has outstayed: the rules alone.

Nothing but the standard library: the chart's CronJob runs this file in the hub's own image, beside
helm/files/janitor.py, and the package's janitor goes by the same rules.
"""

from collections.abc import Container, Mapping
from datetime import datetime, timedelta
from typing import Any

MARGIN = timedelta(minutes=15)  # for the culler and the time-out to do their work first


def cluster_outstays(
    owner: str,
    started: datetime,
    running: Container[str],
    culling: Mapping[str, Any],
    now: datetime,
) -> str:
    """Return why a cluster should be gone, nothing if it may stay.

    `running` are the people with a server; `culling` is that of the environment's `pangeo` values.
    """
    age, oldest = now - started, timedelta(seconds=culling["max_age_seconds"])
    if owner not in running and age > MARGIN:
        return f"{owner} has no server any more"
    if age > oldest + MARGIN:
        return f"{hours(age)} old, {hours(oldest)} is the most"
    return ""


def server_outstays(
    started: datetime, active: datetime, culling: Mapping[str, Any], now: datetime
) -> str:
    """Return why the culler should have ended a server, last `active` then; nothing if not."""
    oldest = timedelta(seconds=culling["max_age_seconds"])
    idle = timedelta(seconds=culling["idle_seconds"])
    late = MARGIN + timedelta(seconds=culling["every_seconds"])
    if now - started > oldest + late:
        return f"{hours(now - started)} old, {hours(oldest)} is the most"
    if now - active > idle + late:
        return f"idle for {hours(now - active)}, {hours(idle)} is the most"
    return ""


def moment(text: str) -> datetime:
    """Return JupyterHub's or Kubernetes' time."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def hours(span: timedelta) -> str:
    """Return a span as hours."""
    return f"{span.total_seconds() / 3600:.1f} h"
