"""Sessions from JupyterHub: snapshots of its REST API over time, and its log.

Neither says what a server asked for: `cpu_cores` and `memory_gib` are what the hub's profile gives.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Any

import pandas as pd

from hub_costs.usage.collect import Collected
from hub_costs.usage.collect.json_client import ask
from pangeo_core.errors import BadInput

PAGES = "application/jupyterhub-pagination+json"
# As JupyterHub 1 to 5 write them (handlers/base.py), with traitlets' default log format.
_LINE = re.compile(
    r"\[\w (?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.,]\d{3}) \S+ [^\]]*\] User (?P<user>.+?)"
    r"(?P<what> took (?P<took>[\d.]+) seconds to start| server took [\d.]+ seconds to stop)$"
)


def snapshot(url: str, token: str, *, timeout: float = 30.0) -> list[dict[str, Any]]:
    """Return every user with their servers, as the hub at `url` (ending in /hub/api) lists them.

    Needs a token with the scopes `list:users` and `read:servers`. Reads all pages.
    Raises `BadInput` where the hub refuses or answers something else.
    """
    headers = {"Authorization": f"token {token}", "Accept": PAGES}
    users: list[dict[str, Any]] = []
    offset: int | None = 0
    while offset is not None:
        query = {"offset": offset, "limit": 100}
        status, body = ask(
            f"{url.rstrip('/')}/users", query, headers=headers, what="JupyterHub", timeout=timeout
        )
        if status != 200 or not isinstance(body, dict) or "items" not in body:
            raise BadInput(
                f"JupyterHub did not list its users (status {status}).",
                why=str(body.get("message", "")) if isinstance(body, dict) else "",
                fix="Use a token with the scopes list:users and read:servers.",
            )
        users += body["items"]
        after = (body.get("_pagination") or {}).get("next")
        offset = after["offset"] if after else None
    return users


def from_snapshots(
    snapshots: Sequence[tuple[pd.Timestamp, Iterable[Mapping[str, Any]]]],
    *,
    cpu_cores: float,
    memory_gib: float,
    hub: str = "hub",
) -> Collected:
    """Return the sessions that snapshots (time, users), in order of time, show.

    A server is known by its user, its name and when it started: the same one in two snapshots is
    one session. It ends at its last activity seen or the last snapshot that has it, whichever is
    later; one in the last snapshot still runs.
    """
    if not snapshots:
        raise BadInput("There is no snapshot of the hub.", fix="Take at least one.")
    seen: dict[tuple[str, str, str], dict[str, Any]] = {}
    for moment, users in snapshots:
        for user in users:
            for name, server in (user.get("servers") or {}).items():
                if server.get("started") is None:
                    continue
                key = (str(user["name"]), str(name), str(server["started"]))
                row = seen.setdefault(key, {})
                row["seen"] = moment
                row["last_activity"] = server.get("last_activity") or row.get("last_activity")
    last = snapshots[-1][0]
    rows = []
    for (person, name, started), row in seen.items():
        active = pd.to_datetime(row["last_activity"], utc=True, errors="coerce")
        ended = row["seen"] if pd.isna(active) else max(row["seen"], active)
        rows.append(
            {
                **_fixed(person, name, hub, cpu_cores, memory_gib),
                "start": started,
                "end": None if row["seen"] == last else ended,
                "last_activity": row["last_activity"],
            }
        )
    first = min([snapshots[0][0], *(pd.to_datetime([k[2] for k in seen], utc=True))])
    end = max(last, first + pd.Timedelta(milliseconds=1))
    return Collected(pd.DataFrame(rows, columns=_COLUMNS), "JupyterHub", first, end)


def from_log(
    path: Path,
    *,
    cpu_cores: float,
    memory_gib: float,
    hub: str = "hub",
    zone: str | tzinfo = "UTC",
) -> Collected:
    """Return the sessions that a hub's log tells of; its times are in `zone`.

    A stop names the user but not the server: it ends that user's server that has run longest. A
    stop without a start is of a server from before the log, which then begins with the log. Raises
    `BadInput` where the file cannot be read or has no line of a server.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise BadInput(
            f"The log {path.name} cannot be read.", why=str(error), fix="Check the path."
        ) from None
    found = [match for line in lines if (match := _LINE.search(line))]
    if not found:
        raise BadInput(
            f"The log {path.name} has no line of a server that started or stopped.",
            fix="Pass JupyterHub's own log, at level INFO, in its default format.",
        )
    times = [
        pd.Timestamp(m["time"].replace(",", ".")).tz_localize(zone).tz_convert("UTC") for m in found
    ]
    running: dict[str, list[dict[str, Any]]] = {}
    rows: list[dict[str, Any]] = []
    for moment, match in zip(times, found, strict=True):
        user, _, name = match["user"].partition(":")
        if match["took"]:
            row = _fixed(user, name, hub, cpu_cores, memory_gib)
            row |= {"start": moment, "end": None}
            row["requested"] = moment - pd.Timedelta(seconds=float(match["took"]))
            # The same server again: the hub was restarted and its stop is not in the log.
            for old in [r for r in running.get(user, []) if r["server"] == name]:
                old["end"] = row["requested"]
                running[user].remove(old)
            running.setdefault(user, []).append(row)
            rows.append(row)
        elif running.get(user):
            running[user].pop(0)["end"] = moment
        else:
            row = _fixed(user, name, hub, cpu_cores, memory_gib)
            rows.append(row | {"start": times[0], "end": moment, "requested": None})
    frame = pd.DataFrame(rows, columns=[*_COLUMNS, "requested"])
    end = max(times[-1], times[0] + pd.Timedelta(milliseconds=1))
    return Collected(frame, path.name, times[0], end)


_COLUMNS = [
    *("user", "server", "hub", "kind", "start", "end", "last_activity"),
    *("cpu_cores", "memory_gib", "node_type", "capacity"),
]


def _fixed(user: str, server: str, hub: str, cpu: float, memory: float) -> dict[str, Any]:
    return {
        "user": user,
        "server": server,
        "hub": hub,
        "kind": "notebook",
        "cpu_cores": cpu,
        "memory_gib": memory,
        "node_type": "",
        "capacity": "on-demand",
    }
