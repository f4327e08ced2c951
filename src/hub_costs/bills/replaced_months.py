"""What the table has already: which of its months a new delivery replaces, and which it may not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from pathlib import Path

import duckdb

from hub_costs.bills import table as bill
from hub_costs.bills.selection import Share, same_format
from hub_costs.bills.table import quote

_UNNAMED = {"cur", "focus", "explorer"}  # how earlier releases wrote formats


@dataclass(frozen=True)
class Change:
    """One month of one provider that a delivery says anew: its former cost and its new one."""

    share: Share
    before: Decimal
    replaces: bool  # False: the table has a newer delivery
    where: str  # SQL for the rows of the table that are meant

    @property
    def falls(self) -> bool:
        """Whether the month costs less than before."""
        return self.replaces and self.share.cost < self.before


def changes(
    connection: duckdb.DuckDBPyConnection, table: Path, incoming: Sequence[Share]
) -> list[Change]:
    """Return what `incoming` would change in the table at `table`.

    Raises `BadInput` where the table has a month in another format.
    """
    found = []
    for share in _as_one(incoming):
        where = (
            f"\"BillingPeriodStart\" = DATE '{share.month}'"
            f" AND coalesce(\"ProviderName\", '') = {quote(share.provider)}"
        )
        if share.accounts:
            accounts = ", ".join(map(quote, sorted(share.accounts)))
            where += f' AND coalesce("BillingAccountId" IN ({accounts}), true)'
        rows = connection.execute(
            'SELECT sum("BilledCost"), count(*), max("x_Delivered"), max("ChargePeriodStart"),'
            ' list(DISTINCT "x_Format"), min("x_Source")'
            f" FROM {bill.every_row(table)} WHERE {where} AND \"x_View\" IN ('both', 'parent')"
        ).fetchall()
        cost, count, delivered, reaches, formats, source = rows[0]
        if not count:
            continue
        time = delivered.replace(tzinfo=UTC).timestamp() if delivered else 0.0
        for dialect in set(formats) - _UNNAMED:
            label = f"{table} (from {source})"
            former = Share(
                -1, share.month, share.provider, share.accounts, dialect, cost, count, reaches,
                time, False, label,
            )  # fmt: skip
            same_format([former, share])
        # The table keeps microseconds.
        found.append(Change(share, cost, share.time > time - 2e-6, where))
    return found


def _as_one(incoming: Sequence[Share]) -> list[Share]:
    """Return shares of one month and provider as one: together they replace it."""
    found: dict[tuple[object, str], Share] = {}
    for share in incoming:
        key = (share.month, share.provider)
        other = found.get(key)
        if other is None:
            found[key] = share
            continue
        known = (
            share.accounts | other.accounts if share.accounts and other.accounts else frozenset()
        )
        found[key] = Share(
            share.part, share.month, share.provider, known, share.dialect,
            share.cost + other.cost, share.rows + other.rows, max(share.reaches, other.reaches),
            max(share.time, other.time), share.certain and other.certain,
            f"{other.label}, {share.label}",
        )  # fmt: skip
    return list(found.values())
