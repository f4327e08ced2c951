"""The verb `delivery`: what the workflows call between a pull request and production."""

import shutil
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pangeo_core.errors import BadInput, CheckFailed
from pangeo_core.files import read_json, write_whole
from pangeo_deploy.cli.console import reporting, show
from pangeo_deploy.cli.delivery.jobs import RunOption
from pangeo_deploy.cli.delivery.reviews import ReviewsArgument, json_files, read_reviews
from pangeo_deploy.cli.options import ConfirmOption, EnvironmentArgument, JsonOption, TargetOption
from pangeo_deploy.deployment import DEFAULT_TARGET, Deployment, find_project

CommitOption = Annotated[str, typer.Option(help="The full name of the commit.")]
OutOption = Annotated[Path, typer.Option(help="The folder to write into.")]
FolderOfRecords = Annotated[str, typer.Option(help="The folder of the branch `records`.")]
Kind = StrEnum("Kind", ["deploy", "rollback", "event", "destroy"])
Outcome = StrEnum("Outcome", ["success", "failure"])


def plan(
    environment: EnvironmentArgument,
    commit: CommitOption,
    out: OutOption,
    destroy: Annotated[bool, typer.Option("--destroy", help="Plan its removal.")] = False,
    keep_data: Annotated[
        bool, typer.Option(help="With --destroy: leave homes and buckets.")
    ] = False,
    confirm: ConfirmOption = "",
    base: Annotated[
        str, typer.Option(help="A checkout to compare the charts with; empty for none.")
    ] = "",
    target: TargetOption = DEFAULT_TARGET,
    json: JsonOption = False,
) -> None:
    """Plan, price and check an environment, and write the review of the plan."""
    from pangeo_deploy.delivery import plan_review
    from pangeo_deploy.targets import target_of

    deployment = Deployment(environment, target)
    if destroy:
        target_of(deployment).require_confirmation(confirm)
    with reporting(f"Planning {environment}") as progress:
        review = (
            plan_review.make_destroy(deployment, commit, keep_data, progress)
            if destroy
            else plan_review.make(deployment, commit, progress, Path(base) if base else None)
        )
    file = plan_review.write(out, review)
    show(review, json, [_summary(review), f"The review is in {file}."])


def gate(reviews: ReviewsArgument) -> None:
    """Refuse plans that break a rule or exceed their budget; exit with 3 if any does."""
    from pangeo_deploy.delivery import plan_review

    plan_review.gate(read_reviews(reviews))
    show({"ok": True}, False, ["No rule is broken and no budget exceeded."])


def replan(
    environment: EnvironmentArgument,
    review: Annotated[Path, typer.Argument(help="The review that people saw.")],
    commit: CommitOption,
    reviewed: Annotated[str, typer.Option(help="The commit that was reviewed.")],
    out: OutOption,
    target: TargetOption = DEFAULT_TARGET,
    json: JsonOption = False,
) -> None:
    """Plan again, and save the plan for apply if it does only what was reviewed; else exit 3."""
    from pangeo_deploy.delivery import plan_review
    from pangeo_deploy.terraform import saved_plan

    deployment = Deployment(environment, target)
    seen = plan_review.read(review)
    if seen["commit"] != reviewed:
        raise CheckFailed(
            f"The review is of {seen['commit'][:12]}, not of {reviewed[:12]}.",
            fix=plan_review.AGAIN,
        )
    with reporting(f"Planning {environment}") as progress:
        fresh = plan_review.make(deployment, commit, progress)
    plan_review.write(out, fresh)
    try:
        plan_review.gate([fresh])
        done = plan_review.require_covered(fresh, seen)
    except CheckFailed:
        saved_plan.forget(deployment.folder / "plan.tfplan")  # no later step may apply it
        raise
    human = [_summary(fresh), "It does nothing that was not reviewed."]
    if done:
        human.append(f"{len(done)} reviewed changes are in place already.")
    show({**fresh, "already": done}, json, human)


def guards(target: TargetOption = DEFAULT_TARGET) -> None:
    """Print how GitHub protects environments and main; on aws exit with 3 if one is unprotected."""
    from pangeo_deploy.delivery import github
    from pangeo_deploy.delivery import guards as settings
    from pangeo_deploy.deployment import environments
    from pangeo_deploy.targets import named

    repository = github.from_environment()
    names = environments(find_project())
    wrong = [
        each
        for name in names
        for each in settings.of_environment(repository, name, reviewers=name == "prod")
    ] + settings.of_main(repository)
    for each in wrong:
        typer.echo(f"- {each}")
    if wrong and named(target).confirms:
        raise CheckFailed(
            "Nothing is deployed to AWS: environments or main are not protected.",
            why="\n".join(wrong),
            fix="Settings > Environments: reviewers for prod, and main as the only branch of each. "
            "Settings > Rules: a ruleset for main that requires a pull request, an approval, and "
            "approval of the most recent push.",
        )
    typer.echo(
        "Nothing is deployed to AWS from here." if wrong else "Environments and main are protected."
    )


