"""A campaign: every configuration once in each block, in random order, until the medians settle.

Warm-ups come first and are recorded as such. Some configurations run twice in each block, to
measure the rate of false alarms (A against A). After each block the medians so far are reported; a
configuration with a settled median leaves its time to the others. Each run is written to the
journal at once; the same command continues an interrupted campaign, and one with more blocks or
workloads extends the file, on the same machine only.

A fault is recorded as a failed run with its reason, and the campaign goes on: nothing in a run may
take longer than the plan's `longest`, and a broken cluster is replaced.
"""

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from dask_bench import (
    allocator,
    data_place,
    expected_answers,
    journal,
    run_environment,
    runs,
    zarr_store,
)
from dask_bench.campaign_plan import Configuration, Plan, configurations, todo
from dask_bench.campaign_progress import medians, outlook, settled
from dask_bench.cluster import Cluster
from dask_bench.data_place import Place
from dask_bench.faults import explain, within
from dask_bench.measure import UNSETTLED, run
from dask_bench.object_bucket import Bucket
from dask_bench.workload import Scene, Workload
from dask_bench.zarr_store import Layout
from pangeo_core.errors import BadInput, Interrupted
from pangeo_core.progress import Event, Progress, State, silent

# Parts of the plan that a later command may change: more blocks, more workloads, more sizes.
EXTENDABLE = frozenset(("least", "most", "workloads", "twice", "longest", "workers"))
FEWEST = 3  # runs of a configuration before its median can be settled
CHECKING_SECONDS = 60.0  # around the measured section: watching the cluster, and the check
PREPARING_SECONDS = 7200.0  # to write the data of one layout


