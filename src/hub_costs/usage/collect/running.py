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

CLOSE = pd.Timedelta(seconds=5)  # how far clocks and samples may be apart


def joined(
    pods: Collected,
    log: pd.DataFrame | None = None,
    users: Iterable[Mapping[str, Any]] = (),
) -> Collected:
    """Return the sessions of `pods`, their times those of the hub's `log` where it has them.

    `log` is what `hub.from_log` read, `users` what `hub.snapshot` returned. A server in the log
    that no pod is known of stays as a row without sizes, so that checking counts it.
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
    if log is None:
        return replace(pods, raw=raw)
    rows = raw.to_dict("records")
    for told in log.sort_values("start").to_dict("records"):
        if told["start"] >= pods.end or (pd.notna(told["end"]) and told["end"] <= pods.start):
            continue
        mine = next((row for row in rows if _same(row, told)), None)
        if mine is None:
            mine = {**told, "cpu_cores": None, "memory_gib": None}
            rows.append(mine)
        ended = {"end": told["end"]} if pd.notna(told["end"]) else {}
        mine.update(requested=told["requested"], start=told["start"], in_log=True, **ended)
    return replace(pods, raw=pd.DataFrame(rows).reindex(columns=raw.columns))


def _same(pod: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    """Tell whether a pod is the server that a line of the log tells of: it started in between."""
    if pod["kind"] != "notebook" or pod["user"] != told["user"] or "in_log" in pod:
        return False
    asked = told["requested"] if pd.notna(told["requested"]) else told["start"]
    return bool(pd.notna(pod["start"]) and asked - CLOSE <= pod["start"] <= told["start"] + CLOSE)
