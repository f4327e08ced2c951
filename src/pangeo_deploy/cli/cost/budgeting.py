"""The verbs of `cost` that look ahead: forecast, anomalies, gate."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

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
    amount,
    day,
    positive,
    usd,
    within,
)
from pangeo_deploy.deployment import DEFAULT_TARGET

REFUSED = 3


def forecast(
    daily: DailyOption = None,
    bill: BillOption = None,
    horizon: Annotated[int, typer.Option(callback=within(1, 366), help="Days ahead.")] = 30,
    level: Annotated[
        float, typer.Option(callback=within(0, 1), help="Coverage of the prediction intervals.")
    ] = 0.8,
    json: JsonOption = False,
) -> None:
    """Forecast daily and month-end cost, with prediction intervals."""
    from hub_costs.bills.bill_days import days_of
    from hub_costs.budgeting.forecast import forecast, month_end

    days = days_of(daily, bill)
    result = forecast(days.daily, horizon, level)
    end = month_end(days.daily, level, so_far=days.month_so_far)
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
    document = result.as_dict() | {"month_end": end.as_dict(), "notes": days.notes}
    show(document, json, [*human, *days.notes])


def anomalies(
    daily: DailyOption = None,
    bill: BillOption = None,
    sessions: Annotated[
        Path | None, typer.Option(help="With a bill: sessions, to say whose cost changed.")
    ] = None,
    rate: Annotated[
        float, typer.Option(callback=within(0, 0.5), help="Target false-alarm rate.")
    ] = 0.01,
    json: JsonOption = False,
) -> None:
    """Flag days with unexpected cost and show what drove them."""
    from hub_costs.bills.bill_days import days_of
    from hub_costs.budgeting.anomalies import anomalies

    days = days_of(daily, bill, sessions)
    flagged = anomalies(days.daily, rate=rate, parts=days.parts or None)
    rows = [
        (day.date, f"{day.usd:.2f}", f"{day.expected:.2f}", day.kind, _changes(day.parts))
        for day in flagged
    ]
    columns = ("day", "cost (USD)", "expected (USD)", "kind", "what changed, USD")
    human = [table("Unexpected cost", columns, rows)] if rows else ["No unexpected cost."]
    document = {"anomalies": [day.as_dict() for day in flagged], "notes": days.notes}
    show(document, json, [*human, *days.notes])


def gate(
    environment: Annotated[
        str, typer.Argument(help="Whose plan and budget; not needed with --total.")
    ] = "",
    target: TargetOption = DEFAULT_TARGET,
    prices: PricesOption = None,
    region: RegionOption = "",
    bill: BillOption = None,
    month_so_far: Annotated[
        str, typer.Option(callback=amount, help="USD billed this month, from the bill.")
    ] = "",
    forecast_high: Annotated[
        str,
        typer.Option(callback=amount, help="Month so far plus the forecast's upper bound, USD."),
    ] = "",
    budget: Annotated[
        str,
        typer.Option(callback=positive, help="Monthly budget in USD, instead of the plan's own."),
    ] = "",
    total: Annotated[
        str,
        typer.Option(
            callback=positive, help="A fixed total in USD, for an event or a grant, with --bill."
        ),
    ] = "",
    since: Annotated[str, typer.Option(help="The first day that the total is for.")] = "",
    until: Annotated[str, typer.Option(help="The last day that the total is for.")] = "",
    max_age: Annotated[
        int | None,
        typer.Option(
            callback=within(0, 36_600), help="Days that the bill may end before today (default 4)."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check the plan's floor, this month's bill and the forecast against a budget; exit 3 if over.

    A stale bill is refused. With --total, what was spent in a period is checked instead.
    """
    from hub_costs.bills.bill_days import days_of
    from hub_costs.budgeting.budget_gate import budget_of, gate_month, gate_total
    from hub_costs.estimates.prices import read
    from pangeo_deploy.monthly_cost import estimate_of

    today = datetime.now(UTC).date()
    days = days_of(bill=bill) if bill else None
    if total:
        if not (days and since and until):
            raise BadInput(
                "A total needs a bill and a period.", fix="Add --bill, --since and --until."
            )
        limit = Decimal(total)
        first, last = day("--since", since), day("--until", until)
        result = gate_total(limit, days.daily, first, last, today=today, max_age_days=max_age)
    else:
        if not environment:
            raise BadInput("No environment given.", fix="Name one, or pass --total.")
        monthly = usd(budget)
        so_far = usd(month_so_far)
        high = usd(forecast_high)
        plan = plan_of(environment, target)
        result = gate_month(
            budget_of(plan) if monthly is None else monthly,
            estimate_of(environment, plan, read(prices), region=region or None).floor,
            days,
            today=today,
            max_age_days=max_age,
            month_so_far=so_far,
            forecast_high=high,
        )
    rows = [
        (check.name, f"{check.usd:.2f}", "within" if check.ok else "OVER")
        for check in result.checks
    ]
    title = f"Against the budget of {result.budget} USD{f', {result.period}' * bool(result.period)}"
    show(result.as_dict(), json, [table(title, ("what", "amount (USD)", "budget"), rows)])
    if not result.ok:
        raise typer.Exit(REFUSED)


def _changes(parts: Sequence[tuple[str, Decimal]]) -> str:
    return "; ".join(f"{name} {usd:+.2f}" for name, usd in parts[:3])
