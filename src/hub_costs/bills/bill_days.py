"""The days of a bill, for what looks ahead and for what looks for days out of line."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hub_costs.allocation.allocate import allocate
from hub_costs.apportion import amount
from hub_costs.bills import table as bill
from hub_costs.bills.daily_cost import Daily, read, series
from hub_costs.months import Month
from pangeo_core.errors import BadInput

# Rules whose lines are billed by the month, not by the day.
_MONTHLY = frozenset(("tax", "credit", "adjustment", "commitment"))


@dataclass(frozen=True)
class BillDays:
    """Usage by day, and the parts that it consists of.

    `parts` are series that add to `daily`: by service, or by component and owner. `left_out` is the
    last day where its amounts may still grow. `month_so_far` is all that the last day's month has
    been billed, taxes and credits included. A csv of days has no parts, and only its days' sum.
    """

    daily: Daily
    parts: dict[str, tuple[Decimal, ...]] = field(default_factory=dict)
    left_out: date | None = None
    month_so_far: Decimal | None = None

    @property
    def notes(self) -> list[str]:
        """What a reader of the days must know."""
        found = [f"{self.left_out} is left out: it is not final."] if self.left_out else []
        filled = ", ".join(map(str, self.daily.filled))
        return found + ([f"The bill lacks days, which are interpolated: {filled}."] * bool(filled))


def days_of(
    daily: Path | None = None, bill: Path | None = None, sessions: Path | None = None
) -> BillDays:
    """Return the days of a csv (`daily`), or those of a bill's table, by sessions if given.

    Raises `BadInput` unless it is one of the two.
    """
    if daily and not (bill or sessions):
        return BillDays(read(daily))
    if bill and not daily:
        return of(bill, sessions)
    raise BadInput(
        "It is not clear which days to read.",
        fix="Give --daily FILE, or --bill with the table that `cost ingest` wrote.",
    )


def of(table: Path, session_file: Path | None = None) -> BillDays:
    """Return the days of the bill in `table`: usage, each line on the day that it starts.

    Taxes, credits, refunds and commitments are left out: they come by the month, and would look
    like a step of the day that carries them. With sessions the parts are components and owners,
    without them services. Raises `BadInput` where the table is none, or has no usage.
    """
    rows = list(_by_owner(table, session_file) if session_file else _by_service(table))
    if not rows:
        raise BadInput(f"The bill in {table} has no usage.", fix="Ingest a bill with usage.")
    last = max(day for day, _, _ in rows)
    open_day = last if _estimated(table, last) else None
    sums: dict[str, dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for day, part, usd in rows:
        if day != open_day:
            sums[part][day] += usd
    whole: dict[date, Decimal] = defaultdict(Decimal)
    for days in sums.values():
        for day, usd in days.items():
            whole[day] += usd
    daily = series(dict(whole))
    dates = [daily.day(n) for n in range(len(daily.usd))]
    parts = {part: tuple(days.get(d, Decimal(0)) for d in dates) for part, days in sums.items()}
    return BillDays(daily, parts, open_day, _so_far(table, dates[-1]))


def _by_service(table: Path) -> Iterable[tuple[date, str, Decimal]]:
    for row in bill.summary(table, ["day", "ServiceName", "ChargeCategory"]):
        if row["ChargeCategory"] == "Usage":
            yield row["day"], row["ServiceName"] or "no service", row["usd"]


def _by_owner(table: Path, session_file: Path) -> Iterable[tuple[date, str, Decimal]]:
    for row in allocate(table, session_file).rows:
        if row.rule not in _MONTHLY:
            yield row.day, f"{row.component} of {row.owner}", amount(row.units)


def _estimated(table: Path, day: date) -> bool:
    rows = _charged(table, day, day + timedelta(days=1), 'count(*) FILTER ("x_Estimated")')
    return bool(rows)


def _so_far(table: Path, day: date) -> Decimal:
    month = Month.of(day).interval()
    end = min(month.end.date(), day + timedelta(days=1))
    return Decimal(_charged(table, month.start.date(), end, 'sum("BilledCost")') or 0)


def _charged(table: Path, start: date, end: date, what: str) -> Any:
    """Return an aggregate over the charges that start in [start, end)."""
    with bill.connect("256MB") as connection:
        return connection.execute(
            f'SELECT {what} FROM {bill.rows(table)} WHERE "ChargePeriodStart" >= ?'
            ' AND "ChargePeriodStart" < ?',
            [start, end],
        ).fetchall()[0][0]
