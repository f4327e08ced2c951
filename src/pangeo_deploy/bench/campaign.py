"""A campaign: every configuration once in each block, in random order, until the medians hold.

Warm-ups come first and are kept as such. Some configurations run twice in each block, so that the
campaign knows how often it would cry wolf (A against A). The run file is written as the campaign
goes; the same command again goes on where it was interrupted, on the same machine only.
"""

import statistics as plain
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pangeo_deploy.bench import answers, machine, runs, store
from pangeo_deploy.bench.catalogue import choose
from pangeo_deploy.bench.cluster import Cluster
from pangeo_deploy.bench.measure import LONGEST, explain, run
from pangeo_deploy.bench.store import Layout
from pangeo_deploy.bench.workload import Scene, Workload
from pangeo_deploy.errors import BadInput, CheckFailed, Interrupted, MissingPrerequisite
from pangeo_deploy.progress import Event, Progress, State, silent

SETTLED = 0.05  # half the interval of a median, relative to it
EVERY_SECONDS = 2.0  # between two writes of the run file


@dataclass(frozen=True)
class Plan:
    """What a campaign sets out to do. It is in the run file: only the same plan goes on with it.

    `least` and `most` bound the blocks. `workers` are the sizes of the cluster to compare; with
    `weak` the data grows with them, in latitude. `twice` names the A/A configurations.
    """

    campaign: str
    tier: str
    layout: Layout
    workloads: tuple[str, ...] = ("core",)
    workers: tuple[int, ...] = (1,)
    weak: bool = False
    least: int = 10
    most: int = 30
    seed: int = 0
    twice: tuple[str, ...] = ("area-mean:better:time", "climatology-month:better:space")
    longest: float = LONGEST
    concurrency: int = 2  # threads of what runs without a cluster

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as the run file keeps it."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Configuration:
    """One workload on so many workers; `arm` 1 is the second of an A/A pair."""

    workload: Workload
    workers: int
    arm: int = 0

    @property
    def key(self) -> tuple[str, int, int]:
        """What distinguishes it in a block."""
        return self.workload.name, self.workers, self.arm

    @property
    def label(self) -> str:
        """For people."""
        many = f" on {self.workers} workers" if self.workers > 1 else ""
        return f"{self.workload.name}{many}{' again' * self.arm}"


Cost = Callable[[Mapping[str, Any]], Mapping[str, Any]]