@dataclass
class Campaign:
    """A plan in progress: the rows so far, the cluster, and cached facts about the data.

    `data` is the place of the workloads' data, `folder` that of files on this machine.
    """

    plan: Plan
    out: Path
    folder: Path
    cluster: Cluster
    common: Mapping[str, Any]  # columns that are the same in every row
    progress: Progress = silent
    rows: list[dict[str, Any]] = field(default_factory=list)
    checking: float = CHECKING_SECONDS
    bucket: Bucket = field(default_factory=Bucket)
    data: Place | None = None
    minutes: float | None = None
    _known: dict[Any, Any] = field(default_factory=dict)
    _tasks: dict[tuple[str, int], int] = field(default_factory=dict)  # tasks of the first run

    def go(self) -> pd.DataFrame:
        """Run what is missing; return all rows. Raises `Interrupted`, which says how to continue.

        Errors of a cluster elsewhere are raised before anything is measured.
        """
        block = configurations(self.plan)
        allocator.keep_memory()
        try:
            if self.cluster.on != "local" and any(
                config.workload.needs_cluster for config in block
            ):
                self.cluster.ready(self.plan.workers[0])
            with contextlib.suppress(OSError):
                journal.begin(self.out, self.plan.as_dict())
            self._go(block)
        except KeyboardInterrupt:
            raise Interrupted(
                f"The campaign {self.plan.campaign} stopped after {len(self.rows)} runs.",
                fix="What was measured is in the run file. Give the same command to go on.",
            ) from None
        finally:
            self.cluster.close()
            self.bucket.close()
            runs.finish(self.rows, self.out, self.plan.as_dict())
        return runs.read(self.out)

    def _go(self, block: list[Configuration]) -> None:
        until = None if self.minutes is None else time.monotonic() + 60 * self.minutes
        left = list(todo(self.plan, block, self.rows))
        warm = {config.key: config for _, config in left}
        for config in warm.values():
            if config.arm == 0:
                self._run(config, 0, "warm-up", len(left))
        last, enough = None, set[tuple[Any, ...]]()
        for number, (at, config) in enumerate(left):
            if until is not None and at > 0 and time.monotonic() > until:
                return
            if at != last and last is not None:
                self._show(last)
            if at != last and at >= (self.plan.least if until is None else FEWEST):
                enough = settled(self.rows)
            last = at
            if self._asks(config) not in enough:
                self._run(config, at, config.role, len(left) - number)

    def _asks(self, config: Configuration) -> tuple[Any, ...]:
        workload = config.workload
        return workload.operation, workload.scheme, workload.variant, config.workers

    def _show(self, block: int) -> None:
        """Report the medians after a block; their intervals narrow from block to block."""
        for (operation, scheme, variant, nodes), seen in medians(self.rows).items():
            interval = "" if seen.low is None else f" ({seen.low:.3g} to {seen.high:.3g})"
            name = f"{operation}:{variant}:{scheme}" + (f" on {nodes}" if nodes > 1 else "")
            told = f"{seen.value:.3g} s{interval} after {block + 1} blocks"
            self.progress(Event(name, "info", told))

    def _run(self, config: Configuration, block: int, role: str, left: int) -> None:
        self.progress(Event(config.label, "start", outlook(self.rows, left)))
        began = time.perf_counter()
        columns = self.measured(config, block, role)
        row = {
            **self.common,
            **columns,
            "campaign": self.plan.campaign,
            "block": block,
            "order": len(self.rows),
            "role": role,
        }
        self.rows.append(row)
        try:
            journal.add(self.out, row)
        except OSError as error:  # the rows stay here, and are written at the end
            self.progress(Event("The journal", "info", explain(error)))
        state: State = "failed" if row["failed"] else "done"
        told = row.get("reason") or f"{role}, block {block}, {outlook(self.rows, left - 1)}"
        self.progress(Event(config.label, state, told, row.get("seconds")))
        row["overhead_seconds"] = (row.get("overhead_seconds") or 0.0) + (
            time.perf_counter()
            - began
            - sum(row.get(name) or 0.0 for name in ("seconds", "check_seconds", "overhead_seconds"))
        )

    def measured(self, config: Configuration, block: int, role: str = "run") -> dict[str, Any]:
        """Run `config` and return its columns; a run that cannot begin is a failed run."""
        workload, layout, longest = config.workload, config.layout(self.plan), self.plan.longest
        base = self._parameters(workload, layout, config.workers)
        try:
            right = self._right(workload, layout, block)
            scene = self._scene(workload, layout, config.workers, block)
            if scene.client is not None:
                base |= self.cluster.columns
                if self.cluster.workers != config.workers:  # some did not start, or were lost
                    base |= {"nodes": self.cluster.workers, "nodes_asked": config.workers}
            columns = within(
                longest + self.checking,
                lambda: run(workload, scene, right, longest, anew=role == "warm-up"),
                f"The run took longer than {longest:g} s, and its cluster does not answer."
                if workload.needs_cluster
                else f"The check of the answer took longer than {self.checking:g} s.",
            )
        except Exception as error:  # a row, whatever it is: the campaign goes on
            columns = {"failed": True, "reason": explain(error)}
        columns |= self._as_before(config, columns)
        unsettled = columns.pop(UNSETTLED, False)
        lost = columns["failed"] or unsettled or workload.family == "life"
        if workload.needs_cluster and lost:
            self.cluster.close()  # it may be broken; the next run opens a new one
        return {**base, **columns}

    def _scene(self, workload: Workload, layout: Layout, workers: int, block: int) -> Scene:
        elsewhere = self.cluster.on != "local"
        data: Place = self.folder if workload.needs_disk or self.data is None else self.data
        client = self.cluster.ready(workers) if workload.needs_cluster else None
        maker = client
        if elsewhere and client is None and not workload.needs_disk:
            maker = self.cluster.ready(self.plan.workers[0])
        path = within(
            PREPARING_SECONDS,
            lambda: zarr_store.prepare(layout, data, maker if elsewhere else None),
            f"The data was not there after {PREPARING_SECONDS:g} s.",
        )
        scene = Scene(
            layout=layout,
            path=path,
            folder=data if workload.needs_cluster else self.folder,
            dataset=self._dataset(path),
            threads=self.plan.concurrency,
            client=client,
            cluster=self.cluster,
            bucket=self.bucket.ready() if workload.needs_bucket else None,
            draw=block,
        )
        if workload.before is not None:
            workload.before(scene)
        return scene

    def _dataset(self, path: Path) -> Any:
        """Return the store, opened once; values computed from it are not cached."""
        if path not in self._known:
            self._known[path] = zarr_store.open_dataset(path)
        return self._known[path]

    def _right(self, workload: Workload, layout: Layout, block: int) -> Any:
        if workload.answer is None:
            return None
        key = (workload.answer, layout, block)
        if key not in self._known:
            self._known[key] = expected_answers.known(
                expected_answers.ANSWERS[workload.answer], layout, block
            )
        return self._known[key]

    def _as_before(self, config: Configuration, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Mark a run as failed if its number of tasks differs from the configuration's first."""
        tasks = columns.get("tasks")
        moved = columns.get("lost_workers") or columns.get("retries")
        if columns["failed"] or tasks is None or moved or config.workload.sink is None:
            return {}
        first = self._tasks.setdefault((config.workload.name, config.workers), tasks)
        if tasks == first:
            return {}
        reason = f"{tasks} tasks ran, {first} when it first ran: something else was computed."
        return {"failed": True, "result_ok": False, "reason": reason}

    def _parameters(self, workload: Workload, layout: Layout, workers: int) -> dict[str, Any]:
        shape = self.cluster.shape
        mine: dict[str, Any] = {
            "operation": workload.operation,
            "variant": workload.variant,
            "family": workload.family,
            "tier": self.plan.tier,
            "on": self.cluster.on,
            "nodes": workers,
            "threads": shape.threads if workload.needs_cluster else self.plan.concurrency,
            "chunk_mb": layout.stored_chunk_mb,
            "store": "zarr",
            "place": "disk"
            if workload.needs_disk or self.data is None
            else data_place.kind(self.data),
            "client": "local",
            **layout.columns(),
        }
        if workload.needs_cluster:
            mine |= {
                "workers_per_node": 1,
                "processes": shape.processes,
                "memory_limit_mb": shape.memory_limit_mb,
                "spill": shape.memory_limit_mb is not None,
            }
        return mine | dict(workload.columns)


def start(
    plan: Plan,
    out: Path,
    folder: Path,
    cluster: Cluster,
    *,
    common: Mapping[str, Any],
    bucket: Bucket | None = None,
    data: Place | None = None,
    minutes: float | None = None,
    progress: Progress = silent,
) -> Campaign:
    """Return the campaign of `plan` that writes `out`: a new one, or the one begun there.

    `bucket` is for workloads that read from an object store. Raises `BadInput` if `out` holds
    another campaign, or runs of another machine.
    """
    rows: list[dict[str, Any]] = []
    if out.exists() or journal.path_of(out).is_file():
        table = runs.read(out)
        was, now = runs.plan(out), plan.as_dict()
        if differ := [
            name for name in now if name not in EXTENDABLE and was.get(name) != now[name]
        ]:
            raise BadInput(
                f"{out} holds another campaign.",
                why=f"Its plan has another {', '.join(differ)}.",
                fix="Give the command that began it, or write to another file.",
            )
        other = sorted(set(table.fingerprint) - {common["fingerprint"]})
        if other:
            raise BadInput(
                f"{out} was begun on another machine.",
                why=f"There: {table.machine.iloc[0]} ({other[0]}); "
                f"here: {common['machine']} ({common['fingerprint']}).",
                fix="Go on there, or write to another file here.",
            )
        rows = runs.rows(table)
    return Campaign(
        plan,
        out,
        folder,
        cluster,
        common,
        progress,
        rows,
        bucket=bucket or Bucket(),
        data=data,
        minutes=minutes,
    )


def origin_of(project: Path) -> dict[str, Any]:
    """Return the columns that describe the machine and the software of the campaign."""
    return {
        **run_environment.describe(),
        **run_environment.software(project),
        "calendar": "standard",
        "origin": "measured",
        "source": "pangeo-deploy bench run",
    }
