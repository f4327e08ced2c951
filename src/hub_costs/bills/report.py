"""Say what became of a bill: what is in the table, and with its money all that is not."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from hub_costs.bills import csv_files, deliveries, staging
from hub_costs.bills import table as bill
from hub_costs.bills.bill_files import Listing
from hub_costs.bills.replaced_months import Change
from hub_costs.bills.selection import Superseded
from hub_costs.bills.table import quote
from pangeo_core.errors import BadInput

_SUMMED = 2  # older deliveries of an export whose cost is told: each must be read for it


@dataclass(frozen=True)
class Ingested:
    """What became of a bill: the table, and everything that did not go into it.

    `notes` say what was chosen, `warnings` what a person should look at, and `problems` those
    warnings for which `strict` refuses the bill.
    """

    table: Path
    rows: int  # in the table, all views
    total: Decimal  # BilledCost in the invoice view
    currency: str
    months: dict[str, Decimal]
    rejected: int  # rows set aside in `rejects`
    rejected_cost: Decimal  # as far as their amounts can be read
    rejects: Path | None
    duplicates: int  # lines that a newer delivery said again, and their billed cost
    duplicate_cost: Decimal
    replaced: dict[str, Decimal]  # months that the table had, with their former totals
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    falls: tuple[str, ...] = ()

    @property
    def problems(self) -> list[str]:
        """The warnings of money that was lost, or may have been."""
        return [w for w in self.warnings if "not final" not in w and "is negative" not in w]

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of `cost ingest`."""
        return {
            "table": str(self.table),
            "rows": self.rows,
            "rejected": self.rejected,
            "rejected_cost": format(self.rejected_cost, "f"),
            "total": format(self.total, "f"),
            "currency": self.currency,
            "months": {month: format(usd, "f") for month, usd in self.months.items()},
            "rejects": str(self.rejects) if self.rejects else None,
            "duplicates": self.duplicates,
            "duplicate_cost": format(self.duplicate_cost, "f"),
            "replaced": {month: format(usd, "f") for month, usd in self.replaced.items()},
            "falls": list(self.falls),
            "notes": self.notes,
            "warnings": self.warnings,
        }


def result(
    connection: duckdb.DuckDBPyConnection,
    table: Path,
    work: Path,
    currency: str,
    rejects: tuple[int, Decimal],
    superseded: Sequence[Superseded],
    changes: Sequence[Change],
    warnings: Sequence[str],
) -> Ingested:
    """Return the account of an ingest whose table is `work`/bill.parquet and goes to `table`."""
    file = work / "bill.parquet"
    months = _months(connection, file)
    rejected, cost = rejects
    said = [*warnings]
    if rejected:
        said.append(_rejected(connection, rejected, cost, work / "rejected.parquet"))
    falls = tuple(sorted({f"{c.share.month:%Y-%m}" for c in changes if c.falls}))
    for change in changes:
        if change.falls:
            said.append(
                f"{change.share.scope} falls from {_money(change.before)} to"
                f" {_money(change.share.cost)}: is a file of {change.share.label} missing?"
            )
    said += [
        f"{change.share.scope}: {change.share.label} ({_money(change.share.cost)}) is older than"
        f" what the table has ({_money(change.before)}), and is not taken."
        for change in changes
        if not change.replaces
    ]
    notes = [
        f"{old.share.scope}: {old.share.label} ({_money(old.share.cost)}) is replaced by"
        f" {old.by.label} ({_money(old.by.cost)})."
        for old in superseded
    ]
    notes += [
        f"{change.share.scope}: {_money(change.before)} is replaced by"
        f" {_money(change.share.cost)}, from {change.share.label}."
        for change in changes
        if change.replaces and change.before != change.share.cost
    ]
    replaced: dict[str, Decimal] = {}
    for change in changes:
        if change.replaces:
            month = f"{change.share.month:%Y-%m}"
            replaced[month] = replaced.get(month, Decimal(0)) + change.before
    return Ingested(
        table=table,
        rows=pq.read_metadata(file).num_rows,
        total=sum((usd for _, usd, _ in months), Decimal(0)),
        currency=currency,
        months={f"{month:%Y-%m}": usd for month, usd, _ in months},
        rejected=rejected,
        rejected_cost=cost,
        rejects=table.with_name("rejected.parquet") if rejected else None,
        duplicates=sum(old.share.rows for old in superseded),
        duplicate_cost=sum((old.share.cost for old in superseded), Decimal(0)),
        replaced=replaced,
        notes=notes,
        warnings=said + _about(months),
        falls=falls,
    )


