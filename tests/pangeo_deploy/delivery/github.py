"""A GitHub on this machine: what runs leave there, and an API that asks each token what it may."""

import base64
import hashlib
import json
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

BOT = {"login": "github-actions[bot]"}
# Method and path -> what the token's job must have declared.
NEEDS = (
    ("GET", r"", "metadata", "read"),
    ("GET", r"collaborators/[^/]+/permission", "metadata", "read"),
    ("GET", r"commits/[^/]+/pulls", "pull-requests", "read"),
    ("GET", r"pulls(/\d+)?", "pull-requests", "read"),
    ("POST", r"actions/runs/\d+/rerun(-failed-jobs)?", "actions", "write"),
    ("GET", r"pulls/\d+/(reviews|commits)", "pull-requests", "read"),
    ("GET", r"rules/branches/[^/]+", "metadata", "read"),
    ("GET", r"compare/.*", "contents", "read"),
    ("GET", r"issues/\d+/events", "issues|pull-requests", "read"),
    ("GET", r"environments/.*", "actions", "read"),
    ("GET", r"actions/.*", "actions", "read"),
    ("GET", r"issues/\d+/comments", "pull-requests", "read"),
    ("POST", r"issues/\d+/comments", "pull-requests|issues", "write"),
    ("PATCH", r"issues/comments/\d+", "pull-requests|issues", "write"),
    ("GET", r"issues", "issues", "read"),
    ("POST|PATCH", r"issues(/\d+)?", "issues", "write"),
    ("GET", r"(git|contents|releases)/?.*", "contents", "read"),
    ("POST|PUT", r"(git|contents)/.*", "contents", "write"),
)
LEVELS = {"none": 0, "read": 1, "write": 2}


