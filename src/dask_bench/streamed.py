"""Fewer, larger tasks: each streams several stored chunks and returns their sum.

With one task per chunk, a worker's thread reads, decodes and sums for some hundredths of a second;
then it waits until the scheduler has been informed and the next task has arrived. Worker, scheduler
and client are event loops that compete with the computing threads for the same processors, and
within a worker for the same interpreter lock: that is our explanation of the waiting, which we have
not analysed further. The shorter the tasks, the larger its share. In the task stream it shows as
gaps between two reads on a thread, about a third of its time at tier xs.

Larger Dask chunks alone do not help: in such a task Zarr decodes all stored chunks into one new
array before the first value is added, and that array no longer fits a cache. Here a task takes one
stored chunk after the other, as a loop over files would: it needs the memory of one chunk, whatever
the task's size, and only sums leave the task. The data is an `xarray.DataArray` opened without
Dask, which a task gets as a reference (the store and the position in it, no values), so this runs
on any cluster that can open the store. Unlike plain xarray, it does not check for missing values.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from dask_bench import data_place, day_groups
from dask_bench.expected_answers import weights
from dask_bench.probe import CountingStore
from dask_bench.workload import Scene, Workload, array

CHUNKS_A_TASK = 4  # of the default 16 MB: a task of some tenths of a second
DIMS = ("time", "lat", "lon")

Box = tuple[slice, ...]
Add = Callable[[Any, Box, Any], None]  # (the task's share, place of the chunk, its values)


@dataclass(frozen=True)
class Spans:
    """How tasks divide a stored array: into boxes of `size`, of whole chunks of `stored`."""

    shape: tuple[int, ...]
    stored: tuple[int, ...]
    size: tuple[int, ...]

    @property
    def chunks(self) -> tuple[tuple[int, ...], ...]:
        """The lengths of the boxes along each axis, in Dask's notation of chunks."""
        return tuple(
            tuple(min(step, length - low) for low in range(0, length, step))
            for length, step in zip(self.shape, self.size, strict=True)
        )

    def box(self, place: tuple[int, ...]) -> Box:
        """Return the slices of the box at `place`."""
        return tuple(
            slice(at * step, min((at + 1) * step, length))
            for at, step, length in zip(place, self.size, self.shape, strict=True)
        )

    def pieces(self, box: Box) -> Iterator[Box]:
        """Return the slices of each stored chunk in `box`, in the order of storage."""
        return itertools.product(
            *(
                [slice(low, min(low + step, one.stop)) for low in range(one.start, one.stop, step)]
                for one, step in zip(box, self.stored, strict=True)
            )
        )


def spans(shape: tuple[int, ...], stored: tuple[int, ...], many: int) -> Spans:
    """Return boxes of at most `many` stored chunks, as equal as possible, last axes first.

    Chunks that are neighbours along the last axes are close together on disk.
    """
    size = list(stored)
    for axis in reversed(range(len(shape))):
        there = math.ceil(shape[axis] / stored[axis])
        taken = math.ceil(there / math.ceil(there / many))
        size[axis] *= taken
        many = max(1, many // taken)
    return Spans(shape, stored, tuple(size))


def total(
    scene: Scene,
    keep: tuple[int, ...],
    add: Add,
    groups: tuple[int, ...] = (),
    scale: Any = None,
    many: int = CHUNKS_A_TASK,
) -> Any:
    """Return the sum of `add`'s results over all stored chunks, as a Dask array.

    Its axes are `groups` (lengths) and those of time, lat, lon (0, 1, 2) that `keep` names. `add`
    adds one chunk to its part of a task's share, in place; `scale` multiplies each share.
    """
    field, layout = scene.layout.field, scene.layout
    source = opened(scene)
    plan = spans(field.shape, layout.shards or layout.chunks, many)
    counts = tuple(len(axis) for axis in plan.chunks)
    lost = [axis for axis in range(3) if axis not in keep]
    apart = [counts[axis] for axis in lost]
    several = math.prod(apart) > 1  # tasks whose shares are summed

    def share(block_id: tuple[int, ...]) -> Any:
        at = dict(zip(keep, block_id[len(block_id) - len(keep) :], strict=True))
        if several:
            at |= dict(zip(lost, map(int, np.unravel_index(block_id[0], apart)), strict=True))
        box = plan.box(tuple(at.get(axis, 0) for axis in range(3)))
        lengths = [box[axis].stop - box[axis].start for axis in keep]
        out = np.zeros((*groups, *lengths), field.dtype)
        for piece in plan.pieces(box):
            inside: tuple[Any, ...] = tuple(
                slice(piece[axis].start - box[axis].start, piece[axis].stop - box[axis].start)
                for axis in keep
            )
            add(out[(..., *inside)], piece, source[piece].to_numpy())
        if scale is not None:
            out *= np.asarray(scale, out.dtype)
        return out[None] if several else out

    shares = da.map_blocks(
        share,
        chunks=(
            *(((1,) * math.prod(apart),) if several else ()),
            *((length,) for length in groups),
            *(plan.chunks[axis] for axis in keep),
        ),
        dtype=field.dtype,
        meta=np.empty((0,) * (several + len(groups) + len(keep)), field.dtype),
    )
    return shares.sum(axis=0, dtype=field.dtype) if several else shares


def opened(scene: Scene) -> Any:
    """Return the first variable, opened by xarray without Dask: values are read on access."""
    store = CountingStore(data_place.zarr_store(scene.path, read_only=True))
    dataset = xr.open_zarr(
        store, chunks=None, consolidated=False, zarr_format=3, drop_variables=DIMS
    )
    return dataset.v0


def area_mean(scene: Scene) -> Any:
    """Area-weighted mean of each day."""
    field = scene.layout.field
    weight = weights(field)
    weight = (weight / weight.sum() / field.lon).astype(field.dtype)

    def add(out: Any, at: Box, values: Any) -> None:
        out += np.einsum("tyx,y->t", values, weight[at[1]])

    return array(total(scene, (0,), add), "time")


def time_mean(scene: Scene) -> Any:
    """Mean over all days."""

    def add(out: Any, _at: Box, values: Any) -> None:
        out += values.sum(axis=0)

    mean = total(scene, (1, 2), add, scale=1 / scene.layout.field.shape[0])
    return array(mean, "lat", "lon")


def climatology(by: day_groups.By) -> Callable[[Scene], Any]:
    """Mean of each season, month or day of the year."""

    def run(scene: Scene) -> Any:
        labels, code = day_groups.codes(scene.layout.field, by)
        size = len(labels)

        def add(out: Any, at: Box, values: Any) -> None:
            out += day_groups.sums(values, code[at[0]], size)

        mean = total(scene, (1, 2), add, groups=(size,), scale=1 / day_groups.counts(code, size))
        return array(mean, by, "lat", "lon")

    return run


def _row(operation: str, run: Any, scheme: Any, sink: Any = "persist") -> Workload:
    return Workload(operation, "streamed", "compute", run, sink, operation, scheme)


WORKLOADS: tuple[Workload, ...] = (
    *(
        row
        for scheme in ("time", "space")
        for row in (
            _row("area-mean", area_mean, scheme, "gather"),
            _row("time-mean", time_mean, scheme),
            _row("climatology-season", climatology("season"), scheme),
            _row("climatology-month", climatology("month"), scheme),
        )
    ),
    _row("climatology-day", climatology("dayofyear"), "space"),
)
