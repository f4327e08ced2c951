"""Measure one run: resources, where the time went, and whether its answer was right."""

import asyncio
import contextlib
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from distributed import futures_of, wait

from dask_bench import data_place, probe
from dask_bench.expected_answers import ANSWERS, Known, check
from dask_bench.faults import TookTooLong, explain, within
from dask_bench.workload import Outcome, Scene, Workload
from pangeo_core.errors import CheckFailed

UNSETTLED = "_unsettled"  # of a run's columns: the cluster still holds what the run made
LONGEST = 600.0  # seconds that a run may take
ALL_BYTES = 0.95  # of the stored bytes, which a run that reads everything reads at least
ANSWERING = 10.0  # seconds that workers may take to send their measurements
_SECONDS = {
    "compute": "busy_seconds",
    "transfer": "transfer_seconds",
    "disk": "disk_seconds",
    "deserialize": "deserialize_seconds",
}
_SPLIT = ("graph", "submit", "first_task", "compute", "gather")


@dataclass
class _Clock:
    """The moments between the parts of a run, on this process' monotonic clock."""

    marks: list[float] = field(default_factory=list)
    wall: float = 0.0  # offset of the time of day from the monotonic clock

    def start(self) -> None:
        self.wall = time.time() - time.perf_counter()
        self.marks = [time.perf_counter()]

    def mark(self) -> None:
        self.marks.append(time.perf_counter())


def run(
    workload: Workload, scene: Scene, right: Known | None, longest: float, *, anew: bool = False
) -> dict[str, Any]:
    """Run `workload` once and return its columns of the run table.

    With `anew`, all processes first return memory freed by earlier runs, so that this run's own
    memory can be measured; allocating it again makes the run slower, as a first run is anyway.

    Any error makes it a failed run with a reason; only an interrupt is passed on.
    """
    with contextlib.nullcontext() if scene.client is None else scene.client.as_current():
        return _run(workload, scene, right, longest, anew)


def _run(
    workload: Workload, scene: Scene, right: Known | None, longest: float, anew: bool
) -> dict[str, Any]:
    began, started, load = time.perf_counter(), datetime.now(UTC), os.getloadavg()[0]
    clock, columns = _Clock(), dict[str, Any]()
    result: Any = None
    try:
        with _watched(scene, columns, anew), _in_time(scene):
            result = within(longest, lambda: _do(workload, scene, clock))
        columns.update(_split(workload, clock, columns))
        checking = time.perf_counter()
        columns.update(_judge(workload, scene, right, result, columns))
        columns["check_seconds"] = time.perf_counter() - checking
    except Exception as error:  # a row, whatever it is: the campaign goes on
        columns.update(failed=True, reason=explain(error) + _lost(scene, columns))
    finally:
        result = None
    settled = _settle(scene)
    measured = sum(columns.get(name) or 0.0 for name in ("seconds", "check_seconds"))
    for name in [name for name in columns if name.startswith("_")]:
        del columns[name]
    return {
        "started": started,
        "load_before": load,
        **columns,
        "overhead_seconds": time.perf_counter() - began - measured,
        UNSETTLED: not settled,
    }


def _lost(scene: Scene, columns: Mapping[str, Any]) -> str:
    """Return an addition to a failure's reason if workers were lost."""
    if not columns.get("lost_workers"):
        return ""
    limit = scene.cluster.shape.memory_limit_mb
    of = f", each with a memory limit of {limit:g} MB" if limit else ""
    return f" Workers lost on the way: {columns['lost_workers']}{of}."


def _do(workload: Workload, scene: Scene, clock: _Clock) -> Any:
    """Run the measured section; return the result to check."""
    clock.start()
    try:
        found = workload.run(scene)
        if workload.sink is None:
            return found
        clock.mark()
        if workload.sink == "gather":
            return scene.client.compute(found).result()
        kept = scene.client.persist(found)
        futures = futures_of(kept)
        wait(futures)
        for future in futures:
            if future.status != "finished":
                raise future.exception() or RuntimeError(f"A task was {future.status}.")
        return kept
    finally:
        clock.mark()


@contextmanager
def _in_time(scene: Scene) -> Iterator[None]:
    """Explain why a run did not end in time: a worker over its memory limit pauses forever."""
    try:
        yield
    except TookTooLong as error:
        if scene.client is None or scene.client.status != "running":
            raise
        there = scene.client.scheduler_info(n_workers=-1)["workers"].values()
        paused = [worker["name"] for worker in there if worker["status"] == "paused"]
        why = f"{len(paused)} of {len(there)} workers are paused: their memory limit is too small."
        raise CheckFailed(str(error), why=why if paused else "") from error


