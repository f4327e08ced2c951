"""Who reviewed what: the run, the pull request and the person behind a commit of main.

Everything is asked of GitHub. A run is trusted for what GitHub says that it was (workflow, event,
branch, repository), never for what its artifacts claim.
"""

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
            ("the workflow", _path(found), REVIEW),
            ("the event", found["event"], "workflow_dispatch"),
            ("the branch", found["head_branch"], MAIN),
            ("the repository", _repository(found), repository.name),
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


def approvers(repository: Repository, pull: Mapping[str, Any]) -> Iterator[str]:
    """Yield who may write here, is not the author, and approves of exactly the head."""
    last: dict[str, Mapping[str, Any]] = {}
    for review in repository.pages(f"pulls/{pull['number']}/reviews"):
        if review["state"] != "COMMENTED" and review["user"]:
            last[review["user"]["login"]] = review
    for login, review in sorted(last.items()):
        said_yes = review["state"] == "APPROVED" and review["commit_id"] == pull["head"]["sha"]
        if said_yes and login != pull["user"]["login"] and _may_write(repository, login):
            yield login


def guards(repository: Repository, environment: str, *, reviewers: bool) -> list[str]:
    """Return what is wrong with the protection of an environment; nothing if it is guarded."""
    found = repository.find(f"environments/{environment}")
    if found is None:
        return [f"{environment}: there is no such environment, and a run would make an open one"]
    rules = {rule["type"]: rule for rule in found.get("protection_rules", ())}
    wrong = []
    if reviewers and not (rules.get("required_reviewers") or {}).get("reviewers"):
        wrong.append(
            f"{environment}: nobody has to approve a deployment (GitHub offers required reviewers "
            "in public repositories, and in private ones with GitHub Enterprise)"
        )
    elif reviewers and not rules["required_reviewers"].get("prevent_self_review"):
        wrong.append(f"{environment}: who starts a deployment may approve it")
    if _branches(repository, environment, found) != [MAIN]:
        wrong.append(f"{environment}: may be used from other branches than {MAIN}")
    return wrong


def _branches(
    repository: Repository, environment: str, found: Mapping[str, Any]
) -> list[str] | None:
    """Return the branches that may use an environment; None for any, or any protected one."""
    policy = found.get("deployment_branch_policy") or {}
    if not policy.get("custom_branch_policies"):
        return None
    path = f"environments/{environment}/deployment-branch-policies"
    return [str(branch["name"]) for branch in repository.ask("GET", path)["branch_policies"]]


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
        if _path(run) == REVIEW
        and run["event"] == "pull_request"
        and run["head_sha"] == head["sha"]
        and run["head_branch"] == head["ref"]
        and _repository(run) == repository.name
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
        why=f"An approval of {pull['head']['sha'][:12]} is needed, by somebody else than its "
        "author who may write to this repository.",
        fix="Approve its last commit (also after the merge), and run this again.",
    )


def _may_write(repository: Repository, login: str) -> bool:
    found = repository.find(f"collaborators/{login}/permission") or {}
    return found.get("permission") in WRITERS


def _repository(run: Mapping[str, Any]) -> str:
    return str((run["head_repository"] or {}).get("full_name"))  # a deleted fork has none


def _path(run: Mapping[str, Any]) -> str:
    return str(run["path"]).partition("@")[0]  # GitHub adds the ref for required workflows


def number(text: str) -> int:
    """Return the number of a run that somebody typed."""
    if not text.isdecimal():
        raise BadInput(f"{text!r} is not the number of a run.", fix="Its address ends in it.")
    return int(text)
