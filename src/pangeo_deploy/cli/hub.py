"""The verbs on a hub: hub up, down, status; smoke; janitor."""

from typing import Annotated, Any

import typer

from hub_user import smoke as smoking
from hub_user.janitor import make_round
from pangeo_deploy.charts.values import load, settings
from pangeo_deploy.cli.console import reporting, show, table
from pangeo_deploy.cli.options import EnvironmentArgument, JsonOption, TargetOption
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets import target_of

CHECK_FAILED = 3

hub_app = typer.Typer(
    help="The rehearsal's hub: a real JupyterHub on this machine.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.add_typer(hub_app, name="hub")
    app.command()(smoke)
    app.command()(janitor)


@hub_app.command()
def up(
    environment: EnvironmentArgument,
    binder: Annotated[bool, typer.Option("--binder", help="Have BinderHub, too.")] = False,
    json: JsonOption = False,
) -> None:
    """Start the hub and return when it answers; it runs until `hub down`."""
    with reporting(f"Starting the hub of {environment}") as progress:
        found = target_of(Deployment(environment)).start_hub(progress, binder=binder)
    told = "was up already" if found.reused else f"is up after {found.seconds:.1f} s"
    human = [f"The hub of {environment} {told}: {found.url}", f"Logs: {found.folder / 'logs'}"]
    show(found.as_dict(), json, human)


@hub_app.command()
def down(environment: EnvironmentArgument, json: JsonOption = False) -> None:
    """End the hub with its users' servers and clusters; homes stay."""
    with reporting(f"Stopping the hub of {environment}"):
        ended = target_of(Deployment(environment)).stop_hub()
    show(ended.as_dict(), json, [f"{ended.processes} processes ended in {ended.seconds:.1f} s."])


@hub_app.command()
def status(environment: EnvironmentArgument, json: JsonOption = False) -> None:
    """Say how the hub and its parts are; exit 3 if it does not run or a part does not answer."""
    found = target_of(Deployment(environment)).hub_status()
    human: list[Any] = [f"No hub is up for {environment}."]
    if found.running:
        rows = [
            ("✓" if one.ok else "✗", one.name, one.pid or "", one.restarts, one.log)
            for one in found.parts
        ]
        columns = ("", "part", "process", "restarts", "log")
        human = [table(f"The hub of {environment} at {found.url}", columns, rows)]
    show(found.as_dict(), json, human)
    if not found.ok:
        raise typer.Exit(CHECK_FAILED)


def smoke(
    environment: EnvironmentArgument,
    target: TargetOption = "rehearsal",
    profile: Annotated[str, typer.Option(help="The server's profile; the default's if none.")] = "",
    binder: Annotated[bool, typer.Option("--binder", help="Launch a repository, too.")] = False,
    repository: Annotated[
        str, typer.Option(help="What to launch, as gh/OWNER/NAME/REF; the example's if none.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """Be a user of the hub, step by step; exit 3 and name the step that fails."""
    with reporting(f"Visiting the hub of {environment}") as progress:
        report = smoking.smoke(
            target_of(Deployment(environment, target)).entrance(),
            {"profile": profile} if profile else {},
            progress=progress,
            binder=binder,
            repository=repository,
        )
    rows = [
        ("✓" if one.ok else "✗", one.name, f"{one.seconds:.2f}", one.detail) for one in report.steps
    ]
    human: list[Any] = [table(f"A visit to {report.url}", ("", "step", "time (s)", "seen"), rows)]
    if report.failed and report.logs:
        human.append(f"The end of the log:\n{report.logs}")
    show(report.as_dict(), json, human)
    if not report.ok:
        raise typer.Exit(CHECK_FAILED)


def janitor(
    environment: EnvironmentArgument,
    target: TargetOption = "rehearsal",
    clean: Annotated[bool, typer.Option("--clean", help="End what has outstayed.")] = False,
    json: JsonOption = False,
) -> None:
    """Find servers and clusters that should be gone, with their cost; exit 3 if any is left."""
    from pangeo_deploy.monthly_cost import list_price  # few verbs need it

    deployment = Deployment(environment, target)
    pools = load(deployment.project, "support", environment)["pools"]
    with reporting(f"Looking around the hub of {environment}"):
        service, clusters = target_of(deployment).janitor()
        seen = make_round(
            service,
            clusters,
            settings(deployment.project, environment),
            {name: pool["shapes"][0] for name, pool in pools.items()},
            list_price,
            clean,
        )
    told = f"{seen.servers} servers and {seen.clusters} clusters run"
    human: list[Any] = [f"{told}; {len(seen.outstayed)} have outstayed."]
    if seen.outstayed:
        rows = [
            (one.kind, one.owner, one.reason, one.usd_per_hour or "not known", one.ended and "✓")
            for one in seen.outstayed
        ]
        columns = ("kind", "whose", "why", "USD an hour (list price)", "ended")
        human.insert(0, table("Outstayed", columns, rows))
    show(seen.as_dict(), json, human)
    if not seen.ok:
        raise typer.Exit(CHECK_FAILED)
