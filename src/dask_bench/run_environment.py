"""The environment of a run: the machine, the versions, the commit."""

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import psutil

from dask_bench.fields import MEGABYTE

PACKAGES = (
    *("dask", "distributed", "xarray", "zarr", "numcodecs", "flox", "numpy", "pandas"),
    *("obstore", "icechunk", "virtualizarr", "h5netcdf", "dask-gateway", "pangeo-deploy"),
)
# Dask settings that change how long a run takes; each run records what they were.
SETTINGS = (
    "distributed.scheduler.work-stealing",
    "distributed.worker.memory.target",
    "distributed.worker.memory.spill",
    "distributed.worker.memory.pause",
    "distributed.worker.memory.terminate",
    "distributed.worker.heartbeat",
    "distributed.nanny.pre-spawn-environ",
    "optimization.fuse.active",
    "array.rechunk.method",
    "array.slicing.split-large-chunks",
)


def describe() -> dict[str, Any]:
    """Return the `MACHINE` columns of this machine, without those of a cloud."""
    memory = psutil.virtual_memory().total
    name = f"{_processor()}, {os.cpu_count()} cores, {memory / 2**30:.0f} GiB"
    return {
        "machine": name,
        "fingerprint": fingerprint(f"{platform.node()} {name}"),
        "node_cores": os.cpu_count(),
        "node_memory_mb": memory / MEGABYTE,
    }


def fingerprint(*what: str) -> str:
    """Return a short digest that identifies a machine, or a set of machines."""
    return hashlib.sha256("\0".join(what).encode()).hexdigest()[:12]


def software(project: Path) -> dict[str, Any]:
    """Return versions, the lock's digest and the commit of `project`, null where unknown."""
    lock = project / "requirements.lock"
    return {
        "versions": json.dumps(versions(), sort_keys=True),
        "lock": hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else None,
        "commit": _commit(project),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that a run's time depends on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def settings() -> str:
    """Return this process' Dask settings that affect run times, as JSON."""
    import dask.config

    return json.dumps({name: dask.config.get(name, None) for name in SETTINGS}, default=str)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _commit(project: Path) -> str | None:
    try:
        head, changed = (
            subprocess.run(
                ["git", "-C", str(project), *arguments], capture_output=True, text=True, check=True
            ).stdout.strip()
            for arguments in (("rev-parse", "HEAD"), ("status", "--porcelain", "-uno"))
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + "+" * bool(changed)