def _rejected(
    connection: duckdb.DuckDBPyConnection, count: int, cost: Decimal, rejects: Path
) -> str:
    """Return what is rejected, with its cost or that nobody knows it, why, and what to do."""
    unknown = connection.execute(
        f"SELECT count(*) FROM read_parquet({quote(str(rejects))}) WHERE cost IS NULL"
    ).fetchall()[0][0]
    what = f"{count} row{'s are' if count > 1 else ' is'} rejected"
    if unknown == count:
        what += ", of unknown cost"
    else:
        what += f", with a cost of {_money(cost)}"
        what += f" and {unknown} of unknown cost" if unknown else ""
    return f"{what}: {reasons(connection, rejects)} {remedy(connection, rejects)}".strip()


def remedy(connection: duckdb.DuckDBPyConnection, rejects: Path) -> str:
    """Return what to do about the rows in `rejects`, where that is known, or nothing."""
    rows = connection.execute(
        f"SELECT reason, min(source) FROM read_parquet({quote(str(rejects))})"
        " GROUP BY 1 ORDER BY count(*) DESC, 1"
    ).fetchall()
    return next((fix for why, file in rows if (fix := csv_files.way_out(why, file, ""))), "")


def reasons(connection: duckdb.DuckDBPyConnection, rejects: Path) -> str:
    """Return why rows were rejected, each reason with its count and the first row of its kind."""
    rows = connection.execute(
        "SELECT reason, count(*), arg_min(source, row), min(row)"
        f" FROM read_parquet({quote(str(rejects))}) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5"
    ).fetchall()
    return (
        "; ".join(
            f"{reason} ({count}, such as {source}"
            + (f", row {row}" if row is not None else "")
            + ")"
            for reason, count, source, row in rows
        )
        + "."
    )


def _months(
    connection: duckdb.DuckDBPyConnection, file: Path
) -> list[tuple[date, Decimal, bool | None]]:
    """Return each month's cost, and whether some of it is an estimate still."""
    views = ", ".join(map(quote, bill.VIEWS["invoice"]))
    return connection.execute(
        'SELECT "BillingPeriodStart", sum("BilledCost"), bool_or("x_Estimated")'
        f' FROM read_parquet({quote(str(file))}) WHERE "x_View" IN ({views}) GROUP BY 1 ORDER BY 1'
    ).fetchall()


def _about(months: Sequence[tuple[date, Decimal, bool | None]]) -> list[str]:
    return [
        f"{month:%Y-%m} is negative: {usd}. Credits exceed its cost."
        for month, usd, _ in months
        if usd < 0
    ] + [
        f"{month:%Y-%m} is not final: its amounts may still change."
        for month, _, estimated in months
        if estimated
    ]


def of_files(
    connection: duckdb.DuckDBPyConnection, listing: Listing, grouping: deliveries.Grouping
) -> tuple[list[str], list[str]]:
    """Return notes and warnings about files that were left out before anything was read."""
    notes: list[str] = []
    warnings = [
        f"{location} is not read: unpack it, and give what it holds." for location in listing.unread
    ]
    warnings += grouping.notes
    told: dict[str, int] = {}
    for older, newer in reversed(grouping.older):
        told[newer.label] = told.get(newer.label, 0) + 1
        if told[newer.label] <= _SUMMED:
            notes.append(
                f"{older.label} ({_cost(connection, older)}) is older than {newer.label}, and is"
                " not read."
            )
    for label, count in told.items():
        if count > _SUMMED:
            notes.append(f"{count - _SUMMED} more older deliveries than {label} are not read.")
    for source, label in grouping.stray:
        alone = deliveries.Delivery(source.location, "", source.modified, (source,))
        notes.append(
            f"{source.location} ({_cost(connection, alone)}) is not named by {label}, and is not"
            " read: an older delivery left it."
        )
    return notes, warnings


def _cost(connection: duckdb.DuckDBPyConnection, delivery: deliveries.Delivery) -> str:
    """Return what a delivery that is not read says that it costs."""
    if any(file.location.startswith("s3://") for file in delivery.files):
        return "its cost is not read"
    try:
        usd = staging.cost_of(connection, delivery)
    except (BadInput, duckdb.Error):
        return "its cost cannot be read"
    return _money(usd)


def _money(amount: Decimal) -> str:
    return format(Decimal(amount).quantize(Decimal("0.01")), "f")
