"""The sessions table, and what happens to rows that cannot be right.

A session is one pod that one person caused: a notebook server, Dask scheduler or worker, Binder.
`COLUMNS` is the contract between collectors, reports, cost allocation and the replay; `OPTIONAL`
columns travel along where a source knows them. Times are UTC; an end is the first moment after.

========= ============================================================ ===========================
reason    the row                                                      what happens
========= ============================================================ ===========================
no-user   has no user                                                  dropped
bad-time  has a start that is missing or no time, or an end that is no dropped
          time
bad-value has an unknown kind or capacity, or a request that is        dropped
          negative, not finite, nothing at all, or more than any
          machine has
negative  ends when or before it starts                                dropped
too-long  lasts longer than the data it is in                          dropped
outside   lies wholly outside the window asked for                     dropped
overlap   is a notebook that starts while its user's server still runs its start moves to that
          (same hub and server name)                                   server's end; dropped if
                                                                       wholly covered
open      has no end: it was running when the data ended               ends with the data
endless   has no end, and no later row tells when the data ended       dropped
window    reaches over the window asked for                            cut to the window
broken    has more or fewer values than the file has columns           dropped
========= ============================================================ ===========================

Without a window, the data is as long as from its first start to its last, but at least `SHORTEST`:
nothing else in a table tells a month-long server from a wrong year. It spans `LONGEST` at most:
reports and replays look at every hour of it.
Dropped and changed rows are kept in `Sessions.rejected` and `Sessions.changed`, with their reasons.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pangeo_core.errors import BadInput

KINDS = ("notebook", "dask-scheduler", "dask-worker", "binder")
CAPACITIES = ("on-demand", "spot")
TIMES = ("start", "end")
COLUMNS = (
    *("user", "hub", "kind", "start", "end"),
    *("cpu_cores", "memory_gib", "node_type", "capacity"),
)
# What a source may know besides: when the server was asked for, when its user last did something,
# the named server or Dask cluster it belongs to, and its mean use of cores and memory.
OPTIONAL: Mapping[str, str] = {
    "requested": "time",
    "last_activity": "time",
    "server": "text",
    "cpu_used_cores": "number",
    "memory_used_gib": "number",
}
SHORTEST = pd.Timedelta(days=7)
LONGEST = pd.Timedelta(days=20 * 366)
MOST_CORES, MOST_GIB = 10_000, 100_000  # several times what the largest machine has
FIXES: Mapping[str, str] = {
    "no-user": "Give every row a user; anonymous Binder sessions have one name each.",
    "bad-time": "Write times as ISO 8601, such as 2024-07-01T09:30:00Z.",
    "bad-value": f"Use a kind of {', '.join(KINDS)}; a capacity of {', '.join(CAPACITIES)}; "
    "and requests of cpu_cores and memory_gib that are not negative, not both zero, and no more "
    f"than {MOST_CORES} cores and {MOST_GIB} GiB.",
    "negative": "Correct start and end: is one of them in another time zone?",
    "too-long": "Correct the year, or pass the window that the data covers.",
    "outside": "Pass a window that holds the session.",
    "overlap": "Name the servers in a column `server` if one person really runs several at once.",
    "open": "Nothing to do, if the server was still running when the data ended.",
    "endless": "Write its end, or pass the window that the data covers.",
    "window": "Nothing to do: only the part inside the window counts.",
    "broken": "Quote values that hold a comma.",
    "twice": "Nothing to do: another file has the same session.",
}
_CODES = {reason: code for code, reason in enumerate(FIXES, start=1)}
Reasons = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Sessions:
    """Checked sessions, sorted by start.

    `table` has `COLUMNS` (texts as categories, times as UTC timestamps) and those of `OPTIONAL`
    that the source knew. `start` and `end` bound the data. `rejected` holds dropped rows and
    `changed` rows as they were before a change: `source`, `row` (a line of a csv file, the header
    is line 1; else the row's number from 1), `reason`, and the values as they were.
    """

    table: pd.DataFrame
    start: pd.Timestamp
    end: pd.Timestamp
    rejected: pd.DataFrame
    changed: pd.DataFrame

    @property
    def hours(self) -> float:
        """Return how many hours the data spans."""
        return float((self.end - self.start) / pd.Timedelta(hours=1))

    def problems(self, limit: int = 20) -> list[str]:
        """Return one sentence for each dropped or changed row, the first `limit` of them."""
        both = ((self.rejected, "dropped"), (self.changed, "changed"))
        rows = [
            f"{row.source}, row {row.row}: {row.reason}, {done}. {FIXES[row.reason]}"
            for frame, done in both
            for row in frame.head(limit).itertuples()
        ]
        return rows[:limit]

    def as_dict(self) -> dict[str, Any]:
        """Return what is in the table and what is not, ready for JSON."""
        return {
            "sessions": len(self.table),
            "users": int(self.table.user.nunique()),
            "start": iso(self.start),
            "end": iso(self.end),
            "rejected": len(self.rejected),
            "rejected_by_reason": _counts(self.rejected),
            "changed": len(self.changed),
            "changed_by_reason": _counts(self.changed),
        }


def iso(moment: pd.Timestamp) -> str:
    """Return `moment` as ISO 8601 UTC with whole seconds."""
    return str(moment.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ"))


def check(
    raw: pd.DataFrame,
    *,
    source: str = "sessions",
    window: tuple[pd.Timestamp, pd.Timestamp] | None = None,
    rejected: pd.DataFrame | None = None,
    accounts: bool = False,
) -> Sessions:
    """Return `raw` as `Sessions`: typed, sorted, every row right or kept apart with its reason.

    `raw` has the columns of the contract and may have a column `row`; `source` names it in
    messages, `rejected` are rows already refused. Naive times are UTC. Accounts keep a row without
    a user, as that of the user "", since it was paid for, and may have no rows. Raises `BadInput`
    when a column is missing, the window is empty, or (but in accounts) no row is left.
    """
    missing = [column for column in COLUMNS if column not in raw.columns]
    if missing:
        raise BadInput(
            f"{source}: the sessions table has no column {', '.join(missing)}.",
            why=f"It has: {', '.join(map(str, raw.columns)) or 'none'}.",
            fix=f"Give it the columns {', '.join(COLUMNS)}.",
        )
    raw = raw.reset_index(drop=True)
    table = _typed(raw)
    nobody = table["user"].isna() | table["user"].isin(["", "nan", "None"])
    if accounts:
        table["user"] = table["user"].astype(object).mask(nobody, "").astype("category")
    bad, changed = _wrong_values(raw, table), np.zeros(len(raw), np.int8)
    if not accounts:
        bad[np.asarray(nobody)] = _CODES["no-user"]
    opened = np.asarray(table["end"].isna()) & (bad == 0)
    first, last = _bounds(table[bad == 0], window, source)
    table["end"] = table["end"].mask(opened, last)
    _mark(bad, opened & np.asarray(table["end"] <= table["start"]), "endless")
    _mark(changed, opened, "open")
    _mark(bad, table["end"] <= table["start"], "negative")
    if window is None:
        _mark(bad, table["end"] - table["start"] > max(last - first, SHORTEST), "too-long")
    else:
        _mark(bad, (table["end"] <= first) | (table["start"] >= last), "outside")
        _mark(changed, (table["end"] > last) | (table["start"] < first), "window")
        table["start"] = table["start"].clip(lower=first)
        table["end"] = table["end"].clip(upper=last)
    started = _uncovered_start(table, (bad == 0) & ~np.asarray(nobody))
    _mark(bad, started >= table["end"], "overlap")
    moved = started > table["start"]
    _mark(changed, moved, "overlap")
    table["start"] = table["start"].mask(moved, started)
    dropped = _kept_apart(raw, bad, source)
    if rejected is not None and len(rejected):
        dropped = pd.concat([rejected, dropped], ignore_index=True)
    good = table[bad == 0].sort_values("start", kind="stable", ignore_index=True)
    if good.empty and not accounts:
        raise BadInput(
            f"{source}: no session in it can be used.",
            why=f"Rows and reasons: {_counts(dropped) or 'the table is empty'}.",
            fix=FIXES[str(dropped.reason.iloc[0])] if len(dropped) else "Pass a table with rows.",
        )
    if window is None and len(good):
        first, last = good.start.min(), good.end.max()
    altered = _kept_apart(raw, np.where(bad == 0, changed, 0), source)
    return Sessions(good, first, last, dropped, altered)


def _typed(raw: pd.DataFrame) -> pd.DataFrame:
    """Return the contract's and the known optional columns, typed; what cannot be is missing."""
    wanted = dict.fromkeys(COLUMNS, "text")
    wanted |= {"start": "time", "end": "time", "cpu_cores": "number", "memory_gib": "number"}
    wanted |= {name: kind for name, kind in OPTIONAL.items() if name in raw.columns}
    return pd.DataFrame({name: _column(raw[name], kind) for name, kind in wanted.items()})


def _column(values: pd.Series, kind: str) -> pd.Series:
    if kind == "time":
        if not pd.api.types.is_datetime64_any_dtype(values):
            values = pd.to_datetime(values, utc=True, format="ISO8601", errors="coerce")
        return pd.to_datetime(values, utc=True).dt.as_unit("ms")
    if kind == "number":
        try:  # four times faster, and without a Python object a value
            return values.astype("float64")
        except (ValueError, TypeError):
            return pd.to_numeric(values, errors="coerce").astype("float64")
    text = values.astype("category")
    names = text.cat.categories
    clean = pd.Index(names.astype(str).str.strip())
    return text if clean.equals(pd.Index(names)) else text.map(dict(zip(names, clean, strict=True)))


def _wrong_values(raw: pd.DataFrame, table: pd.DataFrame) -> Reasons:
    """Return the reason why a row cannot be used by itself (its place in `FIXES`, from 1), or 0."""
    bad = np.zeros(len(table), np.int8)
    unread = table["end"].isna()
    written = raw["end"][unread].dropna().astype(str).str.strip()
    unread &= unread.index.isin(written.index[written != ""])
    _mark(bad, table["start"].isna() | unread, "bad-time")
    cpu, memory = table["cpu_cores"], table["memory_gib"]
    asked = cpu.between(0, MOST_CORES) & memory.between(0, MOST_GIB) & (cpu + memory > 0)
    known = table["kind"].isin(KINDS) & table["capacity"].isin(CAPACITIES)
    _mark(bad, ~(asked & known), "bad-value")
    return bad


def _bounds(
    table: pd.DataFrame, window: tuple[pd.Timestamp, pd.Timestamp] | None, source: str
) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Return where the data starts and ends: the window, or what the rows themselves say."""
    if window is None:
        ends = table["end"].where(table["end"] - table["start"] <= pd.Timedelta(days=366))
        first, last = table["start"].min(), pd.concat([ends, table["start"]]).max()
        if last - first > LONGEST:
            raise BadInput(
                f"{source}: the sessions span {(last - first).days // 365} years, "
                f"from {iso(first)} to {iso(last)}.",
                why=f"At most {LONGEST.days // 366} years can be looked at.",
                fix="Correct the year that is wrong.",
            )
        return first, last
    first, last = (pd.Timestamp(moment) for moment in window)
    first, last = (m.tz_localize("UTC") if m.tz is None else m for m in (first, last))
    if not first < last:
        raise BadInput(
            f"{source}: the window from {first} to {last} is empty.",
            fix="Let it end after it starts.",
        )
    return first, last


def _uncovered_start(table: pd.DataFrame, usable: npt.NDArray[np.bool_]) -> pd.Series:
    """Return each session's start, for notebooks not before its user's earlier servers end."""
    keys = [key for key in ("user", "hub", "server") if key in table.columns]
    rows = np.flatnonzero(usable & np.asarray(table["kind"] == "notebook"))
    if not len(rows):
        return table["start"]
    starts, ends = (np.asarray(table[name].astype("int64"))[rows] for name in TIMES)
    who = [np.asarray(table[key].cat.codes)[rows] for key in keys]
    order = np.lexsort([starts, *who])
    rows, starts, ends = rows[order], starts[order], ends[order]
    same = np.ones(len(rows), bool)
    same[0] = False
    for codes in who:
        same[1:] &= codes[order][1:] == codes[order][:-1]
    # The latest end so far among each person's rows: a running maximum that a new person resets,
    # since each person's times are lifted above all earlier ones.
    lift = np.cumsum(~same) * int(ends.max() - starts.min() + 1)
    running = np.maximum.accumulate(ends + lift) - lift
    starts[1:] = np.where(same[1:], np.maximum(starts[1:], running[:-1]), starts[1:])
    moments = np.array(table["start"].astype("int64"))
    moments[rows] = starts
    return pd.Series(pd.to_datetime(moments, unit="ms", utc=True).as_unit("ms"), table.index)


def _mark(reasons: Reasons, where: pd.Series | npt.NDArray[np.bool_], reason: str) -> None:
    """Give `reason` to the rows of `where` that have none yet."""
    reasons[np.asarray(where, bool) & (reasons == 0)] = _CODES[reason]


def _kept_apart(raw: pd.DataFrame, reasons: Reasons, source: str) -> pd.DataFrame:
    rows = np.flatnonzero(reasons)
    kept = raw.iloc[rows]
    head = {
        "source": source,
        "row": kept["row"] if "row" in raw.columns else rows + 1,
        "reason": pd.Categorical.from_codes(reasons[rows] - 1, list(FIXES)).astype(object),
    }
    frame = pd.DataFrame(head, index=kept.index)
    return pd.concat([frame, kept[list(COLUMNS)]], axis=1).reset_index(drop=True)


def _counts(frame: pd.DataFrame) -> dict[str, int]:
    return {str(k): int(v) for k, v in frame.reason.value_counts().sort_index().items()}
