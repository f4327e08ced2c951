"""The verb `delivery`: what the workflows call between plan and production."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pangeo_core.errors import BadInput
from pangeo_core.files import read_json, write_whole
from pangeo_deploy.cli.console import reporting, show
from pangeo_deploy.cli.delivery.jobs import NeedsOption, RunOption, jobs
from pangeo_deploy.cli.options import EnvironmentArgument, JsonOption, TargetOption
from pangeo_deploy.deployment import Deployment

CommitOption = Annotated[str, typer.Option(help="The commit, by its whole name.")]
BundleArgument = Annotated[Path, typer.Argument(help="The folder that `delivery plan` wrote.")]
BundlesArgument = Annotated[list[Path], typer.Argument(help="Folders that `delivery plan` wrote.")]
Kind = StrEnum("Kind", ["deploy", "rollback", "event", "destroy"])


def plan(
    environment: EnvironmentArgument,
    commit: CommitOption,
    out: Annotated[Path, typer.Option(help="The folder to write; it is replaced.")],
    target: TargetOption = "rehearsal",
    json: JsonOption = False,
) -> None:
    """Plan, price and check, and seal the plan in a folder that can be carried elsewhere."""
    from pangeo_deploy.delivery import plan_bundle

    with reporting(f"Planning {environment}") as progress:
        review = plan_bundle.make(Deployment(environment, target), commit, out, progress)
    counts = ", ".join(
        f"{review[one]} to {one}" for one in ("delete", "replace", "update", "create")
    )
    found = len(plan_bundle.problems(review))
    human = [f"{environment} on {target}: {counts}; {found} findings.", f"Sealed in {out}."]
    show(review, json, human)


def gate(bundles: BundlesArgument) -> None:
    """Refuse plans that break a rule or pass their budget; exit 3 if any does."""
    from pangeo_deploy.delivery import plan_bundle

    plan_bundle.gate(bundles)
    show({"ok": True}, False, ["No rule is broken and no budget passed."])


def verify(
    environment: EnvironmentArgument,
    folder: BundleArgument,
    commit: CommitOption,
    target: TargetOption = "rehearsal",
    json: JsonOption = False,
) -> None:
    """Say whether a folder holds the plan that was reviewed, for this commit; exit 3 if not."""
    from pangeo_deploy.delivery import plan_bundle

    review = plan_bundle.verify(Deployment(environment, target), folder, commit)
    show(review, json, [f"The plan of {environment} is the one made {review['made']}."])


def comment(
    bundles: BundlesArgument,
    run: RunOption = "",
    preview: Annotated[str, typer.Option(help="Where the book with the change is.")] = "",
    needs: NeedsOption = "{}",
) -> None:
    """Print the pull request's comment as Markdown: destroys first, cost, findings."""
    from pangeo_deploy.delivery import plan_bundle
    from pangeo_deploy.delivery.pull_request_comment import comment as write

    folders = [one for one in bundles if (one / plan_bundle.REVIEW).exists()]
    text = write(map(plan_bundle.read, folders), run=run, preview=preview, results=_results(needs))
    typer.echo(text, nl=False)


def say(
    file: Annotated[Path, typer.Argument(help="The comment that `delivery comment` printed.")],
    pull_request: Annotated[int, typer.Option(help="The pull request's number.")],
) -> None:
    """Write the comment on the pull request, over the one from the last time."""
    from pangeo_deploy.delivery import github
    from pangeo_deploy.delivery.pull_request_comment import MARKER

    url = github.say(github.from_environment(), pull_request, MARKER, file.read_text())
    show({"url": url}, False, [url])


def reviewed(
    commit: CommitOption,
    workflow: Annotated[str, typer.Option(help="The workflow that plans.")] = "review.yml",
    run: Annotated[str, typer.Option(help="A run by its number, not the merged one's.")] = "",
) -> None:
    """Find the run whose plans were reviewed: prints `run=` and `commit=`, as a job's outputs."""
    from pangeo_deploy.delivery import github

    repository = github.from_environment()
    if run and not run.isdecimal():
        raise BadInput(f"{run!r} is not the number of a run.")
    found = (
        github.planned_by(repository, int(run))
        if run
        else github.reviewed(repository, commit, workflow)
    )
    typer.echo(f"run={found.run}\ncommit={found.commit}")


def record(
    environment: EnvironmentArgument,
    commit: CommitOption,
    out: Annotated[Path, typer.Option(help="The folder to write it into.")],
    kind: Annotated[Kind, typer.Option(help="What was done.")] = Kind.deploy,
    bundle: Annotated[Path | None, typer.Option(help="The bundle that was applied.")] = None,
    part: Annotated[
        list[Path] | None, typer.Option(help="The JSON that a step printed, or a folder of them.")
    ] = None,
    run: RunOption = "",
    target: TargetOption = "rehearsal",
    json: JsonOption = False,
) -> None:
    """Write down what a deployment did."""
    from pangeo_deploy.delivery import deployment_record as records
    from pangeo_deploy.delivery import plan_bundle as bundles

    review = bundles.read(bundle) if bundle else None
    files = [file for one in part or () for file in _json_files(one)]
    parts = {file.stem: read_json(file) for file in files}
    made = records.make(
        Deployment(environment, target), str(kind), commit, review=review, parts=parts, run=run
    )
    show(made, json, [f"Recorded in {records.write(out, made)}."])


def deployed(
    environment: EnvironmentArgument,
    commit: CommitOption,
    records: Annotated[Path, typer.Option(help="The folder of the records.")],
) -> None:
    """Say which recorded deployment a commit was: prints `commit=`; exit 3 if it was none."""
    from pangeo_deploy.delivery import deployment_record as room

    typer.echo(f"commit={room.find(records, environment, commit)['commit']}")


def keep(
    files: Annotated[list[Path], typer.Argument(help="Files, or folders of them.")],
    under: Annotated[str, typer.Option(help="The folder of the branch `records`.")] = "deployments",
) -> None:
    """Add files to the repository's branch `records`."""
    from pangeo_deploy.delivery import github

    repository = github.from_environment()
    # A folder that is not there holds what no job has left: nothing.
    found = [
        one for path in files for one in (path.rglob("*.json") if not path.is_file() else [path])
    ]
    for file in sorted(found):
        name = f"{under}/{file.name}"
        github.keep(repository, name, file.read_bytes(), f"Record {file.stem}")
        show({}, False, [f"Kept {name}."])


def fetch(
    out: Annotated[Path, typer.Option(help="The folder to write them into.")],
    under: Annotated[str, typer.Option(help="The folder of the branch `records`.")] = "deployments",
) -> None:
    """Bring the files of the repository's branch `records` here."""
    from pangeo_deploy.delivery import github

    names = []
    for name, content in github.kept(github.from_environment(), under):
        write_whole(out / Path(name).name, content)
        names.append(name)
    show({}, False, [f"{len(names)} files in {out}."])


def _results(text: str) -> dict[str, str]:
    return {name: str(one.get("result", "")) for name, one in jobs(text).items()}


def _json_files(path: Path) -> list[Path]:
    return sorted(path.glob("*.json")) if path.is_dir() else [path]
