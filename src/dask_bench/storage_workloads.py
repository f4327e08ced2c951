"""Workloads on storage: chunk size, codec, shards, and different readers of the same bytes."""

import functools
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import h5py
import numpy as np
import xarray as xr

from dask_bench import checksums, probe, zarr_store
from dask_bench.fields import Field, days
from dask_bench.numpy_baseline import stream
from dask_bench.workload import Outcome, Scene, Workload

CHUNKS_MB = (1, 4, 16, 64, 256)
POINTS = 4  # of each kind of selection, in places of their own
AT_ONCE = (1, 4, 16, 64)
SAME_SUM = 1e-12  # relative: the same values in double precision, added in another order
Wanted = tuple[Any, Any, Any]
_ICECHUNK_DATA = ("chunks", "manifests")  # folders of a repository


def write(scene: Scene) -> Outcome:
    """Compute the data from its formula and write it as Zarr, by the cluster.

    Only that is timed. Then this process reads everything back, since data on a worker's own disk
    would look right to that worker.
    """
    layout, field = scene.layout, scene.layout.field
    unit = layout.shards or layout.chunks
    with zarr_store.scratch(scene.folder, "write") as path:
        began = time.perf_counter()
        lazy = zarr_store.write(layout, field.dataset(unit, layout.variables), path)
        scene.client.compute(lazy).result()
        seconds = time.perf_counter() - began
        there = checksums.stored(zarr_store.open_arrays(path)[0], field, unit, scene.draw)
    right = np.array_equal(there, checksums.expected(field, unit, scene.draw))
    return Outcome(columns={"seconds": seconds}, ok=right)


def read_to_nothing(scene: Scene) -> Any:
    """Read and decode every chunk on the workers; return only checksums."""
    blocks = scene.blocks()
    weights = checksums.factors(blocks.chunksize[0], scene.draw)
    return da.map_blocks(
        lambda values: np.full((1, 1, 1), checksums.checksum(values, weights)),
        blocks,
        dtype=np.uint64,
        chunks=tuple((1,) * many for many in blocks.numblocks),
    )


def stored_chunks(scene: Scene, found: Any) -> bool:
    """Return whether `found` are the checksums of all stored chunks (or shards)."""
    return _are_checksums(scene, found, scene.layout.shards or scene.layout.chunks)


def dask_chunks(scene: Scene, found: Any) -> bool:
    """Return whether `found` are the checksums of all Dask chunks."""
    return _are_checksums(scene, found, scene.blocks().chunksize)


def _are_checksums(scene: Scene, found: Any, unit: tuple[int, int, int]) -> bool:
    right = checksums.expected(scene.layout.field, unit, scene.draw)
    return bool(np.array_equal(np.ravel(found), right))


