"""The verbs on a hub: hub up, down, status, remove; smoke; janitor."""

import webbrowser
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pangeo_core.errors import BadInput
from pangeo_deploy.cli.console import reporting, show, table
from pangeo_deploy.cli.options import EnvironmentArgument, JsonOption, TargetOption
from pangeo_deploy.cli.verbs import group
from pangeo_deploy.deployment import DEFAULT_TARGET, Deployment

if TYPE_CHECKING:
    from local_hub.hub_status import Hub

CHECK_FAILED = 3
# Processes are not containers.
STRANGERS = (
    "Warning: what is launched from Binder here runs as your own account of this machine, and can "
    "read what you can. Launch only what you trust."
)

app = group(help="The rehearsal's hub: a real JupyterHub on this machine.")


@app.command()
def up(
    environment: EnvironmentArgument,
    binder: Annotated[bool, typer.Option("--binder", help="Start BinderHub, too.")] = False,
    browser: Annotated[
        bool, typer.Option("--open", help="Open the hub in this machine's browser.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Start the hub and print who may log in; it runs until `hub down`."""
    from pangeo_deploy.targets import target_of

    with reporting(f"Starting the hub of {environment}") as progress:
        hub = target_of(Deployment(environment)).start_hub(progress, binder=binder)
    state = "was up already" if hub.reused else f"is up after {hub.seconds:.1f} s"
    rows = list(hub.people.items())
    human: list[Any] = [
        f"The hub of {environment} {state}: {hub.url}",
        table("Log in as one of these", ("name", "password"), rows),
        "The last one is an operator: see who is there at /hub/admin.",
    ]
    if hub.binder:
        human += [f"Binder: {hub.binder}", f"An example to launch: {example(environment, hub)}"]
        human.append(STRANGERS)
    human.append(f"Logs: {hub.folder / 'logs'}")
    show(hub.as_dict(), json, human)
    if browser:
        webbrowser.open(hub.url)


def example(environment: str, hub: "Hub") -> str:
    """Return the address that launches the rehearsal's example."""
    from pangeo_deploy.targets import target_of

    repository = target_of(Deployment(environment)).entrance().repository()
    return f"{hub.binder}v2/{repository}"


@app.command()
def down(environment: EnvironmentArgument, json: JsonOption = False) -> None:
    """Stop the hub and all user servers and clusters; homes are kept."""
    from pangeo_deploy.targets import target_of

    with reporting(f"Stopping the hub of {environment}"):
        ended = target_of(Deployment(environment)).stop_hub()
    show(ended.as_dict(), json, [f"{ended.processes} processes ended in {ended.seconds:.1f} s."])


@app.command()
def status(environment: EnvironmentArgument, json: JsonOption = False) -> None:
    """Show the state of the hub and its parts; exit 3 if it is down or a part fails."""
    from pangeo_deploy.targets import target_of

    found = target_of(Deployment(environment)).hub_status()
    human: list[Any] = [f"No hub is up for {environment}."]
    if found.running:
        rows = [
            ("✓" if one.ok else "✗", one.name, one.pid or "", one.restarts, one.log)
            for one in found.parts
        ]
        columns = ("", "part", "process", "restarts", "log")
        human = [table(f"The hub of {environment} at {found.url}", columns, rows)]
        human += [
            f"{'✓' if check.ok else '✗'} {check.name} {check.why}".rstrip()
            for check in found.checks
        ]
    elif found.orphans:
        human.append(
            f"{found.orphans} processes are left of a hub whose supervisor was killed. "
            f"`pangeo-deploy hub down {environment}` stops them, and so does `hub up`."
        )
    show(found.as_dict(), json, human)
    if not found.ok:
        raise typer.Exit(CHECK_FAILED)


@app.command()
def remove(
    environment: EnvironmentArgument,
    user: Annotated[str, typer.Argument(help="The user who has left.")],
    target: TargetOption = DEFAULT_TARGET,
    json: JsonOption = False,
) -> None:
    """Remove a user: tokens, cookies, server and clusters stop at once; the home is kept.

    Exits with 3 if a cluster could not be stopped.
    """
    from hub_user.removal import remove_user
    from pangeo_deploy.targets import target_of

    deployment = Deployment(environment, target)
    refuse_if_listed(deployment, user)
    with reporting(f"Removing {user} from the hub of {environment}"):
        janitor, clusters = target_of(deployment).janitor()
        removed = remove_user(janitor, clusters, user)
    server = "a server" if removed.server else "no server"
    human = [
        f"{user} is removed. Stopped: {server} and {len(removed.clusters)} clusters.",
        f"Their home is kept. They can log in again while a team of {environment} has them.",
        *(f"Not stopped: {line}" for line in removed.left),
    ]
    show(removed.as_dict(), json, human)
    if not removed.ok:
        raise typer.Exit(CHECK_FAILED)


def refuse_if_listed(deployment: Deployment, user: str) -> None:
    """Raise `BadInput` for somebody whom the environment's values still let in by name."""
    from pangeo_deploy.charts.values import settings

    login = settings(deployment.project, deployment.environment)["login"]
    if user in (*login["users"], *login["admins"]):
        raise BadInput(
            f"{user} is still on the list of who may log in.",
            why="They would be back with the next log-in.",
            fix=f"Take the name out of pangeo.login in helm/environments/"
            f"{deployment.environment}.yaml, deploy, and run this again.",
        )


def smoke(
    environment: EnvironmentArgument,
    target: TargetOption = DEFAULT_TARGET,
    profile: Annotated[str, typer.Option(help="The server's profile; the default's if none.")] = "",
    binder: Annotated[bool, typer.Option("--binder", help="Launch a repository, too.")] = False,
    repository: Annotated[
        str, typer.Option(help="What to launch, as gh/OWNER/NAME/REF; the example's if none.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """Act as a user of the hub, step by step; exit 3 and name the step that fails.

    In the rehearsal, what --repository launches runs as your own account of this machine.
    """
    from hub_user import smoke as smoking
    from pangeo_deploy.targets import target_of

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
    target: TargetOption = DEFAULT_TARGET,
    clean: Annotated[bool, typer.Option("--clean", help="Stop what is past its limits.")] = False,
    json: JsonOption = False,
) -> None:
    """Find servers and clusters past their limits, with their cost; exit 3 if any is left."""
    from hub_user.janitor import make_round
    from pangeo_deploy.charts.values import load, settings
    from pangeo_deploy.monthly_cost import list_price  # few verbs need it
    from pangeo_deploy.targets import target_of

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
    counted = f"{seen.servers} servers and {seen.clusters} clusters were running"
    human: list[Any] = [f"{counted}; {len(seen.outstayed)} of them are past their limits."]
    if seen.outstayed:
        rows = [
            (one.kind, one.owner, one.reason, one.usd_per_hour or "not known", one.ended and "✓")
            for one in seen.outstayed
        ]
        columns = ("kind", "owner", "why", "USD an hour (list price)", "stopped")
        human.insert(0, table("Past their limits", columns, rows))
    show(seen.as_dict(), json, human)
    if not seen.ok:
        raise typer.Exit(CHECK_FAILED)
