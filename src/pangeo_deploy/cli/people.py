"""The verbs `usage` and `whatif`: what people did, and what it would cost another way."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pangeo_core.errors import BadInput
from pangeo_deploy.cli.console import (
    EnvironmentArgument,
    JsonOption,
    TargetOption,
    reporting,
    show,
    table,
)
from pangeo_deploy.deployment import Deployment

if TYPE_CHECKING:
    from pangeo_deploy.collect_usage import Gathered

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
    from pangeo_deploy.collect_usage import gather

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
    _show(written, json)


@usage.command("import")
def bring(
    out: Annotated[Path, typer.Option(help="The folder to write sessions.csv and gaps.csv to.")],
    log: Annotated[Path | None, typer.Option(help="JupyterHub's log, in UTC.")] = None,
    gateway: Annotated[
        Path | None, typer.Option(help="Dask-Gateway's database, a file of SQLite.")
    ] = None,
    events: Annotated[
        list[Path] | None,
        typer.Option(help="BinderHub's launches, events-YYYY-MM-DD.jsonl; repeatable."),
    ] = None,
    cpu_cores: Annotated[float, typer.Option(help="Of each server and worker.")] = 1.0,
    memory_gib: Annotated[float, typer.Option(help="Of each server and worker.")] = 2.0,
    json: JsonOption = False,
) -> None:
    """Write down who used a hub that has no Prometheus, from the records of its parts."""
    from pangeo_deploy.collect_usage import bring

    written = bring(
        out,
        log=log,
        gateway=gateway,
        events=events or (),
        cpu_cores=cpu_cores,
        memory_gib=memory_gib,
    )
    _show(written, json)


def _show(written: "Gathered", json: bool) -> None:
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
    from hub_costs.usage import homes as stored_at_home
    from hub_costs.usage import session_files
    from hub_costs.usage.usage_report import report as make

    stored = stored_at_home.read(homes) if homes else None
    missing = session_files.read_gaps(gaps) if gaps else None
    result = make(
        session_files.read(sessions),
        homes=stored,
        quota_gib=quota_gib,
        gaps=missing,
        published=not names,
    )
    rows = [(name, value) for name, value in result.summary.items() if value is not None]
    show(result.as_dict(), json, [table("Usage", ("what", "value"), rows)])


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
    from pangeo_deploy.cli.outlook import usd

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
