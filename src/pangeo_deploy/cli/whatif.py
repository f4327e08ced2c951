"""The verb `whatif`: what the same workload would cost under another configuration."""

from pathlib import Path
from typing import Annotated

import typer

from pangeo_core.errors import BadInput
from pangeo_deploy.cli.console import reporting, show, table
from pangeo_deploy.cli.options import JsonOption, TargetOption, finite, usd

CANNOT_SERVE = 3


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
            help="Number of users (per month for `group`; launches per day for `binder`)."
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
    target: TargetOption = "rehearsal",
    budget: Annotated[
        str,
        typer.Option(help="Monthly budget in USD; also report how many users it supports."),
    ] = "",
    wait_seconds: Annotated[
        float,
        typer.Option(
            min=0, callback=finite, help="The 95th-percentile wait that users accept, in seconds."
        ),
    ] = 60.0,
    json: JsonOption = False,
) -> None:
    """Replay sessions against a configuration: its cost and how long users wait (modelled)."""
    from hub_costs.usage import session_files
    from hub_costs.whatif import arrivals, load, what_if
    from hub_costs.whatif.config import Config
    from hub_costs.whatif.configurations import users_within
    from pangeo_deploy.cli.cost.plan import plan_of
    from pangeo_deploy.monthly_cost import config_of

    if bool(sessions) == bool(model):
        raise BadInput("No sessions given.", fix="Pass --sessions, or --model; not both.")
    if config and environment:
        raise BadInput(
            "Two configurations are given.", fix="Pass either --config or --environment."
        )
    limit = usd("--budget", budget)
    chosen = load(config) if config else Config()
    if environment:
        chosen = config_of(environment, plan_of(environment, target))
    with reporting("Replaying") as progress:
        who = (
            session_files.read(sessions)
            if sessions
            else arrivals.generate(arrivals.sized(model, people), 1)
        )
        result = what_if(who, chosen, progress=progress)
        carried = users_within(who, chosen, limit, wait_seconds, resamples=20) if limit else None
    document = result.as_dict() | ({"capacity": carried.as_dict()} if carried else {})
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
        *(
            [
                f"A budget of {budget} USD a month supports {carried.users} such users "
                f"({carried.low} to {carried.high}) who wait at most {wait_seconds:g} s."
            ]
            if carried
            else []
        ),
    ]
    show(document, json, human)
    if not document["serves_the_load"]:
        raise typer.Exit(CANNOT_SERVE)
