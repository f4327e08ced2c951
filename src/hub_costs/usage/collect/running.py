"""A running hub's sessions, from all that keeps record of it at once.

Prometheus knows every pod: whose it is, what it asked for and what it used. The hub's own log knows
better when a person asked, when the server was ready and when it stopped, and the hub's API when
its user last did something.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from hub_costs.usage.collect import Collected
from hub_costs.usage.collect.hub_records import STOPPED

CLOSE = pd.Timedelta(seconds=5)  # how far clocks and samples may be apart
SCRAPE = pd.Timedelta(minutes=1)  # Prometheus' default: a pod may be seen this late


def joined(
    pods: Collected,
    log: pd.DataFrame | None = None,
    users: Iterable[Mapping[str, Any]] = (),
    gateway: pd.DataFrame | None = None,
) -> Collected:
    """Return the sessions of `pods`, with better times where the hub and the gateway know them.

    `log` is what `hub_records.from_log` read, `users` what `hub_records.snapshot` returned, and
    `gateway` what `gateway_database.collect` read. A start is the log's. An end is the log's where
    the hub stopped the server; one that it inferred never beats the pod's own. Schedulers and
    workers have the gateway's times; one too short-lived for a sample is added with the size of its
    kind. A server in the log that no pod is known of stays as a row without sizes, so that
    checking counts it.
    """
    raw = pods.raw.copy()
    raw["last_activity"] = pd.Series([None] * len(raw), dtype=object)
    active = {
        user["name"]: server.get("last_activity")
        for user in users
        for server in (user.get("servers") or {}).values()
    }
    running = raw["end"].isna() & (raw["kind"] == "notebook")
    raw.loc[running, "last_activity"] = raw.loc[running, "user"].map(active)
    rows = raw.to_dict("records")
    if log is not None:
        _join_log(rows, log, pods)
    if gateway is not None:
        _join_gateway(rows, gateway, pods)
    return replace(pods, raw=pd.DataFrame(rows).reindex(columns=raw.columns))


def _join_log(rows: list[dict[str, Any]], log: pd.DataFrame, pods: Collected) -> None:
    for server in log.sort_values("start").to_dict("records"):
        if _outside(server, pods):
            continue
        mine = next((row for row in rows if _same(row, server)), None)
        known = mine is not None
        if mine is None:
            mine = {**server, "cpu_cores": None, "memory_gib": None}
            rows.append(mine)
        exact = server.get("ended") == STOPPED or not known or pd.isna(mine["end"])
        ended = {"end": server["end"]} if pd.notna(server["end"]) and exact else {}
        mine.update(requested=server["requested"], start=server["start"], joined=True, **ended)


def _join_gateway(rows: list[dict[str, Any]], gateway: pd.DataFrame, pods: Collected) -> None:
    """Give each scheduler and worker of the gateway's the pod that began closest after it did."""
    for told in gateway.sort_values("start").to_dict("records"):
        if pd.isna(told["start"]) or _outside(told, pods):
            continue
        near = [row for row in rows if _may_be(row, told)]
        if near:
            mine = min(near, key=lambda row: abs(row["start"] - told["start"]))
        else:
            same = [row for row in rows if row["kind"] == told["kind"] and row.get("cpu_cores")]
            mine = {**told, **{key: same[0][key] for key in _SIZES if same}}
            rows.append(mine)
        ended = {"end": told["end"]} if pd.notna(told["end"]) else {}
        mine.update(start=told["start"], joined=True, **ended)


_SIZES = ("hub", "cpu_cores", "memory_gib", "node_type", "capacity")


def _outside(told: Mapping[str, Any], pods: Collected) -> bool:
    over = pd.notna(told["end"]) and told["end"] <= pods.start
    return bool(told["start"] >= pods.end or over)


def _same(pod: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    """Tell whether a pod is the server that a line of the log tells of: it started in between."""
    if pod["kind"] != "notebook" or pod["user"] != told["user"] or "joined" in pod:
        return False
    asked = told["requested"] if pd.notna(told["requested"]) else told["start"]
    return bool(pd.notna(pod["start"]) and asked - CLOSE <= pod["start"] <= told["start"] + CLOSE)


def _may_be(pod: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    """Tell whether a pod can be the gateway's: of its user and kind, and there while it was."""
    if (pod["kind"], pod["user"]) != (told["kind"], told["user"]) or "joined" in pod:
        return False
    end = told["end"] + SCRAPE if pd.notna(told["end"]) else None
    return bool(told["start"] - CLOSE <= pod["start"] and (end is None or pod["start"] <= end))
