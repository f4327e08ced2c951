"""Measure workers and scheduler during a run: memory, processor time, requests, tasks.

These functions run in the cluster's processes, sent there by `Client.run`. One run is measured at
a time, so a process has one `_Probe`; workers that share a process share it.
"""

import asyncio
import os
import platform
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import psutil
from distributed import Scheduler
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.utils import nbytes
from zarr.storage import WrapperStore

from dask_bench import allocator
from dask_bench.fields import MEGABYTE

STEP_SECONDS = 0.02  # seconds between two samples of the memory
PATIENCE = 10.0  # seconds within which the scheduler must forget a run
NAME = "pangeo-deploy-bench"
COUNTS = ("bytes_read", "bytes_written", "requests_read", "requests_written")


@dataclass
class _Probe:
    """The counters of this process, and the thread that watches its memory while a run lasts."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    memory: list[int] = field(default_factory=list)
    spilled: int = 0
    cpu: float = 0.0
    workers: list[Any] = field(default_factory=list)
    stop: threading.Event | None = None

    def look(self, process: psutil.Process) -> None:
        self.memory.append(process.memory_info().rss)
        on_disk = (getattr(worker.data, "spilled_total", (0, 0))[1] for worker in self.workers)
        self.spilled = max(self.spilled, sum(on_disk))

    def watch(self, stop: threading.Event) -> None:
        process = psutil.Process()
        while not stop.is_set():
            self.look(process)
            stop.wait(STEP_SECONDS)


_probe = _Probe()


def begin(anew: bool = False, dask_worker: Any = None) -> None:
    """Reset the counters of this process and start watching its memory.

    With `anew`, first return freed memory to the system.
    """
    if _probe.stop is not None:  # another worker of this process was first
        _probe.workers.append(dask_worker)
        return
    _probe.counts.update(dict.fromkeys(COUNTS, 0))
    _probe.workers[:] = [dask_worker] if dask_worker is not None else []
    _probe.memory.clear()
    _probe.spilled = 0
    if anew:
        allocator.give_back()
    _probe.look(psutil.Process())
    _probe.cpu = time.process_time()
    _probe.stop = threading.Event()
    threading.Thread(target=_probe.watch, args=(_probe.stop,), daemon=True).start()


def end(dask_worker: Any = None) -> dict[str, Any]:
    """Stop watching; return host and process, MB of memory and spill, processor seconds, counts."""
    if _probe.stop is not None:
        _probe.stop.set()
        _probe.stop = None
        _probe.cpu = time.process_time() - _probe.cpu
        _probe.look(psutil.Process())
        _probe.workers.clear()
    seen = _probe.memory or [0]
    return {
        "process": (platform.node(), os.getpid()),
        "memory_mean_mb": sum(seen) / len(seen) / MEGABYTE,
        "memory_peak_mb": max(seen) / MEGABYTE,
        "memory_added_mb": (max(seen) - seen[0]) / MEGABYTE,
        "spill_mb": _probe.spilled / MEGABYTE,
        "cpu_seconds": _probe.cpu,
        **_probe.counts,
    }


def count(**seen: int) -> None:
    """Add to this process' counters, for reads and writes without a Zarr store."""
    for name, number in seen.items():
        _probe.counts[name] += number


