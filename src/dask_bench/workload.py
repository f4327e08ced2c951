"""The definition of a workload: a row of a table, with the function that computes it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import xarray as xr

from dask_bench.fields import MEGABYTE, Field
from dask_bench.tiers import Scheme
from dask_bench.zarr_store import Layout

Family = Literal["roofline", "scheduler", "compute", "storage", "life"]
# What happens to a lazy result: it is gathered by the client, or persisted on the workers. None:
# the function computes everything itself and returns the result to check.
Sink = Literal["gather", "persist"] | None


@dataclass(frozen=True)
class Scene:
    """The inputs of a workload: the stored data, the cluster, and a folder.

    `client` is None for workloads in this process alone, `bucket` for those on disk. `dataset` is
    the opened store at `path`; only workloads about opening measure that.
    """

    layout: Layout
    path: Any  # a folder, or a URL where the data lies in an object store
    folder: Any  # the same, of what a run writes itself
    dataset: xr.Dataset
    threads: int
    client: Any = None
    cluster: Any = None
    bucket: Any = None
    draw: int = 0  # the seed of random checks: the block's number

    def blocks(self, name: str = "v0") -> Any:
        """Return a variable's Dask array."""
        return self.dataset[name].data


@dataclass(frozen=True)
class Outcome:
    """An answer, and columns of the run table that only the workload knows."""

    answer: Any = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    ok: bool | None = None  # where the workload checks itself


@dataclass(frozen=True)
class Workload:
    """One implementation of an operation.

    `run` returns a lazy result for a `sink`, else the answer (or an `Outcome`). `answer` names the
    known answer; for a workload that only reads, `right(scene, result)` returns whether it read the
    right data. `before` prepares it and is not measured. With `most_mb` its data is smaller than
    the tier's. `columns` are further columns of the run table.
    """

    operation: str
    variant: str
    family: Family
    run: Callable[[Scene], Any]
    sink: Sink = None
    answer: str | None = None
    scheme: Scheme = "time"
    layout: Mapping[str, Any] = field(default_factory=dict)
    needs_cluster: bool = True
    workers: int | None = None  # if it needs a fixed number, whatever the campaign's
    columns: Mapping[str, Any] = field(default_factory=dict)
    right: Callable[[Scene, Any], bool] | None = None
    before: Callable[[Scene], None] | None = None
    most_mb: float | None = None
    tasks_a_chunk: int = 8  # at most
    reads_all: bool = False  # every stored byte, counted by the store: fewer means a wrong run

    def tasks(self, base: Layout) -> int:
        """Return an upper estimate of the number of tasks; 0 without a cluster."""
        layout = self.layout_for(base)
        return math.ceil(layout.nbytes / MEGABYTE / layout.stored_chunk_mb) * (
            self.tasks_a_chunk if self.needs_cluster else 0
        )

    @property
    def needs_disk(self) -> bool:
        """Whether it reads files of this machine, wherever the campaign's data is."""
        return not self.needs_cluster and self.family in ("roofline", "storage")

    @property
    def needs_bucket(self) -> bool:
        """Whether its data is in an object store."""
        return self.columns.get("place") == "s3-emulated"

    @property
    def name(self) -> str:
        """The full name: operation:variant:scheme."""
        return f"{self.operation}:{self.variant}:{self.scheme}"

    def layout_for(self, base: Layout) -> Layout:
        """Return `base` in this workload's scheme; two variables have the size of one."""
        changes = dict(self.layout)
        if self.most_mb is not None:
            base = replace(base, field=shrunk(base.field, self.most_mb))
        if changes.get("variables", 1) > 1:
            changes["field"] = halved(base.field)
        return replace(base, scheme=self.scheme, **changes)


def shrunk(grid: Field, megabytes: float) -> Field:
    """Return a field of one year of at most about `megabytes`, with sides in multiples of four.

    It is the field itself if that is smaller.
    """
    if grid.nbytes <= megabytes * MEGABYTE:
        return grid
    year = replace(grid, years=1)
    factor = min(1.0, (megabytes * MEGABYTE / year.nbytes) ** 0.5)
    lat, lon = (max(8, int(size * factor) // 4 * 4) for size in (grid.lat, grid.lon))
    return replace(year, lat=lat, lon=lon)


def halved(grid: Field) -> Field:
    """Return a field with half the latitudes, so that two variables have the size of one."""
    return replace(grid, lat=max(4, grid.lat // 2))


def array(data: Any, *dims: str) -> xr.DataArray:
    """Return a Dask or numpy array with named dimensions, without coordinates."""
    return xr.DataArray(data, dims=dims)


def same_type(values: Any, like: Any) -> Any:
    """Return `values` in the type of `like`, so that no result is widened."""
    return np.asarray(values, dtype=like.dtype)
