"""The baseline without Dask: threads stream the same store through numpy.

One process, `scene.threads` threads, no scheduler: each takes a stored chunk, computes its share
and adds it to the answer. The difference between Dask's time and this is Dask's overhead.
"""

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from dask_bench import day_groups
from dask_bench.expected_answers import weights
from dask_bench.workload import Scene, Workload, same_type
from dask_bench.zarr_store import open_arrays

Box = tuple[slice, slice, slice]


def stream(scene: Scene, share: Callable[[Box, Any], None]) -> None:
    """Call `share(box, values)` for each stored chunk of the first variable, by threads."""
    source = open_arrays(scene.path)[0]
    axes = [
        [slice(low, min(low + step, size)) for low in range(0, size, step)]
        for size, step in zip(source.shape, source.shards or source.chunks, strict=True)
    ]
    with ThreadPoolExecutor(scene.threads) as pool:
        list(pool.map(lambda box: share(box, source[box]), itertools.product(*axes)))


def read(scene: Scene) -> None:
    """Read, decode and discard every chunk."""
    stream(scene, lambda box, values: None)


def area_mean(scene: Scene) -> Any:
    """Area-weighted mean of each day."""
    field = scene.layout.field
    weight = weights(field)
    weight = (weight / weight.sum() / field.lon).astype(field.dtype)
    out, lock = np.zeros(field.shape[0], field.dtype), threading.Lock()

    def share(box: Box, values: Any) -> None:
        part = np.einsum("tyx,y->t", values, weight[box[1]])
        with lock:
            out[box[0]] += part

    stream(scene, share)
    return out


def time_mean(scene: Scene) -> Any:
    """Mean over all days."""
    field = scene.layout.field
    out, lock = np.zeros(field.shape[1:], field.dtype), threading.Lock()

    def share(box: Box, values: Any) -> None:
        part = values.sum(axis=0)
        with lock:
            out[box[1:]] += part

    stream(scene, share)
    return out / same_type(field.shape[0], out)


def climatology(by: day_groups.By) -> Callable[[Scene], Any]:
    """Mean of each season, month or day of the year."""

    def run(scene: Scene) -> Any:
        field = scene.layout.field
        labels, code = day_groups.codes(field, by)
        out = np.zeros((len(labels), *field.shape[1:]), field.dtype)
        lock = threading.Lock()

        def share(box: Box, values: Any) -> None:
            if len(values) == field.shape[0]:
                out[(slice(None), *box[1:])] = day_groups.sums(values, code, len(labels))
                return
            part = day_groups.sums(values, code[box[0]], len(labels))
            with lock:
                out[(slice(None), *box[1:])] += part

        stream(scene, share)
        out /= day_groups.counts(code, len(labels)).astype(out.dtype)
        return out

    return run


def anomaly(scene: Scene) -> Any:
    """Departure from the month's mean, kept in memory; chunks have all days."""
    field = scene.layout.field
    labels, code = day_groups.codes(field, "month")
    kept: list[tuple[Box, Any]] = []
    stream(scene, lambda box, v: kept.append((box, day_groups.anomalies(v, code, len(labels)))))
    return Pieces(kept, field.shape, field.dtype)


class Pieces:
    """An answer in pieces, as Dask's answer stays in chunks."""

    def __init__(self, kept: list[tuple[Box, Any]], shape: tuple[int, ...], dtype: str) -> None:
        self.kept, self.shape, self.dtype = kept, shape, dtype

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """Join the pieces."""
        whole = np.empty(self.shape, self.dtype)
        for box, values in self.kept:
            whole[box] = values
        return whole if dtype is None else whole.astype(dtype)


def _row(operation: str, run: Any, scheme: Any) -> Workload:
    return Workload(
        operation, "numpy", "compute", run, None, operation, scheme, needs_cluster=False
    )


WORKLOADS: tuple[Workload, ...] = (
    *(
        _row(operation, run, scheme)
        for scheme in ("time", "space")
        for operation, run in (
            ("area-mean", area_mean),
            ("time-mean", time_mean),
            ("climatology-season", climatology("season")),
            ("climatology-month", climatology("month")),
        )
    ),
    _row("climatology-day", climatology("dayofyear"), "space"),
    _row("anomaly", anomaly, "space"),
)
