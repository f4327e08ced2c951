"""Sessions from JupyterHub: snapshots of its REST API over time, and its log.

Neither says what a server asked for: `cpu_cores` and `memory_gib` are what the hub's profile gives.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd

from hub_costs.usage.collect import Collected
from hub_costs.usage.collect.json_client import ask
from pangeo_core.errors import BadInput

PAGES = "application/jupyterhub-pagination+json"
# As JupyterHub 1 to 5 write them (handlers/base.py and app.py), with traitlets' default log format.
_TIME = r"\[\w (?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.,]\d{3}) "
_ANY = re.compile(_TIME)
_DISORDER = timedelta(seconds=5)  # lines of one log may be this much out of order
_LINE = re.compile(
    _TIME + r"\S+ [^\]]*\] (?:User )?(?P<user>\S+?)"
    r"(?: took (?P<took>\d{1,7}(?:\.\d+)?) seconds to start"
    r"|(?P<stop> server took [\d.]+ seconds to stop)"
    r"|(?P<died> server stopped, with exit code: .*)"
    r"|(?P<missed> appears to have stopped while the Hub was down))$"
)
# How the end of a session is known: the hub stopped it; the hub saw that it had died, which it
# looks for every half minute; or only that it was gone by then.
STOPPED, DIED, INFERRED = "stopped", "died", "inferred"


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
    zone: str | tzinfo | None = "UTC",
) -> Collected:
    """Return the sessions that a hub's log tells of; its times are in `zone` (None: the machine's).

    A stop names the user but not the server: it ends that user's server that has run longest. A
    server that died ends when the hub saw it; the column `ended` says how each end is known. A
    stop without a start is of a server from before the log, which then begins with the log. In the
    hour that a change of clocks repeats, the order of the lines tells which of the two it is.
    Lines whose time is none are passed over. Raises `BadInput` where the file cannot be read, has
    no line of a server, or the zone is not one of the time zone database's.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise BadInput(
            f"The log {path.name} cannot be read.", why=str(error), fix="Check the path."
        ) from None
    told = list(_told(lines, _zone(zone) if isinstance(zone, str) else zone))
    if not told:
        raise BadInput(
            f"The log {path.name} has no line of a server that started or stopped.",
            fix="Pass JupyterHub's own log, at level INFO, in its default format.",
        )
    first, last = told[0][0], told[-1][0]
    running: dict[str, list[dict[str, Any]]] = {}
    rows: list[dict[str, Any]] = []
    for moment, match in told:
        user, _, name = match["user"].partition(":")
        theirs = running.setdefault(user, [])
        if match["took"]:
            row = _fixed(user, name, hub, cpu_cores, memory_gib)
            row |= {"start": moment, "end": None, "ended": None}
            row["requested"] = moment - pd.Timedelta(seconds=float(match["took"]))
            # The same server again: its end is not in the log, and was before this start.
            for old in [r for r in theirs if r["server"] == name]:
                old.update(end=row["requested"], ended=INFERRED)
                theirs.remove(old)
            theirs.append(row)
            rows.append(row)
            continue
        how = STOPPED if match["stop"] else DIED if match["died"] else INFERRED
        named = [r for r in theirs if r["server"] == name]
        if theirs:
            row = (named or theirs)[0]
            row.update(end=moment, ended=how)
            theirs.remove(row)
        else:
            row = _fixed(user, name, hub, cpu_cores, memory_gib)
            rows.append(row | {"start": first, "end": moment, "requested": None, "ended": how})
    frame = pd.DataFrame(rows, columns=[*_COLUMNS, "requested", "ended"])
    end = max(last, first + pd.Timedelta(milliseconds=1))
    return Collected(frame, path.name, first, end)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInput(
            f"There is no time zone {name!r}.", fix="Name it as in America/New_York, or UTC."
        ) from None


def _told(
    lines: Iterable[str], zone: tzinfo | None
) -> Iterator[tuple[pd.Timestamp, re.Match[str]]]:
    """Yield the lines about servers with their times in UTC."""
    before = datetime(1970, 1, 1, tzinfo=UTC)
    for line in lines:
        stamped = _ANY.match(line) or _ANY.search(line)
        if not stamped:
            continue
        try:
            naive = datetime.fromisoformat(stamped["time"].replace(",", "."))
            moment = (naive.replace(tzinfo=zone) if zone else naive).astimezone(UTC)
        except (ValueError, OverflowError):  # the 45th of a month, the year 0
            continue
        if moment < before - _DISORDER:  # the clocks went back: it is the hour's second time
            again = naive.replace(tzinfo=zone, fold=1) if zone else naive.replace(fold=1)
            moment = max(moment, again.astimezone(UTC))
        before = max(before, moment)
        if match := _LINE.search(line):
            yield pd.Timestamp(moment), match


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
