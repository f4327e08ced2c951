"""Start and stop a hub's supervisor, the process that keeps all its parts running."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from local_hub import hub_state
from local_hub.parts import inherited
from local_hub.supervisor import end_all, marked
from pangeo_core.errors import BadInput
from pangeo_core.files import write_whole

SUPERVISOR = "local_hub.supervisor"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Allow only one `up` or `down` of a hub at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BadInput(
                "This hub is being started or stopped by another command.",
                fix="Wait for that one to end.",
            ) from None
        yield


def launch(folder: Path, bound: bool) -> None:
    """Start the supervisor; it outlives this process, unless it is `bound` to it."""
    (folder / "logs").mkdir(exist_ok=True)
    source = str(Path(__file__).resolve().parents[1])
    paths = os.pathsep.join(path for path in (source, os.environ.get("PYTHONPATH", "")) if path)
    with (folder / "logs" / "supervisor.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", SUPERVISOR],
            cwd=folder,
            env={
                **inherited(),
                hub_state.FOLDER: str(folder),
                hub_state.OWNER: str(os.getpid()) if bound else "",
                "PYTHONPATH": paths,
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    born = psutil.Process(process.pid).create_time()
    write_whole(folder / "supervisor.json", json.dumps({"pid": process.pid, "born": born}))


def supervisor(folder: Path) -> psutil.Process | None:
    """Return the hub's supervisor if it runs: that very process, not another with its id."""
    try:
        known = json.loads((folder / "supervisor.json").read_bytes())
        process = psutil.Process(known["pid"])
        # Not by its start time: psutil computes that from the clock, which may be changed.
        ours = process.environ().get(hub_state.FOLDER) == str(folder)
        same = ours and SUPERVISOR in process.cmdline()
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (FileNotFoundError, ValueError, psutil.Error, OSError):
        return None


def stop(folder: Path) -> int:
    """Stop the supervisor, which ends its parts, then any process left of the hub."""
    found = marked(folder)
    if process := supervisor(folder):
        process.terminate()
        psutil.wait_procs([process], timeout=60)
    end_all(marked(folder))
    (folder / "supervisor.json").unlink(missing_ok=True)
    return len(found)
