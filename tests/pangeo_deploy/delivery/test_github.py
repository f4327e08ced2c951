"""The calls to GitHub's API, against one that refuses what a token may not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pangeo_core.errors import MissingPrerequisite
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


def test_a_saved_record_is_found_again_and_replaced(
    github: GitHub, repository: calls.Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_SHA", "s" * 40)
    assert list(calls.saved_records(repository, "months")) == []
    for content in (b"first", b"second"):
        calls.save_record(repository, "months/prod-2026-10.json", content, "Record it")
    assert list(calls.saved_records(repository, "months")) == [("prod-2026-10.json", b"second")]
    for n in range(1100):  # more than GitHub lists of a folder
        github.files[f"deployments/{n}.json"] = b"{}"
    assert len(list(calls.saved_records(repository, "deployments"))) == 1100
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
