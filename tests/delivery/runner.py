"""Run a workflow here as GitHub would: events, jobs, conditions, outputs, and each step in order.

A job gets a machine of its own (an empty home and workspace at the same paths), a token that may
what the job declares, and the environment that GitHub documents. `run:` steps are really run;
`uses:` steps are played by the small equivalents in `actions.py`.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.delivery import actions
from tests.delivery.expressions import condition, filled, text
from tests.delivery.github import GitHub

READ = ("contents", "actions", "issues", "pull-requests")
MARK = "RUNNER_TRACKING_ID"  # by which GitHub's own runner finds what a job has left running


@dataclass
class Event:
    """What started a run: its name, GitHub's payload, and where in the repository."""

    name: str
    sha: str
    ref: str = "refs/heads/main"
    payload: dict[str, Any] = field(default_factory=dict)
    fork: bool = False
    schedule: str = ""


@dataclass
class StepRun:
    name: str
    outcome: str
    log: str
    seconds: float


@dataclass
class JobRun:
    """What became of one job; `id` names it, with the matrix' values after it."""

    id: str
    key: str
    result: str = "success"
    steps: list[StepRun] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    environment: str = ""
    summary: str = ""
    seconds: float = 0.0

    @property
    def failed(self) -> str:
        """The name of the step that failed, or nothing."""
        return next((one.name for one in self.steps if one.outcome == "failure"), "")

    @property
    def log(self) -> str:
        return "\n".join(f"== {one.name}: {one.outcome}\n{one.log}" for one in self.steps)


@dataclass
class Run:
    id: int
    jobs: dict[str, JobRun]
    concurrency: dict[str, Any]

    @property
    def result(self) -> str:
        bad = [one for one in self.jobs.values() if one.result == "failure"]
        return "failure" if bad else "success"

    @property
    def log(self) -> str:
        """What the jobs that failed have said."""
        return "\n".join(one.log for one in self.jobs.values() if one.result == "failure")

    @property
    def results(self) -> dict[str, str]:
        return {one.id: one.result for one in self.jobs.values()}


@dataclass
class Assumed:
    """A role that a job asked for, and who it said it is."""

    workflow: str
    job: str
    role: str
    subject: str
    accepted: bool


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


class JobExecution:
    """One job on its machine."""

    def __init__(
        self, run: Execution, name: str, job: Mapping[str, Any], contexts: Mapping[str, Any]
    ) -> None:
        self.run, self.job, self.runner = run, job, run.runner
        matrix = contexts["matrix"]
        self.done = JobRun(f"{name} {' '.join(matrix.values())}".strip(), name)
        self.token = f"token-{run.id}-{self.done.id}"
        self.permissions = dict(job.get("permissions", run.workflow.get("permissions") or {}))
        if run.event.fork:  # GitHub's rule: nothing to write with, no word on who it is
            self.permissions = {k: "read" for k in self.permissions if k in READ}
        self.runner.github.tokens[self.token] = self.permissions
        place = job.get("environment") or ""
        place = place["name"] if isinstance(place, Mapping) else place
        self.contexts = dict(contexts)
        self.contexts["github"] = run.github({"token": self.token})
        self.done.environment = filled(place, self.contexts, {})
        open_to_secrets = not run.event.fork and self.done.environment
        self.contexts["secrets"] = {"PANGEO_HUB_TOKEN": ""} if open_to_secrets else {}
        self.environment: dict[str, str] = {}  # what steps add through GITHUB_ENV
        self.later: list[Any] = []
        for level in (run.workflow, job):
            given = filled(level.get("env") or {}, {**self.contexts, "env": self.environment}, {})
            self.environment |= {key: text(value) for key, value in given.items()}

    def all_steps(self) -> JobRun:
        begun = time.monotonic()
        self.runner.clean()
        scope = Scope(self, self.job["steps"], self.contexts, {})
        scope.all_steps()
        self.done.result = "failure" if scope.failed else "success"
        contexts = {**self.contexts, "steps": scope.steps}
        outputs = filled(self.job.get("outputs") or {}, contexts, {})
        self.done.outputs = {key: text(value) for key, value in outputs.items()}
        end_orphans(self.token)
        summary = self.runner.folder / "temp" / "summary"
        self.done.summary = summary.read_text() if summary.exists() else ""
        self.done.seconds = time.monotonic() - begun
        return self.done


def end_orphans(mark: str) -> None:
    """End what a job has left running, as GitHub's runner does."""
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                process.kill()
        except psutil.Error:
            continue


