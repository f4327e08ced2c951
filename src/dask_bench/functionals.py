"""A weighted sum that depends on every element of an answer, and is known from the formula.

Each axis has random factors, in sign and size; an element is weighted by the product of the factors
of its position. Any wrong, missing or misplaced element changes the sum, and for an answer of any
size it takes one pass where the answer is. A missing value (NaN) counts as `MISSING`.

The expected sums are computed once, for `DRAWS` sets of factors in one pass over the data's
formula; each block of a campaign uses another set.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dask
import numpy as np
import numpy.typing as npt
import xarray as xr
from dask.array.core import slices_from_chunks

Factors = Sequence[npt.NDArray[np.float64]]
DRAWS = 32
MISSING = -1000.0
# Rounding may add up: this many times the root of the sum of squares of the elements' tolerances.
SLACK = 10.0
EXACT = 1e-12  # of the sum of sizes, if every element must be equal to the bit
THREADS = 2


def factors(shape: Sequence[int], seed: int) -> list[npt.NDArray[np.float64]]:
    """Return `DRAWS` random factors for each index of each axis: arrays of (draw, index)."""
    rng = np.random.default_rng([0x5EED, seed])
    return [
        rng.uniform(0.5, 1.5, (DRAWS, size)) * rng.choice((-1.0, 1.0), (DRAWS, size))
        for size in shape
    ]


def combined(values: Any, along: Factors) -> float:
    """Return the sum of `values` (numpy), each times the factors of its position."""
    plain = np.asarray(values, "f8")
    plain = np.where(np.isnan(plain), MISSING, plain)
    for factor in reversed(along):
        plain = plain @ factor
    return float(plain)


def of(result: Any, dims: Sequence[str], along: Factors) -> float:
    """Return the sum of an answer, computed where it is: by the cluster for Dask, else by numpy."""
    data = result.transpose(*dims).data if isinstance(result, xr.DataArray) else result
    if not hasattr(data, "to_delayed"):
        return combined(data, along)
    places = slices_from_chunks(data.chunks)
    shares = [
        dask.delayed(combined)(block, [f[at] for f, at in zip(along, place, strict=True)])  # type: ignore[attr-defined]
        for block, place in zip(data.to_delayed().ravel(), places, strict=True)
    ]
    return float(sum(dask.compute(*shares)))  # type: ignore[attr-defined,no-untyped-call]


def expected(rows: Any, axis: int, shape: Sequence[int], seed: int) -> npt.NDArray[np.float64]:
    """Return the expected sum for each draw; `rows(place)` is the right answer there."""
    along = factors(shape, seed)
    rest = [factor for number, factor in enumerate(along) if number != axis]

    def share(place: int) -> npt.NDArray[np.float64]:
        values = np.asarray(rows(place), "f8")
        values = np.where(np.isnan(values), MISSING, values)
        if values.ndim == 2:
            per_draw = np.einsum("pk,kp->k", values @ rest[1].T, rest[0])
        else:
            per_draw = rest[0] @ values if values.ndim else np.full(DRAWS, float(values))
        return np.asarray(per_draw * along[axis][:, place])

    with ThreadPoolExecutor(THREADS) as pool:
        return np.asarray(sum(pool.map(share, range(shape[axis]))))


def tolerance(shape: Sequence[int], each: float) -> float:
    """Return the tolerance of a sum whose elements have the tolerance `each`."""
    many = float(np.prod(np.asarray(shape, float)))
    return SLACK * each * many**0.5 if each else EXACT * many * abs(MISSING)
