"""Commands in a comment on a pull request: what `/plan` and `/apply` do, and for whom.

A command only runs again what GitHub runs by itself: a review, or what a deployment has left
undone. Nothing that a comment says reaches a shell, and no review or approval is passed by.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pangeo_deploy.delivery.github import Repository
from pangeo_deploy.delivery.provenance import REVIEW, WRITERS
from pangeo_deploy.delivery.turn import DEPLOY

Pull = Mapping[str, Any]


def carry_out(repository: Repository, number: int, login: str, comment: str) -> str:
    """Do what a comment's first word asks for, and return the answer; empty if it asks nothing.

    `login` must be of somebody who may write to the repository.
    """
    words = comment.split()
    command = COMMANDS.get(words[0]) if words else None
    if command is None:
        return ""
    found = repository.find(f"collaborators/{login}/permission") or {}
    if found.get("permission") not in WRITERS:
        return f"Only people who may write to this repository can say `{words[0]}`."
    return command(repository, repository.ask("GET", f"pulls/{number}"))


def _plan(repository: Repository, pull: Pull) -> str:
    if pull.get("merged_at"):
        return "It is merged: run `Review` by hand on main, to plan what main holds."
    run = _latest(repository, REVIEW, str(pull["head"]["sha"]), "pull_request")
    if run is None:
        return "Its last commit has no review yet."
    if run["status"] != "completed":
        return f"Its review is at work: {run['html_url']}"
    repository.act(f"actions/runs/{run['id']}/rerun")
    return f"It is reviewed and planned again: {run['html_url']}"


def _apply(repository: Repository, pull: Pull) -> str:
    if not pull.get("merged_at"):
        return "A change is applied when it is merged, in staging and then, once approved, in prod."
    run = _latest(repository, DEPLOY, str(pull["merge_commit_sha"]), "push")
    if run is None:
        return "Its merge began no deployment: it changes neither `terraform/` nor `helm/`."
    if run["status"] != "completed":
        return f"Its deployment is at work, or waits for its approval: {run['html_url']}"
    if run["conclusion"] == "success":
        return f"It is deployed: {run['html_url']}"
    repository.act(f"actions/runs/{run['id']}/rerun-failed-jobs")
    return f"What was left undone is done again: {run['html_url']}"


COMMANDS: Mapping[str, Callable[[Repository, Pull], str]] = {"/plan": _plan, "/apply": _apply}


def _latest(
    repository: Repository, workflow: str, commit: str, event: str
) -> Mapping[str, Any] | None:
    file, query = workflow.rpartition("/")[2], {"head_sha": commit, "event": event}
    runs = repository.pages(f"actions/workflows/{file}/runs", "workflow_runs", **query)
    return max(runs, key=lambda run: int(run["id"]), default=None)