def stream_to_nothing(scene: Scene) -> Any:
    """The same by threads of this process."""
    unit = scene.layout.shards or scene.layout.chunks
    many = (-(-size // step) for size, step in zip(scene.layout.field.shape, unit, strict=True))
    found = np.zeros(tuple(many), np.uint64)
    weights = checksums.factors(unit[0], scene.draw)

    def share(box: Any, values: Any) -> None:
        place = tuple(axis.start // step for axis, step in zip(box, unit, strict=True))
        found[place] = checksums.checksum(values, weights)

    stream(scene, share)
    return found


def cold_open(scene: Scene) -> Outcome:
    """Open the store as a notebook does, with its coordinates."""
    found = zarr_store.open_dataset(scene.path)
    field = scene.layout.field
    here = (found.lat == field.lat_degrees).all() and (found.lon == field.lon_degrees).all()
    when = found.time.to_index().equals(days(field.years))
    return Outcome(ok=found.v0.shape == field.shape and bool(here) and when)


def boxes(kind: str, field: Field) -> list[Wanted]:
    """Return the positions of `POINTS` time series, maps or boxes in `field`."""
    found = []
    for place in range(POINTS):
        t, y, x = (size * (2 * place + 1) // (2 * POINTS) for size in field.shape)
        box: dict[str, Wanted] = {
            "point": (slice(None), y, x),
            "map": (t, slice(None), slice(None)),
            "box": (slice(t, t + 30), slice(y, y + 10), slice(x, x + 10)),
        }
        found.append(box[kind])
    return found


def select(kind: str) -> Callable[[Scene], Outcome]:
    """Return a workload that reads a point's time series, a day's map, or a box."""

    def run(scene: Scene) -> Outcome:
        field = scene.layout.field
        source = zarr_store.open_arrays(scene.path)[0]
        right = [bool((source[box] == field[box]).all()) for box in boxes(kind, field)]
        return Outcome(ok=all(right))

    return run


def _other(scene: Scene, name: str, make: Callable[[Path], None]) -> Path:
    """Return the same data in another format, created now unless it is complete."""
    path: Path = scene.folder / f"{scene.layout.key()}.{name}"
    if not path.exists():
        part = path.with_name(f".{path.name}")
        _remove(part)
        try:
            make(part)
        except BaseException:
            _remove(part)  # leave no partial data on a full disk
            raise
        part.rename(path)
    return path


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    path.unlink(missing_ok=True)


def _netcdf(scene: Scene) -> Path:
    def make(path: Path) -> None:
        settings = {"chunksizes": scene.layout.chunks, "zlib": True, "complevel": 1}
        # h5netcdf writes under one lock: writing the chunks of one day at a time saves memory.
        with dask.config.set(scheduler="threads"):  # of this process, even if there is a cluster
            scene.dataset.drop_encoding().to_netcdf(
                path, engine="h5netcdf", encoding={"v0": settings}
            )

    return _other(scene, "nc", make)


def read_netcdf(scene: Scene) -> Outcome:
    """Read the same bytes from a NetCDF file: HDF5 lets one thread in at a time.

    Each chunk is a request; its stored bytes are in the file's index.
    """
    path = _netcdf(scene)
    began = time.perf_counter()
    with xr.open_dataset(path, engine="h5netcdf", chunks={}) as found:
        read = _total(scene, found.v0.data)
    seconds, stored = time.perf_counter() - began, list[int]()
    with h5py.File(path) as file:
        file["v0"].id.chunk_iter(lambda chunk: stored.append(chunk.size))
    columns = {"seconds": seconds, "requests_read": len(stored), "bytes_read": sum(stored)}
    return replace(read, columns=columns)


def read_virtual(scene: Scene) -> Outcome:
    """Read the NetCDF file through a virtual reference: Zarr's reader on HDF5's chunks."""
    import obstore.store
    from obspec_utils.registry import ObjectStoreRegistry
    from virtualizarr.parsers import HDFParser

    path = _netcdf(scene)
    registry = ObjectStoreRegistry({"file://": obstore.store.LocalStore()})
    manifest = HDFParser()(url=f"file://{path}", registry=registry)
    found = xr.open_zarr(
        probe.CountingStore(manifest), consolidated=False, zarr_format=3, chunks={}
    )
    return _total(scene, found.v0.data)


def read_icechunk(scene: Scene) -> Outcome:
    """Read the same bytes from an Icechunk repository.

    Its reader has no counts: each file of data and manifests is taken as read once. The few small
    files that are read on opening are not counted.
    """
    import icechunk

    def make(path: Path) -> None:
        new = icechunk.Repository.create(icechunk.local_filesystem_storage(str(path)))
        session = new.writable_session("main")
        plain = zarr_store.open_dataset(scene.path).load(scheduler="threads")
        plain.to_zarr(session.store, encoding=zarr_store.encoding(scene.layout), consolidated=False)
        session.commit("the data")

    path = _other(scene, "icechunk", make)
    began = time.perf_counter()
    repository = icechunk.Repository.open(icechunk.local_filesystem_storage(str(path)))
    source = repository.readonly_session("main").store
    found = xr.open_zarr(source, consolidated=False, chunks={})
    read = _total(scene, found.v0.data)
    seconds = time.perf_counter() - began
    files = [file.stat().st_size for kind in _ICECHUNK_DATA for file in (path / kind).iterdir()]
    columns = {"seconds": seconds, "requests_read": len(files), "bytes_read": sum(files)}
    return replace(read, columns=columns)


def read_by(client: str, at_once: int) -> Callable[[Scene], Outcome]:
    """Return a workload that reads whole chunks through `client`, with this many at once."""

    def run(scene: Scene) -> Outcome:
        import zarr
        from zarr.storage import LocalStore, ObjectStore

        if client == "obstore":
            import obstore.store

            inner: Any = ObjectStore(obstore.store.LocalStore(scene.path), read_only=True)
        else:
            inner = LocalStore(scene.path, read_only=True)
        with zarr.config.set({"async.concurrency": at_once, "threading.max_workers": at_once}):
            source: Any = zarr.open_group(probe.CountingStore(inner), mode="r")["v0"]
            step = (source.shards or source.chunks)[0]
            weights = checksums.factors(step, scene.draw)

            def share(low: int) -> Any:
                return checksums.checksum(source[low : low + step], weights)

            starts = range(0, source.shape[0], step)
            with ThreadPoolExecutor(min(at_once, len(starts))) as pool:
                parts = list(pool.map(share, starts))
        unit = (step, *scene.layout.field.shape[1:])
        right = checksums.expected(scene.layout.field, unit, scene.draw)
        return Outcome(ok=bool(np.array_equal(parts, right)))

    return run


def _total(scene: Scene, blocks: Any) -> Outcome:
    """Sum all values by threads, in double precision, and compare with the Zarr store's sum."""
    found = float(blocks.sum(dtype="f8").compute(scheduler="threads", num_workers=scene.threads))
    known = _whole_sum(scene.layout.field)
    return Outcome(ok=abs(found - known) <= SAME_SUM * abs(known))


@functools.lru_cache(maxsize=8)
def _whole_sum(field: Field) -> float:
    """Return the sum of all values, each exact and added in double precision."""
    return float(sum(field[day : day + 1].sum(dtype="f8") for day in range(field.shape[0])))


def _row(operation: str, variant: str, run: Any, **more: Any) -> Workload:
    return Workload(operation, variant, "storage", run, **more)


def _alone(operation: str, variant: str, run: Any, **more: Any) -> Workload:
    return _row(operation, variant, run, needs_cluster=False, **more)


TO_NOTHING: dict[str, Any] = {"sink": "gather", "right": dask_chunks, "reads_all": True}
WORKLOADS: tuple[Workload, ...] = (
    *(_row("write", f"chunk-{mb}", write, layout={"chunk_mb": float(mb)}) for mb in CHUNKS_MB),
    *(_row("write", f"codec-{codec}", write, layout={"codec": codec}) for codec in ("lz4", "none")),
    _row("write", "shard-64", write, layout={"chunk_mb": 1.0, "shard_mb": 64.0}),
    *(
        _row("read", f"chunk-{mb}", read_to_nothing, **TO_NOTHING, layout={"chunk_mb": float(mb)})
        for mb in CHUNKS_MB
    ),
    *(
        _row("read", f"codec-{codec}", read_to_nothing, **TO_NOTHING, layout={"codec": codec})
        for codec in ("lz4", "none")
    ),
    _row(
        "read", "shard-64", read_to_nothing, **TO_NOTHING,
        layout={"chunk_mb": 1.0, "shard_mb": 64.0},
    ),
    _alone("read", "numpy", stream_to_nothing, right=stored_chunks, reads_all=True),
    _alone("open", "zarr", cold_open),
    *(
        _alone(f"select-{kind}", "zarr", select(kind), scheme=scheme)
        for kind in ("point", "map", "box")
        for scheme in ("time", "space", "box")
    ),
    _alone("select-point", "shard-64", select("point"), layout={"chunk_mb": 1.0, "shard_mb": 64.0}),
    _alone("read", "netcdf", read_netcdf, columns={"store": "netcdf", "client": "h5netcdf"}),
    _alone("read", "virtual", read_virtual, columns={"store": "virtual", "client": "obstore"}),
    _alone("read", "icechunk", read_icechunk, columns={"store": "icechunk", "client": "icechunk"}),
    *(
        _alone(
            f"read-{at_once}-at-once", client, read_by(client, at_once),
            columns={"client": client, "concurrency": at_once}, reads_all=True,
        )
        for client in ("local", "obstore")
        for at_once in AT_ONCE
    ),
)  # fmt: skip
