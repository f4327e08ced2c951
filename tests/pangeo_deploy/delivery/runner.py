"""Run a workflow here as GitHub would: events, jobs, conditions, outputs, and each step in order.

A job gets a machine of its own (an empty home and workspace at the same paths), a token that may
what the job declares, and the environment that GitHub documents. `run:` steps are really run;
`uses:` steps are played by the small equivalents in `actions.py`.
"""

import re
import shutil
import uuid
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
from tests.pangeo_deploy.delivery.triggers import changed, git, started

SECRETS = {
    "PANGEO_HUB_TOKEN": "a-token-of-a-user-0123",
    "PANGEO_JANITOR_TOKEN": "the-janitors-4567",
}


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
    secrets: dict[str, str] = field(default_factory=lambda: dict(SECRETS))
    rejected: set[str] = field(default_factory=set)  # environments whose reviewers say no
    cancel: tuple[str, str] = ("", "")  # the job and step at which somebody cancels the run
    # Of this runner alone: what a job leaves running is found by it, and another test may run too.
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

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
        inputs = started(workflow, event, changed(self.origin, event.sha))
        number = 1000 + len(self.github.runs)
        pull = event.payload.get("pull_request") or {}
        head = pull.get("head") or {}
        self.github.runs[number] = known = {
            "id": number,
            "path": f".github/workflows/{name}",
            "head_sha": head.get("sha", event.sha),
            "head_branch": head.get("ref", event.ref.removeprefix("refs/heads/")),
            "head_repository": head.get("repo", {"full_name": self.github.repository}),
            "event": event.name,
            "html_url": f"https://github.test/{self.github.repository}/actions/runs/{number}",
            "created_at": f"2026-11-26T12:00:{number % 1000:03d}Z",
            "status": "in_progress",
            "conclusion": None,
        }
        run = Execution(self, workflow, name, event, inputs, number).all_jobs()
        known.update(status="completed", conclusion=run.result)
        return run

    def run_again(self, name: str, event: Event, earlier: Run) -> Run:
        """Run the jobs again that failed, and those that wait for them: one more attempt."""
        workflow = self.file(event.sha, f".github/workflows/{name}")
        inputs = started(workflow, event, changed(self.origin, event.sha))
        execution = Execution(self, workflow, name, event, inputs, earlier.id)
        execution.attempt = earlier.attempt + 1
        needed = {job.key for job in earlier.jobs.values() if job.result != "success"}
        grown = True
        while grown:
            later = {
                key for key, job in workflow["jobs"].items() if needed & set(listed(job, "needs"))
            } - needed
            needed, grown = needed | later, bool(later)
        for job in earlier.jobs.values():
            if job.key not in needed:
                execution.results.setdefault(job.key, []).append(job)
        run = execution.all_jobs()
        self.github.runs[earlier.id].update(conclusion=run.result)
        return run

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
    attempt: int = 1

    def all_jobs(self) -> Run:
        jobs = self.workflow["jobs"]
        contexts = {"github": self.github({}), "inputs": self.inputs, "vars": self.variables()}
        group = filled(self.workflow["concurrency"], contexts, {})
        waiting = {name: job for name, job in jobs.items() if name not in self.results}
        while waiting:
            ready = [
                n for n, one in waiting.items() if not set(listed(one, "needs")) & set(waiting)
            ]
            assert ready, f"jobs wait for each other: {list(waiting)}"
            for name in ready:
                self.results[name] = self.job(name, waiting.pop(name))
        done = {one.id: one for several in self.results.values() for one in several}
        return Run(self.id, done, group, self.attempt)

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
            "cancelled": lambda: "cancelled" in reached,
        }
        if not condition(job.get("if"), base, functions):
            self.told(str(job["name"]), "skipped")
            return [JobRun(name, name, "skipped")]
        matrix = (job.get("strategy") or {}).get("matrix") or {}
        cells = [dict(zip(matrix, values, strict=True)) for values in product(*matrix.values())]
        return [self.cell(name, job, {**base, "matrix": cell}) for cell in cells]

    def cell(self, name: str, job: Mapping[str, Any], contexts: Mapping[str, Any]) -> JobRun:
        shown = str(filled(job["name"], contexts, {}))
        known = self.told(shown, None)
        execution = JobExecution(self, name, job, contexts)
        if execution.done.environment in self.runner.rejected:
            execution.done.result = "failure"  # without a step, as GitHub ends it
            done = execution.done
        else:
            done = execution.all_steps()
        for secret in self.runner.secrets.values():  # GitHub would mask it, and drop the output
            assert secret not in done.log + done.summary + str(done.outputs), name
        done.name = shown
        if "concurrency" in job:
            done.concurrency = filled(job["concurrency"], contexts, {})
        known.update(status="completed", conclusion=done.result)
        return done

    def told(self, name: str, conclusion: str | None) -> dict[str, Any]:
        """Let the API know of a job of the latest attempt."""
        jobs = self.runner.github.jobs.setdefault(self.id, [])
        jobs[:] = [job for job in jobs if job["name"] != name]
        jobs.append(
            {
                "name": name,
                "status": "completed" if conclusion else "in_progress",
                "conclusion": conclusion,
                "started_at": f"2026-11-26T13:00:{len(jobs):03d}Z",
            }
        )
        return jobs[-1]

    def needs(self, job: Mapping[str, Any], far: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in listed(job, "needs"):
            several = self.results[name]
            ends = {one.result for one in several}
            worst = next((r for r in ("cancelled", "failure", "skipped") if r in ends), "success")
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
            "run_attempt": str(self.attempt),
            "server_url": "https://github.test",
            "api_url": github.api,
            "workflow": self.workflow["name"],
            "workspace": str(self.runner.workspace),
            **own,
        }


def listed(job: Mapping[str, Any], key: str) -> list[str]:
    value = job.get(key) or []
    return [value] if isinstance(value, str) else value
