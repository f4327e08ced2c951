"""Sessions (who used what, when) as tables in DuckDB, exact in time, by the usage room's rules."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd

from hub_costs.usage import session_files
from hub_costs.usage.sessions import FIXES, TIMES


@dataclass(frozen=True)
class Loaded:
    """Which sessions of a file could not be used: (row, reason); how many were changed.

    `repeated` counts those of Dask and Binder that equal an earlier one in everything: they may be
    two workers that started at once, or one that is written twice.
    """

    rejected: tuple[tuple[int, str], ...]
    changed: int
    repeated: int


def load(connection: duckdb.DuckDBPyConnection, path: Path) -> Loaded:
    """Make the tables `sessions` and `session_days` from a csv or parquet file.

    Rows are read and judged as in `usage.sessions`, but one without a user stays, as that of "".
    `sessions` has requests and use as whole millionths of a core and of a GiB; `session_days` each
    session's seconds in each day (UTC). Raises `BadInput` where the file cannot be read.
    """
    read = session_files.read(path, accounts=True)
    table = pd.DataFrame({name: read.table[name].astype(str) for name in _TEXTS})
    table["user"] = table["user"].str.normalize("NFC")  # one person, however the name is composed
    server = read.table.get("server")
    table["server"] = "" if server is None else server.astype(object).fillna("").astype(str)
    for name in TIMES:
        table[name] = read.table[name]
    for name, column in _AMOUNTS.items():
        amounts = read.table.get(column, pd.Series(0.0, read.table.index)).fillna(0)
        table[name] = (amounts * 1_000_000).round().astype("int64")
    connection.register("checked_sessions", table)
    connection.execute(
        'CREATE TABLE sessions AS SELECT * REPLACE (CAST("start" AS TIMESTAMP) AS "start",'
        ' CAST("end" AS TIMESTAMP) AS "end") FROM checked_sessions'
    )
    connection.unregister("checked_sessions")
    connection.execute(
        """CREATE TABLE session_days AS SELECT *, CAST(day_start AS DATE) AS day,
          date_diff('second', greatest("start", day_start),
            least("end", day_start + INTERVAL 1 DAY)) AS seconds
        FROM (SELECT *, unnest(generate_series(date_trunc('day', "start"),
          "end" - INTERVAL 1 MICROSECOND, INTERVAL 1 DAY)) AS day_start FROM sessions)"""
    )
    rejected = tuple(
        (int(row.row), f"{row.reason}: {FIXES[row.reason]}") for row in read.rejected.itertuples()
    )
    repeated = int(table[table["kind"] != "notebook"].duplicated().sum())
    return Loaded(rejected, len(read.changed), repeated)


_TEXTS = ("user", "hub", "kind", "node_type", "capacity")
_AMOUNTS = {
    "cpu": "cpu_cores",
    "memory": "memory_gib",
    "cpu_used": "cpu_used_cores",
    "memory_used": "memory_used_gib",
}
