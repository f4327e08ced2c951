"""The verb `whatif`: what the same workload would cost under another configuration."""

from pathlib import Path
from typing import Annotated

import typer

from pangeo_core.errors import BadInput
from pangeo_deploy.cli.console import reporting, show, table
from pangeo_deploy.cli.options import JsonOption, usd

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
        typer.Option(help="The model's size; of a group in a month, of a Binder launches a day."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="A YAML or JSON configuration; the default hub if not named."),
    ] = None,
    budget: Annotated[
        str, typer.Option(help="USD a month: also say how many such people it carries.")
    ] = "",
    wait_seconds: Annotated[
        float, typer.Option(help="The 95th-percentile wait that they accept.")
    ] = 60.0,
    json: JsonOption = False,
) -> None:
    """Replay sessions against a configuration: what it costs, how long people wait (modelled)."""
    from hub_costs.usage import session_files
    from hub_costs.whatif import arrivals, load, what_if
    from hub_costs.whatif.config import Config
    from hub_costs.whatif.configurations import users_within

    if bool(sessions) == bool(model):
        raise BadInput("Whose sessions to replay is not said.", fix="Pass --sessions or --model.")
    limit = usd("--budget", budget)
    with reporting("Replaying") as progress:
        who = (
            session_files.read(sessions)
            if sessions
            else arrivals.generate(arrivals.sized(model, people), 1)
        )
        chosen = load(config) if config else Config()
        result = what_if(who, chosen, progress=progress)
        carried = users_within(who, chosen, limit, wait_seconds, resamples=20) if limit else None
    document = result.as_dict() | ({"capacity": carried.as_dict()} if carried else {})
    rows = [
        (line["part"], line["item"], line["quantity"], line["unit"], line["usd_per_month"])
        for line in document["lines"]
    ]
    human = [
        table("Modelled cost", ("part", "item", "quantity", "unit", "cost (USD a month)"), rows),
        f"The floor: {document['floor_usd_per_month']} USD a month; "
        f"all of it: {document['usd_per_month']} USD.",
        f"95 of 100 waits are under {document['wait_p95_seconds']} s; {document['users']} users, "
        f"{document['sessions']} sessions, {document['interruptions']} interruptions.",
        *document["problems"],
        *(
            [
                f"{budget} USD a month carry {carried.users} such people ({carried.low} to "
                f"{carried.high}) who wait at most {wait_seconds:g} s."
            ]
            if carried
            else []
        ),
    ]
    show(document, json, human)
    if not document["serves_the_load"]:
        raise typer.Exit(CANNOT_SERVE)