@dataclass
class GitHub:
    """The repository as GitHub has it. `folder` holds artifacts, caches, pages and releases."""

    repository: str
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    pulls: dict[int, dict[str, Any]] = field(default_factory=dict)
    issues: dict[int, dict[str, Any]] = field(default_factory=dict)
    comments: dict[int, dict[str, Any]] = field(default_factory=dict)
    runs: dict[int, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    reviews: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    events: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)  # login -> admin, write, read
    environments: dict[str, dict[str, Any]] = field(default_factory=dict)
    features: dict[str, bool] = field(default_factory=dict)
    rules: list[dict[str, Any]] = field(default_factory=list)  # for main, as rulesets give them
    commits: dict[int, list[dict[str, Any]]] = field(default_factory=dict)  # of pull requests
    origin: Path | None = None  # the repository's commits
    files: dict[str, bytes] = field(default_factory=dict)  # of the branch `records`
    again: list[tuple[int, str]] = field(default_factory=list)  # runs that were asked for again
    refs: dict[str, str] = field(default_factory=dict)
    caches: list[tuple[str, str, Path]] = field(default_factory=list)  # key, scope, content
    tokens: dict[str, Mapping[str, str]] = field(default_factory=dict)
    api: str = ""
    refused: list[str] = field(default_factory=list)

    def comment_texts(self, number: int) -> list[str]:
        return [one["body"] for one in self.comments.values() if one["on"] == number]

    def open_issues(self) -> dict[str, str]:
        return {one["title"]: one["body"] for one in self.issues.values() if one["state"] == "open"}

    def may(self, token: str, permission: str, level: str) -> bool:
        given = {"metadata": "read", **self.tokens.get(token, {})}
        best = max(LEVELS[given.get(name, "none")] for name in permission.split("|"))
        return best >= LEVELS[level]

    def answer(
        self, method: str, path: str, query: Mapping[str, list[str]], body: Any, token: str
    ) -> tuple[int, Any]:
        """Return status and content of one request below the repository."""
        for methods, pattern, permission, level in NEEDS:
            if re.fullmatch(methods, method) and re.fullmatch(pattern, path):
                if not self.may(token, permission, level):
                    self.refused.append(f"{method} {path} needs {permission}: {level}")
                    return 403, {"message": "Resource not accessible by integration"}
                status, found = self.content(method, path, query, body)
                return status, paged(found, query)
        return 404, {"message": f"no {method} {path} here"}

    def content(
        self, method: str, path: str, query: Mapping[str, list[str]], body: Any
    ) -> tuple[int, Any]:
        parts = path.split("/")
        if not path:
            return 200, {"has_issues": True, "has_pages": True, **self.features}
        if parts[0] == "commits":
            return 200, [
                pull for pull in self.pulls.values() if pull["merge_commit_sha"] == parts[1]
            ]
        if parts[0] == "pulls" and len(parts) == 2:
            return 200, self.pulls[int(parts[1])]
        if parts[0] == "pulls":
            return 200, self.pulled(parts, query)
        if method == "POST" and parts[0] == "actions":
            self.again.append((int(parts[2]), parts[3]))
            return 201, {}
        if parts[0] == "actions":
            return self.acted(parts, query)
        if parts[0] == "collaborators":
            role = self.roles.get(parts[1], "none")
            return 200, {"permission": role}
        if parts[0] == "environments":
            known = self.environments.get(parts[1])
            if known is None:
                return 404, {}
            named = [{"name": name} for name in known.get("branches", ())]
            return 200, {"branch_policies": named} if len(parts) > 2 else known
        if parts[0] == "rules":
            return 200, self.rules
        if parts[0] == "compare":
            return self.compared(*parts[1].split("..."))
        if parts[:2] == ["git", "trees"]:
            listed = [
                {"type": "blob", "path": name, "sha": sha(content)}
                for name, content in self.files.items()
            ]
            return (200, {"tree": listed}) if self.files else (404, {})
        if parts[0] == "issues" and parts[2:] == ["events"]:
            return 200, self.events.get(int(parts[1]), [])
        if parts[0] == "issues":
            return self.discussed(method, parts, body)
        if path == "git/refs":
            self.refs[body["ref"]] = body["sha"]
            return 201, {}
        if parts[:2] == ["git", "ref"]:
            return (200, {}) if f"refs/{'/'.join(parts[2:])}" in self.refs else (404, {})
        if parts[:2] == ["git", "blobs"]:
            held = {sha(one): one for one in self.files.values()}
            return 200, {"content": base64.b64encode(held[parts[2]]).decode()}
        if parts[0] == "contents":
            return self.filed(method, "/".join(parts[1:]), body)
        if parts[0] == "releases":
            return self.released(parts)
        return 404, {}

    def compared(self, base: str, head: str) -> tuple[int, Any]:
        """Tell whether a branch holds a commit, as far as `ahead` and `diverged` do."""
        words = ["git", "-C", str(self.origin), "merge-base", "--is-ancestor", base, head]
        done = subprocess.run(words, check=False, capture_output=True)
        if done.returncode > 1:
            return 404, {}
        return 200, {"status": "diverged" if done.returncode else "ahead"}

    def pulled(self, parts: list[str], query: Mapping[str, list[str]]) -> list[dict[str, Any]]:
        if parts[2:] == ["commits"]:
            author = self.pulls[int(parts[1])]["user"]
            one = {"author": author, "committer": {"login": "web-flow"}}
            return self.commits.get(int(parts[1]), [one])
        if len(parts) > 1:
            return self.reviews.get(int(parts[1]), [])
        return [pull for pull in self.pulls.values() if pull["head"]["label"] == query["head"][0]]

    def acted(self, parts: list[str], query: Mapping[str, list[str]]) -> tuple[int, Any]:
        """Answer about runs: of one workflow, in one state, one run, or its jobs."""
        if parts[1] == "workflows":
            mine = [run for run in self.chosen(query) if run["path"].endswith(f"/{parts[2]}")]
            return 200, {"workflow_runs": mine}
        if len(parts) == 2:
            return 200, {"workflow_runs": self.chosen(query)}
        number = int(parts[2])
        if number not in self.runs:
            return 404, {}
        return 200, {"jobs": self.jobs.get(number, [])} if len(parts) > 3 else self.runs[number]

    def chosen(self, query: Mapping[str, list[str]]) -> list[dict[str, Any]]:
        """Return the runs that a query asks for; those since a moment by `created`."""
        keys = {
            "head_sha": "head_sha",
            "event": "event",
            "status": "status",
            "branch": "head_branch",
        }
        wanted = {keys[key]: values[0] for key, values in query.items() if key in keys}
        since = query.get("created", [">="])[0].removeprefix(">=")
        return [
            run
            for run in self.runs.values()
            if all(run[key] == value for key, value in wanted.items())
            and run["created_at"] >= since
        ]

    def discussed(self, method: str, parts: list[str], body: Any) -> tuple[int, Any]:
        if len(parts) == 3 and parts[1] == "comments":
            self.comments[int(parts[2])]["body"] = body["body"]
            return 200, self.comments[int(parts[2])]
        if len(parts) == 3:
            number = int(parts[1])
            if method == "GET":
                return 200, [one for one in self.comments.values() if one["on"] == number]
            made = {"id": len(self.comments) + 1, "on": number, "user": BOT, **body}
            made["html_url"] = f"https://github.test/{self.repository}/pull/{number}#{made['id']}"
            self.comments[made["id"]] = made
            return 201, made
        if len(parts) == 2:
            self.issues[int(parts[1])].update(body)
            return 200, self.issues[int(parts[1])]
        if method == "GET":
            return 200, [one for one in self.issues.values() if one["state"] == "open"]
        number = 100 + len(self.issues)
        url = f"https://github.test/{self.repository}/issues/{number}"
        self.issues[number] = {"number": number, "state": "open", "html_url": url, **body}
        return 201, self.issues[number]

    def filed(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if method == "PUT":
            assert body["branch"] == "records", body
            if path in self.files and body.get("sha") != sha(self.files[path]):
                return 409, {"message": "sha does not match"}
            self.files[path] = base64.b64decode(body["content"])
            return 201, {}
        if path in self.files:
            return 200, {"sha": sha(self.files[path])}
        under = {name: one for name, one in self.files.items() if name.startswith(f"{path}/")}
        listed = [
            {"type": "file", "name": name.split("/")[-1], "sha": sha(one)}
            for name, one in under.items()
        ]
        return (200, listed) if listed else (404, {})

    def released(self, parts: list[str]) -> tuple[int, Any]:
        files = sorted((self.folder / "releases").glob("*/*"))
        if len(parts) == 1:
            return 200, [{"assets": [{"id": n, "name": f.name}]} for n, f in enumerate(files)]
        return 200, files[int(parts[2])].read_bytes()


def paged(found: Any, query: Mapping[str, list[str]]) -> Any:
    """Return the page of a list that was asked for; some lists are under a name."""
    if "page" not in query:
        return found
    if isinstance(found, dict):
        return {key: paged(value, query) for key, value in found.items()}
    size, page = (int(query[key][0]) for key in ("per_page", "page"))
    return found[size * (page - 1) : size * page]


def sha(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@contextmanager
def served(github: GitHub) -> Iterator[GitHub]:
    """Have the API answer at `github.api` meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            address = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            prefix = f"/repos/{github.repository}"
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            status, found = github.answer(
                self.command,
                address.path.removeprefix(prefix).lstrip("/"),
                parse_qs(address.query),
                body,
                token,
            )
            content = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_PUT = respond  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    github.api = f"http://127.0.0.1:{server.server_port}"
    try:
        yield github
    finally:
        server.shutdown()
        server.server_close()
