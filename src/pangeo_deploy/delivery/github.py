"""The few calls to GitHub's API that the workflows make; what to say is decided elsewhere."""

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import requests

from pangeo_core.errors import MissingPrerequisite, PangeoDeployError
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

    def act(self, path: str) -> None:
        """Ask for something that is answered by nothing but its acceptance."""
        self._answer("POST", path, "application/vnd.github+json")

    def download(self, path: str) -> bytes:
        """Return a file's content."""
        return self._answer("GET", path, "application/octet-stream").content

    def _answer(self, method: str, path: str, accept: str, **options: Any) -> requests.Response:
        try:
            answer = requests.request(
                method,
                f"{self.api}/repos/{self.name}/{path}".rstrip("/"),
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

    def find(self, path: str, **options: Any) -> Any:
        """Return what is at `path`, None where nothing is."""
        try:
            return self.ask("GET", path, **options)
        except GitHubRefused as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def pages(self, path: str, key: str = "", **parameters: Any) -> Iterator[Any]:
        """Yield the items of all pages of a list, which is under `key` if one is named."""
        page = 1
        while True:
            answer = self.ask("GET", path, params={**parameters, "per_page": PAGE, "page": page})
            items = answer[key] if key else answer
            yield from items
            if len(items) < PAGE:
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


def say(repository: Repository, number: int, marker: str, text: str) -> str:
    """Write the comment with `marker` on a pull request, or over the one there; return its URL."""
    path = f"issues/{number}/comments"
    for comment in repository.pages(path):
        if comment["user"]["login"] == BOT and marker in comment["body"]:
            path = f"issues/comments/{comment['id']}"
            return str(repository.ask("PATCH", path, json={"body": text})["html_url"])
    return str(repository.ask("POST", path, json={"body": text})["html_url"])


def has_issues(repository: Repository) -> bool:
    """Tell whether the repository's issues are switched on; in a new fork they are not."""
    return bool(repository.ask("GET", "").get("has_issues"))


def has_pages(repository: Repository) -> bool:
    """Tell whether GitHub Pages are switched on."""
    return bool(repository.ask("GET", "").get("has_pages"))


def open_issues(repository: Repository) -> list[dict[str, Any]]:
    """Return the open issues that the checks have written."""
    issues = repository.pages("issues", state="open", labels=LABEL, creator=BOT)
    return [issue for issue in issues if "pull_request" not in issue]


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


def save_record(repository: Repository, path: str, content: bytes, message: str) -> None:
    """Put a file on the branch `records`, which is made where it is not there yet."""
    if repository.find(f"git/ref/heads/{RECORDS}") is None:
        head = os.environ["GITHUB_SHA"]
        repository.ask("POST", "git/refs", json={"ref": f"refs/heads/{RECORDS}", "sha": head})
    body = {
        "message": message,
        "content": base64.b64encode(content).decode(),
        "branch": RECORDS,
    }
    if there := repository.find(f"contents/{path}", params={"ref": RECORDS}):
        body["sha"] = there["sha"]
    repository.ask("PUT", f"contents/{path}", json=body)


def saved_records(repository: Repository, folder: str) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the files saved in `folder`; none before the first.

    Read from the branch's tree: GitHub lists a folder's contents up to 1,000 files only.
    """
    tree = repository.find(f"git/trees/{RECORDS}", params={"recursive": "1"}) or {"tree": ()}
    for entry in tree["tree"]:
        place, _, name = entry["path"].rpartition("/")
        if entry["type"] == "blob" and place == folder:
            blob = repository.ask("GET", f"git/blobs/{entry['sha']}")
            yield name, base64.b64decode(blob["content"])


def books(repository: Repository) -> Iterator[tuple[str, bytes]]:
    """Yield (file name, content) of the books that releases keep."""
    for release in repository.pages("releases"):
        for asset in release["assets"]:
            if asset["name"].startswith("book-"):
                yield asset["name"], repository.download(f"releases/assets/{asset['id']}")
