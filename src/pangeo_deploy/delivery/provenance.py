"""Who reviewed what: the run, the pull request and the person behind a commit of main.

Everything is asked of GitHub. A run is trusted for what GitHub says that it was (workflow, event,
branch, repository), never for what its artifacts claim.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pangeo_core.errors import BadInput, CheckFailed
from pangeo_deploy.delivery.github import Repository

MAIN = "main"
REVIEW = ".github/workflows/review.yml"
# What must have passed. A preview of the book or a comment that failed does not stop a deployment.
JOBS = ("Checks", "Tests", "Plan ")
WRITERS = ("admin", "write")
BY_HAND = "Run the workflow Review on main, read its plans, and give Deploy its run's number."


@dataclass(frozen=True)
class Reviewed:
    """The run whose reviews people saw, the commit it planned, its pull request, who approved."""

    run: int
    commit: str
    pull: int
    approved_by: tuple[str, ...]


def of_merge(repository: Repository, commit: str, *, approval: bool = True) -> Reviewed:
    """Return the review of the pull request that brought `commit` to main.

    However it was merged: as a merge commit, squashed, rebased, or by a merge queue. Raises
    `CheckFailed` for a commit that no pull request brought, a review that is not of exactly that
    pull request and head, or did not pass, and with `approval` for a head that nobody approved.
    """
    pull = pull_of(repository, commit)
    head = str(pull["head"]["sha"])
    _require_one_pull(repository, pull)
    run = _run_of(repository, pull)
    _require_jobs(repository, int(run["id"]))
    approved = tuple(approvers(repository, pull))
    if approval and not approved:
        raise _unapproved(pull)
    return Reviewed(int(run["id"]), head, int(pull["number"]), approved)


def by_hand(repository: Repository, run: int, commit: str, *, approval: bool = True) -> Reviewed:
    """Return a review that somebody made by running Review on main at exactly `commit`."""
    found = repository.ask("GET", f"actions/runs/{run}")
    wrong = [
        f"{what} is {is_} and must be {must}"
        for what, is_, must in (
            ("the workflow", file_of(found), REVIEW),
            ("the event", found["event"], "workflow_dispatch"),
            ("the branch", found["head_branch"], MAIN),
            ("the repository", repository_of(found), repository.name),
            ("the commit", found["head_sha"], commit),
        )
        if is_ != must
    ]
    if wrong:
        raise CheckFailed(
            f"Run {run} is not a review of what is deployed.", why="; ".join(wrong), fix=BY_HAND
        )
    _require_jobs(repository, run)
    pull = pull_of(repository, commit)
    approved = tuple(approvers(repository, pull))
    if approval and not approved:
        raise _unapproved(pull)
    return Reviewed(run, commit, int(pull["number"]), approved)


def pull_of(repository: Repository, commit: str) -> Mapping[str, Any]:
    """Return the pull request whose merge into main made `commit`."""
    found: list[Mapping[str, Any]] = [
        pull
        for pull in repository.ask("GET", f"commits/{commit}/pulls")
        if pull.get("merged_at")
        and pull["base"]["ref"] == MAIN
        and pull["merge_commit_sha"] == commit
    ]
    if not found:
        raise CheckFailed(
            f"{commit[:12]} came to {MAIN} without a pull request: nobody saw a plan.",
            why="Protect main, so that it changes by pull requests only.",
            fix="Merge a pull request; what it contains is then planned and deployed.",
        )
    return found[0]


def require_merged(repository: Repository, commit: str, *, approval: bool = True) -> None:
    """Refuse (`CheckFailed`) a commit that did not come to main by an approved pull request.

    Whoever may write can push any record to the branch of records, and any commit to GitHub.
    """
    if not re.fullmatch("[0-9a-f]{40}", commit):
        raise BadInput(f"{commit!r} is not the full name of a commit.")
    compared = repository.find(f"compare/{commit}...{MAIN}") or {}
    if compared.get("status") not in ("ahead", "identical"):
        raise CheckFailed(
            f"{commit[:12]} is not a commit of {MAIN}.",
            why="Nobody merged it, whatever its record says.",
            fix=f"Name a commit of {MAIN} that was deployed.",
        )
    pull = pull_of(repository, commit)
    if approval and not list(approvers(repository, pull)):
        raise _unapproved(pull)


def approvers(repository: Repository, pull: Mapping[str, Any]) -> Iterator[str]:
    """Yield the people who may write here, made none of it, and approve of exactly the head.

    A program's approval does not count: any workflow of any branch can have the token of
    github-actions[bot]. Nor does that of somebody who added a commit: Dependabot's branches and
    those of others are open to all who may write.
    """
    last: dict[str, Mapping[str, Any]] = {}
    for review in repository.pages(f"pulls/{pull['number']}/reviews"):
        if review["state"] != "COMMENTED" and review["user"]:
            last[review["user"]["login"]] = review
    agreed = {
        login
        for login, review in last.items()
        if review["state"] == "APPROVED"
        and review["commit_id"] == pull["head"]["sha"]
        and review["user"]["type"] == "User"
    }
    if not agreed:
        return
    for login in sorted(agreed - _authors(repository, pull)):
        if _may_write(repository, login):
            yield login


def _authors(repository: Repository, pull: Mapping[str, Any]) -> set[str]:
    """Return who opened a pull request, and who wrote or committed its commits."""
    commits = repository.pages(f"pulls/{pull['number']}/commits")
    known = (each[role] for each in commits for role in ("author", "committer"))
    return {pull["user"]["login"], *(one["login"] for one in known if one)}


def _require_one_pull(repository: Repository, pull: Mapping[str, Any]) -> None:
    """Refuse a head that was also offered to another branch, whose files would have reviewed it."""
    head = pull["head"]
    same = [
        each
        for each in repository.pages("pulls", head=head["label"], state="all")
        if each["head"]["sha"] == head["sha"] and each["number"] != pull["number"]
    ]
    if same:
        raise CheckFailed(
            f"{head['sha'][:12]} is the head of several pull requests.",
            why=f"Beside {pull['number']}: {', '.join(str(each['number']) for each in same)}. "
            "Which of them a review was of cannot be told.",
            fix=BY_HAND,
        )


def _run_of(repository: Repository, pull: Mapping[str, Any]) -> Mapping[str, Any]:
    head, number = pull["head"], pull["number"]
    file = REVIEW.rpartition("/")[2]
    query = {"head_sha": head["sha"], "event": "pull_request"}
    known = list(repository.pages(f"actions/workflows/{file}/runs", "workflow_runs", **query))
    since = _retargeted(repository, int(number))
    fitting = [
        run
        for run in known
        if file_of(run) == REVIEW
        and run["event"] == "pull_request"
        and run["head_sha"] == head["sha"]
        and run["head_branch"] == head["ref"]
        and repository_of(run) == repository.name
        and run["created_at"] > since
    ]
    if not fitting:
        raise CheckFailed(
            f"Pull request {number} was merged without a review of its head.",
            why=f"{len(known)} runs of Review for {head['sha'][:12]}; none is of this pull "
            "request, in this repository, since it is meant for main.",
            fix=BY_HAND,
        )
    return max(fitting, key=lambda run: int(run["id"]))


def _retargeted(repository: Repository, number: int) -> str:
    """Return when a pull request was last given another base; the empty text for never."""
    events = repository.pages(f"issues/{number}/events")
    moments = [str(one["created_at"]) for one in events if one["event"] == "base_ref_changed"]
    return max(moments, default="")


def _require_jobs(repository: Repository, run: int) -> None:
    jobs = list(repository.pages(f"actions/runs/{run}/jobs", "jobs", filter="latest"))
    bad = [
        f"{job['name']}: {job['conclusion'] or job['status']}"
        for job in jobs
        if job["name"].startswith(JOBS) and job["conclusion"] not in ("success", "skipped")
    ]
    passed = [job for job in jobs if job["conclusion"] == "success"]
    if missing := [name for name in JOBS if not any(j["name"].startswith(name) for j in passed)]:
        bad += [f"{name.strip()}: did not run" for name in missing]
    if bad:
        raise CheckFailed(
            f"Review {run} did not pass.", why="; ".join(bad), fix="Correct it and merge again."
        )


def _unapproved(pull: Mapping[str, Any]) -> CheckFailed:
    return CheckFailed(
        f"Nobody approved pull request {pull['number']} as it was merged.",
        why=f"An approval of {pull['head']['sha'][:12]} is needed, by somebody who may write to "
        "this repository and is the author of none of its commits.",
        fix="Approve its last commit (also after the merge), and run this again.",
    )


def _may_write(repository: Repository, login: str) -> bool:
    found = repository.find(f"collaborators/{login}/permission") or {}
    return found.get("permission") in WRITERS


def repository_of(run: Mapping[str, Any]) -> str:
    """Return the repository that a run's commit came from."""
    return str((run["head_repository"] or {}).get("full_name"))  # a deleted fork has none


def file_of(run: Mapping[str, Any]) -> str:
    """Return the file of a run's workflow."""
    return str(run["path"]).partition("@")[0]  # GitHub adds the ref for required workflows


def number(text: str) -> int:
    """Return the number of a run that somebody typed."""
    if not text.isdecimal():
        raise BadInput(f"{text!r} is not the number of a run.", fix="Its address ends in it.")
    return int(text)
