"""The one table that every bill becomes: FOCUS-shaped rows with exact amounts, in one parquet file.

Columns carry the names of the FinOps Open Cost and Usage Specification (FOCUS 1.x) where it has
one, and an `x_` where it has none. Tags are flat columns `tag_<key>` rather than FOCUS' one map: a
map column reads about seven times slower. Times are UTC without a zone; an end is exclusive.
"""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow.parquet as pq

from pangeo_core.errors import BadInput

MONEY = "DECIMAL(38,12)"

# Column -> DuckDB type. Every table has all of them, in this order, then its tags.
COLUMNS = {
    "BillingPeriodStart": "DATE",  # first day of the month that the invoice is for
    "ChargePeriodStart": "TIMESTAMP",
    "ChargePeriodEnd": "TIMESTAMP",  # exclusive
    "BillingAccountId": "VARCHAR",
    "SubAccountId": "VARCHAR",  # the account that used what is billed
    "ProviderName": "VARCHAR",
    "ServiceName": "VARCHAR",
    "x_UsageType": "VARCHAR",
    "x_Operation": "VARCHAR",
    "ResourceId": "VARCHAR",
    "RegionId": "VARCHAR",
    "ChargeCategory": "VARCHAR",  # Usage, Purchase, Tax, Credit, Adjustment
    "x_LineType": "VARCHAR",  # the provider's own word for it
    "ConsumedQuantity": MONEY,
    "ConsumedUnit": "VARCHAR",
    "BilledCost": MONEY,  # sums to the invoice
    "EffectiveCost": MONEY,  # commitments spread over what they cover
    "x_NetCost": MONEY,  # after discounts that the provider keeps apart; null: as billed
    "ListCost": MONEY,
    "BillingCurrency": "VARCHAR",
    "x_Estimated": "BOOLEAN",  # null: the source does not say
    "x_View": "VARCHAR",  # see VIEWS
    "x_Parent": "VARCHAR",  # of a split row: the instance it is a part of
    "x_SplitUnused": MONEY,  # of a split row: the part that nobody asked for
    "x_Format": "VARCHAR",
    "x_Source": "VARCHAR",  # the file that the row came from
    "x_Delivery": "VARCHAR",  # the provider's name for the delivery; null: known by age only
    "x_Delivered": "TIMESTAMP",  # when it was delivered
}
# Columns that tables of earlier releases lack; there they read as NULL.
_LATER = ("SubAccountId", "x_NetCost", "x_Delivery", "x_Delivered")

# How tables are written: the fastest level of zstd, which is as small within a few percent.
WRITE = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1"

# A bill with split cost allocation holds each instance twice: as itself and as its pods' parts.
# A view takes one of the two, so both add to the same total.
View = Literal["invoice", "split"]
VIEWS: dict[View, tuple[str, ...]] = {
    "invoice": ("both", "parent"),
    "split": ("both", "split", "rest"),
}
CATEGORIES = ("Usage", "Purchase", "Tax", "Credit", "Adjustment")


def connect(memory: str = "2GB", spill: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection that reads times as UTC and spills to `spill` beyond `memory`."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(f"SET memory_limit = {quote(memory)}")
    if spill:
        connection.execute(f"SET temp_directory = {quote(str(spill))}")
    return connection


def rows(path: Path, view: View = "invoice") -> str:
    """Return SQL for the rows of the table at `path` in one view."""
    views = ", ".join(quote(v) for v in VIEWS[view])
    return f"(SELECT * FROM {every_row(path)} WHERE x_View IN ({views}))"


def every_row(path: Path) -> str:
    """Return SQL for the rows of the table at `path`, those of both views."""
    if path.is_dir():
        path = path / "bill.parquet"
    if not path.is_file():
        raise BadInput(f"There is no bill at {path}.", fix="Make one with `cost ingest`.")
    try:
        names = set(pq.read_schema(path).names)
    except Exception as error:
        raise BadInput(
            f"{path} is not a whole parquet file.", why=str(error), fix="Ingest the bill again."
        ) from None
    missing = [name for name in COLUMNS if name not in names]
    if set(missing) - set(_LATER):
        raise BadInput(
            f"{path} is not a bill of ours: it has no {', '.join(missing)}.",
            fix="Ingest the provider's own files with `cost ingest` first.",
        )
    read = f"SELECT * FROM read_parquet({quote(str(path))})"
    if missing:
        blank = (f"CAST(NULL AS {COLUMNS[name]}) AS {name_of(name)}" for name in missing)
        read = f"SELECT *, {', '.join(blank)} FROM read_parquet({quote(str(path))})"
    return f"({read})"


def table_at(path: Path) -> Path | None:
    """Return the table of ours that `path` is, or that lies in the folder `path`, or None."""
    file = path / "bill.parquet" if path.is_dir() else path
    try:
        have = set(pq.read_schema(file).names)
        return file if set(COLUMNS) - set(_LATER) <= have else None
    except (OSError, ValueError):  # not there, not parquet
        return None


def tags(path: Path) -> list[str]:
    """Return the tag columns of the table at `path`."""
    file = path / "bill.parquet" if path.is_dir() else path
    return [name for name in pq.read_schema(file).names if name.startswith("tag_")]


def summary(
    path: Path, by: Sequence[str], *, view: View = "invoice", cost: str = "BilledCost"
) -> list[dict[str, Any]]:
    """Return the sum of `cost` for each value of `by`, largest first.

    `by` names columns, `tag_<key>` included, or `day` or `month` (of the charge). Sums are exact.
    """
    known = {"day": 'CAST("ChargePeriodStart" AS DATE)', "month": '"BillingPeriodStart"'}
    known |= {name: name_of(name) for name in (*COLUMNS, *tags(path))}
    if unknown := [name for name in (*by, cost) if name not in known]:
        raise BadInput(
            f"The bill has no column {', '.join(unknown)}.", fix=f"It has {', '.join(known)}."
        )
    columns = ", ".join(f"{known[name]} AS {name_of(name)}" for name in by)
    query = (
        f"SELECT {columns}{',' if by else ''} sum({name_of(cost)}) AS usd FROM {rows(path, view)}"
    )
    if by:
        places = ", ".join(str(n + 1) for n in range(len(by)))
        query += f" GROUP BY {places} ORDER BY usd DESC, {places}"
    with connect("256MB") as connection:
        names = [*by, "usd"]
        return [dict(zip(names, row, strict=True)) for row in connection.execute(query).fetchall()]


def total(path: Path, view: View = "invoice", cost: str = "BilledCost") -> Decimal:
    """Return the sum of the whole table in one view."""
    return summary(path, [], view=view, cost=cost)[0]["usd"] or Decimal(0)


def quote(value: str) -> str:
    """Return `value` as an SQL string."""
    return "'" + value.replace("'", "''") + "'"


def name_of(value: str) -> str:
    """Return `value` as an SQL name."""
    return '"' + value.replace('"', '""') + '"'
