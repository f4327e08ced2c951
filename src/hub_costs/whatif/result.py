"""The answer to "what if": cost by part with the floor first, waiting, and what did not fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from hub_costs.estimates import prices as price_list
from hub_costs.estimates.prices import Prices
from hub_costs.usage.concurrency import HOUR
from hub_costs.usage.sessions import Sessions, iso
from hub_costs.whatif.config import Config
from hub_costs.whatif.replay import PoolRun, replay
from hub_costs.whatif.replay_cost import Line, bill
from pangeo_core.errors import BadInput
from pangeo_core.progress import Event, Progress, silent

PEOPLE = ("notebook", "binder")  # kinds for which a person waits


@dataclass(frozen=True)
class WhatIf:
    """A replay of `sessions` against `config`, and its bill for a month of 730 hours."""

    sessions: Sessions
    config: Config
    runs: Sequence[PoolRun]
    lines: Sequence[Line]

    @property
    def floor_usd_per_month(self) -> Decimal:
        """Return what the hub costs when nobody comes."""
        return sum((line.usd for line in self.lines if line.floor), Decimal(0))

    @property
    def usd_per_month(self) -> Decimal:
        """Return what it costs with these sessions: the floor and what they cause."""
        return sum((line.usd for line in self.lines), Decimal(0))

    def waits(self, kinds: Sequence[str] = PEOPLE) -> npt.NDArray[np.float64]:
        """Return how many seconds each session of `kinds` waited until it ran or gave up."""
        wanted = np.asarray(self.sessions.table["kind"].isin(kinds))
        parts = [run.waits[wanted[run.rows]] for run in self.runs]
        return np.concatenate(parts) / 1000

    def wait(self, percentile: float) -> float | None:
        """Return a percentile of people's waits in seconds (all kinds' where nobody is there)."""
        waits = self.waits()
        if not len(waits):
            waits = self.waits([kind for run in self.runs for kind in run.pool.kinds])
        return float(np.percentile(waits, percentile)) if len(waits) else None

    @property
    def problems(self) -> list[str]:
        """Return one sentence for each way in which the configuration does not serve the load."""
        found = []
        for run in self.runs:
            if len(run.too_big):
                row = self.sessions.table.iloc[int(run.too_big[0])]
                types = ", ".join(run.pool.instance_types)
                found.append(
                    f"Pool {run.pool.name}: {len(run.too_big)} session(s) ask for more than any "
                    f"node of it has ({types}); the first is a {row['kind']} of {row['user']} with "
                    f"{row['cpu_cores']:g} cores and {row['memory_gib']:g} GiB. They are not in "
                    "the cost. Add a larger instance type."
                )
            if len(run.gave_up):
                limit, zones = run.pool.max_nodes_per_zone, self.config.zones
                found.append(
                    f"Pool {run.pool.name} cannot serve the load: {len(run.gave_up)} of "
                    f"{len(run.rows)} session(s) gave up after {run.pool.give_up_seconds:g} s in "
                    f"the queue; it may have {limit} node(s) in each of {zones} zone(s). "
                    "Allow more nodes or larger ones."
                )
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON: money as decimal strings, times ISO 8601 UTC."""
        pools = {run.pool.name: _pool(run) for run in self.runs}
        return {
            "origin": "modelled",
            "configuration": self.config.name,
            "start": iso(self.sessions.start),
            "end": iso(self.sessions.end),
            "floor_usd_per_month": money(self.floor_usd_per_month),
            "usd_per_month": money(self.usd_per_month),
            "wait_median_seconds": _rounded(self.wait(50)),
            "wait_p95_seconds": _rounded(self.wait(95)),
            "node_hours": {name: pool["node_hours"] for name, pool in pools.items()},
            "interruptions": sum(pool["interruptions"] for pool in pools.values()),
            "users": int(self.sessions.table["user"].nunique()),
            "sessions": len(self.sessions.table),
            "too_big": sum(pool["too_big"] for pool in pools.values()),
            "gave_up": sum(pool["gave_up"] for pool in pools.values()),
            "serves_the_load": not self.problems,
            "problems": self.problems,
            "input": self.sessions.as_dict(),
            "pools": pools,
            "lines": [
                {
                    "part": line.part,
                    "item": line.item,
                    "quantity": f"{line.quantity:.6f}",
                    "unit": line.unit,
                    "usd_per_unit": str(line.price.usd),
                    "price_note": line.price.note,
                    "usd_per_month": money(line.usd),
                    "floor": line.floor,
                }
                for line in sorted(self.lines, key=lambda line: not line.floor)
            ],
        }


def what_if(
    sessions: Sessions,
    config: Config | None = None,
    prices: Prices | None = None,
    progress: Progress = silent,
) -> WhatIf:
    """Replay `sessions` against `config` (default: `Config()`) and price it (default: `data/`).

    Raises `BadInput` where no session at all can run, a price or shape is missing, or a kind of
    session has no pool. A configuration that serves only a part says so in `WhatIf.problems`.
    """
    config, prices = config or Config(), prices or price_list.read()
    progress(Event("replay", "start", f"{len(sessions.table)} sessions"))
    runs = replay(sessions, config)
    hours = Decimal(str(sessions.end.value // 10**6 - sessions.start.value // 10**6)) / HOUR
    result = WhatIf(sessions, config, runs, bill(runs, config, prices, hours))
    if not any(run.pods["first"].size and (run.pods["first"] >= 0).any() for run in runs):
        raise BadInput(
            f"The configuration {config.name!r} cannot run a single one of "
            f"{len(sessions.table)} session(s).",
            why=" ".join(result.problems),
            fix="Add larger instance types, or allow more nodes.",
        )
    progress(Event("replay", "done"))
    return result


def money(amount: Decimal) -> str:
    """Return an amount as JSON has it: a decimal string with cents."""
    return f"{amount:.2f}"


def _pool(run: PoolRun) -> dict[str, Any]:
    waits = run.waits / 1000
    lived = run.lives["end"] - run.lives["start"]
    cpu, memory = run.used_share()
    return {
        "node_hours": round(int(lived.sum()) / HOUR, 3),
        "spot_node_hours": round(int(lived[run.lives["spot"] == 1].sum()) / HOUR, 3),
        "nodes_started": len(run.lives),
        "peak_nodes": run.peak,
        "sessions": len(run.rows) + len(run.too_big),
        "wait_median_seconds": _rounded(np.percentile(waits, 50) if len(waits) else None),
        "wait_p95_seconds": _rounded(np.percentile(waits, 95) if len(waits) else None),
        "interruptions": int(run.pods["taken"].sum()),
        "moves": int(run.pods["moved"].sum()),
        "too_big": len(run.too_big),
        "gave_up": len(run.gave_up),
        "asked_share_cpu": round(cpu, 4),
        "asked_share_memory": round(memory, 4),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 3)
