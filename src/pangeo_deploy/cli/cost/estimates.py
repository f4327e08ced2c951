"""The verbs of `cost` on plans and prices: estimate, reconcile, prices."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from pangeo_core.errors import BadInput
from pangeo_core.files import read_json
from pangeo_deploy.cli.console import show, table
from pangeo_deploy.cli.cost.plan import plan_of
from pangeo_deploy.cli.options import (
    EnvironmentArgument,
    JsonOption,
    PricesOption,
    RegionOption,
    TargetOption,
)
from pangeo_deploy.deployment import DEFAULT_TARGET


def estimate(
    environment: Annotated[
        str,
        typer.Argument(help="A name under terraform/environments; or pass --plan instead."),
    ] = "",
    target: TargetOption = DEFAULT_TARGET,
    plan: Annotated[
        Path | None,
        typer.Option(help="Any plan: the JSON of `terraform show -json`, with or without charts."),
    ] = None,
    prices: PricesOption = None,
    region: RegionOption = "",
    against: Annotated[
        Path | None,
        typer.Option(help="A plan to compare with: the JSON of `terraform show -json`."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Estimate the monthly cost of an environment or of any plan, the always-on floor first.

    Then the hourly cost of one more user and one more worker, by the node pools in the Helm values.
    """
    from hub_costs.estimates import estimate as estimates
    from hub_costs.estimates.prices import read
    from pangeo_deploy.monthly_cost import estimate_of

    if not environment and plan is None:
        raise BadInput(
            "There is nothing to price.", fix="Name an environment, or pass --plan FILE."
        )
    listed, where = read(prices), region or None
    shown = read_json(plan) if plan else plan_of(environment, target)
    result = (
        estimate_of(environment, shown, listed, region=where)
        if environment
        else estimates.estimate(shown, listed, region=where)
    )
    before = None
    if against:
        old = read_json(against)
        before = (
            estimate_of(environment, old, listed, region=where)
            if environment
            else estimates.estimate(old, listed, region=where)
        )
    title = environment or str(plan)
    document = result.as_dict()
    rows = [
        (line.address, line.service, f"{line.usd_per_month:.2f}", line.assumption)
        for line in sorted(result.lines, key=lambda line: -line.usd_per_month)
        if line.usd_per_month
    ]
    columns = ("resource", "service", "cost (USD a month)", "assumption")
    human: list[Any] = [
        table(f"Cost of {title}", columns, rows),
        f"Always on: {result.floor:.2f} USD a month, whoever is there; "
        f"{result.use:.2f} more for what is assumed to be stored and sent.",
    ]
    if result.hourly:
        each = [(x.what, x.node_type, f"{x.usd_per_hour:.4f}", x.assumption) for x in result.hourly]
        columns = ("one more", "on", "cost (USD an hour)", "assumption")
        human.append(table("What use adds", columns, each))
    if before:
        changes = estimates.difference(before, result)
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
        unpriced = [(missing.address, missing.why) for missing in result.unpriced]
        human.append(table("Not priced", ("resource", "why"), unpriced))
    show(document, json, human)


def reconcile(
    environment: EnvironmentArgument,
    bill: Annotated[Path, typer.Option(help="The folder or table that `ingest` wrote.")],
    month: Annotated[str, typer.Option(help="The month to explain, YYYY-MM.")],
    sessions: Annotated[
        Path | None, typer.Option(help="Sessions, to go on from the bill to who caused it.")
    ] = None,
    target: TargetOption = DEFAULT_TARGET,
    prices: PricesOption = None,
    region: RegionOption = "",
    json: JsonOption = False,
) -> None:
    """Explain a month's bill from the environment's estimate, step by step."""
    from hub_costs.estimates.prices import read
    from hub_costs.estimates.reconcile import reconcile as explain
    from hub_costs.months import Month
    from pangeo_deploy.monthly_cost import estimate_of

    shown = plan_of(environment, target)
    expected = estimate_of(environment, shown, read(prices), region=region or None)
    result = explain(expected, bill, Month.parse(month), sessions)
    rows = [(step.step, step.about, f"{step.usd:.2f}") for step in result.steps]
    human = [
        f"Estimate {result.estimate:.2f} USD",
        table(f"From the estimate to the bill of {month}", ("step", "about", "adds (USD)"), rows),
        f"Bill {result.bill:.2f} USD",
        *(f"of which {kind}: {usd:.2f} USD" for kind, usd in result.allocated.items()),
        *result.warnings,
    ]
    show(result.as_dict(), json, human)


def refresh_prices(
    prices: PricesOption = None,
    target: TargetOption = DEFAULT_TARGET,
    json: JsonOption = False,
) -> None:
    """Ask AWS' price list anew for every price of the list, and date it."""
    from hub_costs import data_files
    from hub_costs.estimates import price_queries
    from pangeo_deploy.targets import named

    client = named(target).price_list()
    file = prices or data_files.find("prices.csv")
    result = price_queries.refresh(file, client)
    rows = [(item, old, new) for item, old, new in result.changed]
    human = [
        table(f"Changed in {file}", ("item", "before (USD)", "now (USD)"), rows),
        f"{result.asked} prices asked anew, {len(result.kept)} kept: {', '.join(result.kept)}.",
    ]
    show(result.as_dict(), json, human)
