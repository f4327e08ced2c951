"""The verb `usage`: collect, import and report what users did."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pangeo_deploy.cli.console import reporting, show, table
from pangeo_deploy.cli.options import EnvironmentArgument, JsonOption, TargetOption, within
from pangeo_deploy.cli.verbs import group
from pangeo_deploy.deployment import DEFAULT_TARGET, Deployment

if TYPE_CHECKING:
    from pangeo_deploy.collect_usage import Gathered

app = group(help="Hub usage: collect it, report it.")

SessionsOption = Annotated[list[Path], typer.Option(help="Sessions, csv or parquet; repeatable.")]


@app.command()
def collect(
    environment: EnvironmentArgument,
    out: Annotated[Path, typer.Option(help="The folder to write sessions.csv and more to.")],
    target: TargetOption = DEFAULT_TARGET,
    prometheus: Annotated[
        str, typer.Option(help="The address of Prometheus; the rehearsal's own if not named.")
    ] = "",
    log: Annotated[Path | None, typer.Option(help="JupyterHub's log, for exact waits.")] = None,
    start: Annotated[str, typer.Option(help="Start, ISO 8601 (default: since the hub runs).")] = "",
    end: Annotated[str, typer.Option(help="End, ISO 8601 (default: now).")] = "",
    json: JsonOption = False,
) -> None:
    """Collect who used the hub: sessions, times without data, and in the rehearsal homes."""
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


@app.command("import")
def bring(
    out: Annotated[Path, typer.Option(help="The folder to write sessions.csv and gaps.csv to.")],
    log: Annotated[Path | None, typer.Option(help="JupyterHub's log.")] = None,
    zone: Annotated[
        str, typer.Option(help="The time zone of the log's times, as in America/New_York.")
    ] = "UTC",
    gateway: Annotated[
        Path | None, typer.Option(help="Dask-Gateway's database, a file of SQLite.")
    ] = None,
    events: Annotated[
        list[Path] | None,
        typer.Option(help="BinderHub's launches, events-YYYY-MM-DD.jsonl; repeatable."),
    ] = None,
    cpu_cores: Annotated[
        float, typer.Option(callback=within(0, 10_000), help="Cores of each server and worker.")
    ] = 1.0,
    memory_gib: Annotated[
        float,
        typer.Option(callback=within(0, 100_000), help="Memory of each server and worker, GiB."),
    ] = 2.0,
    json: JsonOption = False,
) -> None:
    """Collect who used a hub that has no Prometheus, from the records of its parts."""
    from pangeo_deploy.collect_usage import bring

    written = bring(
        out,
        log=log,
        zone=zone,
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


@app.command()
def report(
    sessions: SessionsOption,
    homes: Annotated[Path | None, typer.Option(help="A csv with user and gib.")] = None,
    gaps: Annotated[Path | None, typer.Option(help="The gaps.csv that `collect` wrote.")] = None,
    quota_gib: Annotated[
        float | None, typer.Option(callback=within(0, 10**9), help="Quota of each home, GiB.")
    ] = None,
    names: Annotated[
        bool, typer.Option("--names", help="Show names, for the operator, instead of pseudonyms.")
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
