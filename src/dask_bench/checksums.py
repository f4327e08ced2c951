"""Checksums of chunks: verify that every value of every chunk was read or written.

A chunk's checksum is the sum of its values' bits, day by day, each day times a random factor that
changes in each block: cheap compared with decoding, and different if a value, a day or a chunk is
wrong or misplaced. The expected checksum follows from the data's formula.
"""

import functools
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from dask_bench.fields import Field

Unit = tuple[int, int, int]
Words = npt.NDArray[np.uint64]
THREADS = 2


def factors(days: int, draw: int) -> Words:
    """Return an odd random factor for each day of a chunk."""
    drawn = np.random.default_rng([0xDA75, draw]).integers(2**63, size=days, dtype=np.uint64)
    return drawn * np.uint64(2) + np.uint64(1)


def day_sums(values: Any) -> Words:
    """Return the sum of the bits of each day of a chunk, in words of eight bytes."""
    days = np.ascontiguousarray(values).reshape(len(values), -1)
    word = "u8" if days.shape[1] * days.itemsize % 8 == 0 else f"u{days.itemsize}"
    return np.asarray(np.add.reduce(days.view(word), axis=1, dtype=np.uint64))


def checksum(values: Any, weights: Words) -> np.uint64:
    """Return the checksum of a chunk; `weights` are the factors of at least as many days."""
    return np.uint64(np.add.reduce(day_sums(values) * weights[: len(values)], dtype=np.uint64))


def places(field: Field, unit: Unit) -> list[tuple[slice, slice, slice]]:
    """Return the position of each chunk of `unit`, in the order of storage."""
    t, y, x = (
        [slice(low, min(low + step, size)) for low in range(0, size, step)]
        for size, step in zip(field.shape, unit, strict=True)
    )
    return list(itertools.product(t, y, x))


@functools.lru_cache(maxsize=32)
def _known(field: Field, unit: Unit) -> list[Words]:
    return _each(field, unit, lambda box: day_sums(field[box]))


def expected(field: Field, unit: Unit, draw: int) -> Words:
    """Return the expected checksum of each chunk, in the order of storage."""
    weights = factors(unit[0], draw)
    known = _known(field, unit)
    return np.array(
        [np.add.reduce(sums * weights[: len(sums)], dtype=np.uint64) for sums in known], np.uint64
    )


def stored(source: Any, field: Field, unit: Unit, draw: int) -> Words:
    """Return the checksums of an array's chunks, read in this process."""
    weights = factors(unit[0], draw)
    return np.array(_each(field, unit, lambda box: checksum(source[box], weights)), np.uint64)


def _each(field: Field, unit: Unit, do: Callable[[Any], Any]) -> list[Any]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(do, places(field, unit)))
