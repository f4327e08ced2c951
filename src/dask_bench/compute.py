"""Common computations in geoscience, in two formulations: a naive one, and a fast one.

`naive_*` is plain xarray with its defaults. The better ones process a chunk in one task, in one
pass over its values without a check for missing ones, and combine the small results. Each is a run
of its own, so that the difference can be measured.
"""

from typing import Any

import dask
import dask.array as da
import numpy as np
import xarray as xr

from dask_bench import day_groups
from dask_bench.expected_answers import weights
from dask_bench.tiers import chunk_shape
from dask_bench.workload import Scene, Workload, array, same_type

MAP = ("lat", "lon")
Lazy = Any  # an xarray.DataArray on a Dask array; xarray does not type what a dataset holds


def naive_area_mean(scene: Scene) -> Lazy:
    """Area-weighted mean of each day."""
    return scene.dataset.v0.weighted(np.cos(np.deg2rad(scene.dataset.lat))).mean(MAP)


def better_area_mean(scene: Scene) -> Lazy:
    """Area-weighted mean: each chunk's share is one contraction, added up over chunks."""
    blocks = scene.blocks()
    weight = weights(scene.layout.field)
    weight = same_type(weight / weight.sum() / scene.layout.field.lon, blocks)
    share = da.map_blocks(
        lambda values, w: np.einsum("tyx,y->t", values, w[0, :, 0])[:, None, None],
        blocks,
        da.from_array(weight[None, :, None], chunks=(1, blocks.chunks[1], 1)),
        dtype=blocks.dtype,
        chunks=(blocks.chunks[0], *((1,) * n for n in blocks.numblocks[1:])),
    )
    return array(_added(share, (1, 2)), "time")


def naive_time_mean(scene: Scene) -> Lazy:
    """Mean over all days."""
    return scene.dataset.v0.mean("time")


def better_time_mean(scene: Scene) -> Lazy:
    """Mean over all days, without checking for missing values."""
    return scene.dataset.v0.mean("time", skipna=False)


def naive_climatology(by: day_groups.By) -> Any:
    """Mean of each season, month or day of the year, by xarray with flox."""

    def run(scene: Scene) -> Lazy:
        return scene.dataset.v0.groupby(f"time.{by}").mean()

    return run


def flox_climatology(by: day_groups.By, method: str) -> Any:
    """The same with another of flox' methods."""

    def run(scene: Scene) -> Lazy:
        return scene.dataset.v0.groupby(f"time.{by}").mean(method=method, skipna=False)

    return run


def better_climatology(by: day_groups.By) -> Any:
    """Mean of each group: one task per chunk sums its days, a tree sums the chunks."""

    def run(scene: Scene) -> Lazy:
        blocks = scene.blocks()
        labels, code = day_groups.codes(scene.layout.field, by)
        size = len(labels)
        days_of = da.from_array(code[:, None, None], chunks=(blocks.chunks[0], 1, 1))
        if blocks.numblocks[0] == 1:
            mean = da.map_blocks(
                lambda values, c: day_groups.means(values, c[:, 0, 0], size),
                blocks,
                days_of,
                dtype=blocks.dtype,
                chunks=((size,), *blocks.chunks[1:]),
            )
            return array(mean, by, *MAP)
        share = _group_shares(blocks, days_of, size)
        total = _added(share, (0,))
        return array(total / same_type(day_groups.counts(code, size), blocks), by, *MAP)

    return run


def _group_shares(blocks: Any, code: Any, size: int) -> Any:
    """Return (chunks in time, groups, lat, lon): each chunk's sums of its own days."""
    return da.blockwise(
        lambda values, c: day_groups.sums(values, c[:, 0, 0], size)[None],
        "tgyx",
        blocks,
        "tyx",
        code,
        "tij",
        new_axes={"g": size},
        adjust_chunks={"t": 1},
        concatenate=True,
        dtype=blocks.dtype,
        align_arrays=False,
    )


def naive_anomaly(scene: Scene) -> Lazy:
    """Departure from the month's mean, persisted, as in NCAR's benchmark."""
    grouped = scene.dataset.v0.groupby("time.month")
    return grouped - grouped.mean()


def better_anomaly(scene: Scene) -> Lazy:
    """Departure from the month's mean; needs all days in a chunk, and reads each once."""
    blocks = scene.blocks()
    labels, code = day_groups.codes(scene.layout.field, "month")
    found = da.map_blocks(day_groups.anomalies, blocks, code, len(labels), dtype=blocks.dtype)
    return array(found, "time", *MAP)


