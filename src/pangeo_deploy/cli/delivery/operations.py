"""The verbs of `delivery` around a deployment: scheduled checks, API access, events, the site."""

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
from pangeo_deploy.deployment import Deployment, find_project

Check = StrEnum("Check", ["drift", "janitor", "support", "sweep"])
Turn = StrEnum("Turn", ["open", "shut"])


def watch(
    check: Annotated[Check, typer.Argument(help="What to look at.")],
    environment: EnvironmentArgument,
    out: Annotated[Path, typer.Option(help="The file to write the notice into.")],
    target: TargetOption = "rehearsal",
) -> None:
    """Run a scheduled check and write down its notice; what it finds is no failure of the check."""
    from pangeo_deploy.delivery.scheduled_checks import CHECKS

    with reporting(f"{check} of {environment}") as progress:
        notice = CHECKS[check](Deployment(environment, target), progress)
    write_whole(out, json_module.dumps(notice.as_dict(), indent=1))
    show({}, False, [notice.title if not notice.ok else f"{check} of {environment}: nothing."])


def notify(
    notices: Annotated[
        list[Path] | None, typer.Argument(help="Notices, or folders of them.")
    ] = None,
    outcome: Annotated[str, typer.Option(help="Tell of the jobs in --needs under this name.")] = "",
    needs: NeedsOption = "{}",
    run: RunOption = "",
) -> None:
    """Open, update or close one issue for each notice, and one for jobs that failed."""
    from pangeo_deploy.delivery import github
    from pangeo_deploy.delivery import notices as room

    repository = github.from_environment()
    found = room.read(one for one in notices or () if one.exists())
    if outcome:
        found.append(room.outcome(outcome, jobs(needs), run))
    issues = github.open_issues(repository)
    done = [room.upkeep(one, issues) for one in found]
    for what in done:
        url = github.carry_out(repository, what)
        show({}, False, [f"{what.action}: {what.title} {url}".rstrip()])


def door(
    turn: Annotated[Turn, typer.Argument(help="What to do.")],
    environment: EnvironmentArgument,
    target: TargetOption = "rehearsal",
) -> None:
    """Open the Kubernetes API to this machine's address, or shut it to it again."""
    from pangeo_deploy.delivery import api_access as room
    from pangeo_deploy.targets import connect
    from pangeo_deploy.terraform.lifecycle import recorded

    deployment = Deployment(environment, target)
    declared = room.declared(recorded(deployment))
    with reporting(f"The API of {environment}"), connect(deployment) as cloud:
        eks, mine = cloud.client("eks"), room.own_network()
        if turn == Turn.open:
            now = room.open_to(eks, deployment.name, mine)
        else:
            now = room.shut_to(eks, deployment.name, mine, declared)
    reach = ", ".join(sorted(now.networks)) if now.public else "nobody outside of its network"
    show({}, False, [f"The API of {environment} is open to {reach}."])


def event(
    name: Annotated[str, typer.Argument(help="An event of helm/events.yaml.")],
    lay: Annotated[
        bool, typer.Option("--lay", help="Lay its values over the environment's, in this checkout.")
    ] = False,
    outputs: Annotated[
        bool, typer.Option("--outputs", help="Print `environment=`, as a job's output.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Price an event of the calendar beyond the always-on floor; with --lay make room for it."""
    from pangeo_deploy.delivery import event_calendar

    project = find_project()
    found = event_calendar.find(project, name)
    if outputs:
        typer.echo(f"environment={found.environment}")
        return
    cost = event_calendar.expected(project, found)
    if lay:
        event_calendar.lay(project, found)
    rows = [
        (one["what"], one["count"], one["hours"], one["machines"], one["node_type"], one["usd"])
        for one in cost["lines"]
    ]
    columns = ("what", "how many", "hours each", "machines", "type", "cost (USD)")
    human: list[Any] = [
        table(f"{name} in {found.environment}, {found.days} days (modelled)", columns, rows),
        f"{cost['usd']} USD in all, {cost['usd_per_person']} USD a person, at list prices.",
    ]
    show(cost, json, human)


def month(
    environment: EnvironmentArgument,
    out: Annotated[Path, typer.Option(help="The folder to write it into.")],
    name: Annotated[str, typer.Option("--month", help="YYYY-MM; the last one if not named.")] = "",
    sessions: Annotated[Path | None, typer.Option(help="The month's sessions.")] = None,
    target: TargetOption = "rehearsal",
    json: JsonOption = False,
) -> None:
    """Write down a month's cost and usage for the book; made up in the rehearsal."""
    from pangeo_deploy.delivery import monthly_figures as room

    last = datetime.now(UTC).replace(day=1) - timedelta(days=1)
    with reporting("Reading the month") as progress:
        deployment = Deployment(environment, target)
        made = room.report(deployment, name or f"{last:%Y-%m}", sessions, progress)
    file = out / f"{environment}-{made['month']}.json"
    write_whole(file, json_module.dumps(made, indent=1) + "\n")
    told = f"{made['month']}: {made['total']} USD ({made['origin']}), in {file}."
    show(made, json, [told])


def site(
    book: Annotated[Path, typer.Option(help="The book of main.")],
    out: Annotated[Path, typer.Option(help="The folder of the site; it is replaced.")],
) -> None:
    """Lay the books of earlier releases beside main's."""
    from pangeo_deploy.delivery import github
    from pangeo_deploy.delivery.published_site import assemble

    versions = assemble(book, github.books(github.from_environment()), out)
    show({}, False, [f"{out}: main, {', '.join(versions) or 'no release'}."])
