"""Read the files of one delivery, map them to our columns, and mark the rows that cannot be read.

A staged row that cannot be read keeps its place, with `x_View` = 'rejected': so each file is read
once, and only a bill that has such rows pays for finding out why (`write_rejects`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa

from hub_costs.bills import csv_files, format_columns, formats, tag_maps
from hub_costs.bills.bill_files import Source
from hub_costs.bills.deliveries import Delivery
from hub_costs.bills.table import CATEGORIES, COLUMNS, name_of, quote
from pangeo_core.errors import BadInput

REJECTED = "rejected"
# A mapped row is kept if all of these hold; the first that fails is the reason it is rejected.
# A charge may end when it starts: a fee is of a moment.
_CHECKS = {
    "the billed cost is not an amount": '"BilledCost" IS NOT NULL',
    "the amortised cost is not an amount": '"EffectiveCost" IS NOT NULL',
    "the charge's start is not a time": '"ChargePeriodStart" IS NOT NULL',
    "the charge's end is not a time": '"ChargePeriodEnd" IS NOT NULL',
    "the charge ends before it starts": '"ChargePeriodStart" <= "ChargePeriodEnd"',
    "the billing period is not a time": '"BillingPeriodStart" IS NOT NULL',
    "the currency is not one": "(\"BillingCurrency\" = 'USD'"
    " OR regexp_full_match(\"BillingCurrency\", '[A-Z]{3}'))",
    "the charge category is not one of FOCUS'": '"ChargeCategory" IN'
    f" ({', '.join(map(quote, CATEGORIES))})",
}


@dataclass(frozen=True)
class Part:
    """A staged delivery: its rows, its format, its tags."""

    delivery: Delivery
    dialect: str
    file: Path
    tags: tuple[str, ...]
    readers: "tuple[Reader, ...]"
    broken: tuple[csv_files.BrokenLine, ...]


@dataclass(frozen=True)
class Reader:
    """One file as it is: SQL that reads it, and what its columns are called and hold."""

    source: Source
    place: str  # what is read: the file, or a copy of it with even line ends
    relation: str
    names: dict[str, str]  # the file's own names -> names in SQL
    types: dict[str, str]  # names in SQL -> types
    keeping: str = ""  # SQL that also stores lines that cannot be split into values


def stage(
    connection: duckdb.DuckDBPyConnection,
    delivery: Delivery,
    work: Path,
    number: int,
    options: str,
) -> Part:
    """Write the mapped rows of `delivery` under `work` and return where.

    Raises `BadInput` naming the file where one cannot be read, or is no bill.
    """
    for macro in formats.MACROS:
        connection.execute(macro)
    if delivery.question and not delivery.rows:
        raise BadInput(f"{delivery.label} is a bill without rows.", fix="Ask for a time with cost.")
    files = delivery.files[:1] if delivery.rows else delivery.files
    readers = [_reader(connection, source, delivery, number) for source in files]
    file = work / f"part-{number}.parquet"
    csv_files.forget_broken_lines(connection)
    try:
        return _write(connection, readers, delivery, file, options)
    except duckdb.Error:
        readers = [_repaired(connection, reader, work) for reader in readers]
    csv_files.forget_broken_lines(connection)
    try:
        return _write(connection, readers, delivery, file, options)
    except duckdb.Error as error:
        raise csv_files.unreadable(delivery.label, error) from None


def _write(
    connection: duckdb.DuckDBPyConnection,
    readers: Sequence[Reader],
    delivery: Delivery,
    file: Path,
    options: str,
) -> Part:
    kinds = {reader.source.location: _kind(reader, delivery) for reader in readers}
    if len(set(kinds.values())) > 1:
        raise BadInput(
            f"{delivery.label} mixes formats: {', '.join(sorted(set(kinds.values())))}.",
            why="Its chunks should be of one export.",
            fix="Put each export's files into a folder of its own.",
        )
    tags = {reader.source.location: _tags(connection, reader) for reader in readers}
    every = sorted({tag for found in tags.values() for tag in found})
    selects = [
        mapped(reader, delivery, tags[reader.source.location], every, keep=True)
        for reader in readers
    ]
    # A check of what is NULL is NULL, which is not true either.
    checks = " AND ".join(_CHECKS.values())
    connection.execute(
        f"COPY (SELECT * REPLACE (CASE WHEN {checks} THEN \"x_View\" ELSE '{REJECTED}' END"
        f' AS "x_View") FROM ({" UNION ALL ".join(selects)}))'
        f" TO {quote(str(file))} ({options})"
    )
    labels = {reader.place: reader.source.location for reader in readers}
    broken = csv_files.broken_lines(connection, labels)
    rows = connection.execute(f"SELECT count(*) FROM read_parquet({quote(str(file))})").fetchall()
    if rows[0][0] + len(broken) == 0:
        raise BadInput(
            f"{delivery.label} is a bill without rows.", fix="Fetch it again, or leave it out."
        )
    return Part(
        delivery, next(iter(kinds.values())), file, tuple(every), tuple(readers), tuple(broken)
    )


def mapped(
    reader: Reader,
    delivery: Delivery,
    tags: dict[str, str],
    every: Sequence[str],
    *,
    keep: bool = False,
    more: str = "",
) -> str:
    """Return SQL for the rows of a file in our columns; `more` are further columns.

    `every` are the tags of the whole delivery; `keep` stores lines that cannot be split.
    """
    label = reader.source.location
    columns = format_columns.sql_columns(reader.names)
    form = formats.FORMATS[formats.detect(list(columns), label)]
    types = {plain: reader.types[_bare(sql)] for plain, sql in columns.items()}
    selected = format_columns.select(form, _typed(reader, columns), types)
    delivered = datetime.fromtimestamp(delivery.time, UTC).replace(tzinfo=None)
    selected["x_Format"] = quote(_kind(reader, delivery))
    selected["x_Source"] = quote(label)
    selected["x_Delivery"] = quote(delivery.id) if delivery.id else "CAST(NULL AS VARCHAR)"
    selected["x_Delivered"] = f"TIMESTAMP {quote(delivered.isoformat(sep=' '))}"
    selected = {name: selected[name] for name in COLUMNS}
    selected |= {tag: tags.get(tag, "CAST(NULL AS VARCHAR)") for tag in every}
    body = ", ".join(f"{sql} AS {name_of(name)}" for name, sql in selected.items())
    relation = reader.keeping if keep and reader.keeping else reader.relation
    return f"SELECT {body}{more} FROM {relation} AS raw"


def _reader(
    connection: duckdb.DuckDBPyConnection, source: Source, delivery: Delivery, number: int
) -> Reader:
    label = source.location
    try:
        if source.kind == "csv":
            names = csv_files.columns(connection, label)
            return Reader(
                source,
                label,
                csv_files.relation(label, names),
                names,
                dict.fromkeys(names.values(), "VARCHAR"),
                csv_files.relation(label, names, keep_broken=True),
            )
        if source.kind == "json":
            relation = f"explorer_{number}"
            connection.register(relation, _text_table(delivery))
        else:
            relation = f"read_parquet({quote(label)})"
        described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    except duckdb.Error as error:
        raise csv_files.unreadable(label, error) from None
    types = {str(name): str(kind) for name, kind, *_ in described}
    return Reader(source, label, relation, {name: name for name in types}, types)


def _text_table(delivery: Delivery) -> pa.Table:
    names = dict.fromkeys(name for row in delivery.rows for name in row)
    return pa.table(
        {n: pa.array([row.get(n) for row in delivery.rows], pa.string()) for n in names}
    )


def _repaired(connection: duckdb.DuckDBPyConnection, reader: Reader, work: Path) -> Reader:
    """Return a reader of a copy with even line ends where that is a file's trouble.

    Raises `BadInput` where the file cannot be read for another reason.
    """
    label = reader.source.location
    try:
        every = ", ".join(map(name_of, reader.names.values()))
        relation = reader.keeping or reader.relation
        connection.execute(f"SELECT count(hash({every})) FROM {relation}").fetchall()
        return reader
    except duckdb.Error as error:
        copy = work / f"lines-{abs(hash(label))}.csv"
        if reader.source.kind != "csv" or not csv_files.even_line_ends(label, copy):
            raise csv_files.unreadable(label, error) from None
    return replace(
        reader,
        place=str(copy),
        relation=csv_files.relation(str(copy), reader.names),
        keeping=csv_files.relation(str(copy), reader.names, keep_broken=True),
    )


def _kind(reader: Reader, delivery: Delivery) -> str:
    name = formats.detect(list(format_columns.sql_columns(reader.names)), reader.source.location)
    return formats.dialect(name, list(reader.names), delivery.question)


def _bare(name: str) -> str:
    """Return a quoted SQL name as it is."""
    return name[1:-1].replace('""', '"')


def _typed(reader: Reader, columns: dict[str, str]) -> dict[str, str]:
    """Return SQL for a file's columns, with any form of tags as a map."""
    found = {}
    for plain, sql in columns.items():
        kind = reader.types[_bare(sql)]
        if kind.startswith("STRUCT") and kind.endswith("[]"):  # a list of keys and values
            sql = f"map_from_entries({sql})"
        elif kind.startswith("STRUCT"):
            sql = f"CAST({sql} AS MAP(VARCHAR, VARCHAR))"
        found[plain] = sql
    return found