@contextmanager
def _watched(scene: Scene, columns: dict[str, Any], anew: bool) -> Iterator[None]:
    """Watch the cluster's processes, or this one, and add their measurements to `columns`."""
    client = scene.client
    if client is None:
        probe.begin(anew)
        try:
            yield
        finally:
            columns.update(_processes([probe.end()]))
        return
    columns["_ahead"] = client.sync(_begin, client, anew)
    try:
        yield
    finally:
        # A dead scheduler does not respond; the failure in progress has the reason.
        with contextlib.suppress(Exception):
            _require_scheduler(scene)
            processes, seen = client.sync(_end, client)
            columns.update(_processes(list(processes.values())))
            columns.update({f"_{name}": seen[name] for name in ("received", "first", "last")})
            counts = ("tasks", "graph_mb", "retries", "lost_workers")
            columns.update({name: seen[name] for name in counts})
            columns.update({_SECONDS[kind]: took for kind, took in seen["seconds"].items()})
            columns["worker_seconds_busy"] = columns["busy_seconds"]
            # For a dead or silent worker, its last heartbeat has the bytes spilled.
            columns["spill_mb"] = max(columns.get("spill_mb", 0.0), seen["spill_mb"])


async def _begin(client: Any, anew: bool) -> float:
    """Begin a run in all processes at once; return the scheduler's clock less ours."""

    async def ahead() -> float:
        before = time.time()
        there: float = await client.run_on_scheduler(probe.clear)
        return there - (before + time.time()) / 2

    return (await asyncio.gather(ahead(), client.run(probe.begin, anew)))[0]


async def _end(client: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """End the run: collect measurements of workers and scheduler, except from silent workers."""

    async def workers() -> dict[str, Any]:
        seen: dict[str, Any] = {}
        with contextlib.suppress(TimeoutError):
            asked = client.run(probe.end, on_error="ignore")
            seen = await asyncio.wait_for(asked, ANSWERING)
        return seen

    processes, seen = await asyncio.gather(workers(), client.run_on_scheduler(probe.seen))
    return processes, seen


def _require_scheduler(scene: Scene) -> None:
    """Raise if the client has lost its scheduler: each call would wait half a minute for it."""
    if scene.client.status != "running":
        raise ConnectionError("The scheduler is gone.")


def _processes(seen: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the sum over processes; workers that share one are counted once."""
    apart = {one["process"]: one for one in seen}.values()
    names = [name for name in next(iter(apart), {}) if name != "process"]
    return {name: sum(one[name] for one in apart) for name in names}


def _split(workload: Workload, clock: _Clock, seen: Mapping[str, Any]) -> dict[str, float]:
    """Return the run's seconds, and those of its parts for a lazy result.

    The scheduler's timestamps are converted to this clock and put in order, so that the parts add
    up to the whole.
    """
    start, *_, end = clock.marks
    total = {"seconds": end - start}
    if workload.sink is None or seen.get("_received") is None:
        return total
    shift = seen["_ahead"] + clock.wall
    moments = [start, clock.marks[1]]
    for name in ("_received", "_first", "_last"):
        moment = seen[name] - shift
        moments.append(min(end, max(moments[-1], moment if math.isfinite(moment) else 0.0)))
    moments.append(end)
    parts = zip(_SPLIT, moments[:-1], moments[1:], strict=True)
    return total | {f"{name}_seconds": after - before for name, before, after in parts}


def _read_enough(scene: Scene, seen: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse a run that read less than is stored: its answer came from elsewhere."""
    stored, read = data_place.stored_bytes(scene.path), seen.get("bytes_read") or 0
    if read >= ALL_BYTES * stored:
        return {}
    why = f"It read {read} of {stored} stored bytes: the answer came from elsewhere."
    return {"result_ok": False, "reason": why}


def _judge(
    workload: Workload,
    scene: Scene,
    right: Known | None,
    result: Any,
    seen: Mapping[str, Any],
) -> dict[str, Any]:
    """Return whether the answer is right, and was computed by this run."""
    columns: dict[str, Any] = {"failed": False}
    if isinstance(result, Outcome):
        columns.update(result.columns)
        if result.ok is not None:
            columns.update(result_ok=result.ok)
        result = result.answer
    if workload.answer is not None and right is not None:
        verdict = check(ANSWERS[workload.answer], right, result, scene.layout)
        columns.update(
            result_ok=verdict.ok,
            expected=verdict.expected,
            got=verdict.got,
            tolerance=verdict.tolerance,
            checked_share=verdict.share,
        )
        if verdict.why:
            columns.update(reason=verdict.why)
        if math.isnan(verdict.got) and not math.isnan(verdict.expected):
            columns.update(
                reason="The answer is wrong: it is NaN (missing) where a value is known."
            )
    if workload.right is not None:
        columns.update(result_ok=workload.right(scene, result))
    if columns.get("result_ok") and workload.reads_all:
        columns.update(_read_enough(scene, seen))
    if columns.get("result_ok") and workload.sink is not None and seen.get("tasks") == 0:
        why = "No task ran: the cluster still held the answer of an earlier run."
        columns.update(result_ok=False, reason=why)
    if columns.get("result_ok") is False:
        columns.update(failed=True, reason=columns.get("reason") or "The answer is wrong.")
    return columns


def _settle(scene: Scene) -> bool:
    """Wait until the scheduler has forgotten the run, whose results the next could reuse.

    Return whether it did.
    """
    if scene.client is None:
        return True
    with contextlib.suppress(Exception):
        _require_scheduler(scene)
        return bool(scene.client.run_on_scheduler(probe.forgotten))
    return False
