"""The plan of a campaign, and the configurations in each of its blocks."""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from dask_bench.catalogue import choose
from dask_bench.measure import LONGEST
from dask_bench.workload import Workload
from dask_bench.zarr_store import Layout

# A scheduler takes about a millisecond per task, and a client sends them all at once.
MOST_TASKS = 100_000
USUAL = ("area-mean:better:time", "climatology-month:better:space")


@dataclass(frozen=True)
class Plan:
    """The plan of a campaign. It is stored in the run file, which only the same plan can continue.

    `least` and `most` limit the number of blocks. `workers` are the cluster sizes to compare; with
    `weak` the data grows with them, in latitude. `twice` names the A/A configurations; `again`
    chooses them from a set of workloads.
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
    twice: tuple[str, ...] = ()
    longest: float = LONGEST
    concurrency: int = 2  # threads of workloads without a cluster

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as the run file stores it."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def again(workloads: Sequence[str]) -> tuple[str, ...]:
    """Return the workloads to run twice in a block: the usual ones, else the first on a cluster."""
    chosen = choose(workloads)
    usual = tuple(workload.name for workload in chosen if workload.name in USUAL)
    first = sorted(chosen, key=lambda workload: not workload.needs_cluster)[0]
    return usual or (first.name,)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Configuration:
    """One workload on a number of workers; `arm` 1 is the second of an A/A pair."""

    workload: Workload
    workers: int
    arm: int = 0

    @property
    def key(self) -> tuple[str, int, int]:
        """The configuration's identity in a block."""
        return self.workload.name, self.workers, self.arm

    @property
    def label(self) -> str:
        """The configuration's name for people."""
        many = f" on {self.workers} workers" if self.workers > 1 else ""
        return f"{self.workload.name}{many}{' again' * self.arm}"

    @property
    def role(self) -> str:
        """The `role` of its counted runs in the run table."""
        return "aa" if self.arm else "run"

    def layout(self, plan: Plan) -> Layout:
        """Return the layout of the data; with `weak` it grows with the workers, in latitude."""
        layout = self.workload.layout_for(plan.layout)
        if not plan.weak or self.workers <= 1:
            return layout
        return replace(layout, field=replace(layout.field, lat=layout.field.lat * self.workers))


def configurations(plan: Plan) -> list[Configuration]:
    """Return all configurations of a block, in the order of the catalogue."""
    found = []
    for workload in affordable(plan):
        sizes = plan.workers if workload.needs_cluster else (0,)
        for workers in (workload.workers,) if workload.workers else sizes:
            found.append(Configuration(workload, workers))
            if workload.name in plan.twice:
                found.append(replace(found[-1], arm=1))
    return found


def affordable(plan: Plan) -> list[Workload]:
    """Return the chosen workloads; from a set, without those that would send `MOST_TASKS` tasks."""
    return [
        workload
        for workload in choose(plan.workloads)
        if workload.tasks(plan.layout) <= MOST_TASKS
        or not {
            workload.name,
            workload.operation,
            f"{workload.operation}:{workload.variant}",
        }.isdisjoint(plan.workloads)
    ]


def todo(
    plan: Plan, block: list[Configuration], rows: Iterable[Mapping[str, Any]]
) -> Iterator[tuple[int, Configuration]]:
    """Yield (block, configuration) of the runs missing from `rows`, each block in random order."""
    columns = ("block", "operation", "variant", "scheme")
    done = {
        (*(row[name] for name in columns), row.get("nodes_asked") or row["nodes"], row["role"])
        for row in rows
    }
    name = zlib.crc32(plan.campaign.encode())  # campaigns with the same seed have different orders
    for at in range(plan.most):
        order = np.random.default_rng([plan.seed, name, at]).permutation(len(block))
        for config in (block[number] for number in order):
            what = config.workload
            key = (at, what.operation, what.variant, what.scheme, config.workers, config.role)
            if key not in done:
                yield at, config
