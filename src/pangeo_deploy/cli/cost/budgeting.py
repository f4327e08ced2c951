"""The verbs of `cost` that look ahead: forecast, anomalies, gate."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pangeo_core.errors import BadInput
from pangeo_deploy.cli.console import show, table
from pangeo_deploy.cli.cost.plan import plan_of
from pangeo_deploy.cli.options import (
    BillOption,
    DailyOption,
    JsonOption,
    PricesOption,
    RegionOption,
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
    """Forecast daily and month-end cost, with prediction intervals."""
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
    """Flag days with unexpected cost and show what drove them."""
    from hub_costs.budgeting import anomalies as room

    known, days = _days(daily, bill, sessions)
    found = room.anomalies(known, rate=rate, parts=days.parts if days else None)
    rows = [
        (one.date, f"{one.usd:.2f}", f"{one.expected:.2f}", one.kind, _changes(one.parts))
        for one in found
    ]
    columns = ("day", "cost (USD)", "expected (USD)", "kind", "what changed, USD")
    human = [table("Unexpected cost", columns, rows)] if found else ["No unexpected cost."]
    notes = days.notes if days else []
    document = {"anomalies": [one.as_dict() for one in found], "notes": notes}
    show(document, json, [*human, *notes])


def gate(
    environment: Annotated[
        str, typer.Argument(help="Whose plan and budget; not needed with --total.")
    ] = "",
    target: TargetOption = "rehearsal",
    prices: PricesOption = None,
    region: RegionOption = "",
    bill: BillOption = None,
    month_so_far: Annotated[str, typer.Option(help="USD billed this month, from the bill.")] = "",
    forecast_high: Annotated[
        str, typer.Option(help="Month so far plus the forecast's upper bound, USD.")
    ] = "",
    budget: Annotated[
        str, typer.Option(help="Monthly budget in USD, instead of the plan's own.")
    ] = "",
    total: Annotated[
        str, typer.Option(help="A fixed total in USD, for an event or a grant, with --bill.")
    ] = "",
    since: Annotated[str, typer.Option(help="The first day that the total is for.")] = "",
    until: Annotated[str, typer.Option(help="The last day that the total is for.")] = "",
    max_age: Annotated[
        int | None, typer.Option(help="Days that the bill may end before today (default 4).")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check the plan's floor, this month's bill and the forecast against a budget; exit 3 if over.

    A stale bill is refused. With --total, what was spent in a period is checked instead.
    """
    from hub_costs.budgeting import budget_gate
    from hub_costs.estimates.prices import read
    from pangeo_deploy.monthly_cost import estimate_of

    today = datetime.now(UTC).date()
    oldest = budget_gate.MAX_AGE_DAYS if max_age is None else max_age
    if total:
        if not (bill and since and until):
            raise BadInput(
                "A total needs a bill and a period.", fix="Add --bill, --since and --until."
            )
        days, _ = _days(None, bill)
        limit = usd("--total", total) or Decimal(0)
        first, last = _day("--since", since), _day("--until", until)
        result = budget_gate.gate_total(limit, days, first, last, today=today, max_age_days=oldest)
    else:
        if not environment:
            raise BadInput("No environment given.", fix="Name one, or pass --total.")
        own = usd("--budget", budget)
        known: dict[str, Any] = {}
        if bill:
            daily, billed = _days(None, bill)
            so_far = billed.month_so_far if billed else Decimal(0)
            judged = budget_gate.judged_month(daily, so_far, today=today, max_age_days=oldest)
            known = {
                "month": judged.month,
                "month_so_far": judged.so_far,
                "forecast_high": judged.forecast_high,
            }
        given = {
            "month_so_far": usd("--month-so-far", month_so_far),
            "forecast_high": usd("--forecast-high", forecast_high),
        }
        known |= {name: amount for name, amount in given.items() if amount is not None}
        plan = plan_of(environment, target)
        floor = estimate_of(environment, plan, read(prices), region=region or None).floor
        monthly = budget_gate.budget_of(plan) if own is None else own
        result = budget_gate.gate(monthly, floor=floor, **known)
    rows = [
        (check.name, f"{check.usd:.2f}", "within" if check.ok else "OVER")
        for check in result.checks
    ]
    title = f"Against the budget of {result.budget} USD{f', {result.period}' * bool(result.period)}"
    show(result.as_dict(), json, [table(title, ("what", "amount (USD)", "budget"), rows)])
    if not result.ok:
        raise typer.Exit(REFUSED)


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{option} is not a day: {text!r}.", fix="Write YYYY-MM-DD.") from None


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


def _changes(parts: Sequence[tuple[str, Decimal]]) -> str:
    return "; ".join(f"{name} {usd:+.2f}" for name, usd in parts[:3])
