"""The verbs `usage` and `whatif`: what people did, and what it would cost another way."""

from pathlib import Path
from typing import Annotated

import typer

from pangeo_deploy.cli.console import (
    EnvironmentArgument,
    JsonOption,
    TargetOption,
    reporting,
    show,
    table,
)
from pangeo_deploy.deployment import Deployment

usage = typer.Typer(help="What people did with the hub.", no_args_is_help=True)

CANNOT_SERVE = 3

SessionsOption = Annotated[list[Path], typer.Option(help="Sessions, csv or parquet; repeatable.")]


@usage.command()
def collect(
    environment: EnvironmentArgument,
    out: Annotated[Path, typer.Option(help="The folder to write sessions.csv and more to.")],
    target: TargetOption = "rehearsal",
    prometheus: Annotated[
        str, typer.Option(help="The address of Prometheus; the rehearsal's own if not named.")
    ] = "",
    log: Annotated[Path | None, typer.Option(help="JupyterHub's log, for exact waits.")] = None,
    start: Annotated[str, typer.Option(help="ISO 8601; else since the hub runs.")] = "",
    end: Annotated[str, typer.Option(help="ISO 8601; else now.")] = "",
    json: JsonOption = False,
) -> None:
    """Write down who used the hub: sessions, times without data, and in the rehearsal homes."""
    from pangeo_deploy.usage.gather import gather

    with reporting(f"Collecting from {environment}") as progress:
        written = gather(
            Deployment(environment, target),
            out,
            prometheus=prometheus,
            log=log,
            start=start,
            end=end,
            progress=progress,
        )
    document = written.as_dict()
    human = [
        f"{document['sessions']} sessions of {document['users']} people: {written.sessions_file}",
        f"{document['rejected']} rows rejected; {document['gap_hours']} h without data.",
        *written.sessions.problems(),
    ]
    show(document, json, human)


@usage.command()
def report(
    sessions: SessionsOption,
    homes: Annotated[Path | None, typer.Option(help="A csv with user and gib.")] = None,
    gaps: Annotated[Path | None, typer.Option(help="The gaps.csv that `collect` wrote.")] = None,
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
    missing = files.read_gaps(gaps) if gaps else None
    result = make(
        files.read(sessions),
        homes=stored,
        quota_gib=quota_gib,
        gaps=missing,
        published=not names,
    )
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
