"""Keep a rehearsed hub's parts running until told to stop, as a kubelet does in a cluster.

    python -m local_hub.supervisor

`PANGEO_HUB_FOLDER` names the hub's folder. Every part ends with this process; the servers
and clusters they started are found by the same variable in their environment and ended last.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil

from local_hub import hub_state
from local_hub.parts import Part, base, parts, prepare
from pangeo_core.files import write_whole
from pangeo_core.lifeline import die_with_parent

LOOK_SECONDS = 0.1
GRACE_SECONDS = 5.0
SOON_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 10.0
PR_SET_CHILD_SUBREAPER = 36


@dataclass
class Running:
    """A part's process, and how often it was restarted."""

    part: Part
    process: subprocess.Popen[bytes]
    restarts: int = 0
    soon: int = 0  # how often in a row it died early
    since: float = field(default_factory=time.monotonic)
    again_at: float = 0.0  # monotonic seconds; 0 while it runs


def main() -> None:
    """Start the parts, restart them when they die, end everything on SIGTERM."""
    hub = hub_state.load()
    adopt_orphans()
    prepare(hub)
    ending: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: ending.append(number))
    running = [Running(part, start(part, hub)) for part in parts(hub)]
    report(hub.folder, running)
    owned, complain, changed = owner(), once_a_minute(), False
    while not ending and owned():
        time.sleep(LOOK_SECONDS)
        bury(running)
        try:
            changed |= bool([child for child in running if revive(child, hub)])
            if changed:
                report(hub.folder, running)
                changed = False
        except OSError as error:  # a full disk: running parts go on, and this is tried again
            complain(error)
    for child in running:
        child.process.terminate()
    for child in running:
        end(child.process)
    end_all(marked(hub.folder))


def owner() -> Callable[[], bool]:
    """Return a check whether the process that this hub is bound to is alive; true without one."""
    number = os.environ.get(hub_state.OWNER)
    if not number:
        return lambda: True
    try:
        process = psutil.Process(int(number))
    except psutil.NoSuchProcess:
        return lambda: False
    return lambda: process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def start(part: Part, hub: hub_state.HubState) -> subprocess.Popen[bytes]:
    """Start a part, and append its output to its log."""
    (hub.folder / "logs").mkdir(exist_ok=True)
    with (hub.folder / "logs" / f"{part.name}.log").open("ab") as log:
        return subprocess.Popen(
            part.command,
            cwd=hub.folder,
            env={**base(hub), **part.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,  # the parent is this process's only thread
        )


def revive(child: Running, hub: hub_state.HubState) -> bool:
    """Restart a dead part, later each time it dies early; return whether anything changed."""
    if child.process.poll() is None:
        return False
    now = time.monotonic()
    if not child.again_at:
        child.soon = child.soon + 1 if now - child.since < SOON_SECONDS else 0
        child.again_at = now + min(0.1 * 2**child.soon, LONGEST_PAUSE_SECONDS)
    if now < child.again_at:
        return False
    child.again_at = now + LONGEST_PAUSE_SECONDS  # if it cannot be started now
    child.process = start(child.part, hub)
    child.restarts, child.again_at, child.since = child.restarts + 1, 0.0, now
    return True


def report(folder: Path, running: list[Running]) -> None:
    """Write the record of parts and their processes."""
    told = [
        {
            "name": child.part.name,
            "pid": child.process.pid,
            "restarts": child.restarts,
            "health": child.part.health,
        }
        for child in running
    ]
    write_whole(folder / "parts.json", json.dumps(told))


def once_a_minute() -> Callable[[OSError], None]:
    """Return a function that logs an error at most once a minute, if the log can be written."""
    last = -60.0

    def write(error: OSError) -> None:
        nonlocal last
        if time.monotonic() - last < 60:
            return
        last = time.monotonic()
        with suppress(OSError):
            sys.stderr.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {error}\n")
            sys.stderr.flush()

    return write


def adopt_orphans() -> None:
    """Become the parent of servers whose hub died, so that none remains a zombie."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def bury(running: list[Running]) -> None:
    """Collect the exit codes of adopted processes, and of no others."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13, where none is adopted either
        return
    ours = {child.process.pid for child in running}
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None or found.si_pid in ours:
            return
        os.waitpid(found.si_pid, 0)


def end(process: subprocess.Popen[bytes]) -> None:
    """Wait for a part that was told to end, and kill it if it does not."""
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def marked(folder: Path) -> list[psutil.Process]:
    """Return the other live processes with this hub's folder in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(hub_state.FOLDER) == str(
                folder
            ):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def end_all(processes: list[psutil.Process]) -> int:
    """Terminate exactly these processes, then kill what remains; return how many there were."""
    for send in (psutil.Process.terminate, psutil.Process.kill):
        for process in processes:
            try:
                send(process)
            except psutil.NoSuchProcess:
                continue
        _, alive = psutil.wait_procs(processes, timeout=GRACE_SECONDS)
        if not alive:
            break
    return len(processes)


if __name__ == "__main__":
    main()
