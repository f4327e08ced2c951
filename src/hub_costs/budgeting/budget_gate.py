"""Compare the plan's floor, the money spent and the forecast with a budget, before it is spent.

A budget is an amount for each month, or a fixed total for an event or a grant from its first to
its last day.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from hub_costs.bills.daily_cost import LEAST, Daily
from hub_costs.budgeting.forecast import forecast, month_end
from hub_costs.months import Month
from pangeo_core.errors import BadInput, CheckFailed
from pangeo_core.terraform_json import Shown, planned

if TYPE_CHECKING:
    from hub_costs.bills.bill_days import BillDays  # it imports all of the allocation

__all__ = ["gate_month", "gate_total"]

# How old a bill may be: exports are refreshed up to three times a day, and lag by one or two.
MAX_AGE_DAYS = 4


@dataclass(frozen=True)
class Check:
    """One amount against the budget, USD."""

    name: str
    usd: Decimal
    ok: bool


Checks = tuple[Check, ...]


@dataclass(frozen=True)
class Gate:
    """All amounts that were known against the budget."""

    budget: Decimal
    checks: tuple[Check, ...]
    period: str = ""  # the month, or the first and the last day, that the bill was judged for

    @property
    def ok(self) -> bool:
        """Whether nothing passes the budget."""
        return all(check.ok for check in self.checks)

    def require(self) -> None:
        """Raise `CheckFailed` (exit 3) naming what passes the budget."""
        over = [f"{c.name} is {c.usd} USD" for c in self.checks if not c.ok]
        if over:
            raise CheckFailed(
                f"The budget of {self.budget} USD is exceeded: {'; '.join(over)}.",
                fix="Make the plan cheaper (`cost estimate` shows each line), or raise the budget.",
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of `cost gate`."""
        return {
            "ok": self.ok,
            "budget": format(self.budget, "f"),
            "period": self.period or None,
            "checks": [vars(c) | {"usd": format(c.usd, "f")} for c in self.checks],
        }


def gate(
    budget: Decimal,
    *,
    floor: Decimal | None = None,
    month_so_far: Decimal | None = None,
    forecast_high: Decimal | None = None,
    month: Month | None = None,
) -> Gate:
    """Compare what is known with the monthly budget; an amount equal to it is within.

    `floor` is an estimate's, `month_so_far` the bill's of `month`, `forecast_high` that plus the
    upper bound of the days to come, all USD a month. Raises `BadInput` if none is given.
    """
    named = f"{month}" if month else "the month"
    known = {
        "the plan's floor": floor,
        f"{named} so far": month_so_far,
        f"the forecast's upper bound{f' for {month}' if month else ''}": forecast_high,
    }
    checks = _checks(budget, known)
    if not checks:
        raise BadInput(
            "There is nothing to compare with the budget.",
            fix="Give a plan, a bill of this month, or its days.",
        )
    return Gate(budget, checks, str(month or ""))


def gate_month(
    budget: Decimal,
    floor: Decimal | None,
    days: "BillDays | None",
    *,
    today: date,
    max_age_days: int | None = None,
    month_so_far: Decimal | None = None,
    forecast_high: Decimal | None = None,
) -> Gate:
    """Compare a plan's floor and what a bill says of today's month with the monthly budget.

    `month_so_far` and `forecast_high` are taken instead of the bill's where they are given.
    """
    if days is None:
        return gate(budget, floor=floor, month_so_far=month_so_far, forecast_high=forecast_high)
    so_far = days.month_so_far or Decimal(0)
    judged = judged_month(days.daily, so_far, today=today, max_age_days=max_age_days)
    return gate(
        budget,
        floor=floor,
        month_so_far=judged.so_far if month_so_far is None else month_so_far,
        forecast_high=judged.forecast_high if forecast_high is None else forecast_high,
        month=judged.month,
    )


@dataclass(frozen=True)
class MonthJudged:
    """The month of today, what it was billed so far, and what it will cost at most, if known."""

    month: Month
    so_far: Decimal
    forecast_high: Decimal | None


