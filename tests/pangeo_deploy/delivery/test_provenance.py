"""Which reviews are believed: the run, the pull request, the person, and what forgers try."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pangeo_core.errors import BadInput, CheckFailed
from pangeo_deploy.delivery import guards, provenance, turn
from pangeo_deploy.delivery.github import GitHubRefused, Repository
from tests.pangeo_deploy.delivery.github import GitHub, served
from tests.pangeo_deploy.delivery.triggers import git

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
             "created_at": "2026-11-26T12:00:00Z", "conclusion": "success",
             "html_url": f"https://github.test/runs/{number}"}  # fmt: skip
    return known | changes


def jobs(**results: str) -> list[dict[str, Any]]:
    names = ("Checks", "Tests", "Book", "Plan staging", "Plan prod", "Comment")
    return [
        {"name": name, "status": "completed", "conclusion": results.get(name.split()[0], "success")}
        for name in names
    ]


def review(
    login: str, state: str = "APPROVED", commit: str = HEAD, kind: str = "User"
) -> dict[str, Any]:
    return {"user": {"login": login, "type": kind}, "state": state, "commit_id": commit}


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
        [review("github-actions[bot]", kind="Bot")],  # a workflow of any branch
    ],
)
def test_an_approval_of_exactly_this_head_by_somebody_else_is_needed(
    github: GitHub, repository: Repository, reviews: list[dict[str, Any]]
) -> None:
    github.roles |= {"eve": "read", "github-actions[bot]": "write"}
    github.reviews[7] = reviews
    with pytest.raises(CheckFailed, match="Nobody approved"):
        provenance.of_merge(repository, MERGE)
    assert provenance.of_merge(repository, MERGE, approval=False).approved_by == ()


@pytest.mark.parametrize("role", ["author", "committer"])
def test_who_added_a_commit_does_not_approve_it(
    github: GitHub, repository: Repository, role: str
) -> None:
    """The old code let somebody push to Dependabot's branch, and approve what they had pushed."""
    bot = {"login": "dependabot[bot]"}
    github.pulls[7]["user"] = bot
    assert provenance.of_merge(repository, MERGE).approved_by == ("ben",)
    theirs = {"author": bot, "committer": None, role: {"login": "ben"}}
    github.commits[7] = [{"author": bot, "committer": bot}, theirs]
    with pytest.raises(CheckFailed, match="Nobody approved"):
        provenance.of_merge(repository, MERGE)
    github.roles["cleo"] = "admin"
    github.reviews[7].append(review("cleo"))
    assert provenance.of_merge(repository, MERGE).approved_by == ("cleo",)


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
    found = guards.of_environment(repository, "prod", reviewers=True)
    assert (told in "; ".join(found)) if told else found == []


def pull_request(**parameters: Any) -> list[dict[str, Any]]:
    whole = {"required_approving_review_count": 1, "require_last_push_approval": True}
    return [{"type": "deletion"}, {"type": "pull_request", "parameters": whole | parameters}]


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ([], "changes without a pull request"),
        ([{"type": "deletion"}], "changes without a pull request"),
        (pull_request(required_approving_review_count=0), "merged without an approval"),
        (pull_request(require_last_push_approval=False), "who pushed last may approve it"),
        (pull_request(), ""),
    ],
)
def test_a_main_that_is_open_to_all_who_may_write_is_named(
    github: GitHub, repository: Repository, rules: list[dict[str, Any]], told: str
) -> None:
    """What is pushed to main lies under the next reviewed change; the old code did not ask."""
    github.rules = rules
    found = guards.of_main(repository)
    assert (told in "; ".join(found)) if told else found == []


