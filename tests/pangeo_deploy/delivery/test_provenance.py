"""Which reviews are believed: the run, the pull request, the person, and what forgers try."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pangeo_core.errors import BadInput, CheckFailed
from pangeo_deploy.delivery import provenance, turn
from pangeo_deploy.delivery.github import Repository
from tests.pangeo_deploy.delivery.github import GitHub, served

MERGE, HEAD = "m" * 40, "a" * 40
NAME = "some/repository"


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    """A repository whose pull request 7 was reviewed by run 1, approved by ben, and merged."""
    with served(GitHub(NAME, tmp_path)) as made:
        made.tokens["reads"] = dict.fromkeys(("actions", "pull-requests", "issues"), "read")
        made.pulls[7] = pull(7)
        made.runs[1] = run(1)
        made.jobs[1] = jobs()
        made.roles["ben"] = "write"
        made.reviews[7] = [review("ben")]
        yield made


@pytest.fixture
def repository(github: GitHub) -> Repository:
    return Repository(github.repository, github.api, "reads")


def pull(number: int, **changes: Any) -> dict[str, Any]:
    head = {"sha": HEAD, "ref": "change", "label": "some:change", "repo": {"full_name": NAME}}
    known = {"number": number, "head": head, "base": {"ref": "main"}, "user": {"login": "ann"},
             "merged_at": "then", "merge_commit_sha": MERGE}  # fmt: skip
    return known | changes


def run(number: int, **changes: Any) -> dict[str, Any]:
    known = {"id": number, "path": provenance.REVIEW, "event": "pull_request", "head_sha": HEAD,
             "head_branch": "change", "head_repository": {"full_name": NAME}, "status": "completed",
             "created_at": "2026-11-26T12:00:00Z", "conclusion": "success"}  # fmt: skip
    return known | changes


def jobs(**results: str) -> list[dict[str, Any]]:
    names = ("Checks", "Tests", "Book", "Plan staging", "Plan prod", "Comment")
    return [
        {"name": name, "status": "completed", "conclusion": results.get(name.split()[0], "success")}
        for name in names
    ]


def review(login: str, state: str = "APPROVED", commit: str = HEAD) -> dict[str, Any]:
    return {"user": {"login": login}, "state": state, "commit_id": commit}


def test_a_merged_and_approved_review_is_believed(github: GitHub, repository: Repository) -> None:
    assert provenance.of_merge(repository, MERGE) == provenance.Reviewed(1, HEAD, 7, ("ben",))
    github.jobs[1] = jobs(Book="failure", Comment="failure")  # nothing that is deployed
    github.runs[1]["conclusion"] = "failure"
    assert provenance.of_merge(repository, MERGE).run == 1
    github.runs[2], github.jobs[2] = run(2), jobs()
    assert provenance.of_merge(repository, MERGE).run == 2
    assert github.refused == []


@pytest.mark.parametrize(
    "forged",
    [
        {"path": ".github/workflows/my-own.yml"},
        {"event": "push"},
        {"event": "workflow_dispatch"},
        {"head_sha": "b" * 40},
        {"head_branch": "another"},
        {"head_repository": {"full_name": "someone/fork"}},
        {"head_repository": None},
    ],
)
def test_a_run_of_anything_else_is_not(
    github: GitHub, repository: Repository, forged: dict[str, Any]
) -> None:
    """The old code took the newest green run of a head, whatever workflow or fork had made it."""
    github.runs[1] = run(1, **forged)
    with pytest.raises(CheckFailed, match="without a review of its head"):
        provenance.of_merge(repository, MERGE)
    with pytest.raises(CheckFailed, match="not a review of what is deployed"):
        provenance.by_hand(repository, 1, MERGE)


def test_a_head_offered_to_an_attackers_branch_too_is_refused(
    github: GitHub, repository: Repository
) -> None:
    """A second pull request of the same head is reviewed by the files of another base."""
    evil = pull(8, base={"ref": "evil-base"}, merged_at=None, merge_commit_sha="")
    github.pulls[8] = evil
    github.runs[9] = run(9)
    with pytest.raises(CheckFailed, match="the head of several pull requests"):
        provenance.of_merge(repository, MERGE)


def test_a_review_from_before_the_base_was_changed_is_refused(
    github: GitHub, repository: Repository
) -> None:
    changed = {"event": "base_ref_changed", "created_at": "2026-11-26T12:30:00Z"}
    github.events[7] = [changed]
    with pytest.raises(CheckFailed, match="since it is meant for main"):
        provenance.of_merge(repository, MERGE)
    github.runs[2], github.jobs[2] = run(2, created_at="2026-11-26T13:00:00Z"), jobs()
    assert provenance.of_merge(repository, MERGE).run == 2


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"merge_commit_sha": "x" * 40}, "without a pull request"),
        ({"base": {"ref": "release"}}, "without a pull request"),
        ({"merged_at": None}, "without a pull request"),
    ],
)
def test_a_commit_that_no_pull_request_merged_is_refused(
    github: GitHub, repository: Repository, changes: dict[str, Any], told: str
) -> None:
    github.pulls[7] |= changes
    with pytest.raises(CheckFailed, match=told):
        provenance.of_merge(repository, MERGE)


@pytest.mark.parametrize("job", ["Checks", "Tests", "Plan"])
def test_a_review_that_failed_is_refused(github: GitHub, repository: Repository, job: str) -> None:
    github.jobs[1] = jobs(**{job: "failure"})
    with pytest.raises(CheckFailed, match="did not pass"):
        provenance.of_merge(repository, MERGE)
    github.jobs[1] = [each for each in jobs() if not each["name"].startswith(job)]
    with pytest.raises(CheckFailed, match="did not run"):
        provenance.of_merge(repository, MERGE)


@pytest.mark.parametrize(
    "reviews",
    [
        [],
        [review("ann")],  # its author
        [review("ben", commit="b" * 40)],  # an earlier head
        [review("ben"), review("ben", "CHANGES_REQUESTED")],
        [review("ben"), review("ben", "DISMISSED")],
        [review("ben", "COMMENTED")],
        [review("eve")],  # who may only read
    ],
)
def test_an_approval_of_exactly_this_head_by_somebody_else_is_needed(
    github: GitHub, repository: Repository, reviews: list[dict[str, Any]]
) -> None:
    github.roles["eve"] = "read"
    github.reviews[7] = reviews
    with pytest.raises(CheckFailed, match="Nobody approved"):
        provenance.of_merge(repository, MERGE)
    assert provenance.of_merge(repository, MERGE, approval=False).approved_by == ()


def test_a_comment_after_an_approval_takes_nothing_back(
    github: GitHub, repository: Repository
) -> None:
    github.reviews[7].append(review("ben", "COMMENTED"))
    assert provenance.of_merge(repository, MERGE).approved_by == ("ben",)


def test_a_review_by_hand_is_of_main_as_it_is_deployed(
    github: GitHub, repository: Repository
) -> None:
    by_hand = run(5, event="workflow_dispatch", head_branch="main", head_sha=MERGE)
    github.runs[5], github.jobs[5] = by_hand, jobs()
    assert provenance.by_hand(repository, 5, MERGE).commit == MERGE
    with pytest.raises(CheckFailed, match="not a review of what is deployed"):
        provenance.by_hand(repository, 5, "n" * 40)  # main has moved on
    by_hand["head_branch"] = "feature"
    with pytest.raises(CheckFailed, match="the branch is feature and must be main"):
        provenance.by_hand(repository, 5, MERGE)
    with pytest.raises(BadInput, match="not the number of a run"):
        provenance.number("1; rm -rf /")


REVIEWERS = {"type": "required_reviewers", "reviewers": [{}], "prevent_self_review": True}
MAIN_ONLY = {"deployment_branch_policy": {"custom_branch_policies": True}, "branches": ["main"]}


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        (None, "no such environment"),
        ({"protection_rules": [], **MAIN_ONLY}, "nobody has to approve"),
        ({"protection_rules": [REVIEWERS | {"reviewers": []}], **MAIN_ONLY}, "nobody has to"),
        (
            {"protection_rules": [REVIEWERS | {"prevent_self_review": False}], **MAIN_ONLY},
            "who starts a deployment may approve it",
        ),
        ({"protection_rules": [REVIEWERS]}, "other branches than main"),
        (
            {"protection_rules": [REVIEWERS], **MAIN_ONLY, "branches": ["main", "*"]},
            "other branches than main",
        ),
        ({"protection_rules": [REVIEWERS], **MAIN_ONLY}, ""),
    ],
)
def test_an_environment_without_its_guards_is_named(
    github: GitHub, repository: Repository, environment: dict[str, Any] | None, told: str
) -> None:
    if environment is not None:
        github.environments["prod"] = environment
    found = provenance.guards(repository, "prod", reviewers=True)
    assert (told in "; ".join(found)) if told else found == []


def test_jobs_that_change_an_environment_wait_for_each_other(
    github: GitHub, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_work(number: int, name: str, since: str, status: str = "in_progress") -> None:
        github.runs[number] = run(number, status="in_progress")
        job = {"name": name, "status": status, "started_at": since, "conclusion": None}
        github.jobs[number] = [job]

    monkeypatch.setenv("GITHUB_RUN_ID", "20")
    at_work(20, "Roll back prod", "12:02")
    at_work(21, "Deploy staging", "12:00")  # elsewhere
    at_work(22, "Deploy prod", "12:00", "waiting")  # for its approval: holds nobody back
    at_work(23, "Destroy prod", "12:03")  # came later, and waits for us
    turn.wait(repository, "prod", sleep=lambda _: pytest.fail("nobody is before us"))
    at_work(24, "Deploy prod", "12:01")
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            github.jobs[24][0]["status"] = "completed"

    turn.wait(repository, "prod", sleep=sleep)
    assert len(slept) == 3
    github.jobs[24][0]["status"] = "in_progress"
    with pytest.raises(CheckFailed, match=r"Deploy prod \(run 24\)"):
        turn.wait(repository, "prod", sleep=lambda _: None)
