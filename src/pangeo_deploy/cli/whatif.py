"""The verb `whatif`: what the same workload would cost under another configuration."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from pangeo_core.errors import BadInput
from pangeo_deploy.cli.console import reporting, show, table
from pangeo_deploy.cli.options import MOST_SECONDS, JsonOption, TargetOption, positive, usd, within
from pangeo_deploy.deployment import DEFAULT_TARGET

CANNOT_SERVE = 3
SHORT_DAYS = 14  # sessions of fewer days are an event, not a month


def whatif(
    sessions: Annotated[
        list[Path] | None, typer.Option(help="Sessions, csv or parquet; repeatable.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="Without sessions: class, hackweek, group or binder.")
    ] = "",
    people: Annotated[
        int | None,
        typer.Option(
            callback=within(0, 10**6),
            help="Number of users (per month for `group`; launches per day for `binder`).",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="A YAML or JSON configuration; a default hub without one."),
    ] = None,
    environment: Annotated[
        str,
        typer.Option(help="Replay against an environment as it is deployed, such as staging."),
    ] = "",
    target: TargetOption = DEFAULT_TARGET,
    budget: Annotated[
        str,
        typer.Option(
            callback=positive, help="Monthly budget in USD; also report how many users it supports."
        ),
    ] = "",
    wait_seconds: Annotated[
        float,
        typer.Option(
            callback=within(0, MOST_SECONDS),
            help="The 95th-percentile wait that users accept, in seconds.",
        ),
    ] = 60.0,
    memory_gib: Annotated[
        float | None,
        typer.Option(callback=within(0, 10_000), help="With --model: memory of a server, GiB."),
    ] = None,
    home_gib: Annotated[
        float,
        typer.Option(
            callback=within(0, 10_000), help="With --model and --budget: home of each user, GiB."
        ),
    ] = 5.0,
    json: JsonOption = False,
) -> None:
    """Replay sessions against a configuration: its cost and how long users wait (modelled)."""
    from hub_costs.usage import session_files
    from hub_costs.whatif import arrivals, load, what_if
    from hub_costs.whatif.budget_answer import Load, supported_users
    from hub_costs.whatif.config import Config
    from pangeo_deploy.cli.cost.plan import plan_of
    from pangeo_deploy.monthly_cost import config_of

    if bool(sessions) == bool(model):
        raise BadInput(
            "Sessions are given twice." if model else "No sessions given.",
            fix="Pass either --sessions or --model.",
        )
    if config and environment:
        raise BadInput(
            "Two configurations are given.", fix="Pass either --config or --environment."
        )
    limit = usd(budget)
    chosen = load(config) if config else Config()
    if environment:
        chosen = config_of(environment, plan_of(environment, target))
    load_of_model = Load(model, memory_gib, home_gib=home_gib) if model else None
    with reporting("Replaying") as progress:
        who = (
            arrivals.generate(load_of_model.of(people), 1)
            if load_of_model
            else session_files.read(sessions or [])
        )
        result = what_if(who, chosen, progress=progress)
        capacity = (
            supported_users(limit, wait_seconds, who, chosen, load_of_model).as_dict()
            if limit
            else None
        )
    document = result.as_dict() | ({"capacity": capacity} if capacity else {})
    rows = [
        (line["part"], line["item"], line["quantity"], line["unit"], line["usd_per_month"])
        for line in document["lines"]
    ]
    human = [
        table("Modelled cost", ("part", "item", "quantity", "unit", "cost (USD a month)"), rows),
        f"Always on: {document['floor_usd_per_month']} USD a month; "
        f"in all: {document['usd_per_month']} USD a month.",
        f"95 % of waits are under {document['wait_p95_seconds']} s; {document['users']} users, "
        f"{document['sessions']} sessions, {document['interruptions']} interruptions.",
        *document["problems"],
        *_borrowed(document["lines"], chosen.region),
        *_supports(capacity, budget, wait_seconds),
        *_short(who),
    ]
    show(document, json, human)
    if not document["serves_the_load"]:
        raise typer.Exit(CANNOT_SERVE)


def _supports(capacity: Mapping[str, Any] | None, budget: str, wait_seconds: float) -> list[str]:
    """Return the sentence on the budget, if one was given."""
    if not capacity:
        return []
    typical = capacity.get("typical")
    return [
        f"A budget of {budget} USD per month supports {capacity['users']} such users "
        f"({capacity['low']} to {capacity['high']}) who wait at most {wait_seconds:g} s"
        + (f", on {typical['configuration']} held ready." if typical else ".")
    ]


def _borrowed(lines: list[Mapping[str, Any]], region: str) -> list[str]:
    """Return a warning where prices of another region stand in."""
    others = [line for line in lines if "price of " in line["price_note"]]
    if not others:
        return []
    return [
        f"{len(others)} of {len(lines)} lines have another region's price: the list has none for "
        f"{region}. `--json` says which; `cost prices` asks AWS."
    ]


def _short(sessions: Any) -> list[str]:
    """Return a warning where a few days stand for a month."""
    days = (sessions.end - sessions.start).total_seconds() / 86400
    if days >= SHORT_DAYS:
        return []
    return [
        f"The sessions span {days:.0f} days: the cost is for a month of such days. For an event "
        "of its own length, use `pangeo-deploy delivery event`."
    ]
