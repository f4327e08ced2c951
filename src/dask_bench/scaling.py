"""Strong and weak scaling: times by number of workers, their efficiency, and what limits them.

Strong: the same data, more workers; efficiency is t(base) x base / (t(n) x n). Weak: the same data
for each worker; efficiency is t(base) / t(n). `base` is the fewest workers measured. Both are
ratios of medians with 95 % bootstrap intervals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import optimize

from dask_bench import statistics
from pangeo_core.errors import BadInput

Kind = Literal["strong", "weak"]

# The columns that are constant along a curve. In strong scaling the chunk may shrink as workers are
# added (NCAR's does: ten chunks a worker), in weak scaling the data grows with them.
SAME: Mapping[Kind, list[str]] = {
    "strong": ["machine", "operation", "variant", "scheme", "dataset_mb"],
    "weak": ["machine", "operation", "variant", "scheme", "chunk_mb", "chunks_per_worker"],
}
# Terms of the descriptive law, as functions of the workers n: constant work, divided work, and what
# each worker adds. Weak scaling has no divided work.
TERMS: Mapping[Kind, dict[str, Any]] = {
    "strong": {"fixed": np.ones_like, "divided": lambda n: 1 / n, "per_worker": lambda n: n},
    "weak": {"fixed": np.ones_like, "per_worker": lambda n: n},
}


def curves(table: pd.DataFrame, kind: Kind) -> pd.DataFrame:
    """Return the scaling curves of a run table, one row for each number of workers on each curve.

    Columns: those of `SAME[kind]`, `workers` (worker threads on all nodes), `n` (runs), `seconds`
    (median), `efficiency` with `low` and `high`, and `ratio` = t(n) / t(base), the papers' weak
    ratio. A curve has at least two points; failed runs and warm-ups are left out.
    """
    good = table[(table.role == "run") & ~table.failed.astype(bool) & (table.nodes > 0)]
    threads = [good[name].fillna(1).astype(int) for name in ("workers_per_node", "threads")]
    good = good.assign(workers=good.nodes.astype(int) * threads[0] * threads[1])
    if kind == "weak":
        good = good.assign(chunk_mb=_about(good))
    rows = []
    for same, curve in good.groupby(SAME[kind], dropna=False):
        rows += _curve(dict(zip(SAME[kind], same, strict=True)), curve, kind)
    columns = [*SAME[kind], "workers", "n", "seconds", "ratio", "efficiency", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _about(runs: pd.DataFrame) -> pd.Series:
    """Return chunk sizes, with nearly equal ones made equal (to the largest).

    Chunks divide the data evenly, so their sizes differ slightly as the data grows.
    """
    alike = (2 * np.log2(runs.chunk_mb)).round()  # steps of a factor of 1.4
    return runs.groupby([*SAME["weak"][:4], alike], dropna=False).chunk_mb.transform("max")


def _curve(same: dict[str, Any], curve: pd.DataFrame, kind: Kind) -> list[dict[str, Any]]:
    points = [(int(n), runs) for n, runs in curve.groupby("workers") if _one_size(runs, kind)]
    if len(points) < 2:
        return []
    base, first = points[0][0], points[0][1].seconds
    rows = []
    for n, runs in points:
        scale = base / n if kind == "strong" else 1.0
        efficiency = statistics.ratio(runs.seconds, first, scale=scale)
        if n == base:  # by definition, regardless of the spread of its runs
            efficiency = statistics.Estimate(1.0, 1.0, 1.0)
        seconds = float(runs.seconds.median())
        row = {"workers": n, "n": len(runs), "seconds": seconds}
        row["ratio"] = seconds / float(first.median())
        bounds = {"efficiency": efficiency.value, "low": efficiency.low, "high": efficiency.high}
        rows.append({**same, **row, **bounds})
    return rows


def _one_size(runs: pd.DataFrame, kind: Kind) -> bool:
    """Return whether weak-scaling runs on as many workers have one size, as a curve needs."""
    return kind == "strong" or runs.dataset_mb.nunique() == 1


@dataclass(frozen=True)
class Law:
    """t(n) = sum of `seconds` x its term: a description of the points, not a prediction.

    `residuals` are (measured - law) / measured, in the order of the points; there is always at
    least one more point than terms, since otherwise any data would fit.
    """

    seconds: dict[str, float]
    workers: tuple[int, ...]
    residuals: tuple[float, ...]

    @property
    def worst(self) -> float:
        """The largest residual, as a share of the measured time."""
        return max(abs(residual) for residual in self.residuals)


def law(workers: Sequence[int], seconds: Sequence[float], kind: Kind) -> Law:
    """Fit the terms of `TERMS[kind]`, none negative, to medians by least relative squares.

    Raises `BadInput` unless there are more points than terms.
    """
    n, t = np.asarray(workers, float), np.asarray(seconds, float)
    terms = TERMS[kind]
    if len(n) <= len(terms):
        raise BadInput(
            f"{len(n)} points cannot describe {kind} scaling.",
            why=f"The law has {len(terms)} terms, and its residuals need more points than terms.",
            fix="Measure more numbers of workers.",
        )
    basis = np.column_stack([of(n) for of in terms.values()]) / t[:, None]
    found, _ = optimize.nnls(basis, np.ones_like(t))
    return Law(
        dict(zip(terms, (float(number) for number in found), strict=True)),
        tuple(int(number) for number in workers),
        tuple(float(number) for number in 1 - basis @ found),
    )


# How the workers' threads spend the run, from the task stream. The rest, less the time in which
# the client builds the graph, sends it and fetches the answer, is waiting: for the scheduler, for a
# task that is not ready, or because there are fewer tasks than threads.
SHARES = {
    "computing": "busy_seconds",
    "network": "transfer_seconds",
    "disk": "disk_seconds",
    "unpacking": "deserialize_seconds",
}


def limits(table: pd.DataFrame) -> pd.DataFrame:
    """Return each configuration's shares of thread time, and what limits it.

    Columns: operation, variant, scheme, chunk_mb, nodes, workers_per_node, threads; `computing`,
    `network`, `disk`, `unpacking`, `client`, `waiting` (medians of shares of wall time x threads);
    `limit`: memory where workers spilled, else the largest share. Only runs with a task stream
    count.
    """
    good = table[
        (table.role == "run") & ~table.failed.astype(bool) & table.busy_seconds.notna()
    ].copy()
    by = ["operation", "variant", "scheme", "chunk_mb", "nodes", "workers_per_node", "threads"]
    cores = good.nodes * good.workers_per_node.fillna(1) * good.threads.fillna(1)
    whole = good.seconds * cores.astype(float)
    for share, column in SHARES.items():
        good[share] = (good[column].fillna(0) / whole).clip(upper=1)
    ends = good[["graph_seconds", "submit_seconds", "gather_seconds"]].fillna(0).sum(axis=1)
    good["client"] = ends / good.seconds
    good["waiting"] = (1 - good[[*SHARES, "client"]].sum(axis=1)).clip(lower=0)
    good["spilled"] = good.spill_mb.fillna(0)
    shares = [*SHARES, "client", "waiting"]
    medians = good.groupby(by, dropna=False)[[*shares, "spilled"]].median().reset_index()
    medians["limit"] = [
        "memory" if row.spilled > 0 else str(row[shares].astype(float).idxmax())
        for _, row in medians.iterrows()
    ]
    return medians.drop(columns="spilled")
