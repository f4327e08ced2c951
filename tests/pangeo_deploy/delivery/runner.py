"""Run a workflow here as GitHub would: events, jobs, conditions, outputs, and each step in order.

A job gets a machine of its own (an empty home and workspace at the same paths), a token that may
what the job declares, and the environment that GitHub documents. `run:` steps are really run;
`uses:` steps are played by the small equivalents in `actions.py`.
"""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from tests.pangeo_deploy.delivery.expressions import condition, filled
from tests.pangeo_deploy.delivery.github import GitHub
from tests.pangeo_deploy.delivery.machine import JobExecution
from tests.pangeo_deploy.delivery.results import Assumed, Event, JobRun, Run


@dataclass
class Runner:
    """The machine: `origin` is the bare repository, `shims` are programs put before all others.

    With `dry`, `run:` steps are taken to succeed and to tell `told`: to see which jobs would run,
    and as whom.
    """

    github: GitHub
    origin: Path
    folder: Path
    shims: Path
    trust: Any = None  # (role, subject) -> whether the role's trust policy accepts it
    dry: bool = False
    told: dict[str, str] = field(default_factory=dict)
    assumed: list[Assumed] = field(default_factory=list)
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def workspace(self) -> Path:
        return self.folder / "work" / "repo"

    def file(self, commit: str, path: str) -> Any:
        """Return a YAML file as the repository has it at a commit."""
        content = git(self.origin, "show", f"{commit}:{path}")
        return yaml.load(content, Loader)

    def run(self, name: str, event: Event) -> Run:
        """Run a workflow for an event; the workflow must be one that the event starts."""
        workflow = self.file(event.sha, f".github/workflows/{name}")
        inputs = started(workflow, event)
        number = 1000 + len(self.github.runs)
        head = (event.payload.get("pull_request") or {}).get("head", {}).get("sha", event.sha)
        self.github.runs[number] = known = {
            "id": number, "file": name, "head_sha": head, "event": event.name, "conclusion": None
        }  # fmt: skip
        return_value = Execution(self, workflow, name, event, inputs, number).all_jobs()
        known["conclusion"] = return_value.result
        return return_value

    def clean(self) -> None:
        """Give the next job an empty machine."""
        for folder in (self.home, self.workspace.parent, self.folder / "temp"):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        self.workspace.mkdir()


class Loader(yaml.SafeLoader):
    """YAML 1.2's booleans, as GitHub reads it: `on` is a word."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:bool"]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))


def git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *words], check=True, capture_output=True, text=True
    ).stdout


def started(workflow: Mapping[str, Any], event: Event) -> dict[str, Any]:
    """Return the inputs of a workflow that the event starts; else say that it does not."""
    on = workflow["on"]
    if event.name not in on:
        raise ValueError(f"{workflow['name']} is not started by {event.name}")
    how = on[event.name] or {}
    if event.name == "schedule":
        assert event.schedule in [one["cron"] for one in how]
    if event.name == "push":
        assert event.ref.removeprefix("refs/heads/") in how["branches"]
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


@dataclass
class Execution:
    """One run of one workflow."""

    runner: Runner
    workflow: dict[str, Any]
    name: str
    event: Event
    inputs: dict[str, Any]
    id: int
    results: dict[str, list[JobRun]] = field(default_factory=dict)

    def all_jobs(self) -> Run:
        jobs = self.workflow["jobs"]
        contexts = {"github": self.github({}), "inputs": self.inputs, "vars": self.variables()}
        group = filled(self.workflow["concurrency"], contexts, {})
        waiting = dict(jobs)
        while waiting:
            ready = [
                n for n, one in waiting.items() if not set(listed(one, "needs")) & set(waiting)
            ]
            assert ready, f"jobs wait for each other: {list(waiting)}"
            for name in ready:
                self.results[name] = self.job(name, waiting.pop(name))
        done = {one.id: one for several in self.results.values() for one in several}
        return Run(self.id, done, group)

    def variables(self) -> dict[str, str]:
        return self.runner.github.variables

    def job(self, name: str, job: Mapping[str, Any]) -> list[JobRun]:
        needs = self.needs(job)
        base = {
            "github": self.github({}),
            "inputs": self.inputs,
            "vars": self.variables(),
            "needs": needs,
        }
        # A job is skipped when one before it, however far, has not gone well.
        reached = {one["result"] for one in self.needs(job, far=True).values()}
        functions = {
            "success": lambda: not reached - {"success"},
            "failure": lambda: "failure" in reached,
            "always": lambda: True,
            "cancelled": lambda: False,
        }
        if not condition(job.get("if"), base, functions):
            return [JobRun(name, name, "skipped")]
        matrix = (job.get("strategy") or {}).get("matrix") or {}
        cells = [dict(zip(matrix, values, strict=True)) for values in product(*matrix.values())]
        return [
            JobExecution(self, name, job, {**base, "matrix": cell}).all_steps() for cell in cells
        ]

    def needs(self, job: Mapping[str, Any], far: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in listed(job, "needs"):
            several = self.results[name]
            ends = {one.result for one in several}
            worst = next((one for one in ("failure", "skipped") if one in ends), "success")
            outputs = {key: value for one in several for key, value in one.outputs.items()}
            if far:
                found |= self.needs(self.workflow["jobs"][name], far=True)
            found[name] = {"result": worst, "outputs": outputs}
        return found

    def github(self, own: Mapping[str, Any]) -> dict[str, Any]:
        github = self.runner.github
        return {
            "event_name": self.event.name,
            "event": {**self.event.payload, "schedule": self.event.schedule},
            "ref": self.event.ref,
            "sha": self.event.sha,
            "repository": github.repository,
            "run_id": str(self.id),
            "run_attempt": "1",
            "server_url": "https://github.test",
            "api_url": github.api,
            "workflow": self.workflow["name"],
            "workspace": str(self.runner.workspace),
            **own,
        }


def listed(job: Mapping[str, Any], key: str) -> list[str]:
    value = job.get(key) or []
    return [value] if isinstance(value, str) else value
