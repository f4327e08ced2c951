"""Read one file of a bill, map it to our columns, and set aside the rows that cannot be read."""

import csv
import gzip
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from hub_costs.bills import cost_explorer, formats
from hub_costs.bills.bill_files import Source
from hub_costs.bills.table import name_of, quote
from pangeo_core.errors import BadInput

# A mapped row is kept if all of these hold; the first that fails is the reason it is set aside.
CHECKS = {
    "the billed cost is not an amount": '"BilledCost" IS NOT NULL',
    "the amortised cost is not an amount": '"EffectiveCost" IS NOT NULL',
    "the charge's start is not a time": '"ChargePeriodStart" IS NOT NULL',
    "the charge's end is not a time": '"ChargePeriodEnd" IS NOT NULL',
    "the charge ends before it starts": '"ChargePeriodStart" < "ChargePeriodEnd"',
    "the billing period is not a time": '"BillingPeriodStart" IS NOT NULL',
    "the currency is not one": "regexp_full_match(\"BillingCurrency\", '[A-Z]{3}')",
    "the charge category is not one of FOCUS'": '"ChargeCategory" IN'
    " ('Usage', 'Purchase', 'Tax', 'Credit', 'Adjustment')",
}


_SKIP, _KEEP = "ignore_errors = true", "store_rejects = true, rejects_limit = 0"


@dataclass(frozen=True)
class Part:
    """A staged file: its rows, the rows set aside, and its tags."""

    source: str
    format: str
    order: int  # later parts speak for lines that earlier ones also have
    file: Path
    rejects: Path | None
    rows: int
    rejected: int
    tags: tuple[str, ...]


def stage(
    connection: duckdb.DuckDBPyConnection, group: list[Source], work: Path, order: int
) -> Part:
    """Write the mapped rows of `group` (one file, or all JSON pages) under `work`."""
    label = group[0].location
    for macro in formats.MACROS:
        connection.execute(macro)
    try:
        return _stage(connection, group, work, order, label)
    except duckdb.Error as error:
        copy = work / f"lines-{order}.csv"
        if group[0].kind != "csv" or not _even_line_ends(label, copy):
            raise _unreadable(label, error) from None
    connection.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    try:
        return _stage(connection, group, work, order, str(copy))
    except duckdb.Error as error:
        raise _unreadable(label, error) from None
    finally:
        copy.unlink()


def _stage(
    connection: duckdb.DuckDBPyConnection,
    group: list[Source],
    work: Path,
    order: int,
    place: str,
) -> Part:
    """Stage what is read from `place`: the file itself, or a copy of it with even line ends."""
    label = group[0].location
    read, described = _open(connection, group, place)
    columns = formats.sql_columns(list(described))
    kind = formats.detect(list(columns), label)
    form = formats.FORMATS[kind]
    types = {formats_name: described[n] for n, formats_name in zip(described, columns, strict=True)}
    chosen = {c: _typed(sql, types[c]) for c, sql in columns.items()}
    selected = formats.select(form, chosen)
    selected |= _tags(connection, form, chosen, types, read)
    # What tells a line from another: all that the source says of it but its amounts.
    identity = [sql for name, sql in columns.items() if name.split("__dup")[0] not in form.amounts]
    body = ", ".join(f"{sql} AS {name_of(name)}" for name, sql in selected.items())
    extra = f', {quote(kind)} AS "x_Format", {quote(label)} AS "x_Source"'
    extra += f', hash({", ".join(identity)}) AS "x_Key", {order} AS "x_Order"'
    why = " ".join(f"WHEN NOT coalesce({ok}, false) THEN {quote(r)}" for r, ok in CHECKS.items())
    mapped = f"SELECT *, CASE {why} END AS reason FROM (SELECT {body}{extra} FROM {read})"
    file = work / f"part-{order}.parquet"
    connection.execute(
        f"COPY (SELECT * EXCLUDE reason FROM ({mapped.replace(_SKIP, _KEEP)})"
        " WHERE reason IS NULL)"
        f" TO {quote(str(file))} (FORMAT parquet)"
    )
    rows = _count(connection, f"read_parquet({quote(str(file))})")
    broken = _broken_lines(connection, label)
    seen = _count(connection, read)
    rejects = None
    if seen > rows or broken is not None:
        rejects = work / f"rejects-{order}.parquet"
        _set_aside(connection, read, mapped, label, broken, rejects)
    rejected = _count(connection, f"read_parquet({quote(str(rejects))})") if rejects else 0
    if rows + rejected == 0:
        raise BadInput(f"{label} is a bill without rows.", fix="Fetch it again, or leave it out.")
    tags = tuple(name for name in selected if name.startswith("tag_"))
    return Part(label, kind, order, file, rejects, rows, rejected, tags)


def _open(
    connection: duckdb.DuckDBPyConnection, group: list[Source], label: str
) -> tuple[str, dict[str, str]]:
    """Return SQL that reads the file as it is, and its columns with their types."""
    if group[0].kind == "json":
        frame = pd.DataFrame(
            cost_explorer.read([Path(page.location) for page in group]), dtype=object
        )
        if frame.empty:
            raise BadInput(f"{label} is a bill without rows.", fix="Ask for a time with cost.")
        connection.register("explorer_pages", frame.astype("string"))
        read = "explorer_pages"
    elif group[0].kind == "parquet":
        read = f"read_parquet({quote(label)})"
    else:
        read = _csv(connection, label)
    columns = connection.execute(f"DESCRIBE SELECT * FROM {read}").fetchall()
    return read, {name: kind for name, kind, *_ in columns}


