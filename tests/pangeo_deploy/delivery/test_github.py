"""The calls to GitHub's API, against one that refuses what a token may not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pangeo_core.errors import CheckFailed, MissingPrerequisite
from pangeo_deploy.delivery import github as calls
from pangeo_deploy.delivery.notices import Notice, upkeep
from tests.pangeo_deploy.delivery.github import BOT, GitHub, served

MARKER = "<!-- mine -->"


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    with served(GitHub("some/repository", tmp_path)) as made:
        yield made


@pytest.fixture
def repository(github: GitHub) -> calls.Repository:
    rights = dict.fromkeys(("contents", "pull-requests", "issues"), "write") | {"actions": "read"}
    github.tokens["all"] = rights
    return calls.Repository(github.repository, github.api, "all")


def test_the_comment_is_written_once_and_then_over(
    github: GitHub, repository: calls.Repository
) -> None:
    other = {"on": 7, "user": {"login": "someone"}, "body": f"{MARKER} is what a person wrote"}
    for number in range(1, 151):  # more than a page
        github.comments[number] = {"id": number, **other}
    calls.say(repository, 7, MARKER, f"{MARKER} one")
    calls.say(repository, 7, MARKER, f"{MARKER} two")
    mine = [one for one in github.comments.values() if one["user"] == BOT]
    assert [one["body"] for one in mine] == [f"{MARKER} two"]
    assert len(github.comments) == 151


def test_a_token_that_may_not_is_told_so(github: GitHub) -> None:
    github.tokens["reads"] = {"pull-requests": "read"}
    reader = calls.Repository(github.repository, github.api, "reads")
    with pytest.raises(calls.GitHubRefused, match="refused with 403") as refused:
        calls.say(reader, 7, MARKER, "text")
    assert refused.value.status == 403
    assert "reads" not in str(refused.value)


def test_only_a_merged_and_passed_review_is_deployed(
    github: GitHub, repository: calls.Repository
) -> None:
    with pytest.raises(CheckFailed, match="without a pull request"):
        calls.reviewed(repository, "m" * 40, "review.yml")
    pull = {"number": 7, "head": {"sha": "h" * 40}, "merged_at": "then", "merge_sha": "m" * 40}
    github.pulls[7] = pull
    run = {"file": "review.yml", "head_sha": "h" * 40}
    github.runs[1] = {"id": 1, **run, "conclusion": "failure"}
    with pytest.raises(CheckFailed, match="without a review that passed"):
        calls.reviewed(repository, "m" * 40, "review.yml")
    github.runs[2] = {"id": 2, **run, "conclusion": "success"}
    github.runs[3] = {"id": 3, **run, "conclusion": "success"}
    assert calls.reviewed(repository, "m" * 40, "review.yml") == calls.Reviewed(3, "h" * 40)
    with pytest.raises(CheckFailed, match="did not pass"):
        calls.planned_by(repository, 1)


def test_a_kept_file_is_found_again_and_replaced(
    github: GitHub, repository: calls.Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_SHA", "s" * 40)
    assert list(calls.kept(repository, "months")) == []
    for content in (b"first", b"second"):
        calls.keep(repository, "months/prod-2026-10.json", content, "Record it")
    assert list(calls.kept(repository, "months")) == [("prod-2026-10.json", b"second")]
    assert github.refs == {"refs/heads/records": "s" * 40}


def test_an_issue_lives_as_long_as_its_reason(github: GitHub, repository: calls.Repository) -> None:
    for ok, body, opened in ((False, "B", 1), (False, "C", 1), (True, "", 0), (False, "B", 1)):
        notice = Notice("drift staging", ok, "T", body)
        calls.carry_out(repository, upkeep(notice, calls.open_issues(repository)))
        assert len(github.open_issues()) == opened
    assert len(github.issues) == 2


def test_outside_of_a_workflow_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_REPOSITORY", "GITHUB_API_URL", "GITHUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(MissingPrerequisite, match="cannot be asked"):
        calls.from_environment()
