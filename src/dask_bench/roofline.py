"""The machine's limits, in the same session: memory, disk, and the object store.

Each workload uses as many bytes as the data has, in pieces of one chunk.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from dask_bench import probe
from dask_bench.fields import MEGABYTE
from dask_bench.workload import Outcome, Scene, Workload
from dask_bench.zarr_store import scratch

PIECE_MB = 16
REQUESTS = (1, 4, 16, 64)  # at once
RANGE_BYTES = 2**20


def _threads(scene: Scene, work: Any, many: int) -> list[Any]:
    with ThreadPoolExecutor(scene.threads) as pool:
        return list(pool.map(work, range(many)))


def _pieces(scene: Scene) -> int:
    return max(1, round(scene.layout.nbytes / (PIECE_MB * MEGABYTE)))


def memory_sum(scene: Scene) -> Outcome:
    """Sum every value, in memory, with the run's threads."""
    piece = np.ones(PIECE_MB * MEGABYTE // 4, "f4")
    found = sum(_threads(scene, lambda _: float(piece.sum()), _pieces(scene)))
    return Outcome(ok=found == piece.size * _pieces(scene))


def memory_copy(scene: Scene) -> Outcome:
    """Copy every value, in memory; nothing new is allocated."""
    source = [np.ones(PIECE_MB * MEGABYTE // 4, "f4") for _ in range(scene.threads)]
    into = [np.empty_like(piece) for piece in source]

    def copy(number: int) -> None:
        np.copyto(into[number % scene.threads], source[number % scene.threads])

    _threads(scene, copy, _pieces(scene))
    return Outcome(ok=bool(into[0][-1] == 1))


def raw_write(scene: Scene) -> Outcome:
    """Write the bytes to plain files and wait until the disk has them."""
    block = os.urandom(PIECE_MB * MEGABYTE)
    with scratch(scene.folder, "raw") as path:
        path.mkdir()

        def write(number: int) -> None:
            with (path / str(number)).open("wb") as file:
                file.write(block)
                file.flush()
                os.fsync(file.fileno())
            probe.count(requests_written=1, bytes_written=len(block))

        _threads(scene, write, _pieces(scene))
        right = all(one.stat().st_size == len(block) for one in path.iterdir())
    return Outcome(ok=right)


def raw_read(scene: Scene) -> Outcome:
    """Read the store's files as they are, without decoding; usually from the page cache."""
    files = [file for file in scene.path.rglob("*") if file.is_file()]

    def read(number: int) -> int:
        size = len(files[number].read_bytes())
        probe.count(requests_read=1, bytes_read=size)
        return size

    found = sum(_threads(scene, read, len(files)))
    return Outcome(ok=found == sum(file.stat().st_size for file in files))


def ranged_read(at_once: int) -> Any:
    """Return a workload that reads 1 MiB ranges of the store's objects, with this many at once.

    Through obstore, as a cluster reads S3; here from the local disk.
    """

    def run(scene: Scene) -> Outcome:
        import obstore
        from obstore.store import LocalStore

        store = LocalStore(scene.path)
        files = [file for file in scene.path.rglob("*") if file.is_file()]
        ranges = [
            (file.relative_to(scene.path).as_posix(), start, min(RANGE_BYTES, size - start))
            for file in files
            for size in [file.stat().st_size]
            for start in range(0, size, RANGE_BYTES)
        ]

        def read(number: int) -> int:
            name, start, length = ranges[number]
            size = len(obstore.get_range(store, name, start=start, length=length))
            probe.count(requests_read=1, bytes_read=size)
            return size

        with ThreadPoolExecutor(at_once) as pool:
            found = sum(pool.map(read, range(len(ranges))))
        return Outcome(ok=found == sum(length for _, _, length in ranges))

    return run


def _row(operation: str, variant: str, run: Any, **columns: Any) -> Workload:
    return Workload(operation, variant, "roofline", run, needs_cluster=False, columns=columns)


WORKLOADS: tuple[Workload, ...] = (
    _row("memory-sum", "numpy", memory_sum, store="memory", place="memory"),
    _row("memory-copy", "numpy", memory_copy, store="memory", place="memory"),
    _row("raw-write", "files", raw_write, store="raw"),
    _row("raw-read", "files", raw_read, store="raw"),
    *(
        _row(
            "ranged-read", f"{at_once}-at-once", ranged_read(at_once),
            store="raw", client="obstore", concurrency=at_once,
        )
        for at_once in REQUESTS
    ),
)  # fmt: skip
