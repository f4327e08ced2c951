"""What people do with a hub: who came, how many at once, for how long, with how much."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hub_costs.usage.concurrency import HOUR, hourly, most_at_once
from hub_costs.usage.pseudonyms import Pseudonyms
from hub_costs.usage.sessions import Sessions, iso
from pangeo_core.errors import BadInput

SERVERS = ("notebook", "binder")
PERIODS = {"day": "D", "week": "W-SUN", "month": "M"}
QUANTILES = {"median": 0.5, "p95": 0.95, "longest": 1.0}


@dataclass(frozen=True)
class UsageReport:
    """The report. Tables have plain columns; hours are hours; what a source did not tell is None.

    `active` (period, start, users), `concurrent` (hour, servers: mean over the hour), `lengths`
    (kind, sessions, hours, median, p95, longest), `asked` (kind, core and GiB hours asked and
    used), `dask` (user, worker_hours, core_hours), `homes` (user, gib, over_quota), `growth`
    (month, users, new, returning), `cohorts` (cohort, month, users), `gaps` (start, end, source).
    """

    summary: dict[str, Any]
    active: pd.DataFrame
    concurrent: pd.DataFrame
    lengths: pd.DataFrame
    asked: pd.DataFrame
    dask: pd.DataFrame
    homes: pd.DataFrame
    growth: pd.DataFrame
    cohorts: pd.DataFrame
    gaps: pd.DataFrame

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON."""
        tables = {
            name: _records(getattr(self, name))
            for name in ("active", "lengths", "asked", "dask", "homes", "growth", "cohorts", "gaps")
        }
        return {**self.summary, **tables, "concurrent": _records(self.concurrent)}


