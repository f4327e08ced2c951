"""Compare quantities that do not depend on the machine's load: tasks, bytes, requests, memory.

Seconds on a shared runner mean little from one day to the next. A run's counts there mean a lot,
and so does its time relative to streaming with numpy in the same block. A count grew if the least
of B is more than the most of A; counts that vary from run to run are tested like times. So two
campaigns of the same code raise no alarm.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from dask_bench import statistics
from dask_bench.runs import Key, by_configuration, good, identity, known
from pangeo_core.errors import BadInput

BASELINE = "numpy"  # the variant that streams the same store with plain numpy
SESSION = ["campaign", "arm", "block", "operation", "scheme", "dataset_mb"]

# Allowed growth from A to B. Counts that the program determines must not grow at all; sizes on disk
# change a little with a compressor's version.
COUNTS: Mapping[str, float] = {
    "tasks": 0.0,
    "requests_read": 0.0,
    "requests_written": 0.0,
    "bytes_read": 0.01,
    "bytes_written": 0.01,
    "graph_mb": 0.05,
}
# These vary from run to run: a test decides, at `LEVEL` for all configurations together.
VARYING: Mapping[str, float] = {"memory_added_mb": 0.25}
RELATIVE = "roofline_ratio"
ALLOWED: Mapping[str, float] = {**COUNTS, **VARYING, RELATIVE: 0.25}
LEVEL = 0.05


@dataclass(frozen=True)
class Growth:
    """A count of one configuration that grew by more than `allowed` (a share) from A to B."""

    configuration: dict[str, Any]
    what: str
    before: float
    after: float
    allowed: float

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of one growth."""
        return asdict(self)


@dataclass(frozen=True)
class Gate:
    """The gate's result: how many counts it compared, what grew, and what it could not compare."""

    compared: int
    grown: list[Growth]
    missing: list[dict[str, Any]]  # configurations of A without a good run in B
    too_few: int  # comparisons that too few runs cannot decide

    @property
    def says_no(self) -> bool:
        """Whether something grew, or was missing."""
        return bool(self.grown or self.missing)


def roofline_ratios(table: pd.DataFrame) -> pd.Series:
    """Return the seconds of each run over those of the `numpy` run beside it, null without one.

    Beside it means: same campaign, block, operation, chunks and size. Failed runs have no ratio.
    """
    sound = table.assign(seconds=table.seconds.where(~table.failed.astype(bool)))
    sound["arm"] = sound.arm.fillna("")
    base = sound[sound.variant == BASELINE].groupby(SESSION).seconds.median().rename("base")
    beside = sound[SESSION].merge(base.reset_index(), on=SESSION, how="left").base
    return sound.seconds / beside.set_axis(table.index).to_numpy()


def gate(before: pd.DataFrame, after: pd.DataFrame) -> Gate:
    """Compare the counts of each configuration of A with those of B.

    Raises `BadInput` if the tables share no configuration or nothing was counted.
    """
    a, b = (
        by_configuration(good(table.assign(roofline_ratio=roofline_ratios(table))))
        for table in (before, after)
    )
    both = {key: (a[key], b[key]) for key in a if key in b}
    wanted = {**VARYING, RELATIVE: ALLOWED[RELATIVE]}
    compared, grew = _counts(both)
    tried, more, too_few = _varying(both, wanted)
    if not compared + tried + too_few:
        raise BadInput(
            "There is nothing to compare: the files share no configuration with counts.",
            fix="Measure A and B with bench run, with the same operations, sizes and workers.",
        )
    missing = [known(key) for key in a if key not in b]
    return Gate(compared + tried, grew + more, missing, too_few)


def grown_counts(both: Mapping[Key, tuple[pd.DataFrame, pd.DataFrame]]) -> dict[Key, list[Growth]]:
    """Return the counts, memory among them, that grew in each configuration (`runs.identity`)."""
    sound = {key: (good(a), good(b)) for key, (a, b) in both.items()}
    found: dict[Key, list[Growth]] = {}
    for growth in _counts(sound)[1] + _varying(sound, VARYING)[1]:
        found.setdefault(identity(growth.configuration), []).append(growth)
    return found


def _counts(both: Mapping[Key, tuple[pd.DataFrame, pd.DataFrame]]) -> tuple[int, list[Growth]]:
    compared, found = 0, []
    for key, (a, b) in both.items():
        for what, allowed in COUNTS.items():
            was, now = (table[what].astype(float).dropna() for table in (a, b))
            if not len(was) or not len(now):
                continue
            compared += 1
            if now.min() > was.max() * (1 + allowed):
                medians = float(was.median()), float(now.median())
                found.append(Growth(known(key), what, *medians, allowed))
    return compared, found


def _varying(
    both: Mapping[Key, tuple[pd.DataFrame, pd.DataFrame]], wanted: Mapping[str, float]
) -> tuple[int, list[Growth], int]:
    """Return how many were compared, what grew, and how many comparisons have too few runs."""
    tried: list[tuple[Growth, float, float]] = []
    for key, (a, b) in both.items():
        for what, allowed in wanted.items():
            was, now = (table[what].astype(float).dropna().to_numpy() for table in (a, b))
            was, now = was[was > 0], now[now > 0]
            if not len(was) or not len(now) or (key[1] == BASELINE and what == RELATIVE):
                continue
            p = statistics.slower(was, now, paired=False, margin=allowed)
            least = statistics.smallest_p(len(was), len(now), paired=False)
            medians = float(np.median(was)), float(np.median(now))
            tried.append((Growth(known(key), what, *medians, allowed), p, least))
    able = [one for one in tried if one[2] * len(tried) <= LEVEL]
    grew = [growth for growth, p, _ in able if p * len(tried) <= LEVEL]
    return len(able), grew, len(tried) - len(able)