def judged_month(
    daily: Daily, so_far: Decimal, *, today: date, max_age_days: int | None = None
) -> MonthJudged:
    """Return today's month by a bill whose last day's month was billed `so_far`.

    In a month's first days the bill may end in the month before: nothing is billed yet then, and
    all of the month is forecast. Raises `CheckFailed` for a bill that ends more than `max_age_days`
    before today: it would stay green whatever is spent.
    """
    last = _fresh(daily, today, max_age_days)
    month = Month.of(today)
    if month < Month.of(last):
        month = Month.of(last)
    billed = so_far if month == Month.of(last) else Decimal(0)
    if len(daily.usd) < LEAST:
        return MonthJudged(month, billed, None)
    end = month_end(daily, so_far=so_far, month=month)
    return MonthJudged(month, billed, end.high)


def gate_total(
    total: Decimal,
    daily: Daily,
    first: date,
    last: date,
    *,
    today: date,
    max_age_days: int | None = None,
) -> Gate:
    """Compare what was spent from `first` to `last` (both included) with a fixed `total`, in USD.

    Days to come are forecast where the past is long enough. A bill must begin with `first`, and be
    as fresh as `judged_month` wants it, unless it holds the whole period.
    """
    if last < first:
        raise BadInput(f"The period ends on {last}, before it begins on {first}.")
    known_to = daily.day(len(daily.usd) - 1)
    if known_to < last:
        _fresh(daily, min(today, last), max_age_days)
    if daily.start > first and first <= today:
        raise BadInput(
            f"The bill begins on {daily.start}, after the period's first day, {first}.",
            fix="Ingest the months from that day on.",
        )
    spent = sum(
        (usd for n, usd in enumerate(daily.usd) if first <= daily.day(n) <= last), Decimal(0)
    )
    known = {f"spent since {first}": spent}
    ahead = (last - known_to).days
    if ahead > 0 and len(daily.usd) >= LEAST:
        whole = forecast(daily, min(ahead, 366))
        begins = max(0, (first - known_to).days - 1)
        mean = sum((day.mean for day in whole.days[begins:]), Decimal(0))
        share = whole.total.high / whole.total.mean if whole.total.mean else Decimal(1)
        high = (spent + mean * share).quantize(Decimal("0.01"))
        known[f"the forecast's upper bound for {last}"] = high
    return Gate(total, _checks(total, dict(known)), f"{first} to {last}")


def _checks(budget: Decimal, known: dict[str, Decimal | None] | dict[str, Decimal]) -> Checks:
    if not budget.is_finite() or budget <= 0:
        raise BadInput(f"Invalid budget: {budget} USD.", fix="Give an amount above 0.")
    for name, usd in known.items():
        if usd is not None and not usd.is_finite():
            raise BadInput(f"Invalid amount for {name}: {usd} USD.", fix="Give a number.")
    return tuple(Check(k, v, v <= budget) for k, v in known.items() if v is not None)


def _fresh(daily: Daily, today: date, max_age_days: int | None) -> date:
    """Return the last day of the bill; raises `CheckFailed` where that is too long ago."""
    last = daily.day(len(daily.usd) - 1)
    age = (today - last).days
    if age > (MAX_AGE_DAYS if max_age_days is None else max_age_days):
        raise CheckFailed(
            f"The bill is stale: its last day is {last}, {age} days ago.",
            why="A budget cannot be checked on a bill that does not grow.",
            fix="Fetch and ingest the bill again; if its last day stays, look at the export. "
            "A longer age can be allowed with --max-age.",
        )
    return last


def budget_of(plan: Shown) -> Decimal:
    """Return the monthly budget in USD that a Terraform plan (`terraform show -json`) declares.

    The one figure: AWS watches it, the gate holds plans against it, the report shows it.
    """
    found = {
        str(resource.values.get("limit_amount"))
        for resource in planned(plan)
        if resource.type == "aws_budgets_budget" and resource.values.get("time_unit") == "MONTHLY"
    }
    if len(found) != 1:
        raise BadInput(
            f"The plan declares {len(found) or 'no'} monthly budgets.",
            fix="Declare one aws_budgets_budget with time_unit MONTHLY, or give the budget.",
        )
    try:
        return Decimal(found.pop())
    except InvalidOperation:
        raise BadInput(
            "The plan's budget is not known before the apply.", fix="Give the budget yourself."
        ) from None
