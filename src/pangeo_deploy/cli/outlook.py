"""The part of the verb `cost` that looks ahead: estimates, forecasts, warnings, and the gate."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pangeo_deploy.cli.console import (
    EnvironmentArgument,
    JsonOption,
    TargetOption,
    reporting,
    show,
    table,
)
from pangeo_deploy.deployment import Deployment, find_project
from pangeo_deploy.errors import BadInput
from pangeo_deploy.files import read_json
from pangeo_deploy.terraform import lifecycle

if TYPE_CHECKING:
    from pangeo_deploy.cost.prices import Prices

REFUSED = 3

BillOption = Annotated[Path, typer.Option(help="The folder or table that `ingest` wrote.")]
DailyOption = Annotated[Path, typer.Option(help="A csv with the columns date and usd.")]
PricesOption = Annotated[
    Path | None, typer.Option(help="Another price list than the project's data/prices.csv.")
]


def estimate(
    environment: EnvironmentArgument,
    target: TargetOption = "rehearsal",
    prices: PricesOption = None,
    region: Annotated[str, typer.Option(help="Whose prices to use.")] = "us-west-2",
    against: Annotated[
        Path | None,
        typer.Option(help="What to compare with: the JSON of `terraform show -json`."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Price what the environment's Terraform will leave standing: the always-on floor first.

    Then one more user and one more worker an hour, by the node pools in the Helm values.
    """
    from pangeo_deploy.cost import estimate as room
    from pangeo_deploy.cost.prices import read

    known = read(prices)
    before = room.estimate(read_json(against), known, region=region) if against else None
    result = room.estimate(_plan(environment, target), known, region=region)
    hourly, missing = _hourly(environment, known, region)
    result = replace(result, hourly=hourly, unpriced=(*result.unpriced, *missing))
    document = result.as_dict()
    rows = [
        (line.address, line.service, f"{line.usd_per_month:.2f}", line.assumption)
        for line in sorted(result.lines, key=lambda line: -line.usd_per_month)
        if line.usd_per_month
    ]
    columns = ("resource", "service", "cost (USD a month)", "assumption")
    human: list[Any] = [
        table(f"What {environment} costs", columns, rows),
        f"The floor: {result.floor:.2f} USD a month, whoever is there; "
        f"{result.use:.2f} more for what is assumed to be stored and sent.",
    ]
    if result.hourly:
        each = [(x.what, x.node_type, f"{x.usd_per_hour:.4f}", x.assumption) for x in result.hourly]
        columns = ("one more", "on", "cost (USD an hour)", "assumption")
        human.append(table("What use adds", columns, each))
    if before:
        changes = room.difference(before, result)
        document["difference"] = [
            {k: format(v, "f") if isinstance(v, Decimal) else v for k, v in row.items()}
            for row in changes
        ]
        document["floor_change_usd_per_month"] = format(result.floor - before.floor, "f")
        cells = [
            (row["address"], *(f"{row[k]:.2f}" for k in ("before", "after", "change")))
            for row in changes
        ]
        columns = ("resource", "before (USD)", "after (USD)", "change (USD a month)")
        human.append(table(f"Against {against}", columns, cells))
        human.append(f"The floor changes by {result.floor - before.floor:+.2f} USD a month.")
    if result.unpriced:
        unpriced = [(one.address, one.why) for one in result.unpriced]
        human.append(table("Not priced", ("resource", "why"), unpriced))
    show(document, json, human)


def reconcile(
    environment: EnvironmentArgument,
    bill: BillOption,
    month: Annotated[str, typer.Option(help="The month to explain, YYYY-MM.")],
    target: TargetOption = "rehearsal",
    prices: PricesOption = None,
    json: JsonOption = False,
) -> None:
    """Explain a month's bill from the environment's estimate, step by step."""
    from pangeo_deploy.cost import estimate as estimates
    from pangeo_deploy.cost import reconcile as room
    from pangeo_deploy.cost.months import Month
    from pangeo_deploy.cost.prices import read

    expected = estimates.estimate(_plan(environment, target), read(prices))
    result = room.reconcile(expected, _table(bill), Month.parse(month))
    rows = [(step.step, step.about, f"{step.usd:.2f}") for step in result.steps]
    human = [
        f"Estimate {result.estimate:.2f} USD",
        table(f"From the estimate to the bill of {month}", ("step", "about", "adds (USD)"), rows),
        f"Bill {result.bill:.2f} USD",
    ]
    show(result.as_dict(), json, human)


