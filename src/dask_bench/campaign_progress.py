"""The progress of a campaign: medians so far, which of them are settled, and the runs left."""

import statistics as plain
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dask_bench.counts_gate import BASELINE

if TYPE_CHECKING:
    from dask_bench.statistics import Estimate

SETTLED = 0.05  # half the interval of a median, relative to the median

Rows = Sequence[Mapping[str, Any]]


def medians(rows: Rows) -> "dict[tuple[Any, ...], Estimate]":
    """Return the median time of each configuration, in the order in which they first ran."""
    from dask_bench import statistics  # a second of imports

    times: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        if row["role"] != "warm-up" and not row["failed"]:
            key = (row["operation"], row["scheme"], row["variant"], row["nodes"])
            times.setdefault(key, []).append(row["seconds"])
    return {key: statistics.median(seconds) for key, seconds in times.items()}


def settled(rows: Rows) -> set[tuple[Any, ...]]:
    """Return the configurations whose medians are settled.

    A baseline runs as long as the workloads it is for.
    """
    known: dict[tuple[Any, ...], bool] = {}
    for key, estimate in medians(rows).items():
        low, high = estimate.low, estimate.high
        known[key] = (
            low is not None and high is not None and (high - low) / 2 <= SETTLED * estimate.value
        )
    going = {key[:2] for key, enough in known.items() if not enough}
    return {
        key
        for key, enough in known.items()
        if enough and not (key[2] == BASELINE and key[:2] in going)
    }


def outlook(rows: Rows, left: int) -> str:
    """Return how many runs are left and roughly how long they will take."""
    took = [
        sum(row.get(name) or 0.0 for name in ("seconds", "check_seconds", "overhead_seconds"))
        for row in rows
    ]
    if not took:
        return f"at most {left} runs"
    minutes = plain.mean(took) * left / 60
    return f"at most {left} runs, {minutes:.0f} min left"
