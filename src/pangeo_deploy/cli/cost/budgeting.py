"""The verbs of `cost` that look ahead: forecast, anomalies, gate."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pangeo_core.errors import BadInput
from pangeo_deploy.cli.console import show, table
from pangeo_deploy.cli.cost.plan import plan_of
from pangeo_deploy.cli.options import (
    BillOption,
    DailyOption,
    EnvironmentArgument,
    JsonOption,
    PricesOption,
    TargetOption,
    finite,
    usd,
)

if TYPE_CHECKING:
    from hub_costs.bills.bill_days import BillDays
    from hub_costs.bills.daily_cost import Daily

REFUSED = 3


def forecast(
    daily: DailyOption = None,
    bill: BillOption = None,
    horizon: Annotated[int, typer.Option(help="Days ahead.")] = 30,
    level: Annotated[
        float, typer.Option(callback=finite, help="Coverage of the prediction intervals.")
    ] = 0.8,
    json: JsonOption = False,
) -> None:
    """Say what the coming days and this month will cost, and how wrong that can be."""
    from hub_costs.budgeting import forecast as room

    known, days = _days(daily, bill)
    result = room.forecast(known, horizon, level)
    end = room.month_end(known, level, so_far=days.month_so_far if days else None)
    rows = [
        (day.date or "total", f"{day.mean:.2f}", f"{day.low:.2f}", f"{day.high:.2f}")
        for day in (*result.days, result.total)
    ]
    columns = ("day", "mean (USD)", "low (USD)", "high (USD)")
    human = [
        table(f"{horizon} days ahead", columns, rows),
        f"{end.month} so far {end.so_far:.2f} USD; at its end {end.mean:.2f}"
        f" ({end.low:.2f} to {end.high:.2f}).",
    ]
    notes = days.notes if days else []
    document = result.as_dict() | {"month_end": end.as_dict(), "notes": notes}
    show(document, json, [*human, *notes])


def anomalies(
    daily: DailyOption = None,
    bill: BillOption = None,
    sessions: Annotated[
        Path | None, typer.Option(help="With a bill: sessions, to say whose cost changed.")
    ] = None,
    rate: Annotated[float, typer.Option(callback=finite, help="Target false-alarm rate.")] = 0.01,
    json: JsonOption = False,
) -> None:
    """Find the days that cost what their past does not explain, and what changed on them."""
    from hub_costs.budgeting import anomalies as room

    known, days = _days(daily, bill, sessions)
    found = room.anomalies(known, rate=rate, parts=days.parts if days else None)
    rows = [
        (one.date, f"{one.usd:.2f}", f"{one.expected:.2f}", one.kind, _changes(one.parts))
        for one in found
    ]
    columns = ("day", "cost (USD)", "expected (USD)", "kind", "what changed, USD")
    human = [table("Out of line", columns, rows)] if found else ["No day is out of line."]
    notes = days.notes if days else []
    document = {"anomalies": [one.as_dict() for one in found], "notes": notes}
    show(document, json, [*human, *notes])


def gate(
    environment: EnvironmentArgument,
    target: TargetOption = "rehearsal",
    prices: PricesOption = None,
    bill: BillOption = None,
    month_so_far: Annotated[str, typer.Option(help="USD billed this month, from the bill.")] = "",
    forecast_high: Annotated[
        str, typer.Option(help="Month so far plus the forecast's upper bound, USD.")
    ] = "",
    budget: Annotated[
        str, typer.Option(help="USD a month, instead of the plan's own budget.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """Hold the plan's floor, the month and the forecast against the budget; exit 3 if over.

    With a bill, the month so far and the upper bound of its forecast come from there.
    """
    from hub_costs.budgeting import budget_gate as room
    from hub_costs.estimates import estimate as estimates
    from hub_costs.estimates.prices import read

    limit = usd("--budget", budget)
    given = {
        "month_so_far": usd("--month-so-far", month_so_far),
        "forecast_high": usd("--forecast-high", forecast_high),
    }
    known = _month(bill) if bill else {}
    known |= {name: amount for name, amount in given.items() if amount is not None}
    plan = plan_of(environment, target)
    floor = estimates.estimate(plan, read(prices)).floor
    result = room.gate(room.budget_of(plan) if limit is None else limit, floor=floor, **known)
    rows = [
        (check.name, f"{check.usd:.2f}", "within" if check.ok else "OVER")
        for check in result.checks
    ]
    title = f"Against the budget of {result.budget} USD a month"
    show(result.as_dict(), json, [table(title, ("what", "amount (USD)", "budget"), rows)])
    if not result.ok:
        raise typer.Exit(REFUSED)


def _days(
    daily: Path | None, bill: Path | None, sessions: Path | None = None
) -> tuple["Daily", "BillDays | None"]:
    """Return the days of a csv or of a bill, and what else the bill says of them."""
    from hub_costs.bills import bill_days
    from hub_costs.bills import daily_cost as series

    if (daily is None) == (bill is None) or (daily and sessions):
        raise BadInput(
            "It is not clear which days to read.",
            fix="Give --daily FILE, or --bill with the table that `cost ingest` wrote.",
        )
    if daily:
        return series.read(daily), None
    days = bill_days.of(bill or Path(), sessions)
    return days.daily, days


def _month(bill: Path) -> dict[str, Decimal | None]:
    """Return what the last month in a bill has cost and, if its past is long enough, at most will.

    The first weeks of a hub have no past to forecast from: then what they cost so far is held.
    """
    from hub_costs.bills.daily_cost import LEAST
    from hub_costs.budgeting.forecast import month_end

    known, days = _days(None, bill)
    so_far = days.month_so_far if days else None
    told = month_end(known, so_far=so_far) if len(known.usd) >= LEAST else None
    return {"month_so_far": so_far, "forecast_high": told.high if told else None}


def _changes(parts: Sequence[tuple[str, Decimal]]) -> str:
    return "; ".join(f"{name} {usd:+.2f}" for name, usd in parts[:3])