def forecast(
    daily: DailyOption,
    horizon: Annotated[int, typer.Option(help="Days ahead.")] = 30,
    level: Annotated[float, typer.Option(help="How often the intervals shall hold.")] = 0.8,
    json: JsonOption = False,
) -> None:
    """Say what the coming days will cost, and how wrong that can be."""
    from pangeo_deploy.cost import daily as series
    from pangeo_deploy.cost import forecast as room

    result = room.forecast(series.read(daily), horizon, level)
    rows = [
        (day.date or "total", f"{day.mean:.2f}", f"{day.low:.2f}", f"{day.high:.2f}")
        for day in (*result.days, result.total)
    ]
    columns = ("day", "mean (USD)", "low (USD)", "high (USD)")
    show(result.as_dict(), json, [table(f"{horizon} days ahead", columns, rows)])


def anomalies(
    daily: DailyOption,
    rate: Annotated[
        float, typer.Option(help="The share of ordinary days called by mistake.")
    ] = 0.01,
    json: JsonOption = False,
) -> None:
    """Find the days that cost what their past does not explain."""
    from pangeo_deploy.cost import anomalies as room
    from pangeo_deploy.cost import daily as series

    found = room.anomalies(series.read(daily), rate=rate)
    rows = [(one.date, f"{one.usd:.2f}", f"{one.expected:.2f}", one.kind) for one in found]
    columns = ("day", "cost (USD)", "expected (USD)", "kind")
    human = [table("Out of line", columns, rows)] if found else ["No day is out of line."]
    show({"anomalies": [one.as_dict() for one in found]}, json, human)


def gate(
    environment: EnvironmentArgument,
    target: TargetOption = "rehearsal",
    prices: PricesOption = None,
    month_so_far: Annotated[str, typer.Option(help="USD billed this month, from the bill.")] = "",
    forecast_high: Annotated[
        str, typer.Option(help="Month so far plus the forecast's upper bound, USD.")
    ] = "",
    budget: Annotated[
        str, typer.Option(help="USD a month, instead of the plan's own budget.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """Hold the plan's floor, the month and the forecast against the budget; exit 3 if over."""
    from pangeo_deploy.cost import estimate as estimates
    from pangeo_deploy.cost import gate as room
    from pangeo_deploy.cost.prices import read

    limit = usd("--budget", budget)
    known = {
        "month_so_far": usd("--month-so-far", month_so_far),
        "forecast_high": usd("--forecast-high", forecast_high),
    }
    plan = _plan(environment, target)
    floor = estimates.estimate(plan, read(prices)).floor
    result = room.gate(limit or room.budget_of(plan), floor=floor, **known)
    rows = [
        (check.name, f"{check.usd:.2f}", "within" if check.ok else "OVER")
        for check in result.checks
    ]
    title = f"Against the budget of {result.budget} USD a month"
    show(result.as_dict(), json, [table(title, ("what", "amount (USD)", "budget"), rows)])
    if not result.ok:
        raise typer.Exit(REFUSED)


def _plan(environment: str, target: Any) -> Mapping[str, Any]:
    """Return `terraform show -json` of a fresh plan that changes nothing that is saved."""
    with reporting(f"Planning {environment}") as progress:
        return lifecycle.show(Deployment(environment, target), progress)


def _hourly(environment: str, prices: "Prices", region: str) -> tuple[Any, ...]:
    """Return one more user and worker by the Helm values, or one line that there are none."""
    from pangeo_deploy.charts.values import load
    from pangeo_deploy.cost import pools
    from pangeo_deploy.cost.estimate import Unpriced

    project = find_project()
    if not (project / "helm" / "environments" / f"{environment}.yaml").is_file():
        return (), (Unpriced("helm", "node pools", f"helm/ has no values for {environment}"),)
    support, pangeo = (load(project, chart, environment) for chart in ("support", "pangeo"))
    return pools.hourly(support, pangeo, prices, region=region)


def _table(path: Path) -> Path:
    return path / "bill.parquet" if path.is_dir() else path


def usd(option: str, text: str) -> Decimal | None:
    """Return the amount that an option gives, None where it gives none."""
    if not text:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        raise BadInput(f"{option} is not a number: {text!r}.", fix="Write it as 123.45.") from None
