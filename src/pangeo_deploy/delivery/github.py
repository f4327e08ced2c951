"""The few calls to GitHub's API that the workflows make; what to say is decided elsewhere."""

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import requests

from pangeo_core.errors import CheckFailed, MissingPrerequisite, PangeoDeployError
from pangeo_deploy.delivery.notices import LABEL, Upkeep

TIMEOUT_SECONDS = 30.0
PAGE = 100
BOT = "github-actions[bot]"  # whose comments and issues are ours
RECORDS = "records"  # the branch that holds what deployments left behind
NOT_FOUND = 404


class GitHubRefused(PangeoDeployError):
    """GitHub answered with an error; `status` is its HTTP status."""

    def __init__(self, what: str, *, status: int = 0, why: str = "") -> None:
        super().__init__(what, why=why)
        self.status = status


@dataclass(frozen=True)
class Repository:
    """A repository at GitHub, with a token that may do what is asked."""

    name: str
    api: str
    token: str = field(repr=False)

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """Return the JSON of an answer to a request below the repository's address."""
        return self._answer(method, path, "application/vnd.github+json", **options).json()

    def download(self, path: str) -> bytes:
        """Return a file's content."""
        return self._answer("GET", path, "application/octet-stream").content

    def _answer(self, method: str, path: str, accept: str, **options: Any) -> requests.Response:
        try:
            answer = requests.request(
                method,
                f"{self.api}/repos/{self.name}/{path}",
                headers={
                    "Accept": accept,
                    "Authorization": f"Bearer {self.token}",
                    "X-GitHub-Api-Version": "2022-11-28",
                },
                timeout=TIMEOUT_SECONDS,
                **options,
            )
        except requests.RequestException as error:
            raise GitHubRefused(f"{method} {path}: no answer.", why=str(error)) from error
        if not answer.ok:
            raise GitHubRefused(
                f"{method} {path} was refused with {answer.status_code}.",
                status=answer.status_code,
                why=answer.text[:500],
            )
        return answer

    def pages(self, path: str, **parameters: Any) -> Iterator[Any]:
        """Yield the items of all pages of a list."""
        page = 1
        while True:
            found = self.ask("GET", path, params={**parameters, "per_page": PAGE, "page": page})
            yield from found
            if len(found) < PAGE:
                return
            page += 1


def from_environment() -> Repository:
    """Return the repository that a workflow runs in. `MissingPrerequisite` outside of one."""
    names = ("GITHUB_REPOSITORY", "GITHUB_API_URL", "GITHUB_TOKEN")
    if missing := [name for name in names if not os.environ.get(name)]:
        raise MissingPrerequisite(
            "GitHub cannot be asked from here.",
            why=f"Not set: {', '.join(missing)}.",
            fix="Run this in a workflow, with GITHUB_TOKEN in the step's env.",
        )
    return Repository(*(os.environ[name] for name in names))


@dataclass(frozen=True)
class Reviewed:
    """The run of a workflow whose artifacts hold the reviewed plans, and the commit it planned."""

    run: int
    commit: str


def reviewed(repository: Repository, commit: str, workflow: str) -> Reviewed:
    """Return the run that planned what `commit` on the main branch has merged.

    Raises `CheckFailed` for a commit that no pull request brought, or whose last review failed.
    """
    by_hand = "Run the workflow Review on main, read its plans, and give Deploy its run's number."
    merged = [
        one for one in repository.ask("GET", f"commits/{commit}/pulls") if one.get("merged_at")
    ]
    if not merged:
        raise CheckFailed(
            f"{commit[:12]} came without a pull request: nobody saw a plan.", fix=by_hand
        )
    head = str(merged[0]["head"]["sha"])
    found = repository.ask(
        "GET", f"actions/workflows/{workflow}/runs", params={"head_sha": head, "per_page": PAGE}
    )["workflow_runs"]
    good = [one for one in found if one["conclusion"] == "success"]
    if not good:
        raise CheckFailed(
            f"Pull request {merged[0]['number']} was merged without a review that passed.",
            why=f"{len(found)} runs of {workflow} for {head[:12]}, none successful.",
            fix=by_hand,
        )
    return Reviewed(max(int(one["id"]) for one in good), head)


def planned_by(repository: Repository, run: int) -> Reviewed:
    """Return a run that somebody names, with the commit it planned; it must have passed."""
    found = repository.ask("GET", f"actions/runs/{run}")
    if found["conclusion"] != "success":
        raise CheckFailed(f"Run {run} did not pass.", fix="Name one whose plans were accepted.")
    return Reviewed(run, str(found["head_sha"]))


def say(repository: Repository, number: int, marker: str, text: str) -> str:
    """Write the comment with `marker` on a pull request, or over the one there; return its URL."""
    path = f"issues/{number}/comments"
    for one in repository.pages(path):
        if one["user"]["login"] == BOT and marker in one["body"]:
            path = f"issues/comments/{one['id']}"
            return str(repository.ask("PATCH", path, json={"body": text})["html_url"])
    return str(repository.ask("POST", path, json={"body": text})["html_url"])


def open_issues(repository: Repository) -> list[dict[str, Any]]:
    """Return the open issues that the checks have written."""
    found = repository.pages("issues", state="open", labels=LABEL, creator=BOT)
    return [one for one in found if "pull_request" not in one]


def carry_out(repository: Repository, what: Upkeep) -> str:
    """Do what was decided about an issue, and return its URL (empty where nothing was done)."""
    if what.action == "nothing":
        return ""
    content: dict[str, Any] = {"title": what.title, "body": what.body}
    if what.action == "open":
        return str(
            repository.ask("POST", "issues", json={**content, "labels": [LABEL]})["html_url"]
        )
    if what.action == "close":
        note = "The check passes again."
        repository.ask("POST", f"issues/{what.number}/comments", json={"body": note})
        content = {"state": "closed"}
    return str(repository.ask("PATCH", f"issues/{what.number}", json=content)["html_url"])


def keep(repository: Repository, path: str, content: bytes, message: str) -> None:
    """Put a file on the branch `records`, which is made where it is not there yet."""
    if _found(repository, f"git/ref/heads/{RECORDS}") is None:
        head = os.environ["GITHUB_SHA"]
        repository.ask("POST", "git/refs", json={"ref": f"refs/heads/{RECORDS}", "sha": head})
    body = {
        "message": message,
        "content": base64.b64encode(content).decode(),
        "branch": RECORDS,
    }
    if there := _found(repository, f"contents/{path}", params={"ref": RECORDS}):
        body["sha"] = there["sha"]
    repository.ask("PUT", f"contents/{path}", json=body)


def kept(repository: Repository, folder: str) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the files that `keep` put into `folder`; none before the first."""
    for one in _found(repository, f"contents/{folder}", params={"ref": RECORDS}) or ():
        if one["type"] == "file":
            blob = repository.ask("GET", f"git/blobs/{one['sha']}")
            yield one["name"], base64.b64decode(blob["content"])


def _found(repository: Repository, path: str, **options: Any) -> Any:
    """Return what is at `path`, None where nothing is."""
    try:
        return repository.ask("GET", path, **options)
    except GitHubRefused as error:
        if error.status == NOT_FOUND:
            return None
        raise


def books(repository: Repository) -> Iterator[tuple[str, bytes]]:
    """Yield (file name, content) of the books that releases keep."""
    for release in repository.pages("releases"):
        for one in release["assets"]:
            if one["name"].startswith("book-"):
                yield one["name"], repository.download(f"releases/assets/{one['id']}")
