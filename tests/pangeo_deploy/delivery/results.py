"""What starts a run, and what is left of it."""

from dataclasses import dataclass, field
from typing import Any


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
    name: str = ""
    concurrency: dict[str, Any] = field(default_factory=dict)

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
    attempt: int = 1

    @property
    def result(self) -> str:
        results = {job.result for job in self.jobs.values()}
        return next((bad for bad in ("cancelled", "failure") if bad in results), "success")

    @property
    def log(self) -> str:
        """What the jobs that failed have said."""
        bad = [job.log for job in self.jobs.values() if job.result not in ("success", "skipped")]
        return "\n".join(bad)

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