@dataclass
class Campaign:
    """A plan under way: the rows so far, the cluster, and what is known of the data."""

    plan: Plan
    out: Path
    folder: Path
    cluster: Cluster
    common: Mapping[str, Any]  # columns that are the same in every row
    progress: Progress = silent
    cost: Cost | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    _known: dict[Any, Any] = field(default_factory=dict)
    _written: float = 0.0

    def configurations(self) -> list[Configuration]:
        """Return all that a block holds, in the order of the catalogue."""
        found = []
        for workload in choose(self.plan.workloads):
            sizes = self.plan.workers if workload.needs_cluster else (0,)
            for workers in (workload.workers,) if workload.workers else sizes:
                found.append(Configuration(workload, workers))
                if workload.name in self.plan.twice:
                    found.append(replace(found[-1], arm=1))
        return found

    def go(self) -> pd.DataFrame:
        """Run what is not there yet; return all rows. `Interrupted` says how to go on."""
        try:
            self._go(self.configurations())
        except KeyboardInterrupt:
            self._write()
            raise Interrupted(
                f"The campaign {self.plan.campaign} stopped after {len(self.rows)} runs.",
                fix="Give the same command again: it goes on from there.",
            ) from None
        finally:
            self.cluster.close()
        self._write()
        return runs.read(self.out)

    def _go(self, block: list[Configuration]) -> None:
        todo = list(self._todo(block))
        warm = {one.key: one for _, one in todo}
        for one in warm.values():
            if one.arm == 0:
                self._run(one, 0, "warm-up", len(todo))
        last = None
        for number, (at, one) in enumerate(todo):
            if at != last and at >= self.plan.least and self._settled():
                return
            last = at
            self._run(one, at, "aa" if one.arm else "run", len(todo) - number)

    def _todo(self, block: list[Configuration]) -> Iterator[tuple[int, Configuration]]:
        done = {
            (
                row["block"],
                row["operation"],
                row["variant"],
                row["scheme"],
                row["nodes"],
                row["role"],
            )
            for row in self.rows
        }
        for at in range(self.plan.most):
            order = np.random.default_rng([self.plan.seed, at]).permutation(len(block))
            for one in (block[number] for number in order):
                what = one.workload
                nodes = one.workers
                role = "aa" if one.arm else "run"
                if (at, what.operation, what.variant, what.scheme, nodes, role) not in done:
                    yield at, one

    def _settled(self) -> bool:
        """Are all medians known well enough?"""
        from pangeo_deploy.bench import statistics  # a second of imports, for long campaigns only

        table = pd.DataFrame(self.rows)
        table = table[(table.role == "run") & ~table.failed.astype(bool)]
        for _, seconds in table.groupby(["operation", "variant", "scheme", "nodes"]).seconds:
            found = statistics.median(seconds)
            if found.low is None or found.high is None:
                return False
            if (found.high - found.low) / 2 > SETTLED * found.value:
                return False
        return True

    def _run(self, one: Configuration, block: int, role: str, left: int) -> None:
        self.progress(Event(one.label, "start", self._outlook(left)))
        began = time.perf_counter()
        columns = self._measured(one)
        row = {
            **self.common,
            **columns,
            "campaign": self.plan.campaign,
            "block": block,
            "order": len(self.rows),
            "role": role,
        }
        if self.cost is not None:
            row.update(self.cost(row))
        self.rows.append(row)
        state: State = "failed" if row["failed"] else "done"
        told = row.get("reason") or f"{role}, block {block}, {self._outlook(left - 1)}"
        self.progress(Event(one.label, state, told, row.get("seconds")))
        if time.monotonic() - self._written > EVERY_SECONDS:
            self._write()
        row["overhead_seconds"] = (row.get("overhead_seconds") or 0.0) + (
            time.perf_counter()
            - began
            - sum(row.get(name) or 0.0 for name in ("seconds", "check_seconds", "overhead_seconds"))
        )

    def _measured(self, one: Configuration) -> dict[str, Any]:
        """Run `one` and return its columns; what cannot even begin is a failed run."""
        workload = one.workload
        layout = workload.layout_for(self.plan.layout)
        if self.plan.weak and one.workers > 1:
            grown = replace(layout.field, lat=layout.field.lat * one.workers)
            layout = replace(layout, field=grown)
        base = self._parameters(workload, layout, one.workers)
        try:
            path = store.prepare(layout, self.folder)
            right = self._right(workload, layout)
            client = self.cluster.ready(one.workers) if workload.needs_cluster else None
            scene = Scene(
                layout=layout,
                path=path,
                folder=self.folder,
                dataset=self._dataset(path),
                threads=self.plan.concurrency,
                client=client,
                cluster=self.cluster,
            )
        except (OSError, MissingPrerequisite, CheckFailed) as error:
            return {**base, "failed": True, "reason": explain(error)}
        columns = run(workload, scene, right, self.plan.longest)
        if client is not None and (columns["failed"] or workload.family == "life"):
            self.cluster.close()  # it may be broken; the next run opens a new one
        return {**base, **(self.cluster.columns if client is not None else {}), **columns}

    def _dataset(self, path: Path) -> Any:
        """Return the store, opened once; what is computed from it is not kept."""
        if path not in self._known:
            self._known[path] = store.open_dataset(path)
        return self._known[path]

    def _right(self, workload: Workload, layout: Layout) -> Any:
        if workload.answer is None:
            return None
        key = (workload.answer, layout)
        if key not in self._known:
            self._known[key] = answers.known(answers.ANSWERS[workload.answer], layout)
        return self._known[key]

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
            "place": "disk",
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

    def _outlook(self, left: int) -> str:
        """Return how many runs are left and about how long they take."""
        took = [
            sum(row.get(name) or 0.0 for name in ("seconds", "check_seconds", "overhead_seconds"))
            for row in self.rows
        ]
        if not took:
            return f"at most {left} runs"
        minutes = plain.mean(took) * left / 60
        return f"at most {left} runs, {minutes:.0f} min left"

    def _write(self) -> None:
        if self.rows:
            runs.write(runs.frame(self.rows), self.out, plan=self.plan.as_dict(), durable=False)
        self._written = time.monotonic()


def start(
    plan: Plan,
    out: Path,
    folder: Path,
    cluster: Cluster,
    *,
    common: Mapping[str, Any],
    cost: Cost | None = None,
    progress: Progress = silent,
) -> Campaign:
    """Return the campaign of `plan` that writes `out`: a new one, or the one there to go on with.

    Raises `BadInput` where `out` holds another campaign, or runs of another machine.
    """
    rows: list[dict[str, Any]] = []
    if out.exists():
        table = runs.read(out)
        if runs.plan(out) != plan.as_dict():
            raise BadInput(
                f"{out} holds another campaign.",
                why="Its plan is not this one: tier, workloads, blocks or cluster differ.",
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
    return Campaign(plan, out, folder, cluster, common, progress, cost, rows)


def origin_of(project: Path) -> dict[str, Any]:
    """Return the columns that say where and with what the campaign runs."""
    return {
        **machine.describe(),
        **machine.software(project),
        "calendar": "standard",
        "origin": "measured",
        "source": "pangeo-deploy bench run",
    }
