"""The verbs `usage` and `whatif`: what people did, and what it would cost another way."""

from pathlib import Path
from typing import Annotated

import typer

from pangeo_deploy.cli.console import JsonOption, reporting, show, table

usage = typer.Typer(help="What people did with the hub.", no_args_is_help=True)

CANNOT_SERVE = 3

SessionsOption = Annotated[list[Path], typer.Option(help="Sessions, csv or parquet; repeatable.")]


@usage.callback()
def _group() -> None:
    """Keep `report` a word of its own although it is the only one."""


@usage.command()
def report(
    sessions: SessionsOption,
    homes: Annotated[Path | None, typer.Option(help="A csv with user and gib.")] = None,
    quota_gib: Annotated[float | None, typer.Option(help="What each home may hold.")] = None,
    names: Annotated[
        bool, typer.Option("--names", help="People's names, for the operator; else pseudonyms.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Report who came, how many at once, for how long, and with how much."""
    from pangeo_deploy.usage import files
    from pangeo_deploy.usage import homes as stored_at_home
    from pangeo_deploy.usage.report import report as make

    stored = stored_at_home.read(homes) if homes else None
    result = make(files.read(sessions), homes=stored, quota_gib=quota_gib, published=not names)
    rows = [(name, value) for name, value in result.summary.items() if value is not None]
    show(result.as_dict(), json, [table("Usage", ("what", "value"), rows)])


def whatif(
    sessions: SessionsOption,
    config: Annotated[
        Path | None,
        typer.Option(help="A YAML or JSON configuration; the default hub if not named."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Replay sessions against a configuration: what it costs, how long people wait (modelled)."""
    from pangeo_deploy.usage import files
    from pangeo_deploy.whatif import load, what_if

    with reporting("Replaying") as progress:
        result = what_if(files.read(sessions), load(config) if config else None, progress=progress)
    document = result.as_dict()
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
    ]
    show(document, json, human)
    if not document["serves_the_load"]:
        raise typer.Exit(CANNOT_SERVE)