def _csv(connection: duckdb.DuckDBPyConnection, label: str) -> str:
    """Return SQL that reads a csv file as text: nothing guesses at amounts or at the file's shape.

    Lines with too many or too few values are passed over; the one read that writes the rows also
    stores them (`_KEEP`), for `_broken_lines`.
    """
    shape = "header = true, delim = ',', quote = '\"', escape = '\"', nullstr = ['NULL', '']"
    first = connection.execute(
        f"SELECT line FROM read_csv({quote(label)}, auto_detect = false, header = false,"
        " delim = '\x01', quote = '', escape = '', columns = {'line': 'VARCHAR'}) LIMIT 1"
    ).fetchall()
    columns = next(csv.reader([first[0][0].lstrip("\ufeff")])) if first and first[0][0] else []
    if len(set(columns)) < len(columns) or not columns:
        raise _unreadable(label, ValueError("Its first line does not name its columns."))
    named = ", ".join(f"{quote(name)}: 'VARCHAR'" for name in columns)
    return f"read_csv({quote(label)}, auto_detect = false, columns = {{{named}}}, {shape}, {_SKIP})"


def _even_line_ends(file: str, copy: Path) -> bool:
    """Write a local csv with one kind of line end to `copy`; False where that is not its trouble.

    DuckDB's reader refuses a mix, such as two exports put together on different systems make. Its
    lenient mode reads one, and drops surplus values without a word.
    """
    if file.startswith("s3://"):
        return False
    ends: set[bytes] = set()
    try:
        with (
            gzip.open(file) if file.endswith(".gz") else Path(file).open("rb") as lines,
            copy.open("wb") as out,
        ):
            for line in lines:
                end = b"\r\n" if line.endswith(b"\r\n") else b"\n"
                ends.add(end)
                out.write(line.removesuffix(end) + b"\n")
    except (OSError, EOFError):  # cut off: the first error says it
        ends.clear()
    if len(ends) < 2:
        copy.unlink(missing_ok=True)
    return len(ends) == 2


def _unreadable(label: str, error: Exception) -> BadInput:
    return BadInput(
        f"{label} cannot be read.",
        why=str(error).strip().split("\n")[0],
        fix="It is cut off or not what its name says. Fetch it again.",
    )


def _typed(sql: str, kind: str) -> str:
    """Return SQL for a column so that the macros see text only where the source has text."""
    return f"CAST({sql} AS MAP(VARCHAR, VARCHAR))" if kind.startswith("STRUCT") else sql


def _tags(
    connection: duckdb.DuckDBPyConnection,
    form: formats.Format,
    columns: dict[str, str],
    types: dict[str, str],
    read: str,
) -> dict[str, str]:
    """Return tag column -> SQL, from flat columns and from the keys of a map or of JSON text."""
    found = formats.tag_columns(form, columns)
    holder = form.tags
    if holder in columns:
        column = columns[holder]
        if types[holder].startswith(("MAP", "STRUCT")):
            keys = f"map_keys({column})"
            value = f"{column}[{{key}}]"
        else:
            keys = f"json_keys(CASE WHEN json_valid({column}) THEN {column} END)"
            value = (
                f"json_extract_string(CASE WHEN json_valid({column}) THEN {column} END, {{path}})"
            )
        query = f"SELECT DISTINCT unnest({keys}) FROM {read} WHERE {column} IS NOT NULL"
        for (key,) in sorted(connection.execute(query).fetchall()):
            escaped = str(key).replace('"', '\\"')
            path = quote(f'$."{escaped}"')
            found.setdefault(formats.tag_key(key), []).append(
                value.format(key=quote(key), path=path)
            )
    return {
        re.sub(
            r"[^a-z0-9_]", "_", name
        ): f"filled(coalesce({', '.join(f'filled({s})' for s in parts)}))"
        for name, parts in sorted(found.items())
    }


def _broken_lines(connection: duckdb.DuckDBPyConnection, label: str) -> pd.DataFrame | None:
    """Return the csv lines that have too many or too few values, and forget them."""
    tables = {name for (name,) in connection.execute("SHOW TABLES").fetchall()}
    if "reject_errors" not in tables:
        return None
    frame = connection.execute(
        "SELECT line AS row, error_message AS reason, csv_line AS content FROM reject_errors"
    ).fetch_df()
    connection.execute("DROP TABLE reject_errors; DROP TABLE reject_scans")
    if frame.empty:
        return None
    frame = frame.drop_duplicates("row").assign(source=label)
    return frame[["source", "row", "reason", "content"]]


def _set_aside(
    connection: duckdb.DuckDBPyConnection,
    read: str,
    mapped: str,
    label: str,
    broken: Any,
    file: Path,
) -> None:
    """Write the rows that `CHECKS` refuse: their number (data rows from 1) and all they said."""
    numbered = mapped.replace(
        f" FROM {read})",
        f", row_number() OVER () AS row, to_json(raw) AS content FROM {read} AS raw)",
    )
    connection.execute("SET preserve_insertion_order = true")  # so that row numbers mean something
    query = (
        f"SELECT {quote(label)} AS source, row, reason, CAST(content AS VARCHAR) AS content"
        f" FROM ({numbered}) WHERE reason IS NOT NULL"
    )
    if broken is not None:
        connection.register("broken_lines", broken)
        query += " UNION ALL SELECT source, row, reason, content FROM broken_lines"
    connection.execute(f"COPY ({query}) TO {quote(str(file))} (FORMAT parquet)")
    connection.execute("SET preserve_insertion_order = false")


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0])
