"""Record a short class at the rehearsal's hub, and what `usage collect` says of it.

    python tools/measure_usage.py

Eight people come within a quarter of a minute and work in real servers for a few minutes; one of
them computes on two Dask workers, three log out, the others leave their servers running. Writes
data/class_sessions.csv, data/class_gaps.csv, data/class_homes.csv and, with the machine, the load
and the versions, data/class_about.csv.
"""

import csv
import io
import os
import platform
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from measure_rehearsal import machine

from hub_user import cells
from hub_user.user import User, log_in
from local_hub import control as hubs
from local_hub import hub_status
from pangeo_core.files import write_whole
from pangeo_deploy.collect_usage import gather
from pangeo_deploy.deployment import Deployment, find_project
from pangeo_deploy.targets.rehearsal import hub_definition, hub_place

CLASS_SECONDS = 150.0
WORK = """
import time
kept = bytearray(mebibytes * 2**20)
end = time.time() + seconds
while time.time() < end:
    sum(range(10_000))
print("{}")
"""


@dataclass(frozen=True)
class Learner:
    """What one person does: when they come, how long they compute, with how much, and whether they
    log out; times are seconds.
    """

    comes: float
    computes: float
    mebibytes: int
    logs_out: bool
    workers: int = 0


CLASS = (
    Learner(0, 20, 100, True),
    Learner(0, 10, 50, False),
    Learner(2, 30, 200, False),
    Learner(4, 10, 50, True),
    Learner(6, 5, 400, False),
    Learner(8, 0, 0, False, workers=2),
    Learner(10, 15, 100, True),
    Learner(14, 0, 0, False),
)


def attend(user: User, plan: Learner) -> None:
    """Do what the plan says."""
    time.sleep(plan.comes)
    user.start_server()
    with user.kernel() as kernel:
        if plan.computes:
            work = cells.with_values(WORK, seconds=plan.computes, mebibytes=plan.mebibytes)
            kernel.run(work, seconds=300)
        if plan.workers:
            options = {"worker_cores": 1, "worker_memory": 1.0}
            kernel.run(cells.with_values(cells.NEW_CLUSTER, wanted=options), seconds=300)
            kernel.run(cells.with_values(cells.SCALE, workers=plan.workers, timeout=120), 300)
            kernel.run(cells.COMPUTE, seconds=300)
            kernel.run(cells.with_values(cells.SHUT_DOWN, timeout=60), seconds=300)
    if plan.logs_out:
        user.stop_server()


def main() -> None:
    """Hold the class and write the tables."""
    project, before = find_project(), os.getloadavg()[0]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        deployment = Deployment("prod", state=Path(folder))
        place = hub_place(deployment)
        with hubs.running(hub_definition(deployment)) as hub:
            names = [f"learner-{number:02}" for number in range(1, len(CLASS) + 1)]
            people = [log_in(hub.url, one, hub_status.password(place, one)) for one in names]
            begun = time.monotonic()
            with ThreadPoolExecutor(len(CLASS)) as pool:
                list(pool.map(attend, people, CLASS))
            time.sleep(max(0.0, CLASS_SECONDS - (time.monotonic() - begun)))
            found = gather(deployment, Path(folder) / "out")
            for file in (found.sessions_file, found.gaps_file, found.homes_file):
                assert file is not None
                write_whole(project / "data" / f"class_{file.name}", file.read_bytes())
    packages = ("jupyterhub", "jupyterlab", "dask-gateway-server", "distributed")
    rows = [
        ("date", str(datetime.now(UTC).date())),
        ("tool", "tools/measure_usage.py"),
        ("machine", machine()),
        ("load before", f"{before:.1f}"),
        ("python", platform.python_version()),
        *((name, metadata.version(name)) for name in packages),
    ]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("what", "value"), *rows])
    write_whole(project / "data" / "class_about.csv", text.getvalue())


if __name__ == "__main__":
    main()