def test_a_repository_whose_plan_has_no_rules_has_no_protected_main(
    github: GitHub, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = GitHubRefused("Upgrade to GitHub Pro", status=403)

    def pages(*_: Any) -> Iterator[Any]:
        raise refused
        yield

    monkeypatch.setattr(Repository, "pages", pages)
    assert "changes without a pull request" in guards.of_main(repository)[0]
    refused.status = 500
    with pytest.raises(GitHubRefused):
        guards.of_main(repository)


@pytest.fixture
def at_work(
    github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> Callable[[int, str, str, str], None]:
    """Give what lets a run of main have a job that is at work since a moment; ours is run 20."""

    def start(number: int, name: str, since: str, status: str = "in_progress") -> None:
        file = {"Roll": "rollback", "Dest": "destroy"}.get(name[:4], "deploy")
        path = f".github/workflows/{file}.yml"
        github.runs[number] = run(number, status="in_progress", path=path, head_branch="main")
        job = {"name": name, "status": status, "started_at": since, "conclusion": None}
        github.jobs[number] = [job]

    monkeypatch.setenv("GITHUB_RUN_ID", "20")
    return start


def test_jobs_that_change_an_environment_wait_for_each_other(
    github: GitHub, repository: Repository, at_work: Callable[..., None]
) -> None:
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


@pytest.mark.parametrize(
    "forged",
    [
        {"path": ".github/workflows/my-own.yml"},
        {"head_branch": "mine"},
        {"head_repository": {"full_name": "someone/fork"}},
    ],
)
def test_a_workflow_of_ones_own_holds_no_rollback_back(
    github: GitHub, repository: Repository, at_work: Callable[..., None], forged: dict[str, Any]
) -> None:
    """The old code waited for any job of that name, of whatever branch or file."""
    at_work(20, "Roll back prod", "12:02")
    at_work(21, "Deploy prod", "12:00")
    github.runs[21] |= forged
    turn.wait(repository, "prod", sleep=lambda _: pytest.fail("it waits for a forged job"))


def test_a_deployment_that_is_run_again_does_not_undo_a_later_one(
    github: GitHub, repository: Repository, at_work: Callable[..., None]
) -> None:
    """Everybody who may write can run an old run again; the old code put its charts back."""
    at_work(20, "Deploy prod", "12:00")
    at_work(19, "Deploy prod", "11:00", "completed")
    at_work(21, "Deploy prod", "12:01", "completed")
    github.jobs[19][0]["conclusion"] = "success"  # earlier
    github.jobs[21][0]["conclusion"] = "failure"
    turn.require_latest(repository, "prod", 20)
    github.jobs[21][0]["conclusion"] = "success"
    turn.require_latest(repository, "staging", 20)
    with pytest.raises(CheckFailed, match="deployed from a later commit already, by run 21"):
        turn.require_latest(repository, "prod", 20)
    at_work(20, "Roll back prod", "12:02")
    turn.require_latest(repository, "prod", 20)  # that is what it is for


def test_a_record_that_somebody_pushed_is_not_gone_back_to(
    github: GitHub, repository: Repository, tmp_path: Path
) -> None:
    """The branch of records is open to all who may write, and GitHub holds any commit of a fork.

    The old code took a record's word for it, and deployed the commit that it named.
    """
    folder = tmp_path / "origin"

    def commit(branch: str) -> str:
        subprocess.run(["git", "init", "--quiet", "-b", "main", str(folder)], check=True)
        who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
        git(folder, "checkout", "--quiet", "-B", branch)
        git(folder, *who, "commit", "--quiet", "--allow-empty", "-m", branch)
        return git(folder, "rev-parse", "HEAD").strip()

    github.origin = folder
    merged, theirs = commit("main"), commit("theirs")
    github.tokens["reads"] |= {"contents": "read"}
    github.pulls[7]["merge_commit_sha"] = merged
    provenance.require_merged(repository, merged)
    for wrong in (theirs, "f" * 40):
        with pytest.raises(CheckFailed, match="not a commit of main"):
            provenance.require_merged(repository, wrong)
    with pytest.raises(BadInput, match="full name of a commit"):
        provenance.require_merged(repository, f"{merged}\ncommit={theirs}")
    github.reviews.clear()
    with pytest.raises(CheckFailed, match="Nobody approved"):
        provenance.require_merged(repository, merged)
    provenance.require_merged(repository, merged, approval=False)
    github.pulls.clear()  # pushed to main
    with pytest.raises(CheckFailed, match="without a pull request"):
        provenance.require_merged(repository, merged)
