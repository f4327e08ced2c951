"""Record how long the rehearsed life of an environment takes: data/rehearsal_times.csv.

    python tools/measure_rehearsal.py [--runs 5] [ENVIRONMENT...]

Runs the command line as an operator does, one process a step, in a fresh account each run, with the
environments interleaved so that a slow spell of the machine does not fall on one of them.
"""

import argparse
import csv
import io
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from pangeo_core.files import write_whole
from pangeo_deploy.deployment import environments, find_project
from pangeo_deploy.terraform.engine import find_engine

STEPS = {
    "plan": ["plan"],
    "apply": ["apply"],
    "plan again": ["plan"],
    "drift": ["drift"],
    "destroy": ["destroy"],
}


def life(environment: str) -> dict[str, float]:
    """Return the seconds of each step of one life, in an account of its own."""
    with tempfile.TemporaryDirectory() as state:
        seconds = {}
        for step, words in STEPS.items():
            start = time.perf_counter()
            subprocess.run(
                [
                    sys.executable,
                    "-c",
                    "from pangeo_deploy.cli import main; main()",
                    *words,
                    environment,
                ],
                env={**os.environ, "PANGEO_DEPLOY_STATE": state},
                check=True,
                capture_output=True,
            )
            seconds[step] = time.perf_counter() - start
    return seconds


def machine() -> str:
    """Return what a reader needs to know of this machine: its processor, cores and memory."""
    models = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores, {gib:.0f} GiB"


def main() -> None:
    """Measure and write the table."""
    project = find_project()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("environments", nargs="*", default=environments(project))
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=project, capture_output=True, text=True, check=True
    ).stdout.strip()
    rows = [
        (environment, run, step, f"{seconds:.3f}")
        for run in range(1, arguments.runs + 1)
        for environment in arguments.environments
        for step, seconds in life(environment).items()
    ]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    engine = find_engine()
    target = project / "data" / "rehearsal_times.csv"
    today = datetime.now(UTC).date()
    text = io.StringIO(
        f"# Measured on {today} by tools/measure_rehearsal.py, commit {commit}\n"
        f"# Machine: {machine()}; Python {platform.python_version()}; "
        f"Terraform {engine.version}; largest process {peak:.0f} MiB\n"
    )
    text.seek(0, io.SEEK_END)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([("environment", "run", "step", "seconds"), *rows])
    write_whole(target, text.getvalue())


if __name__ == "__main__":
    main()