def naive_anomaly_variance(scene: Scene) -> Lazy:
    """Mean square of the departure from the month's mean."""
    return (naive_anomaly(scene) ** 2).mean("time")


def better_anomaly_variance(scene: Scene) -> Lazy:
    """The same, chunk by chunk: the departures never leave their task."""
    blocks = scene.blocks()
    labels, code = day_groups.codes(scene.layout.field, "month")

    def variance(values: Any) -> Any:
        departure = day_groups.anomalies(values, code, len(labels))
        return np.einsum("tyx,tyx->yx", departure, departure) / same_type(len(code), values)

    return array(da.map_blocks(variance, blocks, dtype=blocks.dtype, drop_axis=0), *MAP)


def naive_quadratic_means(scene: Scene) -> Lazy:
    """Time means of u u, v v and u v."""
    u, v = scene.dataset.v0, scene.dataset.v1
    return xr.concat([(u * u).mean("time"), (v * v).mean("time"), (u * v).mean("time")], "product")


def better_quadratic_means(scene: Scene) -> Lazy:
    """Time means of products: each chunk is contracted where it is read."""
    u, v = scene.blocks("v0"), scene.blocks("v1")
    products = [(u, u), (v, v), (u, v)]
    share = da.blockwise(
        lambda a, b: np.stack(
            [np.einsum("tyx,tyx->yx", p, q) for p, q in ((a, a), (b, b), (a, b))]
        )[None],
        "tpyx",
        u,
        "tyx",
        v,
        "tyx",
        new_axes={"p": len(products)},
        adjust_chunks={"t": 1},
        dtype=u.dtype,
    )
    return array(_added(share, (0,)) / same_type(u.shape[0], u), "product", *MAP)


def naive_roughness(scene: Scene) -> Lazy:
    """Time mean of the squared five-point Laplacian: neighbours across chunks."""
    v = scene.dataset.v0
    around = v.shift(lat=1) + v.shift(lat=-1) + v.shift(lon=1) + v.shift(lon=-1)
    return ((around - 4 * v) ** 2).mean("time", skipna=False)


def better_roughness(scene: Scene) -> Lazy:
    """The same with a halo of one: one task per chunk computes and reduces."""
    blocks = scene.blocks()

    def one(values: Any) -> Any:
        inner = values[:, 1:-1, 1:-1]
        found = values[:, :-2, 1:-1] + values[:, 2:, 1:-1]
        found += values[:, 1:-1, 2:]
        found += values[:, 1:-1, :-2]
        found -= 4 * inner
        return (np.einsum("tyx,tyx->yx", found, found))[None]

    halo = da.overlap.overlap(blocks, {1: 1, 2: 1}, {1: np.nan, 2: np.nan})
    share = da.map_blocks(
        one, halo, dtype=blocks.dtype, chunks=((1,) * blocks.numblocks[0], *blocks.chunks[1:])
    )
    return array(_added(share, (0,)) / same_type(blocks.shape[0], blocks), *MAP)


def naive_coarsen(scene: Scene) -> Lazy:
    """Means of boxes of four by four."""
    return scene.dataset.v0.coarsen(lat=4, lon=4).mean()


