"""The gate for continuous integration: what does not depend on how busy the machine is.

A shared runner's seconds mean little from one day to the next. What a run does there means a lot:
its tasks, bytes, requests and memory, and how long it takes beside a streaming numpy that does the
same in the same block of the same session.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from dask_bench.columns import PARAMETERS
from dask_bench.compare import configurations
from pangeo_core.errors import BadInput

BASELINE = "numpy"  # the variant that streams the same store with plain numpy
SESSION = ["campaign", "block", "operation", "scheme", "dataset_mb"]

# How much more than in A each may be in B. What the program decides must not grow at all; sizes on
# disk move a little with a compressor's version; memory and time depend on what runs beside.
ALLOWED: Mapping[str, float] = {
    "tasks": 0.0,
    "requests_read": 0.0,
    "requests_written": 0.0,
    "bytes_read": 0.01,
    "bytes_written": 0.01,
    "graph_mb": 0.05,
    "memory_peak_mb": 0.25,
    "roofline_ratio": 0.25,
}


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


def roofline_ratios(table: pd.DataFrame) -> pd.Series:
    """Return seconds of each run over those of the `numpy` run beside it, null where there is none.

    Beside it: same campaign, block, operation, chunks and size. Failed runs have no ratio.
    """
    good = table.assign(seconds=table.seconds.where(~table.failed.astype(bool)))
    base = good[good.variant == BASELINE].groupby(SESSION).seconds.median().rename("base")
    beside = good[SESSION].merge(base.reset_index(), on=SESSION, how="left").base
    return good.seconds / beside.set_axis(table.index).to_numpy()


def grown(before: pd.DataFrame, after: pd.DataFrame) -> tuple[int, list[Growth]]:
    """Return how many counts were compared and those that grew (medians of each configuration).

    Raises `BadInput` where the tables share no configuration or nothing was counted.
    """
    a, b = _medians(before), _medians(after)
    found, compared = [], 0
    for key in [key for key in a.index if key in b.index]:
        for what, allowed in ALLOWED.items():
            was, now = float(a.loc[[key], what].iloc[0]), float(b.loc[[key], what].iloc[0])
            if pd.isna(was) or pd.isna(now):
                continue
            compared += 1
            if now > was * (1 + allowed):
                known = {n: v for n, v in zip(PARAMETERS, key, strict=True) if v is not None}
                found.append(Growth(known, what, was, now, allowed))
    if not compared:
        raise BadInput(
            "There is nothing to compare: the files share no configuration with counts.",
            fix="Measure A and B with bench run, with the same operations, sizes and workers.",
        )
    return compared, found


def _medians(table: pd.DataFrame) -> pd.DataFrame:
    counted = table.assign(roofline_ratio=roofline_ratios(table))
    counted = counted[(table.role != "warm-up") & ~table.failed.astype(bool)]
    numbers = counted[list(ALLOWED)].astype(float).reset_index(drop=True)
    return numbers.groupby(configurations(counted)).median()
