"""The part of the verb `delivery` around a deployment: scheduled checks, API access, events."""

import json as json_module
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pangeo_core.files import write_whole
from pangeo_deploy.cli.console import reporting, show, table
from pangeo_deploy.cli.delivery.jobs import NeedsOption, RunOption, jobs
from pangeo_deploy.cli.options import EnvironmentArgument, JsonOption, TargetOption
from pangeo_deploy.deployment import DEFAULT_TARGET, Deployment, find_project

Check = StrEnum("Check", ["drift", "janitor", "support", "sweep", "undeployed"])
Action = StrEnum("Action", ["open", "close", "reset"])
Room = StrEnum("Room", ["extend", "shrink"])


def watch(
    check: Annotated[Check, typer.Argument(help="What to check.")],
    environment: EnvironmentArgument,
    out: Annotated[Path, typer.Option(help="The file to write the notice into.")],
    target: TargetOption = DEFAULT_TARGET,
) -> None:
    """Run a scheduled check and write its notice; what it finds is no failure of the check."""
    from pangeo_deploy.delivery.scheduled_checks import CHECKS

    with reporting(f"{check} of {environment}") as progress:
        notice = CHECKS[check](Deployment(environment, target), progress)
    write_whole(out, json_module.dumps(notice.as_dict(), indent=1))
    show({}, False, [notice.title if not notice.ok else f"{check} of {environment}: nothing."])


def notify(
    notices: Annotated[
        list[Path] | None, typer.Argument(help="Notices, or folders of them.")
    ] = None,
    outcome: Annotated[str, typer.Option(help="Report the jobs in --needs under this name.")] = "",
    needs: NeedsOption = "{}",
    run: RunOption = "",
) -> None:
    """Open, update or close one issue for each notice, and one for jobs that failed."""
    from pangeo_deploy.delivery import github
    from pangeo_deploy.delivery import notices as writing

    repository = github.from_environment()
    found = writing.read(path for path in notices or () if path.exists())
    if outcome:
        found.append(writing.outcome(outcome, jobs(needs), run))
    if not github.has_issues(repository):
        # As in a new fork: what there is to say stands in the run's log, and nothing fails.
        said = [notice.title for notice in found if not notice.ok]
        show(
            {}, False, ["Issues are switched off in this repository (Settings > Features).", *said]
        )
        return
    issues = github.open_issues(repository)
    for what in [writing.upkeep(notice, issues) for notice in found]:
        url = github.carry_out(repository, what)
        show({}, False, [f"{what.action}: {what.title} {url}".rstrip()])


def api_access(
    action: Annotated[Action, typer.Argument(help="What to do; reset closes what was left open.")],
    environment: EnvironmentArgument,
    out: Annotated[Path | None, typer.Option(help="The file for the notice of a reset.")] = None,
    target: TargetOption = DEFAULT_TARGET,
) -> None:
    """Open the Kubernetes API to this machine, or close it again; prints whether it is there."""
    from pangeo_deploy.delivery import api_access as access
    from pangeo_deploy.delivery import github, notices
    from pangeo_deploy.delivery import turn as turns
    from pangeo_deploy.targets import connect

    deployment = Deployment(environment, target)
    always = access.declared(deployment)
    with reporting(f"The API of {environment}"), connect(deployment) as cloud:
        eks = cloud.client("eks")
        before = access.current(eks, deployment.name)
        if action == Action.open:
            now = access.open_to(eks, deployment.name, access.own_network(), always)
        elif action == Action.reset and turns.others(github.from_environment(), environment, 0):
            now = before  # somebody is at work, and needs it
        else:
            now = access.set_to(eks, deployment.name, always)
    if action == Action.open and now:
        access.write_kubeconfig(deployment.name)
    if out:
        closed = notices.left_open(environment, before, now)
        write_whole(out, json_module.dumps(closed.as_dict(), indent=1))
    typer.echo(f"cluster={'true' if now else 'false'}")
    typer.echo(
        f"The API of {environment} is open to {now or 'nobody: there is no cluster'}.", err=True
    )


def event(
    name: Annotated[str, typer.Argument(help="An event of helm/events.yaml.")],
    room: Annotated[
        Room | None, typer.Option(help="Refuse if today the calendar does not say so.")
    ] = None,
    outputs: Annotated[
        bool, typer.Option("--outputs", help="Print `environment=`, as a job's output.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Price an event of the calendar, beyond the always-on floor."""
    from pangeo_deploy.delivery import event_calendar

    project = find_project()
    found = event_calendar.find(project, name)
    if room:
        event_calendar.require_room(found, room == Room.extend, datetime.now(UTC).date())
    if outputs:
        typer.echo(f"environment={found.environment}")
        return
    cost = event_calendar.expected(project, found)
    rows = [
        tuple(line[key] for key in ("what", "count", "hours", "machines", "node_type", "usd"))
        for line in cost["lines"]
    ]
    columns = ("what", "how many", "hours each", "machines", "type", "cost (USD)")
    human: list[Any] = [
        table(f"{name} in {found.environment}, {found.days} days (modelled)", columns, rows),
        f"{cost['usd']} USD in all, {cost['usd_per_person']} USD a person, at list prices.",
    ]
    show(cost, json, human)


def room(environment: EnvironmentArgument) -> None:
    """Lay today's events of the calendar over the environment's values, in this checkout."""
    from pangeo_deploy.delivery import event_calendar

    project = find_project()
    names = event_calendar.lay_current(project, environment, datetime.now(UTC).date())
    told = f"{environment} has room for {', '.join(names)}." if names else "No event today."
    show({"events": names}, False, [told])


def month(
    environment: EnvironmentArgument,
    out: Annotated[Path, typer.Option(help="The folder to write it into.")],
    name: Annotated[str, typer.Option("--month", help="YYYY-MM; the last one if not named.")] = "",
    sessions: Annotated[Path | None, typer.Option(help="The month's sessions.")] = None,
    target: TargetOption = DEFAULT_TARGET,
    json: JsonOption = False,
) -> None:
    """Write down a month's cost and usage for the book; made up in the rehearsal."""
    from pangeo_deploy.delivery import monthly_figures

    last = datetime.now(UTC).replace(day=1) - timedelta(days=1)
    with reporting("Reading the month") as progress:
        deployment = Deployment(environment, target)
        made = monthly_figures.report(deployment, name or f"{last:%Y-%m}", sessions, progress)
    file = out / f"{environment}-{made['month']}.json"
    write_whole(file, json_module.dumps(made, indent=1) + "\n")
    told = f"{made['month']}: {made['total']} USD ({made['origin']}), in {file}."
    show(made, json, [told])


def pages() -> None:
    """Tell whether GitHub Pages are switched on: prints `enabled=`, as a job's output."""
    from pangeo_deploy.delivery import github

    enabled = github.has_pages(github.from_environment())
    typer.echo(f"enabled={'true' if enabled else 'false'}")
    if not enabled:  # a notice on the run's own page
        typer.echo(
            "::notice title=The book is not published::Pages are switched off in this repository "
            "(Settings > Pages > Source: GitHub Actions).",
            err=True,
        )


def site(
    book: Annotated[Path, typer.Option(help="The book of main.")],
    out: Annotated[Path, typer.Option(help="The folder of the site; it is replaced.")],
) -> None:
    """Lay the books of earlier releases beside main's."""
    from pangeo_deploy.delivery import github
    from pangeo_deploy.delivery.published_site import assemble

    versions = assemble(book, github.books(github.from_environment()), out)
    show({}, False, [f"{out}: main, {', '.join(versions) or 'no release'}."])
