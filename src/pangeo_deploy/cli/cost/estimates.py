"""The verbs of `cost` on plans and prices: estimate, reconcile, prices."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pangeo_core.files import read_json
from pangeo_deploy.cli.console import show, table
from pangeo_deploy.cli.cost.plan import plan_of
from pangeo_deploy.cli.options import (
    EnvironmentArgument,
    JsonOption,
    PricesOption,
    TargetOption,
)
from pangeo_deploy.deployment import find_project
from pangeo_deploy.targets import named

if TYPE_CHECKING:
    from hub_costs.estimates.prices import Prices


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
    from hub_costs.estimates import estimate as room
    from hub_costs.estimates.prices import read

    known = read(prices)
    before = room.estimate(read_json(against), known, region=region) if against else None
    result = room.estimate(plan_of(environment, target), known, region=region)
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
    bill: Annotated[Path, typer.Option(help="The folder or table that `ingest` wrote.")],
    month: Annotated[str, typer.Option(help="The month to explain, YYYY-MM.")],
    sessions: Annotated[
        Path | None, typer.Option(help="Sessions, to go on from the bill to who caused it.")
    ] = None,
    target: TargetOption = "rehearsal",
    prices: PricesOption = None,
    json: JsonOption = False,
) -> None:
    """Explain a month's bill from the environment's estimate, step by step."""
    from hub_costs.estimates import estimate as estimates
    from hub_costs.estimates import reconcile as room
    from hub_costs.estimates.prices import read
    from hub_costs.months import Month

    expected = estimates.estimate(plan_of(environment, target), read(prices))
    result = room.reconcile(expected, bill, Month.parse(month), sessions)
    rows = [(step.step, step.about, f"{step.usd:.2f}") for step in result.steps]
    human = [
        f"Estimate {result.estimate:.2f} USD",
        table(f"From the estimate to the bill of {month}", ("step", "about", "adds (USD)"), rows),
        f"Bill {result.bill:.2f} USD",
        *(f"of which {kind}: {usd:.2f} USD" for kind, usd in result.allocated.items()),
    ]
    show(result.as_dict(), json, human)


def refresh_prices(
    prices: PricesOption = None,
    target: TargetOption = "rehearsal",
    json: JsonOption = False,
) -> None:
    """Ask AWS' price list anew for every price of the list, and date it."""
    from hub_costs.estimates import price_queries, published_tables

    client = named(target).price_list()
    file = prices or published_tables.find("prices.csv") / "prices.csv"
    result = price_queries.refresh(file, client)
    rows = [(item, old, new) for item, old, new in result.changed]
    human = [
        table(f"Changed in {file}", ("item", "before (USD)", "now (USD)"), rows),
        f"{result.asked} prices asked anew, {len(result.kept)} kept: {', '.join(result.kept)}.",
    ]
    show(result.as_dict(), json, human)


def _hourly(environment: str, prices: "Prices", region: str) -> tuple[Any, ...]:
    """Return one more user and worker by the Helm values, or one line that there are none."""
    from hub_costs.estimates import marginal_cost
    from hub_costs.estimates.estimate import Unpriced
    from pangeo_deploy.charts.values import load

    project = find_project()
    if not (project / "helm" / "environments" / f"{environment}.yaml").is_file():
        return (), (Unpriced("helm", "node pools", f"helm/ has no values for {environment}"),)
    support, pangeo = (load(project, chart, environment) for chart in ("support", "pangeo"))
    return marginal_cost.hourly(support, pangeo, prices, region=region)
