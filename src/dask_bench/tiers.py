"""Sizes of the data, and its division into chunks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dask_bench.fields import MEGABYTE, Field

Scheme = Literal["time", "space", "box"]
SCHEMES: tuple[Scheme, ...] = ("time", "space", "box")


@dataclass(frozen=True)
class Tier:
    """A size of the data, and the cluster it is meant for."""

    field: Field
    workers: int
    threads: int
    memory_limit_mb: float | None
    chunk_mb: float = 16.0  # larger with the data: the scheduler limits the tasks


# A cluster either fits the limits of the charts (helm/pangeo/values.yaml) or is refused. xs and s
# have the same years, so that a climatology has the same number of groups.
TIERS: Mapping[str, Tier] = {
    "xs": Tier(Field(years=4, lat=180, lon=240), 1, 2, None),  # 0.25 GB
    "s": Tier(Field(years=4, lat=1080, lon=1600), 4, 2, 8_000),  # 10 GB
    "m": Tier(Field(years=20, lat=5400, lon=6336), 16, 4, 16_000, 128.0),  # 1 TB
    "l": Tier(Field(years=40, lat=10800, lon=15840), 128, 4, 16_000, 1024.0),  # 10 TB
}

# NCAR's shape (pangeo-data/benchmarking): doubles on 384 longitudes and 320 latitudes.
NCAR = Field(years=1, lat=320, lon=384, dtype="f8")


def chunk_shape(field: Field, scheme: Scheme, megabytes: float) -> tuple[int, int, int]:
    """Return days, latitudes and longitudes of chunks of about `megabytes`.

    `time` cuts the time axis only, `space` only latitude and longitude (all days in every chunk),
    `box` all three in proportion. Chunks are as equal as possible.
    """
    t, y, x = field.shape
    parts = max(1.0, field.nbytes / (megabytes * MEGABYTE))
    if scheme == "time":
        return _part(t, parts), y, x
    if scheme == "space":
        rows = min(float(y), np.sqrt(parts))
        return t, _part(y, rows), _part(x, parts / rows)
    side = parts ** (1 / 3)
    return _part(t, side), _part(y, side), _part(x, side)


def _part(length: int, parts: float) -> int:
    """Return the length of one of about `parts` equal parts."""
    return int(np.ceil(length / max(1, round(parts))))
