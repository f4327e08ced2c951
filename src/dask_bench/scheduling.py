"""Workloads on the scheduler's own cost: empty tasks, round trips, trees, large graphs.

A map of no-ops is run with the workers' default saturation and without a limit: on a small cluster
the default measures a round trip for each task.
"""

import functools
import math
from typing import Any

import dask.array as da
import numpy as np
from dask import delayed  # type: ignore[attr-defined]
from distributed import wait

from dask_bench import probe
from dask_bench.workload import Outcome, Scene, Workload

ROUND_TRIPS = 100
LEAVES = 1024


def _nothing(number: int) -> int:
    return number


def no_op_map(tasks: int, saturation: float) -> Any:
    """Return a workload of `tasks` independent tasks that do nothing, sent at once."""

    def run(scene: Scene) -> Outcome:
        client = scene.client
        before = client.run_on_scheduler(functools.partial(probe.saturate, saturation))
        try:
            futures = client.map(_nothing, range(tasks), pure=False)
            wait(futures)
            last = client.gather(futures[-1:])[0]
        finally:
            client.run_on_scheduler(functools.partial(probe.saturate, before))
        return Outcome(ok=last == tasks - 1)

    return run


def round_trip(scene: Scene) -> Outcome:
    """One task after the other, each sent after the previous answer has returned."""
    found = [
        scene.client.submit(_nothing, number, pure=False).result() for number in range(ROUND_TRIPS)
    ]
    return Outcome(ok=found == list(range(ROUND_TRIPS)))


def tree_sum(scene: Scene) -> Outcome:
    """Sum many small arrays, in pairs."""
    level = [delayed(np.full)(16, number, pure=False) for number in range(LEAVES)]
    while len(level) > 1:
        level = [
            delayed(np.add)(one, two) for one, two in zip(level[::2], level[1::2], strict=True)
        ]
    found = scene.client.compute(level[0]).result()
    return Outcome(ok=bool((found == LEAVES * (LEAVES - 1) // 2).all()))


def submission(tasks: int) -> Any:
    """Return a workload that submits a graph of about `tasks` tasks and waits for its end."""

    def run(scene: Scene) -> Outcome:
        side = math.isqrt(tasks // 2)
        lazy = da.ones((side, side), chunks=1, dtype="i8")
        found = scene.client.compute((lazy + lazy.T).sum(split_every=16)).result()
        return Outcome(ok=int(found) == 2 * side * side)

    return run


def _row(operation: str, variant: str, run: Any, **columns: Any) -> Workload:
    return Workload(
        operation, variant, "scheduler", run, columns={"store": None, "place": None, **columns}
    )


WORKLOADS: tuple[Workload, ...] = (
    *(
        _row(f"no-op-map-{tasks}", f"saturation-{value}", no_op_map(tasks, value), saturation=value)
        for tasks in (1_000, 10_000, 100_000)
        for value in (1.1, math.inf)
    ),
    _row("round-trip", str(ROUND_TRIPS), round_trip),
    _row("tree-sum", str(LEAVES), tree_sum),
    _row("graph-submission", "10000", submission(10_000)),
)
