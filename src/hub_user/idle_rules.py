"""The rules on when a server or a Dask cluster should have stopped.

Only the standard library is imported: the chart's CronJob runs this file in the hub's own image,
beside helm/files/janitor.py, and the package's janitor follows the same rules.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

LAUNCHED = "PANGEO_CLUSTER_LAUNCHED"  # variable of a cluster created in a launched server
MARGIN = timedelta(minutes=15)  # so that the culler and the time-out act first


def people_by_name(pages: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the hub's users, by name, from all pages of its response.

    Raises ValueError unless their number is the total that every page states: nothing is stopped
    because a user was missing, or came or went between two pages.
    """
    people = {person["name"]: person for page in pages for person in page["items"]}
    totals = {page["_pagination"]["total"] for page in pages}
    if totals != {len(people)}:
        counted = " or ".join(str(total) for total in sorted(totals))
        raise ValueError(f"the hub has {counted} users, but listed {len(people)}")
    return people


def why_stop_cluster(
    owner: str,
    started: datetime,
    people: Mapping[str, Mapping[str, Any]],
    culling: Mapping[str, Any],
    now: datetime,
    launched: bool = False,
) -> str:
    """Return why a cluster should have stopped, or an empty text if it may go on.

    `people` are the hub's users by name, each with `servers` and `last_activity`; `culling` is the
    part of that name in the environment's `pangeo` values. A cluster may outlive its owner's server
    as long as a server may be idle: the owner may be restarting it, or work from elsewhere. A
    cluster created in a `launched` server ends with the launch.
    """
    age, oldest = now - started, timedelta(seconds=culling["max_age_seconds"])
    if age > oldest + MARGIN:
        return f"{hours(age)} old, {hours(oldest)} is the most"
    if owner not in people:
        return f"{owner} is not a user of the hub" if age > MARGIN else ""
    person = people[owner]
    if launched and not any(
        is_launched(server) for server in (person.get("servers") or {}).values()
    ):
        return f"it was made in a server that {owner} had launched from Binder, which has ended"
    if not person.get("servers"):
        seen = max(started, moment(person.get("last_activity") or started.isoformat()))
        if now - seen > timedelta(seconds=culling["idle_seconds"]):
            return f"{owner} has had no server for {hours(now - seen)}"
    return ""


def is_launched(server: Mapping[str, Any]) -> bool:
    """Return whether a server, as the hub's API describes it, was launched by Binder."""
    return "image" in (server.get("user_options") or {})


def why_stop_server(server: Mapping[str, Any], culling: Mapping[str, Any], now: datetime) -> str:
    """Return why the culler should have stopped a server, or an empty text if it may go on.

    `server` is as the hub's API describes it. A server that is starting or stopping is left to the
    hub, which limits both.
    """
    if server.get("pending") or not server.get("started"):
        return ""
    started = moment(server["started"])
    active = moment(server.get("last_activity") or server["started"])
    oldest = timedelta(seconds=culling["max_age_seconds"])
    idle = timedelta(seconds=culling["idle_seconds"])
    late = MARGIN + timedelta(seconds=culling["every_seconds"])
    if now - started > oldest + late:
        return f"{hours(now - started)} old, {hours(oldest)} is the most"
    if now - active > idle + late:
        return f"idle for {hours(now - active)}, {hours(idle)} is the most"
    return ""


def moment(text: str) -> datetime:
    """Return a timestamp of JupyterHub or Kubernetes as a time."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def hours(span: timedelta) -> str:
    """Return a time span in hours."""
    return f"{span.total_seconds() / 3600:.1f} h"
