"""Child processes that never outlive the build, however it ends."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import psutil

from pangeo_core.lifeline import die_with_parent

GRACE_SECONDS = 5.0

# What a child may know of the caller's environment: enough to find programs and to write files.
# No credentials: nothing that is executed for the book may reach a real account.
INHERITED = ("HOME", "LANG", "PATH", "PYTHONPATH", "TMPDIR", "USER", "VIRTUAL_ENV")
# The same on every machine, so that the same commit gives the same bytes. The date is fixed rather
# than the commit's: an executed notebook in the cache may come from an earlier commit.
FIXED = {
    # As `start` sets on Binder, at the cost of some time: Terraform's heap stays small, and threads
    # keep less that they freed.
    "GOMEMLIMIT": "48MiB",
    "MALLOC_ARENA_MAX": "2",
    "LC_ALL": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONUNBUFFERED": "1",
    "SOURCE_DATE_EPOCH": "1577836800",
    "TZ": "UTC",
}


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a child process."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    if "PYTHONPATH" in inherited:  # a child may start in another folder
        folders = inherited["PYTHONPATH"].split(os.pathsep)
        inherited["PYTHONPATH"] = os.pathsep.join(str(Path(one).absolute()) for one in folders)
    return {**inherited, **FIXED, **(extra or {})}


def start(
    arguments: Sequence[str], *, log: IO[Any], env: Mapping[str, str], cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start `python -m proof_book.run.worker ARGUMENTS` in a session of its own.

    A Ctrl-C at the terminal then reaches only the build, which ends its children in order.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "proof_book.run.worker", str(os.getpid()), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=dict(env),
        cwd=cwd,
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """End `process` and all it started: first asked, then killed."""
    family: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        family = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for member in family:
        with contextlib.suppress(psutil.Error):
            member.kill()


@contextlib.contextmanager
def ended_on_exit(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Lend `process`, and end it if it is still there when the block is left, in whatever way."""
    try:
        yield process
    finally:
        if process.poll() is None:
            end(process)


def die_with(parent: int) -> None:
    """Have this process told to stop (SIGTERM) when `parent` ends, even when that is killed.

    Only Linux can; elsewhere a killed build leaves its children to finish by themselves.
    """
    signal.signal(signal.SIGTERM, _stop)
    die_with_parent(parent)


def _stop(signum: int, frame: object) -> None:
    raise SystemExit(128 + signum)
