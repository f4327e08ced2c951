"""Divide the rows of pods: a server's belongs to its user, a Dask cluster's to who ran it then."""

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import duckdb

from hub_costs.allocation.pod_names import People
from hub_costs.allocation.rows import Row
from hub_costs.apportion import apportion

COMPONENT = "machines"
# Sessions that a pod of Dask may be of: its own kind first.
_KINDS = {
    "dask-worker": ("dask-worker", "dask-scheduler"),
    "dask-scheduler": ("dask-scheduler", "dask-worker"),
}
# BinderHub names a server after its repository, and eight characters of chance.
_BINDER = re.compile(r"[^-]-[a-z0-9]{8}$")


class _Session(NamedTuple):
    start: datetime
    end: datetime
    user: str
    hub: str
    server: str  # of Dask: the cluster's name
    weight: int

    def made(self, pod: str) -> bool:
        """Whether the pod is of this session's cluster, which both name."""
        cluster = self.server.rpartition(".")[2]  # Dask-Gateway: namespace.id
        return bool(cluster) and re.search(rf"-{re.escape(cluster)}(-|$)", pod) is not None


def divide(connection: duckdb.DuckDBPyConnection, people: People) -> tuple[list[Row], list[str]]:
    """Return the shares of all pods in `allocation_groups`, and warnings.

    A pod's tag names its user, else its name does. Pods of Dask, and of Binder where it has
    sessions, go to the sessions of that kind that overlap them, by time and request.
    """
    sessions = _sessions(connection)
    hubs = {session.hub for of_kind in sessions.values() for session in of_kind}
    rows: list[Row] = []
    unknown: set[str] = set()
    nobody = 0
    for day, owner, hub, namespace, pod, starts, ends, units, unused in connection.execute(
        """SELECT day, owner, hub, namespace, pod, min(starts), max(ends), sum(units), sum(unused)
        FROM allocation_groups WHERE rule = 'split-pod' GROUP BY ALL ORDER BY ALL"""
    ).fetchall():
        where = namespace if namespace in hubs else hub
        whose = people.whose(pod)
        shares: list[tuple[str, str, int]] = []
        if owner:
            shares = [(people.named(owner) or people.whose(f"jupyter-{owner}").user, where, 1)]
        elif whose.known:
            shares = [(whose.user, where, 1)]
        else:
            kinds = _KINDS.get(whose.dask, ("binder",) if _BINDER.search(pod) else ())
            for kind in kinds:
                near = [s for s in sessions[kind] if namespace not in hubs or s.hub == namespace]
                near = [session for session in near if session.made(pod)] or near
                if shares := _at_that_time(near, starts, ends):
                    break
            if not shares and whose.user:
                unknown.add(whose.user)
                shares = [(whose.user, where, 1)]
        weights = [weight for *_, weight in shares]
        if not shares:
            nobody += 1
            rule = "dask-without-session"
            rows.append(Row(day, "Dask pods", "unallocated", COMPONENT, rule, where, int(units)))
            continue
        used, spare = int(units) - int(unused), int(unused)
        parts = [(used, spare)]
        if len(shares) > 1:
            parts = list(zip(apportion(used, weights), apportion(spare, weights), strict=True))
        for (user, at, _), (own, idle) in zip(shares, parts, strict=True):
            rows.append(Row(day, user, "user", COMPONENT, "split-pod", at, own))
            if idle:
                basis = ((user, at, 1),)
                rows.append(Row(day, "idle", "idle", COMPONENT, "split-unused", at, idle, basis))
    warnings = []
    if unknown:
        some = ", ".join(sorted(unknown)[:5])
        warnings.append(f"{len(unknown)} users are known by their pods only, such as {some}.")
    if nobody:
        warnings.append(
            f"On {nobody} days pods of Dask ran while no session of a cluster did: unallocated."
        )
    return rows, warnings


def _sessions(connection: duckdb.DuckDBPyConnection) -> dict[str, list[_Session]]:
    """Return the sessions whose pods do not name their user, by kind."""
    found: dict[str, list[_Session]] = defaultdict(list)
    for kind, *session in connection.execute(
        """SELECT kind, "start", "end", "user", hub, server, greatest(cpu + memory, 1) FROM sessions
        WHERE kind IN ('dask-worker', 'dask-scheduler', 'binder') AND "user" <> '' ORDER BY ALL"""
    ).fetchall():
        found[kind].append(_Session(*session))
    return found


def _at_that_time(
    sessions: Sequence[_Session], starts: datetime, ends: datetime
) -> list[tuple[str, str, int]]:
    """Return who had sessions between two moments, by seconds and request."""
    shares: dict[tuple[str, str], int] = defaultdict(int)
    for session in sessions:
        seconds = (min(session.end, ends) - max(session.start, starts)).total_seconds()
        if seconds > 0:
            shares[session.user, session.hub] += int(seconds * 1000) * int(session.weight)
    return [(user, hub, weight) for (user, hub), weight in shares.items() if weight]