def better_coarsen(scene: Scene) -> Lazy:
    """Means of boxes, a chunk at a time; chunks hold whole boxes."""
    blocks = scene.blocks()

    def one(values: Any) -> Any:
        t, y, x = values.shape
        boxes = values.reshape(t, y // 4, 4, x)
        rows = boxes[:, :, 0] + boxes[:, :, 1] + boxes[:, :, 2] + boxes[:, :, 3]
        return rows.reshape(t, y // 4, x // 4, 4).sum(axis=3) / same_type(16, values)

    chunks = (blocks.chunks[0], *(tuple(n // 4 for n in axis) for axis in blocks.chunks[1:]))
    return array(da.map_blocks(one, blocks, dtype=blocks.dtype, chunks=chunks), "time", *MAP)


def on_threads(run: Any, *, flox: bool) -> Any:
    """Return the naive formulation on threads of this process, without a cluster."""

    def alone(scene: Scene) -> Any:
        with (
            dask.config.set(scheduler="threads", num_workers=scene.threads),
            xr.set_options(use_flox=flox),  # type: ignore[no-untyped-call]
        ):
            return run(scene).compute()

    return alone


def rechunk(method: str) -> Any:
    """From chunks in time to chunks in space, by tasks or peer to peer."""

    def run(scene: Scene) -> Lazy:
        wanted = chunk_shape(scene.layout.field, "space", scene.layout.chunk_mb)
        with dask.config.set({"array.rechunk.method": method}):
            return array(scene.blocks().rechunk(wanted), "time", *MAP)

    return run


def naive_eddy_flux(scene: Scene) -> Lazy:
    """Monthly mean of the zonal eddies' product u' v'."""
    eddy = scene.dataset - scene.dataset.mean("lon")
    return (eddy.v0 * eddy.v1).mean("lon").resample(time="MS").mean()


def better_eddy_flux(scene: Scene) -> Lazy:
    """The same: a chunk of whole latitude circles gives its flux in one task."""
    u, v = scene.blocks("v0"), scene.blocks("v1")

    def flux(a: Any, b: Any) -> Any:
        mean = np.einsum("tyx,tyx->ty", a, b) / same_type(a.shape[2], a)
        return mean - a.mean(axis=2) * b.mean(axis=2)

    daily = da.map_blocks(flux, u, v, dtype=u.dtype, drop_axis=2)
    found = xr.DataArray(daily, {"time": scene.dataset.time}, ("time", "lat"))
    return found.resample(time="MS").mean(skipna=False)


def _added(share: Any, axes: tuple[int, ...]) -> Any:
    """Return the sum over the axes of chunks; an axis of one chunk is dropped."""
    many = tuple(axis for axis in axes if share.shape[axis] > 1)
    if many:
        return share.sum(axis=axes, dtype=share.dtype)
    return share[tuple(0 if axis in axes else slice(None) for axis in range(share.ndim))]


PAIR = {"variables": 2}
_MEANS = ("time", "space")
_COARSE: tuple[tuple[str, day_groups.By], ...] = (("season", "season"), ("month", "month"))


def _row(operation: str, variant: str, run: Any, scheme: Any, **more: Any) -> Workload:
    return Workload(
        operation, variant, "compute", run, more.pop("sink", "persist"), operation, scheme, **more
    )


WORKLOADS: tuple[Workload, ...] = (
    *(
        _row("area-mean", variant, run, scheme, sink="gather")
        for scheme in _MEANS
        for variant, run in (("naive", naive_area_mean), ("better", better_area_mean))
    ),
    *(
        _row("time-mean", variant, run, scheme)
        for scheme in _MEANS
        for variant, run in (("naive", naive_time_mean), ("better", better_time_mean))
    ),
    *(
        _row(f"climatology-{name}", variant, make(by), scheme)
        for scheme in _MEANS
        for name, by in _COARSE
        for variant, make in (("naive", naive_climatology), ("better", better_climatology))
    ),
    _row("climatology-day", "naive", naive_climatology("dayofyear"), "time"),
    _row("climatology-day", "naive", naive_climatology("dayofyear"), "space"),
    _row("climatology-day", "better", better_climatology("dayofyear"), "space"),
    _row("climatology-month", "cohorts", flox_climatology("month", "cohorts"), "time"),
    _row("climatology-month", "blockwise", flox_climatology("month", "blockwise"), "space"),
    # The choice of a user of one node, instead of a cluster.
    *(
        _row(operation, name, on_threads(run, flox=flox), scheme, sink=None, needs_cluster=False)
        for scheme in _MEANS
        for operation, run in (
            ("area-mean", naive_area_mean),
            ("climatology-month", naive_climatology("month")),
        )
        for name, flox in (("threads", False), ("threads-flox", True))
        if flox is False or operation != "area-mean"
    ),
    _row("anomaly", "naive", naive_anomaly, "space", tasks_a_chunk=600),
    _row("anomaly", "better", better_anomaly, "space"),
    _row("anomaly-variance", "naive", naive_anomaly_variance, "space", tasks_a_chunk=600),
    _row("anomaly-variance", "better", better_anomaly_variance, "space"),
    _row("quadratic-means", "naive", naive_quadratic_means, "time", layout=PAIR),
    _row("quadratic-means", "better", better_quadratic_means, "time", layout=PAIR),
    _row("roughness", "naive", naive_roughness, "space"),
    _row("roughness", "better", better_roughness, "space"),
    _row("coarsen", "naive", naive_coarsen, "time"),
    _row("coarsen", "better", better_coarsen, "time"),
    _row("rechunk", "tasks", rechunk("tasks"), "time"),
    _row("rechunk", "p2p", rechunk("p2p"), "time"),
    _row("eddy-flux", "naive", naive_eddy_flux, "time", layout=PAIR),
    _row("eddy-flux", "better", better_eddy_flux, "time", layout=PAIR),
)
