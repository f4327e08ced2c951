"""A campaign that alternates between two environments, and the verdict of its two stages."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from dask_bench import compare, journal, runs
from dask_bench.campaign_plan import Configuration, Plan, configurations
from dask_bench.cluster import Shape
from dask_bench.interleaved import ARMS, Arm, Running, request_of, running
from pangeo_core.errors import BadInput, Interrupted
from pangeo_core.progress import Event, Progress, State, silent

_PLACE = ("block", "operation", "variant", "scheme", "nodes", "arm")


@dataclass
class Interleaved:
    """Both arms of each configuration once in each block, one right after the other.

    What the first stage flags is measured again in `confirm` blocks, in the separate file `again`.
    """

    plan: Plan
    arms: tuple[Arm, Arm]
    out: Path
    folder: Path
    shape: Shape
    confirm: int = 10
    progress: Progress = silent
    _rows: dict[Path, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def again(self) -> Path:
        """The run file of the second stage."""
        return self.out.with_name(f"{self.out.stem}-again{self.out.suffix}")

    def go(self) -> list[compare.Compared]:
        """Measure both stages and return the comparison. `Interrupted` says how to go on."""
        plan = self.plan.as_dict()
        asked = {**plan, "threads": self.shape.threads, "workers": self.plan.workers}
        asked["memory_limit_mb"] = self.shape.memory_limit_mb
        block = [config for config in configurations(self.plan) if not config.arm]
        try:
            with running(self.arms, asked, self.folder) as both:
                self._measure(self.out, block, self.plan.most, both)
                first = self.compared()
                names = {runs.identity(comparison.configuration) for comparison in _flagged(first)}
                flagged = [config for config in block if self._identity(config) in names]
                if flagged:
                    self._measure(self.again, flagged, self.confirm, both)
        except KeyboardInterrupt:
            raise Interrupted(
                "The comparison stopped.",
                fix="What was measured is in the run file. Give the same command to go on.",
            ) from None
        return self.compared()

    def compared(self) -> list[compare.Compared]:
        """Return the comparison of the runs so far."""
        before, after = runs.arms(runs.read(self.out))
        second = runs.arms(runs.read(self.again)) if self.again.exists() else None
        return compare.compare(before, after, paired=True, again=second)

    def _identity(self, config: Configuration) -> tuple[Any, ...]:
        row = next(row for row in self._rows[self.out] if _is(row, config))
        return runs.identity(row)

    def _measure(
        self, out: Path, block: list[Configuration], blocks: int, both: list[Running]
    ) -> None:
        """Run the configurations that `out` lacks, and write it."""
        rows = self._known(out)
        journal.begin(out, self.plan.as_dict())
        done = {tuple(row[name] for name in _PLACE) for row in rows if row["role"] == "run"}
        try:
            for config in block:
                for name, arm in zip(ARMS, both, strict=True):
                    if not any(_is(row, config) and row["arm"] == name for row in rows):
                        self._run(out, config, 0, "warm-up", name, arm)
            for at in range(blocks):
                draw = np.random.default_rng([self.plan.seed, at, int(out == self.again)])
                for number in draw.permutation(len(block)):
                    config = block[number]
                    for side in draw.permutation(2):
                        what = config.workload
                        place = (at, what.operation, what.variant, what.scheme, config.workers)
                        if (*place, ARMS[side]) not in done:
                            self._run(out, config, at, "run", ARMS[side], both[side])
        finally:
            if rows:
                plan = self.plan.as_dict()
                runs.write(runs.frame(rows), out, plan=plan, durable=False)
                journal.end(out)

    def _known(self, out: Path) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        if out.exists() or journal.path_of(out).is_file():
            rows = runs.rows(runs.read(out))
            if not all(row["arm"] for row in rows):
                raise BadInput(
                    f"{out} holds a campaign of one environment.", fix="Name another --out."
                )
        self._rows[out] = rows
        return rows

    def _run(
        self, out: Path, config: Configuration, block: int, role: str, name: str, arm: Running
    ) -> None:
        label = f"{config.label} in {name}"
        self.progress(Event(label, "start", role))
        began = time.perf_counter()
        row = arm.ask(request_of(config, block, role))
        if row.get("started"):
            row["started"] = datetime.fromisoformat(row["started"])
        place = {"campaign": self.plan.campaign, "block": block, "role": role, "arm": name}
        row |= {**place, "order": len(self._rows[out]), "source": "pangeo-deploy bench ab"}
        inside = sum(row.get(part) or 0.0 for part in ("seconds", "check_seconds"))
        row["overhead_seconds"] = max(0.0, time.perf_counter() - began - inside)
        self._rows[out].append(row)
        journal.add(out, row)
        state: State = "failed" if row["failed"] else "done"
        told = row.get("reason") or f"{role}, block {block}"
        self.progress(Event(label, state, told, row.get("seconds")))


def _is(row: Mapping[str, Any], config: Configuration) -> bool:
    what = config.workload
    return (row["operation"], row["variant"], row["scheme"], row["nodes"]) == (
        what.operation, what.variant, what.scheme, config.workers,
    )  # fmt: skip


def _flagged(compared: list[compare.Compared]) -> list[compare.Compared]:
    """Return the configurations to measure again: all that look slower."""
    return [
        comparison
        for comparison in compared
        if comparison.p is not None and comparison.p <= compare.FLAGGED
    ]