class Scope:
    """A list of steps with outputs of their own: a job's, or a composite action's."""

    def __init__(
        self,
        job: JobExecution,
        steps: list[Mapping[str, Any]],
        contexts: Mapping[str, Any],
        environment: Mapping[str, str],
    ) -> None:
        self.job, self.list, self.contexts = job, steps, contexts
        self.environment = environment  # of the step that uses a composite action
        self.steps: dict[str, Any] = {}
        self.failed = False

    def all_steps(self) -> None:
        functions = {
            "success": lambda: not self.failed,
            "failure": lambda: self.failed,
            "always": lambda: True,
            "cancelled": lambda: False,
        }
        for step in self.list:
            known = {**self.job.environment, **self.environment}
            contexts = {**self.contexts, "steps": self.steps, "env": known}
            if not condition(step.get("if"), contexts, functions):
                self.note(step, "skipped", "", 0.0, {})
                continue
            own = filled(step.get("env") or {}, contexts, functions)
            environment = {**known, **{key: text(value) for key, value in own.items()}}
            begun = time.monotonic()
            outcome, log, outputs = self.step(step, contexts, environment)
            self.note(step, outcome, log, time.monotonic() - begun, outputs)
            self.failed |= outcome == "failure"

    def note(
        self, step: Mapping[str, Any], outcome: str, log: str, seconds: float, outputs: Any
    ) -> None:
        name = step.get("name") or step.get("uses") or step["run"]
        self.job.done.steps.append(StepRun(name, outcome, log, seconds))
        if "id" in step:
            self.steps[step["id"]] = {"outputs": outputs, "outcome": outcome}

    def step(
        self, step: Mapping[str, Any], contexts: Mapping[str, Any], environment: dict[str, str]
    ) -> tuple[str, str, dict[str, str]]:
        """Return outcome, log and outputs of one step."""
        if "run" in step:
            return self.shell(step, contexts, environment)
        given = filled(step.get("with") or {}, contexts, {})
        uses = step["uses"]
        if uses.startswith("$/"):
            path = f"{uses.removeprefix('$/')}/action.yml"
            action = self.job.runner.file(self.job.run.event.sha, path)
            inputs = {
                key: given.get(key, one.get("default"))
                for key, one in (action.get("inputs") or {}).items()
            }
            unknown = set(given) - set(inputs)
            needed = [k for k, v in inputs.items() if v is None]
            assert not unknown, f"{uses} has no input {unknown}"
            assert not needed, f"{uses} needs {needed}"
            inner = Scope(
                self.job, action["runs"]["steps"], {**self.contexts, "inputs": inputs}, environment
            )
            inner.all_steps()
            return ("failure" if inner.failed else "success"), "", {}
        name, _, pin = uses.partition("@")
        assert re.fullmatch(r"[0-9a-f]{40}", pin), f"{uses} is not pinned by its commit"
        try:
            outputs = actions.PLAYED[name](self.job, given) or {}
        except actions.Refused as error:
            return "failure", str(error), {}
        return "success", "", outputs

    def shell(
        self, step: Mapping[str, Any], contexts: Mapping[str, Any], environment: dict[str, str]
    ) -> tuple[str, str, dict[str, str]]:
        runner = self.job.runner
        if runner.dry:
            return "success", "", runner.told
        temp = runner.folder / "temp"
        script = temp / "step.sh"
        script.write_text(filled(step["run"], contexts, {}))
        shell = step.get("shell") or self.job.run.workflow["defaults"]["run"]["shell"]
        assert shell == "bash", shell
        event = temp / "event.json"
        event.write_text(json.dumps(self.job.run.event.payload))
        files = {name: temp / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_ENV")}
        for file in files.values():
            file.write_text("")
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=runner.workspace / (step.get("working-directory") or ""),
            env={**self.machine(event), **{k: str(v) for k, v in files.items()}, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
        self.job.environment |= dict(pairs(files["GITHUB_ENV"]))
        outputs = dict(pairs(files["GITHUB_OUTPUT"]))
        return ("failure" if done.returncode else "success"), done.stdout, outputs

    def machine(self, event: Path) -> dict[str, str]:
        """Return what a runner sets for every step, on a machine that has nothing of ours."""
        runner, known = self.job.runner, self.contexts["github"]
        names = ("event_name", "ref", "sha", "repository", "run_id", "run_attempt", "server_url",
                 "api_url", "workflow", "workspace")  # fmt: skip
        return {
            "PATH": os.pathsep.join((str(runner.shims), "/usr/local/bin", "/usr/bin", "/bin")),
            "HOME": str(runner.home),
            "LANG": "C.UTF-8",
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_STEP_SUMMARY": str(runner.folder / "temp" / "summary"),
            "RUNNER_TEMP": str(runner.folder / "temp"),
            "RUNNER_OS": "Linux",
            MARK: self.job.token,
            **{f"GITHUB_{name.upper()}": str(known[name]) for name in names},
            **runner.extra,
        }


def pairs(file: Path) -> Iterator[tuple[str, str]]:
    """Yield what a step has written to GITHUB_OUTPUT or GITHUB_ENV, in both forms."""
    lines = iter(file.read_text().splitlines())
    for line in lines:
        if "<<" in line.split("=")[0]:
            name, end = line.split("<<", 1)
            inside = []
            for each in lines:
                if each == end:
                    break
                inside.append(each)
            yield name, "\n".join(inside)
        elif "=" in line:
            name, value = line.split("=", 1)
            yield name, value