def _tags(connection: duckdb.DuckDBPyConnection, reader: Reader) -> dict[str, str]:
    """Return tag column -> SQL, from flat columns and from the keys of a map or of JSON text."""
    columns = format_columns.sql_columns(reader.names)
    name = formats.detect(list(columns), reader.source.location)
    form = formats.FORMATS[name]
    typed = _typed(reader, columns)
    found = format_columns.tag_columns(form, typed)
    holder = form.tags
    if holder in columns:
        kind = reader.types[_bare(columns[holder])]
        is_map = kind.startswith(("MAP", "STRUCT"))
        of = tag_maps.values(connection, reader.relation, typed[holder], is_map=is_map)
        for key, value in of:
            found.setdefault(format_columns.tag_key(key), []).append(value)
    return {
        name: f"filled(coalesce({', '.join(f'filled({part})' for part in parts)}))"
        for name, parts in sorted(found.items())
    }


def write_rejects(connection: duckdb.DuckDBPyConnection, part: Part, file: Path) -> None:
    """Write the rows of a delivery that cannot be read: where they are, why, and all they said."""
    reason = " ".join(
        f"WHEN NOT coalesce({check}, false) THEN {quote(why)}" for why, check in _CHECKS.items()
    )
    queries = []
    for reader in part.readers:
        pairs = ", ".join(f"{quote(raw)}, {name_of(sql)}" for raw, sql in reader.names.items())
        more = f", row_number() OVER () AS row, CAST(json_object({pairs}) AS VARCHAR) AS content"
        rows = mapped(reader, part.delivery, {}, (), more=more)
        queries.append(
            'SELECT "x_Source" AS source, row, reason, content, "BilledCost" AS cost FROM'
            f" (SELECT *, CASE {reason} END AS reason FROM ({rows})) WHERE reason IS NOT NULL"
        )
    connection.register("broken_lines", csv_files.as_table(part.broken))
    queries.append("SELECT * FROM broken_lines")
    connection.execute("SET preserve_insertion_order = true")  # so that row numbers mean something
    connection.execute(
        f"COPY ({' UNION ALL BY NAME '.join(queries)}) TO {quote(str(file))} (FORMAT parquet)"
    )
    connection.execute("SET preserve_insertion_order = false")


def cost_of(connection: duckdb.DuckDBPyConnection, delivery: Delivery) -> Decimal:
    """Return the billed cost of a delivery without staging it."""
    readers = [_reader(connection, source, delivery, 0) for source in delivery.files]
    rows = " UNION ALL ".join(mapped(reader, delivery, {}, ()) for reader in readers)
    found = connection.execute(
        f'SELECT coalesce(sum("BilledCost"), 0) FROM ({rows}) WHERE "x_View" = \'both\''
    ).fetchall()
    return Decimal(found[0][0])
