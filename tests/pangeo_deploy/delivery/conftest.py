"""A repository of its own with this checkout in it, a GitHub, and a runner."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pangeo_deploy.delivery import deployment_record
from tests.conftest import PROJECT
from tests.pangeo_deploy.delivery.github import GitHub, served
from tests.pangeo_deploy.delivery.results import Event, Run
from tests.pangeo_deploy.delivery.runner import Runner
from tests.pangeo_deploy.delivery.triggers import git

REPOSITORY = "NCAR/ncar-pangeo-binder-terraform-deploy"
# The real make says whether the goal is one; what goals do has tests of its own.
MAKE = """#!/bin/sh
/usr/bin/make -n "$@" > /dev/null || exit
case " $FAILING " in *" $1 "*) echo "make $1 fails"; exit 2;; esac
case "$1" in
  */programs.installed)
    mkdir -p .venv/programs && cp "$(dirname "$0")"/programs/* .venv/programs/ || true;;
  *.installed) mkdir -p .venv/bin && cp "$(dirname "$0")/pangeo-deploy" .venv/bin/;;
  book) mkdir -p _build/html && echo "the book of $GITHUB_SHA" > _build/html/index.html;;
esac
"""
PROGRAM = """#!/bin/sh
here=$(cd "$(dirname "$0")/../.." && pwd)
case "$FAILING" in "$1 $2"|"$1 $2 $3") echo "pangeo-deploy $FAILING fails"; exit 1;; esac
PYTHONPATH="$here/src" exec {python} -c "from pangeo_deploy.cli import main; main()" "$@"
"""
GH = """#!/bin/sh
test "$1 $2" = "release upload" && test -n "$GH_TOKEN" || exit 1
mkdir -p "{folder}/$3" && cp "$4" "{folder}/$3/"
"""


@dataclass
class Stage:
    """A repository on GitHub and somebody who works on it in the clone `work`."""

    github: GitHub
    runner: Runner
    work: Path

    def commit(self, changes: dict[str, Callable[[str], str]], branch: str = "main") -> str:
        """Commit changes of files (path -> new text from old) on a branch, and push it."""
        git(self.work, "checkout", "--quiet", "-B", branch, "origin/main")
        for path, change in changes.items():
            file = self.work / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(change(file.read_text() if file.exists() else ""))
        git(self.work, "add", "-A")
        git(self.work, "commit", "--quiet", "--allow-empty", "-m", f"A change on {branch}")
        git(self.work, "push", "--quiet", "--force", "origin", branch)
        git(self.work, "fetch", "--quiet", "origin")
        return git(self.work, "rev-parse", "HEAD").strip()

    def open_pull(self, number: int, head: str, fork: bool = False, login: str = "ann") -> Event:
        """Open a pull request and return its event; it is checked as it would be after a merge."""
        git(self.work, "checkout", "--quiet", "--detach", "origin/main")
        git(self.work, "merge", "--quiet", "--no-ff", "-m", f"Merge {head}", head)
        merge = git(self.work, "rev-parse", "HEAD").strip()
        git(self.work, "push", "--quiet", "--force", "origin", f"HEAD:refs/pull/{number}/merge")
        owner = "someone/fork" if fork else REPOSITORY
        branch = f"change-{number}"
        label = f"{owner.split('/')[0]}:{branch}"
        pull = {
            "number": number,
            "head": {"sha": head, "ref": branch, "label": label, "repo": {"full_name": owner}},
            "base": {"ref": "main", "sha": self.main()},
            "user": {"login": login},
            "merged_at": None,
            "merge_commit_sha": "",
        }
        self.github.pulls[number] = pull
        payload = {"pull_request": pull}
        return Event("pull_request", merge, f"refs/pull/{number}/merge", payload, fork)

    def approve(self, number: int, login: str = "ben", state: str = "APPROVED") -> None:
        """Have somebody who may write review a pull request as it is now."""
        self.github.roles.setdefault(login, "write")
        head = self.github.pulls[number]["head"]["sha"]
        review = {"user": {"login": login, "type": "User"}, "state": state, "commit_id": head}
        self.github.reviews.setdefault(number, []).append(review)

    def merge(self, number: int, how: str = "merge") -> Event:
        """Merge a pull request (merge, squash or rebase) and return the push to main.

        A merge queue pushes the commit that it tested: a merge commit or a squashed one.
        """
        head = self.github.pulls[number]["head"]["sha"]
        git(self.work, "checkout", "--quiet", "-B", "main", "origin/main")
        told = f"Merge pull request {number}"
        if how == "merge":
            git(self.work, "merge", "--quiet", "--no-ff", "-m", told, head)
        elif how == "squash":
            git(self.work, "merge", "--quiet", "--squash", head)
            git(self.work, "commit", "--quiet", "--allow-empty", "-m", told)
        else:
            git(self.work, "cherry-pick", "--allow-empty", f"origin/main..{head}")
        git(self.work, "push", "--quiet", "origin", "main")
        git(self.work, "fetch", "--quiet", "origin")
        sha = git(self.work, "rev-parse", "HEAD").strip()
        self.github.pulls[number].update(merged_at="2026-11-26T12:00:00Z", merge_commit_sha=sha)
        return Event("push", sha)

    def merged_earlier(self, number: int, commit: str) -> None:
        """Let a commit of main have come by a pull request that ben approved."""
        head = {"sha": commit, "ref": f"change-{number}", "label": f"NCAR:change-{number}"}
        self.github.pulls[number] = {
            "number": number,
            "head": {**head, "repo": {"full_name": REPOSITORY}},
            "base": {"ref": "main"},
            "user": {"login": "ann"},
            "merged_at": "2026-11-25T12:00:00Z",
            "merge_commit_sha": commit,
        }
        self.approve(number)

    def record(self, record: Mapping[str, Any]) -> None:
        """Put a record on the branch `records`."""
        name = f"deployments/{deployment_record.name(record)}"
        self.github.files[name] = json.dumps(record).encode()

    def main(self) -> str:
        return git(self.work, "rev-parse", "origin/main").strip()

    def by_hand(self, workflow: str, **inputs: Any) -> Run:
        event = Event("workflow_dispatch", self.main(), payload={"inputs": inputs})
        return self.runner.run(workflow, event)

    def state(self) -> Path:
        """The rehearsed account as the last run on main has kept it."""
        found = [place for key, _, place in self.github.caches if key.startswith("rehearsal-")]
        return next(found[-1].glob("*"))


def guard(stage: Stage) -> None:
    """Protect the environments and main as the page on setting up says."""
    stage.github.rules.append(
        {
            "type": "pull_request",
            "parameters": {
                "required_approving_review_count": 1,
                "require_last_push_approval": True,
            },
        }
    )
    reviewers = {"type": "required_reviewers", "reviewers": [{}], "prevent_self_review": True}
    for name, rules in (("staging", []), ("prod", [reviewers])):
        stage.github.environments[name] = {
            "protection_rules": rules,
            "deployment_branch_policy": {"custom_branch_policies": True},
            "branches": ["main"],
        }


def staged(folder: Path) -> Stage:
    """Make a repository with this checkout as its first commit."""
    origin, work, shims = folder / "origin.git", folder / "clone", folder / "shims"
    listed = ["git", "-C", str(PROJECT), "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.splitlines()
    work.mkdir(parents=True)
    for name in names:
        if (PROJECT / name).is_file() and not name.startswith(("tests/", "docs/")):
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, work / name)
    git(work, "init", "--quiet", "--initial-branch", "main")
    for key, value in (("user.name", "Test"), ("user.email", "test@example.org")):
        git(work, "config", key, value)
    git(work, "add", "-A")
    git(work, "commit", "--quiet", "-m", "The project")
    subprocess.run(["git", "clone", "--quiet", "--bare", str(work), str(origin)], check=True)
    git(work, "remote", "add", "origin", str(origin))
    git(work, "fetch", "--quiet", "origin")
    shims.mkdir()
    programs = {
        "make": MAKE,
        "pangeo-deploy": PROGRAM.format(python=sys.executable),
        "gh": GH.format(folder=folder / "github" / "releases"),
    }
    for name, text in programs.items():
        (shims / name).write_text(text)
        (shims / name).chmod(0o755)
    github = GitHub(REPOSITORY, folder / "github", origin=origin)
    runner = Runner(github, origin, folder / "runner", shims)
    # A coverage or cache setting of the machine stays out; Terraform, if there, is found.
    runner.extra = {"TF_PLUGIN_CACHE_DIR": ""} if os.environ.get("TF_PLUGIN_CACHE_DIR") else {}
    return Stage(github, runner, work)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = staged(tmp_path_factory.mktemp("stage"))
    with served(made.github):
        yield made
