"""Record what a change costs in time, and a rehearsed deployment: data/delivery_times.csv,
data/deployments/.

    PYTHONPATH=. python tools/measure_delivery.py            one change, reviewed and deployed
    PYTHONPATH=. python tools/measure_delivery.py check ...  and the time of these make goals

The workflows' own steps are run as the tests run them (tests/delivery): a runner and a GitHub of
this machine, everything rehearsed. Goals of make are run in this checkout, as `make GOAL`.
"""

import csv
import io
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from measure_rehearsal import machine
from tests.pangeo_deploy.delivery.conftest import Stage, staged
from tests.pangeo_deploy.delivery.github import served
from tests.pangeo_deploy.delivery.results import Run

from pangeo_core.files import write_whole
from pangeo_deploy.deployment import find_project

CHANGE = "terraform/environments/staging.tfvars"
WHOLE = ("Deploy", "Set up")  # actions of several steps, which are counted themselves
GOALS = {"check": "Check", "test": "Test", "book": "Build"}  # and the step that runs each
COLUMNS = ("workflow", "job", "step", "seconds")
Row = tuple[str, str, str, str]


def change(stage: Stage) -> list[Row]:
    """Take one change through review and deployment, and return the seconds of its steps."""
    head = stage.commit({CHANGE: lambda text: f"{text}\nscratch_days = 5\n"}, "shorter-scratch")
    rows = steps("review.yml", stage.runner.run("review.yml", stage.open_pull(1, head)))
    return rows + steps("deploy.yml", stage.runner.run("deploy.yml", stage.merge(1)))


def steps(workflow: str, run: Run) -> list[Row]:
    """Return what each job's steps took; what make is asked for is timed by itself."""
    if run.result != "success":
        raise SystemExit(f"{workflow} failed:\n{run.log}")
    return [
        (workflow, job.id, step.name, f"{step.seconds:.3f}")
        for job in run.jobs.values()
        for step in job.steps
        if step.outcome == "success"
        and step.seconds >= 0.01
        and step.name not in WHOLE
        and GOALS.get(job.id) != step.name  # a dry run of make
    ]


def goal(name: str) -> Row:
    """Return what a make goal takes in this checkout."""
    begun = time.perf_counter()
    subprocess.run(["make", name], check=True, stdout=subprocess.DEVNULL)
    return "review.yml", name, GOALS[name], f"{time.perf_counter() - begun:.3f}"


def main() -> None:
    """Measure and write the tables."""
    project = find_project()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        stage = staged(Path(folder))
        with served(stage.github):
            rows = change(stage)
        for name, content in stage.github.files.items():
            kept = project / "data" / "deployments" / Path(name).name.split("-")[0]
            write_whole(kept.with_suffix(".json"), content)
    rows += [goal(name) for name in sys.argv[1:]]
    text = io.StringIO()
    text.write(
        f"# Measured on {datetime.now(UTC).date()} by tools/measure_delivery.py, in the rehearsal\n"
        f"# Machine: {machine()}; Python {platform.python_version()}; load average before it began "
        f"{load:.1f}, after it {os.getloadavg()[0]:.1f}\n"
    )
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([COLUMNS, *rows])
    write_whole(project / "data" / "delivery_times.csv", text.getvalue())


if __name__ == "__main__":
    main()