def reviewed(
    commit: CommitOption,
    run: Annotated[str, typer.Option(help="A run of Review on main, by its number.")] = "",
    target: TargetOption = DEFAULT_TARGET,
) -> None:
    """Find who reviewed what is deployed: prints `run=` and `commit=`, as a job's outputs."""
    from pangeo_deploy.delivery import github, provenance
    from pangeo_deploy.targets import named

    repository, approval = github.from_environment(), named(target).confirms
    found = (
        provenance.by_hand(repository, provenance.number(run), commit, approval=approval)
        if run
        else provenance.of_merge(repository, commit, approval=approval)
    )
    typer.echo(f"run={found.run}\ncommit={found.commit}\npull={found.pull}")


def turn(environment: EnvironmentArgument) -> None:
    """Wait until no other job changes the environment; exit with 3 if a later one has."""
    from pangeo_deploy.delivery import github
    from pangeo_deploy.delivery import turn as turns

    repository = github.from_environment()
    with reporting(f"Waiting for {environment}") as progress:
        turns.wait(repository, environment, progress)
        turns.require_latest(repository, environment, turns.own_run())


def restore(
    source: Annotated[Path, typer.Argument(help="A checkout of what was deployed.")],
) -> None:
    """Put another checkout's terraform/ and helm/ in place of this one's; the calendar stays."""
    from pangeo_deploy.delivery.event_calendar import CALENDAR

    project = find_project()
    calendar = (project / CALENDAR).read_bytes() if (project / CALENDAR).exists() else None
    for name in ("terraform", "helm"):
        if not (source / name).is_dir():
            raise BadInput(f"{source} has no folder {name}.", fix="Name a checkout of the project.")
    for name in ("terraform", "helm"):
        shutil.rmtree(project / name)
        shutil.copytree(source / name, project / name)
    if calendar is not None:  # who is in a workshop keeps the room for it
        write_whole(project / CALENDAR, calendar)
    show({}, False, [f"terraform/ and helm/ are those of {source}."])


def record(
    environment: EnvironmentArgument,
    commit: CommitOption,
    out: OutOption,
    kind: Annotated[Kind, typer.Option(help="What was done.")] = Kind.deploy,
    outcome: Annotated[Outcome, typer.Option(help="How it ended.")] = Outcome.success,
    review: Annotated[Path | None, typer.Option(help="The review of what was applied.")] = None,
    part: Annotated[
        list[Path] | None, typer.Option(help="The JSON that a step printed, or a folder of them.")
    ] = None,
    run: RunOption = "",
    target: TargetOption = DEFAULT_TARGET,
    json: JsonOption = False,
) -> None:
    """Write down what a deployment did, also one that failed."""
    from pangeo_deploy.delivery import deployment_record as records
    from pangeo_deploy.delivery import plan_review

    done = plan_review.read(review) if review and review.exists() else None
    files = [file for path in part or () for file in json_files(path)]
    parts = {file.stem: content for file in files if (content := _content(file))}
    made = records.make(
        Deployment(environment, target),
        str(kind),
        commit,
        review=done,
        parts=parts,
        run=run,
        outcome=str(outcome),
    )
    show(made, json, [f"Recorded in {records.write(out, made)}."])


def deployed(
    environment: EnvironmentArgument,
    commit: CommitOption,
    records: Annotated[Path, typer.Option(help="The folder of the records.")],
    target: TargetOption = DEFAULT_TARGET,
) -> None:
    """Find the recorded deployment of a commit of main: prints `commit=`; exit with 3 if none is.

    A record is not believed alone: the commit must have come to main by an approved pull request.
    """
    from pangeo_deploy.delivery import deployment_record, github, provenance
    from pangeo_deploy.targets import named

    found = str(deployment_record.find(records, environment, commit)["commit"])
    approval = named(target).confirms
    provenance.require_merged(github.from_environment(), found, approval=approval)
    typer.echo(f"commit={found}")


def keep(
    files: Annotated[list[Path], typer.Argument(help="Files, or folders of them.")],
    under: FolderOfRecords = "deployments",
) -> None:
    """Add files to the repository's branch `records`."""
    from pangeo_deploy.delivery import github

    repository = github.from_environment()
    for file in sorted(each for path in files for each in json_files(path)):
        name = f"{under}/{file.name}"
        github.save_record(repository, name, file.read_bytes(), f"Record {file.stem}")
        show({}, False, [f"Saved {name}."])


def fetch(
    out: OutOption,
    under: FolderOfRecords = "deployments",
) -> None:
    """Download the files of the repository's branch `records`."""
    from pangeo_deploy.delivery import github

    names = []
    for name, content in github.saved_records(github.from_environment(), under):
        write_whole(out / Path(name).name, content)
        names.append(name)
    show({}, False, [f"{len(names)} files in {out}."])


def _summary(review: dict[str, Any]) -> str:
    from pangeo_deploy.delivery import plan_review

    counts = ", ".join(
        f"{review[action]} to {action}" for action in ("delete", "replace", "update", "create")
    )
    found = len(plan_review.problems(review))
    return f"{review['environment']} on {review['target']}: {counts}; {found} findings."


def _content(file: Path) -> dict[str, Any] | None:
    """Return what a step printed; None if it failed, or ended before it had printed all."""
    try:
        content = read_json(file)
    except BadInput:
        return None
    return content if isinstance(content, dict) and "error" not in content else None
