"""Read sessions (who used what, when) into DuckDB, one row a session, exact in time."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from pangeo_deploy.cost import formats
from pangeo_deploy.cost.bill import quote
from pangeo_deploy.errors import BadInput

COLUMNS = (
    "user",
    "hub",
    "kind",
    "start",
    "end",
    "cpu_cores",
    "memory_gib",
    "node_type",
    "capacity",
)
KINDS = ("notebook", "dask-scheduler", "dask-worker", "binder")
CAPACITIES = ("on-demand", "spot")
CHECKS = {
    "the start or end is not a time": '"start" IS NOT NULL AND "end" IS NOT NULL',
    "it ends before it starts": '"end" > "start"',
    "cpu_cores or memory_gib is not an amount": "cpu >= 0 AND memory >= 0 AND cpu + memory > 0",
    "the kind is not one of " + ", ".join(KINDS): "kind IN " + str(KINDS),
    "the capacity is not one of " + ", ".join(CAPACITIES): "capacity IN " + str(CAPACITIES),
}


@dataclass(frozen=True)
class Loaded:
    """How many sessions a file has, and which could not be used: (row, reason)."""

    rows: int
    rejected: tuple[tuple[int, str], ...]
    repeated: int  # rows that say exactly what another one says


def load(connection: duckdb.DuckDBPyConnection, path: Path) -> Loaded:
    """Make the tables `sessions` and `session_days` from a csv or parquet file.

    `sessions` has the file's columns, requests as whole millionths of a core and a GiB.
    `session_days` has each session's seconds in each day (UTC). Sessions of one user may overlap: a
    cluster's workers do. A row that repeats another in everything is dropped and counted; two
    workers that started in the same second are told apart by a `name` or `id` column, if the file
    has one.
    """
    for macro in formats.MACROS:
        connection.execute(macro)
    if path.suffix == ".parquet":
        read = f"read_parquet({quote(str(path))})"
    else:
        read = f"read_csv({quote(str(path))}, header = true, all_varchar = true)"
    try:
        have = {
            name for name, *_ in connection.execute(f"DESCRIBE SELECT * FROM {read}").fetchall()
        }
    except duckdb.Error as error:
        raise BadInput(
            f"The sessions in {path} cannot be read.",
            why=str(error).split("\n")[0],
            fix="Give a csv or parquet file with the columns " + ", ".join(COLUMNS) + ".",
        ) from None
    if missing := [name for name in COLUMNS if name not in have]:
        raise BadInput(
            f"The sessions in {path} lack the column {', '.join(missing)}.",
            fix="They need " + ", ".join(COLUMNS) + ".",
        )
    used = {
        name: f"coalesce(TRY_CAST({name} AS DECIMAL(18,6)), 0)" if name in have else "0"
        for name in ("cpu_used", "memory_used_gib")
    }
    name = next((n for n in ("id", "name") if n in have), "NULL")
    why = " ".join(f"WHEN NOT coalesce({ok}, false) THEN {quote(r)}" for r, ok in CHECKS.items())
    connection.execute(
        f"""CREATE TABLE all_sessions AS SELECT *, CASE {why} END AS reason FROM (
        SELECT row_number() OVER () AS row, coalesce(filled("user"), '') AS "user",
          coalesce(filled(hub), '') AS hub, filled(kind) AS kind,
          moment("start") AS "start", moment("end") AS "end",
          CAST(1000000 * TRY_CAST(cpu_cores AS DECIMAL(18,6)) AS BIGINT) AS cpu,
          CAST(1000000 * TRY_CAST(memory_gib AS DECIMAL(18,6)) AS BIGINT) AS memory,
          CAST(1000000 * {used["cpu_used"]} AS BIGINT) AS cpu_used,
          CAST(1000000 * {used["memory_used_gib"]} AS BIGINT) AS memory_used,
          coalesce(filled(node_type), '') AS node_type, filled(capacity) AS capacity,
          filled({name}) AS name
        FROM {read})"""
    )
    connection.execute(
        "CREATE TABLE sessions AS SELECT DISTINCT * EXCLUDE (row, reason) FROM all_sessions"
        " WHERE reason IS NULL"
    )
    connection.execute(
        """CREATE TABLE session_days AS SELECT *, CAST(day_start AS DATE) AS day,
          date_diff('second', greatest("start", day_start),
            least("end", day_start + INTERVAL 1 DAY)) AS seconds
        FROM (SELECT *, unnest(generate_series(date_trunc('day', "start"),
          "end" - INTERVAL 1 MICROSECOND, INTERVAL 1 DAY)) AS day_start FROM sessions)"""
    )
    rejected = connection.execute(
        "SELECT row, reason FROM all_sessions WHERE reason IS NOT NULL ORDER BY row"
    ).fetchall()
    rows, kept = (
        connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
        for table in ("all_sessions", "sessions")
    )
    return Loaded(rows, tuple(rejected), rows - kept - len(rejected))
