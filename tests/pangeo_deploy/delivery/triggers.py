"""Which events start a workflow: branches, paths, schedules, inputs."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.pangeo_deploy.delivery.results import Event

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *words], check=True, capture_output=True, text=True
    ).stdout


def changed(origin: Path, commit: str) -> list[str]:
    """Return the files that a push to a branch has changed, by its first parent."""
    parents = git(origin, "log", "-1", "--format=%P", commit).split()
    before = parents[0] if parents else EMPTY_TREE
    return git(origin, "diff", "--name-only", before, commit).splitlines()


def wanted(paths: list[str], files: list[str]) -> bool:
    """Tell whether a filter of paths lets one of the files through; the last match decides."""

    def let(file: str) -> bool:
        verdict = False
        for pattern in paths:
            plain = pattern.removeprefix("!")
            fits = file.startswith(plain[:-2]) if plain.endswith("/**") else file == plain
            verdict = not pattern.startswith("!") if fits else verdict
        return verdict

    return any(map(let, files))


def started(
    workflow: Mapping[str, Any], event: Event, files: list[str] | None = None
) -> dict[str, Any]:
    """Return the inputs of a workflow that the event starts; else say that it does not."""
    on = workflow["on"]
    if event.name not in on:
        raise ValueError(f"{workflow['name']} is not started by {event.name}")
    how = on[event.name] or {}
    if event.name == "schedule":
        assert event.schedule in [one["cron"] for one in how]
    if event.name == "push":
        assert event.ref.removeprefix("refs/heads/") in how["branches"]
        if "paths" in how and not wanted(how["paths"], files or []):
            raise ValueError(f"{workflow['name']} is not started by a push of {files}")
    if event.name == "pull_request":
        base = event.payload["pull_request"].get("base", {"ref": "main"})["ref"]
        if base not in how["branches"]:
            raise ValueError(f"{workflow['name']} is not started by a pull request to {base}")
    given = dict(event.payload.get("inputs") or {})
    inputs = {}
    for name, one in (how.get("inputs") or {}).items() if event.name == "workflow_dispatch" else ():
        value = given.pop(name, one.get("default"))
        assert value is not None or not one.get("required"), f"{name} is required"
        if one["type"] == "choice":
            assert value in one["options"], f"{name}: {value}"
        inputs[name] = value
    assert not given, given
    return inputs
