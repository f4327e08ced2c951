"""`/plan` and `/apply` in a comment: who may say them, and what they do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pangeo_deploy.delivery.github import Repository
from pangeo_deploy.delivery.pull_request_commands import carry_out
from tests.pangeo_deploy.delivery.conftest import Stage
from tests.pangeo_deploy.delivery.github import GitHub, served
from tests.pangeo_deploy.delivery.results import Event, Run
from tests.pangeo_deploy.delivery.test_provenance import HEAD, MERGE, NAME, pull, run

NASTY = '/plan "; touch /tmp/pwned; $(id) `id` ${{ github.token }}'
DEPLOY = {"path": ".github/workflows/deploy.yml", "event": "push", "head_sha": MERGE}


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    """A pull request that was reviewed by run 1; ann may write, eve may not."""
    with served(GitHub(NAME, tmp_path)) as made:
        made.tokens["job"] = {"actions": "write", "pull-requests": "read"}
        made.pulls[7] = pull(7, merged_at=None)
        made.runs[1] = run(1)
        made.roles |= {"ann": "write", "eve": "read"}
        yield made


@pytest.fixture
def repository(github: GitHub) -> Repository:
    return Repository(github.repository, github.api, "job")


def test_plan_reviews_the_last_commit_again(github: GitHub, repository: Repository) -> None:
    github.runs[2] = run(2, head_sha="b" * 40)
    github.runs[3] = run(3)
    assert "reviewed and planned again" in carry_out(repository, 7, "ann", "/plan\nplease")
    assert github.again == [(3, "rerun")]
    github.runs[3]["status"] = "in_progress"
    assert "at work" in carry_out(repository, 7, "ann", "/plan")
    github.pulls[7]["head"] = {"sha": "c" * 40}
    assert "no review yet" in carry_out(repository, 7, "ann", "/plan")
    github.pulls[7]["merged_at"] = "then"
    assert "by hand on main" in carry_out(repository, 7, "ann", "/plan")
    assert len(github.again) == 1


@pytest.mark.parametrize(
    ("deployment", "told", "again"),
    [
        (None, "began no deployment", []),
        ({"status": "in_progress", "conclusion": None}, "waits for its approval", []),
        ({"conclusion": "success"}, "It is deployed", []),
        ({"conclusion": "failure"}, "is done again", [(5, "rerun-failed-jobs")]),
        ({"conclusion": "cancelled"}, "is done again", [(5, "rerun-failed-jobs")]),
    ],
)
def test_apply_does_what_a_merged_change_has_left_undone(
    github: GitHub,
    repository: Repository,
    deployment: dict[str, Any] | None,
    told: str,
    again: list[Any],
) -> None:
    assert "when it is merged" in carry_out(repository, 7, "ann", "/apply")
    assert github.again == []  # no approval and no review is passed by
    github.pulls[7]["merged_at"] = "then"
    if deployment:
        github.runs[5] = run(5, **DEPLOY, **deployment)
    assert told in carry_out(repository, 7, "ann", "/apply")
    assert github.again == again


@pytest.mark.parametrize("login", ["eve", "nobody"])
def test_who_may_not_write_commands_nothing(
    github: GitHub, repository: Repository, login: str
) -> None:
    assert "Only people who may write" in carry_out(repository, 7, login, "/plan")
    assert github.again == []


@pytest.mark.parametrize("comment", ["", "plan", "/planet", "see /plan", "/destroy"])
def test_what_is_no_command_is_not_answered(
    github: GitHub, repository: Repository, comment: str
) -> None:
    assert carry_out(repository, 7, "ann", comment) == ""
    assert github.again == []


def say(stage: Stage, body: str, login: str = "ann", on_pull: bool = True) -> Run:
    issue = {"number": 7, **({"pull_request": {}} if on_pull else {})}
    comment = {"body": body, "user": {"login": login}}
    event = Event("issue_comment", stage.main(), payload={"issue": issue, "comment": comment})
    return stage.runner.run("commands.yml", event)


def test_the_workflow_answers_on_the_pull_request(stage: Stage) -> None:
    stage.github.pulls[7] = pull(7, merged_at=None)
    stage.github.runs[1] = run(1)
    stage.github.roles["ann"] = "write"
    done = say(stage, NASTY)
    assert done.result == "success", done.log
    assert stage.github.again == [(1, "rerun")]
    (answer,) = stage.github.comment_texts(7)
    assert "reviewed and planned again" in answer
    assert say(stage, "/plan", on_pull=False).results == {"command": "skipped"}
    assert say(stage, "Thank you").results == {"command": "skipped"}
    assert HEAD[:12] not in answer  # nothing but the run's address
    assert stage.github.refused == []
