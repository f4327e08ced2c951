"""Workloads on data in an object store: writing, reading, selecting, by client and concurrency.

The store is emulated (`object_bucket`), so the data is a few megabytes on any tier. Requests and
bytes are counted at the server. The seconds are those of a server in Python: use them to compare
clients and concurrencies, never as S3's.
"""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import zarr

from dask_bench import zarr_store
from dask_bench.object_bucket import PLACE
from dask_bench.storage_workloads import AT_ONCE, boxes
from dask_bench.workload import Outcome, Scene, Workload

MOST_MB, CHUNK_MB = 4.0, 0.0625  # so that there are 64 chunks to read at once
RANGE_BYTES = 2**16
CLIENTS = ("obstore", "icechunk")


def _open(scene: Scene, client: str, prefix: str) -> Any:
    """Return the stored variable as a Zarr array, read through `client`."""
    if client == "icechunk":
        import icechunk

        repository = icechunk.Repository.open(scene.bucket.icechunk(prefix))
        inner: Any = repository.readonly_session("main").store
    else:
        inner = zarr.storage.ObjectStore(scene.bucket.obstore(prefix), read_only=True)
    return zarr.open_group(inner, mode="r", zarr_format=3)["v0"]


def _put(scene: Scene, client: str, prefix: str) -> None:
    """Compute the data from its formula and store it under `prefix`: one commit, or plain Zarr."""
    if client == "icechunk":
        import icechunk

        repository = icechunk.Repository.create(scene.bucket.icechunk(prefix))
        session = repository.writable_session("main")
        _fill(scene, session.store)
        session.commit("the data")
    else:
        _fill(scene, zarr.storage.ObjectStore(scene.bucket.obstore(prefix)))


def _fill(scene: Scene, inner: Any) -> None:
    layout = scene.layout
    values = layout.field[:]
    array = zarr.create_group(inner, zarr_format=3).create_array(
        "v0", shape=values.shape, dtype=values.dtype, **zarr_store.encoding(layout)["v0"]
    )
    array[:] = values


def _prefix(scene: Scene, client: str) -> str:
    return f"{scene.layout.key()}.{client}"


def stored(client: str) -> Callable[[Scene], None]:
    """Return a function that stores the data in the bucket, once, before anything is measured."""

    def before(scene: Scene) -> None:
        prefix = _prefix(scene, client)
        if prefix not in scene.bucket.made:
            with _at_once(AT_ONCE[-1]):
                _put(scene, client, prefix)
            scene.bucket.made.add(prefix)

    return before


def _at_once(many: int) -> Any:
    return zarr.config.set({"async.concurrency": many})


def write(client: str, at_once: int) -> Callable[[Scene], Outcome]:
    """Return a workload that computes and writes the data, with this many concurrent requests."""

    def run(scene: Scene) -> Outcome:
        import obstore

        number = next(n for n in itertools.count() if f"write-{n}" not in scene.bucket.made)
        prefix = f"write-{number}"
        scene.bucket.made.add(prefix)
        with _at_once(at_once):
            with scene.bucket.counted() as columns:
                _put(scene, client, prefix)
            right = bool((_open(scene, client, prefix)[:] == scene.layout.field[:]).all())
        everything = scene.bucket.obstore(prefix)
        for names in obstore.list(everything):
            obstore.delete(everything, [entry["path"] for entry in names])
        return Outcome(columns=columns, ok=right)

    return run


def read(client: str, at_once: int) -> Callable[[Scene], Outcome]:
    """Return a workload that opens and reads all data, with this many concurrent requests."""

    def run(scene: Scene) -> Outcome:
        with _at_once(at_once), scene.bucket.counted() as columns:
            values = _open(scene, client, _prefix(scene, client))[:]
        return Outcome(columns=columns, ok=bool((values == scene.layout.field[:]).all()))

    return run


def select(kind: str, client: str) -> Callable[[Scene], Outcome]:
    """Return a workload that opens the data and reads points, maps or boxes, as on disk."""

    def run(scene: Scene) -> Outcome:
        wanted = boxes(kind, scene.layout.field)
        with scene.bucket.counted() as columns:
            source = _open(scene, client, _prefix(scene, client))
            found = [source[box] for box in wanted]
        known = [scene.layout.field[box] for box in wanted]
        right = all(bool((one == two).all()) for one, two in zip(found, known, strict=True))
        return Outcome(columns=columns, ok=right)

    return run


def ranged_read(at_once: int) -> Callable[[Scene], Outcome]:
    """Return a workload that reads 64 KiB ranges of the raw values, with this many at once."""

    def run(scene: Scene) -> Outcome:
        import obstore

        source, size = scene.bucket.obstore("raw"), scene.layout.nbytes
        starts = range(0, size, RANGE_BYTES)

        def read(start: int) -> Any:
            length = min(RANGE_BYTES, size - start)
            return obstore.get_range(source, _prefix(scene, "raw"), start=start, length=length)

        with ThreadPoolExecutor(at_once) as pool, scene.bucket.counted() as columns:
            parts = list(pool.map(read, starts))
        values = np.frombuffer(b"".join(map(bytes, parts)), scene.layout.field.dtype)
        right = bool((values == scene.layout.field[:].ravel()).all())
        return Outcome(columns=columns, ok=right)

    return run


def stored_raw(scene: Scene) -> None:
    """Store the raw values in one object, once."""
    import obstore

    name = _prefix(scene, "raw")
    if name not in scene.bucket.made:
        obstore.put(scene.bucket.obstore("raw"), name, scene.layout.field[:].tobytes())
        scene.bucket.made.add(name)


def _row(operation: str, variant: str, run: Any, client: str, **more: Any) -> Workload:
    columns = {
        "place": PLACE,
        "client": client,
        "store": "icechunk" if client == "icechunk" else "zarr",
        **more.pop("columns", {}),
    }
    layout = {"chunk_mb": CHUNK_MB}
    usual: dict[str, Any] = {"family": "storage", "before": stored(client), "layout": layout}
    return Workload(
        operation, variant, run=run, needs_cluster=False, columns=columns, most_mb=MOST_MB,
        **(usual | more),
    )  # fmt: skip


WORKLOADS: tuple[Workload, ...] = (
    *(
        _row(
            f"s3-{name}-{at_once}-at-once", client, make(client, at_once), client,
            before=before, columns={"concurrency": at_once},
        )
        for client in CLIENTS
        for name, make, before in (("write", write, None), ("read", read, stored(client)))
        for at_once in AT_ONCE
    ),
    *(
        _row(f"s3-select-{kind}", client, select(kind, client), client, scheme="box")
        for client in CLIENTS
        for kind in ("point", "map", "box")
    ),
    *(
        _row(
            "s3-ranged-read", f"{at_once}-at-once", ranged_read(at_once), "obstore",
            family="roofline", before=stored_raw, columns={"store": "raw", "concurrency": at_once},
        )
        for at_once in AT_ONCE
    ),
)  # fmt: skip
