"""Wait until nobody else changes an environment: deploy, roll back, destroy, room for an event.

GitHub's concurrency groups would hold a rollback back behind a deployment that waits for its
approval. Jobs that run are what must exclude each other, so a job asks for them when it begins.
"""

import os
import time
from collections.abc import Callable, Iterator

from pangeo_core.errors import CheckFailed
from pangeo_core.progress import Event, Progress, silent
from pangeo_deploy.delivery.github import Repository
from pangeo_deploy.delivery.provenance import MAIN, file_of, repository_of

# As the workflows name the jobs that change an environment, whose name follows.
CHANGING = ("Deploy", "Roll back", "Destroy", "Event in", "Janitor of")
DEPLOY = ".github/workflows/deploy.yml"
# Whoever may write can give a job of a workflow of their own any of those names.
WORKFLOWS = (
    DEPLOY,
    *(f".github/workflows/{name}.yml" for name in ("rollback", "destroy", "event", "janitor")),
)
PATIENCE_SECONDS = 90 * 60.0
PAUSE_SECONDS = 20.0


def own_run() -> int:
    """Return the number of the run that this is a job of."""
    return int(os.environ.get("GITHUB_RUN_ID", "0"))


def others(repository: Repository, environment: str, own_run: int) -> list[str]:
    """Return the jobs of other runs that change `environment` now, and began before ours."""
    mine = min(_started(repository, own_run, environment), default="~")
    return [
        f"{name} (run {run})"
        for run, name, since in _running(repository, environment)
        if run != own_run and (since, run) < (mine, own_run)
    ]


def wait(
    repository: Repository,
    environment: str,
    progress: Progress = silent,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when this job is the only one, or the first, that changes `environment`.

    Raises `CheckFailed` where that takes too long.
    """
    run = own_run()
    left = PATIENCE_SECONDS
    while found := others(repository, environment, run):
        if left <= 0:
            raise CheckFailed(
                f"{environment} is being changed by {', '.join(found)}.",
                fix="Cancel what hangs, and run this again.",
            )
        progress(Event(environment, "info", f"waits for {', '.join(found)}"))
        sleep(PAUSE_SECONDS)
        left -= PAUSE_SECONDS


def require_latest(repository: Repository, environment: str, own_run: int) -> None:
    """Refuse (`CheckFailed`) to deploy what a later deployment has passed.

    Anybody who may write can run an old deployment again, and its jobs may begin out of order. It
    would take charts back to what was there then.
    """
    own = repository.ask("GET", f"actions/runs/{own_run}")
    if file_of(own) != DEPLOY:
        return  # to go back is what a rollback is for
    file = DEPLOY.rpartition("/")[2]
    since = {"branch": MAIN, "created": f">={own['created_at']}"}
    for run in repository.pages(f"actions/workflows/{file}/runs", "workflow_runs", **since):
        if int(run["id"]) > own_run and _deployed(repository, int(run["id"]), environment):
            raise CheckFailed(
                f"{environment} was deployed from a later commit already, by run {run['id']}.",
                fix="Nothing is to be done: it contains this one. To go back, use Roll back.",
            )


def _deployed(repository: Repository, run: int, environment: str) -> bool:
    jobs = repository.pages(f"actions/runs/{run}/jobs", "jobs", filter="all")
    return any(
        job["name"] == f"Deploy {environment}" and job["conclusion"] == "success" for job in jobs
    )


def _running(repository: Repository, environment: str) -> Iterator[tuple[int, str, str]]:
    query = {"status": "in_progress", "branch": MAIN}
    for run in repository.pages("actions/runs", "workflow_runs", **query):
        if file_of(run) not in WORKFLOWS or repository_of(run) != repository.name:
            continue
        for name, since in _jobs(repository, int(run["id"]), environment):
            yield int(run["id"]), name, since


def _started(repository: Repository, run: int, environment: str) -> list[str]:
    return [since for _, since in _jobs(repository, run, environment)]


def _jobs(repository: Repository, run: int, environment: str) -> Iterator[tuple[str, str]]:
    for job in repository.pages(f"actions/runs/{run}/jobs", "jobs", filter="latest"):
        name, changes = str(job["name"]), str(job["name"]).startswith(CHANGING)
        if job["status"] == "in_progress" and changes and name.endswith(f" {environment}"):
            yield name, str(job["started_at"])
