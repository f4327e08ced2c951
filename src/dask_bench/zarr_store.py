"""The data: Zarr stores of a known layout, written once and reused by later campaigns."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import BloscCodec, ZstdCodec

from dask_bench import data_place
from dask_bench.data_place import Place
from dask_bench.fields import MEGABYTE, Field
from dask_bench.probe import CountingStore
from dask_bench.tiers import Scheme, chunk_shape

Codec = Literal["zstd", "lz4", "none"]
_COORDINATES = ("time", "lat", "lon")


@dataclass(frozen=True)
class Layout:
    """How a field is stored: chunks by `scheme` and size, shards or none, and the codec."""

    field: Field
    scheme: Scheme = "time"
    chunk_mb: float = 16.0
    codec: Codec = "zstd"
    shard_mb: float | None = None
    variables: int = 1

    @property
    def chunks(self) -> tuple[int, int, int]:
        """Days, latitudes, longitudes of a stored chunk."""
        return chunk_shape(self.field, self.scheme, self.chunk_mb)

    @property
    def shards(self) -> tuple[int, int, int] | None:
        """The shape of a shard: whole chunks, about `shard_mb`; None: no sharding."""
        if self.shard_mb is None:
            return None
        wanted = chunk_shape(self.field, self.scheme, self.shard_mb)
        one, two, three = (
            max(1, round(shard / chunk)) * chunk
            for shard, chunk in zip(wanted, self.chunks, strict=True)
        )
        return one, two, three

    @property
    def nbytes(self) -> int:
        """Bytes of all variables, uncompressed."""
        return self.field.nbytes * self.variables

    @property
    def stored_chunk_mb(self) -> float:
        """Megabytes of one stored chunk."""
        return float(np.prod(self.chunks)) * np.dtype(self.field.dtype).itemsize / MEGABYTE

    def key(self) -> str:
        """Return a name that is unique to this layout."""
        text = json.dumps(asdict(self), sort_keys=True)
        return f"{self.scheme}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"

    def columns(self) -> dict[str, Any]:
        """Return the layout's columns of the run table."""
        return {
            "scheme": self.scheme,
            "dataset_mb": self.nbytes / MEGABYTE,
            "stored_chunk_mb": self.stored_chunk_mb,
            "shard_mb": self.shard_mb,
            "codec": self.codec,
            "grid": self.field.label,
            "seed": self.field.seed,
        }


def encoding(layout: Layout) -> dict[str, Any]:
    """Return xarray's encoding of each variable for `layout`."""
    codecs = {
        "zstd": (ZstdCodec(level=1),),
        "lz4": (BloscCodec(cname="lz4", clevel=5, shuffle="shuffle"),),
        "none": None,
    }
    options: dict[str, Any] = {"chunks": layout.chunks, "compressors": codecs[layout.codec]}
    if layout.shards is not None:
        options["shards"] = layout.shards
    return {f"v{number}": options for number in range(layout.variables)}


def write(layout: Layout, dataset: xr.Dataset, path: Place) -> Any:
    """Return a Dask object that writes `dataset` to `path` when it is computed."""
    return dataset.to_zarr(
        CountingStore(data_place.zarr_store(path)),
        mode="w",
        encoding=encoding(layout),
        zarr_format=3,
        consolidated=False,
        compute=False,
    )


def prepare(layout: Layout, folder: Place, client: Any = None) -> Any:
    """Return the store of `layout` below `folder`, written now unless it is complete.

    With a `client`, its cluster computes and writes the data, otherwise threads of this process.
    """
    path = data_place.join(folder, f"{layout.key()}.zarr")
    mark = f"{layout.key()}.json"  # the store is complete
    if not data_place.exists(folder, mark):
        data_place.remove(path)
        unit = layout.shards or layout.chunks
        try:
            lazy = write(layout, layout.field.dataset(unit, layout.variables), path)
            if client is not None:
                client.compute(lazy).result()
            else:
                lazy.compute(scheduler="threads", num_workers=2)
        except BaseException:
            data_place.remove(path)  # leave no partial data on a full disk
            raise
        data_place.put(folder, mark, json.dumps(asdict(layout)).encode())
    return path


def open_dataset(
    path: Place, chunks: tuple[int, int, int] | None = None, store: Any = None
) -> xr.Dataset:
    """Open a Zarr store lazily with counted requests; `chunks` are by default as stored."""
    wanted = dict(zip(_COORDINATES, chunks, strict=True)) if chunks else {}
    dataset: xr.Dataset = xr.open_zarr(
        CountingStore(store or data_place.zarr_store(path, read_only=True)),
        chunks=wanted,
        consolidated=False,
        zarr_format=3,
    )
    return dataset


def open_arrays(path: Place, variables: int = 1) -> list[Any]:
    """Open the variables of a store as plain Zarr arrays, with counted requests."""
    group = zarr.open_group(CountingStore(data_place.zarr_store(path, read_only=True)), mode="r")
    return [group[f"v{number}"] for number in range(variables)]


@contextmanager
def scratch(folder: Place, name: str) -> Iterator[Any]:
    """Yield a place for a run's output, and remove the output at the end."""
    path = data_place.join(folder, "scratch", name)
    data_place.remove(path)
    if isinstance(path, Path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield path
    finally:
        data_place.remove(path)
