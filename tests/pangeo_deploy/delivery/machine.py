"""One job on its machine: its token, its environment, and its steps in order."""

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from tests.pangeo_deploy.delivery import actions
from tests.pangeo_deploy.delivery.expressions import condition, filled, text
from tests.pangeo_deploy.delivery.results import JobRun, StepRun

if TYPE_CHECKING:
    from tests.pangeo_deploy.delivery.runner import Execution

SUMMARY_BYTES = 2**20
# What of a workflow's syntax is played here; more is refused, so that no test passes by chance.
JOB = {
    "name", "needs", "if", "runs-on", "timeout-minutes", "permissions", "environment",
    "concurrency", "outputs", "strategy", "env", "steps",
}  # fmt: skip
STRATEGY = {"matrix", "fail-fast"}
STEP = {
    "name", "id", "if", "uses", "with", "run", "env", "shell", "working-directory",
    "continue-on-error",
}  # fmt: skip
READ = ("contents", "actions", "issues", "pull-requests")
MARK = "RUNNER_TRACKING_ID"  # by which GitHub's own runner finds what a job has left running


class JobExecution:
    """One job on its machine."""

    def __init__(
        self, run: "Execution", name: str, job: Mapping[str, Any], contexts: Mapping[str, Any]
    ) -> None:
        self.run, self.job, self.runner = run, job, run.runner
        strategy = job.get("strategy") or {}
        for what, known in ((job, JOB), (strategy, STRATEGY)):
            assert set(what) <= known, f"this runner does not play {set(what) - known}"
        assert strategy.get("fail-fast", False) is False, "one failure would cancel the others"
        matrix = contexts["matrix"]
        self.done = JobRun(f"{name} {' '.join(matrix.values())}".strip(), name)
        self.token = f"token-{self.runner.mark}-{run.id}-{run.attempt}-{self.done.id}"
        self.permissions = dict(job.get("permissions", run.workflow.get("permissions") or {}))
        if run.event.fork:  # GitHub's rule: nothing to write with, no word on who it is
            self.permissions = {k: "read" for k in self.permissions if k in READ}
        self.runner.github.tokens[self.token] = self.permissions
        place = job.get("environment") or ""
        place = place["name"] if isinstance(place, Mapping) else place
        self.contexts = dict(contexts)
        self.contexts["github"] = run.github({"token": self.token})
        self.done.environment = filled(place, self.contexts, {})
        # Dependabot's runs have secrets of their own, and may be given more than to read.
        bot = run.event.payload.get("pull_request", {}).get("user", {}).get("login")
        trusted = not run.event.fork and bot != "dependabot[bot]"
        open_to_secrets = trusted and self.done.environment
        self.contexts["secrets"] = dict(run.runner.secrets) if open_to_secrets else {}
        self.environment: dict[str, str] = {}  # what steps add through GITHUB_ENV
        self.cancelled = False
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
        if self.cancelled:
            self.done.result = "cancelled"
        contexts = {**self.contexts, "steps": scope.steps}
        outputs = filled(self.job.get("outputs") or {}, contexts, {})
        self.done.outputs = {key: text(value) for key, value in outputs.items()}
        end_orphans(self.token)
        summary = self.runner.folder / "temp" / "summary"
        self.done.summary = summary.read_text() if summary.exists() else ""
        assert len(self.done.summary.encode()) <= SUMMARY_BYTES, "GitHub drops such a summary"
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
            "success": lambda: not self.failed and not self.job.cancelled,
            "failure": lambda: self.failed,
            "always": lambda: True,
            "cancelled": lambda: self.job.cancelled,
        }
        for step in self.list:
            assert set(step) <= STEP, f"this runner does not play {set(step) - STEP}"
            known = {**self.job.environment, **self.environment}
            contexts = {**self.contexts, "steps": self.steps, "env": known}
            if not condition(step.get("if"), contexts, functions):
                self.note(step, "skipped", "", 0.0, {})
                continue
            own = filled(step.get("env") or {}, contexts, functions)
            environment = {**known, **{key: text(value) for key, value in own.items()}}
            if self.job.runner.cancel == (self.job.done.id, step.get("name")):
                self.job.cancelled = True  # somebody cancels the run while this step is at work
                self.note(step, "cancelled", "", 0.0, {})
                continue
            begun = time.monotonic()
            outcome, log, outputs = self.step(step, contexts, environment)
            self.note(step, outcome, log, time.monotonic() - begun, outputs)
            self.failed |= outcome == "failure" and not step.get("continue-on-error")

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
            # An input that is given an empty value is empty: its default is for one not given.
            said = {key: text(value) for key, value in given.items()}
            inputs = {
                key: said.get(key, declared.get("default"))
                for key, declared in (action.get("inputs") or {}).items()
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