class CountingStore(WrapperStore[Any]):
    """A Zarr store that counts its requests and bytes in the process that makes them."""

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Read one key."""
        found = await self._store.get(key, prototype, byte_range)
        count(requests_read=1, bytes_read=len(found) if found is not None else 0)
        return found

    async def get_partial_values(self, prototype: Any, key_ranges: Any) -> Any:
        """Read parts of keys."""
        found = await self._store.get_partial_values(prototype, key_ranges)
        count(requests_read=len(found), bytes_read=sum(len(piece) for piece in found if piece))
        return found

    async def set(self, key: str, value: Any) -> None:
        """Write one key."""
        await self._store.set(key, value)
        count(requests_written=1, bytes_written=len(value))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._store,)


class Tasks(SchedulerPlugin):
    """Counts tasks and sums their times on the scheduler, without storing them."""

    name = NAME

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Reset the counts."""
        self.received: float | None = None
        self.first = self.last = float("nan")
        self.tasks = self.retries = self.graph_bytes = self.lost = 0
        self.there: dict[str, Any] = {}  # the run's workers so far
        self.seconds = {"compute": 0.0, "transfer": 0.0, "disk": 0.0, "deserialize": 0.0}
        self._seen: set[Any] = set()

    async def start(self, scheduler: Scheduler) -> None:
        """Intercept graphs that clients send: plugins do not get their size."""
        handle = scheduler.stream_handlers["update-graph"]

        async def counted(*arguments: Any, expr_ser: Any, **more: Any) -> Any:
            self.graph_bytes += sum(map(nbytes, expr_ser.frames))
            return await handle(*arguments, expr_ser=expr_ser, **more)

        scheduler.stream_handlers["update-graph"] = counted

    def update_graph(self, scheduler: Scheduler, **_more: Any) -> None:
        """Record the time of the graph's arrival."""
        if self.received is None:
            self.received = time.time()

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        """Record a worker that joined during the run."""
        self.there[worker] = scheduler.workers[worker]

    def remove_worker(self, scheduler: Scheduler, worker: str, **_more: Any) -> None:
        """Count a lost worker."""
        self.lost += 1

    def transition(
        self, key: Any, start: Any, finish: Any, *_arguments: Any, **details: Any
    ) -> None:
        """Count a finished task, and the times of its worker's thread."""
        if start != "processing" or finish not in ("memory", "erred"):
            return
        self.tasks += 1
        self.retries += key in self._seen
        self._seen.add(key)
        for step in details.get("startstops") or ():
            began, ended = step["start"], step["stop"]
            self.first = began if self.first != self.first else min(self.first, began)
            self.last = ended if self.last != self.last else max(self.last, ended)
            kind = str(step["action"]).split("-")[0]
            if kind in self.seconds:
                self.seconds[kind] += ended - began


def clear(dask_scheduler: Scheduler) -> float:
    """Begin a new run on the scheduler; return its clock."""
    plugin: Any = dask_scheduler.plugins[NAME]
    plugin.clear()
    plugin.there = dict(dask_scheduler.workers)
    return time.time()


def seen(dask_scheduler: Scheduler) -> dict[str, Any]:
    """Return the scheduler's data on the run: times by its clock, counts, seconds by kind."""
    plugin: Any = dask_scheduler.plugins[NAME]
    return {
        "received": plugin.received,
        "first": plugin.first,
        "last": plugin.last,
        "tasks": plugin.tasks,
        "retries": plugin.retries,
        "graph_mb": plugin.graph_bytes / MEGABYTE,
        "lost_workers": plugin.lost,
        "spill_mb": sum(map(_spilled, plugin.there.values())) / MEGABYTE,
        "seconds": dict(plugin.seconds),
    }


async def forgotten(dask_scheduler: Scheduler) -> bool:
    """Wait until no task is left; return whether so. Polling from the client would cost more."""
    until = time.monotonic() + PATIENCE
    while dask_scheduler.tasks and time.monotonic() < until:
        await asyncio.sleep(0.0005)
    return not dask_scheduler.tasks


def _spilled(worker: Any) -> int:
    """Return a worker's bytes on disk at its last heartbeat, in the scheduler's view."""
    return int(worker.metrics.get("spilled_bytes", {}).get("disk", 0))


def saturate(value: float, dask_scheduler: Scheduler) -> float:
    """Set how many tasks a worker gets beyond its threads; return the previous number."""
    before = dask_scheduler.WORKER_SATURATION
    dask_scheduler.WORKER_SATURATION = value
    return float(before)


def saturation(dask_scheduler: Scheduler) -> float:
    """Return how many tasks a worker gets beyond its threads."""
    return float(dask_scheduler.WORKER_SATURATION)
