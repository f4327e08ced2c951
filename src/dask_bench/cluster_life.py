"""Workloads on the life of a cluster: its start and end, and the cost of a lost worker.

Each has a cluster of its own, or leaves one that the next run does not reuse.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from distributed import futures_of, wait

from dask_bench.cluster import WORKERS_OF_LIFE, Cluster
from dask_bench.compute import better_climatology
from dask_bench.workload import Outcome, Scene, Workload
from pangeo_core.errors import BadInput, CheckFailed

PROGRESS = 0.3  # share of the tasks that are done when the fault comes
LOOK_SECONDS = 0.002
GONE_SECONDS = 30.0  # a worker that was killed or drained is gone
ADAPTIVE_TASKS, ADAPTIVE_SECONDS = 40, 0.1


def start_cluster(workers: int) -> Callable[[Scene], Outcome]:
    """Return a workload: from nothing to a scheduler (0), the first worker (1) or all of them."""

    def run(scene: Scene) -> Outcome:
        began = time.perf_counter()
        other = scene.cluster.another()
        try:
            other.ready(workers)
            seconds = time.perf_counter() - began
        finally:
            other.close()
        return Outcome(columns={"seconds": seconds}, ok=True)

    return run


def until_gone(scene: Scene) -> Outcome:
    """Close a cluster: from the end of the work until its last process is gone."""
    other: Cluster = scene.cluster.another()
    try:
        other.ready(WORKERS_OF_LIFE)
    finally:
        began = time.perf_counter()
        gone = other.close()
    return Outcome(columns={"seconds": time.perf_counter() - began}, ok=gone)


def undisturbed(scene: Scene) -> Any:
    """Compute a climatology in small chunks, undisturbed."""
    return _climatology(scene, None)


def killed(scene: Scene) -> Any:
    """The same, while a worker dies as with its node: at once, with its data."""
    if not scene.cluster.shape.processes:
        raise BadInput("Workers without processes of their own cannot be killed.")
    return _climatology(scene, lambda worker: scene.client.run(_die, workers=[worker]))


def drained(scene: Scene) -> Any:
    """The same, while a worker is asked to leave, as on the two minutes' notice of a spot node."""
    return _climatology(scene, lambda worker: scene.client.retire_workers([worker]))


def _climatology(scene: Scene, fault: Callable[[str], Any] | None) -> Any:
    kept = scene.client.persist(better_climatology("month")(scene))
    futures = futures_of(kept)
    while sum(future.done() for future in futures) < PROGRESS * len(futures):
        time.sleep(LOOK_SECONDS)
    if fault is not None:
        worker = sorted(scene.client.scheduler_info(n_workers=-1)["workers"])[0]
        fault(worker)
        # With little data, all may be done before it dies: its results are then computed again.
        until = time.monotonic() + GONE_SECONDS
        while worker in scene.client.scheduler_info(n_workers=-1)["workers"]:
            if time.monotonic() > until:
                raise CheckFailed(f"The worker {worker} did not go within {GONE_SECONDS:g} s.")
            time.sleep(LOOK_SECONDS)
    wait(futures)
    return kept


def _die() -> None:
    # A moment later, so that the call itself returns.
    threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGKILL)).start()


def adaptive(scene: Scene) -> Outcome:
    """Start with one worker and let the cluster grow with the work: tasks that sleep."""
    other: Cluster = scene.cluster.another()
    try:
        client = other.ready(1)
        began = time.perf_counter()
        other.cluster.adapt(minimum=1, maximum=WORKERS_OF_LIFE)
        futures = client.map(_sleep, range(ADAPTIVE_TASKS), pure=False)
        right = sum(client.gather(futures)) == sum(range(ADAPTIVE_TASKS))
        seconds = time.perf_counter() - began
    finally:
        other.close()
    return Outcome(columns={"seconds": seconds}, ok=right)


def _sleep(number: int) -> int:
    time.sleep(ADAPTIVE_SECONDS)
    return number


def _row(operation: str, variant: str, run: Any, **more: Any) -> Workload:
    return Workload(operation, variant, "life", run, **more)


def _start(variant: str, run: Any) -> Workload:
    columns = {"store": None, "place": None}
    return _row("life", variant, run, needs_cluster=False, columns=columns)


SMALL = {"chunk_mb": 1.0}
WORKLOADS: tuple[Workload, ...] = (
    _start("to-scheduler", start_cluster(0)),
    _start("to-first-worker", start_cluster(1)),
    _start("to-all-workers", start_cluster(WORKERS_OF_LIFE)),
    _start("until-gone", until_gone),
    _start("adaptive", adaptive),
    *(
        _row(
            "lost-worker", run.__name__, run,
            scheme="space", layout=SMALL, answer="climatology-month", workers=WORKERS_OF_LIFE,
        )
        for run in (undisturbed, killed, drained)
    ),
)  # fmt: skip