def report(
    sessions: Sessions,
    *,
    homes: pd.DataFrame | None = None,
    quota_gib: float | None = None,
    gaps: pd.DataFrame | None = None,
    published: bool = True,
) -> UsageReport:
    """Return the usage report of `sessions`.

    `homes` has `user` and `gib`; `quota_gib` is what each may have. `gaps` are times without data
    (`start`, `end`, `source`), as collectors return them. In a `published` report people have
    pseudonyms; set it to False for the operator's own, with names.
    Raises `BadInput` where `homes` lacks a column or holds no amount.
    """
    names: Callable[[str], str] = Pseudonyms().name if published else str
    table, servers = sessions.table, sessions.table[sessions.table["kind"].isin(SERVERS)]
    start, end = _ms(servers["start"], sessions), _ms(servers["end"], sessions)
    span = int(_ms(pd.Series([sessions.end]), sessions)[0])
    size = max(1, -(-span // HOUR))
    per_hour = np.asarray(hourly(start, end, size), float)
    per_hour /= np.minimum(HOUR, span - np.arange(size) * HOUR)  # the last hour may be a part
    moments = pd.date_range(sessions.start, periods=size, freq="h")
    spawn = _spawn_seconds(servers)
    summary = {
        **sessions.as_dict(),
        "published": published,
        "concurrent_peak": most_at_once(start, end),
        "concurrent_mean": _rounded(float((end - start).sum() / span) if span else 0.0),
        "spawn_median_seconds": _quantile(spawn, 0.5),
        "spawn_p95_seconds": _quantile(spawn, 0.95),
        "spawns_measured": len(spawn),
        "idle_share": _idle_share(servers),
        "gap_hours": 0.0 if gaps is None else _rounded(_hours(gaps).sum()),
        "quota_gib": quota_gib,
    }
    growth, cohorts = _cohorts(table)
    return UsageReport(
        summary=summary,
        active=_active(table),
        concurrent=pd.DataFrame({"hour": moments, "servers": per_hour.round(4)}),
        lengths=_lengths(table),
        asked=_asked(table),
        dask=_dask(table, names),
        homes=_homes(homes, quota_gib, names),
        growth=growth,
        cohorts=cohorts,
        gaps=pd.DataFrame(columns=["start", "end", "source"]) if gaps is None else gaps,
    )


def _active(table: pd.DataFrame) -> pd.DataFrame:
    """Count people in each day, ISO week and month that one of their sessions touches."""
    days = _user_days(table)
    parts = []
    for name, frequency in PERIODS.items():
        when = days["day"].dt.to_period(frequency).dt.start_time
        users = days["user"].groupby(when).nunique()
        parts.append(
            pd.DataFrame({"period": name, "start": users.index, "users": users.to_numpy()})
        )
    return pd.concat(parts, ignore_index=True)


def _user_days(table: pd.DataFrame) -> pd.DataFrame:
    """Return each pair of a person and a day (UTC) on which a session of theirs ran."""
    first = table["start"].dt.tz_localize(None).dt.floor("D")
    last = (table["end"].dt.tz_localize(None) - pd.Timedelta(milliseconds=1)).dt.floor("D")
    count = ((last - first) // pd.Timedelta(days=1)).to_numpy() + 1
    rows = np.repeat(np.arange(len(table)), count)
    nth = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    day = first.to_numpy()[rows] + nth * np.timedelta64(1, "D")
    pairs = pd.DataFrame({"user": table["user"].to_numpy()[rows], "day": day})
    return pairs.drop_duplicates(ignore_index=True)


def _cohorts(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return growth by month, and how many of each month's newcomers came in each later month."""
    pairs = _user_days(table)
    month = pairs["day"].dt.to_period("M").astype(str)
    seen = pd.DataFrame({"user": pairs["user"], "month": month}).drop_duplicates()
    seen["cohort"] = seen.groupby("user")["month"].transform("min")
    cohorts = seen.groupby(["cohort", "month"], as_index=False).agg(users=("user", "nunique"))
    growth = seen.groupby("month", as_index=False).agg(users=("user", "nunique"))
    new = seen[seen.cohort == seen.month].groupby("month").size()
    growth["new"] = growth["month"].map(new).fillna(0).astype(int)
    growth["returning"] = growth["users"] - growth["new"]
    return growth, cohorts


def _lengths(table: pd.DataFrame) -> pd.DataFrame:
    hours = _hours(table)
    rows = []
    for kind in sorted(table["kind"].unique()):
        mine = hours[table["kind"] == kind]
        quantiles = {name: _rounded(mine.quantile(q)) for name, q in QUANTILES.items()}
        rows.append(
            {"kind": kind, "sessions": len(mine), "hours": _rounded(mine.sum())} | quantiles
        )
    return pd.DataFrame(rows)


def _asked(table: pd.DataFrame) -> pd.DataFrame:
    """Compare what was asked for with what was used, over time, where use is known."""
    hours, rows = _hours(table), []
    for kind in sorted(table["kind"].unique()):
        row: dict[str, Any] = {"kind": kind}
        mine = table["kind"] == kind
        for asked, used, unit in (
            ("cpu_cores", "cpu_used_cores", "core"),
            ("memory_gib", "memory_used_gib", "gib"),
        ):
            row[f"{unit}_hours_asked"] = _rounded((table[asked] * hours)[mine].sum())
            known = mine & table[used].notna() if used in table else mine & False
            usage, basis = table.get(used, hours) * hours, table[asked] * hours
            row[f"{unit}_hours_used"] = _rounded(usage[known].sum()) if known.any() else None
            share = usage[known].sum() / basis[known].sum() if basis[known].sum() else None
            row[f"{unit}_used_share"] = _rounded(share)
        rows.append(row)
    return pd.DataFrame(rows)


def _dask(table: pd.DataFrame, names: Callable[[str], str]) -> pd.DataFrame:
    workers = table[table["kind"] == "dask-worker"]
    hours = _hours(workers)
    frame = pd.DataFrame(
        {
            "user": workers["user"].astype(str),
            "worker_hours": hours,
            "core_hours": hours * workers["cpu_cores"],
        }
    )
    frame = frame.groupby("user", as_index=False).sum().round(3)
    frame["user"] = [names(user) for user in frame["user"]]
    return frame.sort_values(["core_hours", "user"], ascending=[False, True], ignore_index=True)


def _homes(
    homes: pd.DataFrame | None, quota: float | None, names: Callable[[str], str]
) -> pd.DataFrame:
    if homes is None:
        return pd.DataFrame(columns=["user", "gib", "over_quota"])
    missing = {"user", "gib"} - set(homes.columns)
    gib = pd.to_numeric(homes["gib"], errors="coerce") if not missing else pd.Series(dtype=float)
    if missing or not (np.isfinite(gib) & (gib >= 0)).all():
        raise BadInput(
            "The table of home directories cannot be used.",
            why=f"It lacks {', '.join(sorted(missing))}." if missing else "A size is no amount.",
            fix="Give it the columns user and gib (GiB, from 0 up).",
        )
    over = gib > quota if quota is not None else pd.Series(False, index=homes.index)
    frame = pd.DataFrame({"user": homes["user"].astype(str), "gib": gib, "over_quota": over})
    frame["user"] = [names(user) for user in frame["user"]]
    return frame.sort_values(["gib", "user"], ascending=[False, True], ignore_index=True)


def _spawn_seconds(servers: pd.DataFrame) -> pd.Series:
    if "requested" not in servers:
        return pd.Series(dtype=float)
    seconds = (servers["start"] - servers["requested"]).dt.total_seconds()
    return seconds[seconds >= 0]


def _idle_share(servers: pd.DataFrame) -> float | None:
    """Return the share of servers' time after their last activity, where that is known."""
    if "last_activity" not in servers:
        return None
    known = servers[servers["last_activity"].notna()]
    last = known["last_activity"].clip(lower=known["start"], upper=known["end"])
    total = _hours(known).sum()
    idle = (known["end"] - last).sum() / pd.Timedelta(hours=1)
    return _rounded(idle / total) if total else None


def _ms(moments: pd.Series, sessions: Sessions) -> np.ndarray:
    since = moments - sessions.start
    return np.asarray(since.astype("timedelta64[ms]").astype("int64"))


def _hours(table: pd.DataFrame) -> pd.Series:
    return (table["end"] - table["start"]) / pd.Timedelta(hours=1)


def _quantile(values: pd.Series, q: float) -> float | None:
    return _rounded(values.quantile(q)) if len(values) else None


def _rounded(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 4)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    records = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(key): _plain(value) for key, value in row.items()} for row in records]


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return iso(value if value.tz else value.tz_localize("UTC"))
    return value.item() if isinstance(value, np.generic) else value
