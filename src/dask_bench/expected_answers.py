"""The known answers, computed from the formula by plain numpy in double precision.

Every element of an answer is checked by a random combination of all of them (`functionals`), and
some rows (or days) one by one: in each block another one from every chunk's range, and those at the
edges of chunks if the operation reaches across. Data of more than `WHOLE_MB` cannot be recomputed
on one machine; there only the rows are checked, and the run records their share.
"""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from dask_bench import day_groups, functionals
from dask_bench.fields import MEGABYTE, Field, days
from dask_bench.tiers import chunk_shape
from dask_bench.zarr_store import Layout

# Means of a few thousand values near 27 in single precision, added in any order, stay within it.
TOLERANCE: Mapping[str, float] = {"f4": 2e-4, "f8": 1e-9}
MOST_MB = 256.0  # of data to compute the rows of one check
WHOLE_MB = 12_000.0  # up to this size a whole answer is computed beforehand: tiers xs and s

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Answer:
    """A known answer: its dimensions, and its values at one row or one day.

    `at` gets the variables on (time, row, lon), or (one day, lat, lon), and the field. `margin` is
    how many rows to each side it needs. `scale` widens the tolerance where values are larger. With
    `exact` the values are the data's own; with `across` chunks' edges matter.
    """

    dims: tuple[str, ...]
    at: Callable[[tuple[Values, ...], Field], Values]
    along: Literal["lat", "time"] = "lat"
    margin: int = 0
    scale: float = 1.0
    exact: bool = False
    across: bool = False

    @property
    def axis(self) -> int:
        """The axis of the answer along which it is computed row by row, or day by day."""
        return self.dims.index(self.along)


@dataclass(frozen=True)
class Verdict:
    """Whether an answer was right, and its largest error."""

    ok: bool
    expected: float
    got: float
    tolerance: float
    share: float = 1.0  # of the answer's elements
    why: str = ""


@dataclass(frozen=True)
class Known:
    """The known values of an answer in one block: some rows or days, and a sum over everything."""

    rows: tuple[tuple[int, Values], ...]
    factors: functionals.Factors = ()
    total: float = math.nan


def known(answer: Answer, layout: Layout, block: int = 0) -> Known:
    """Return the known values that a run of this block is checked against."""
    rows = tuple((place, _at(answer, layout, place)) for place in _places(answer, layout, block))
    if layout.nbytes > WHOLE_MB * MEGABYTE:
        return Known(rows)
    shape, totals = _totals(answer, layout.field, layout.variables)
    draw = block % functionals.DRAWS
    factors = [factor[draw] for factor in functionals.factors(shape, layout.field.seed)]
    return Known(rows, factors, float(totals[draw]))


@functools.lru_cache(maxsize=64)
def _totals(answer: Answer, field: Field, variables: int) -> tuple[tuple[int, ...], Values]:
    """Return the shape of the whole answer, and the sum over all of it for each draw."""
    layout = Layout(field, variables=variables)
    length = field.shape[0 if answer.along == "time" else 1]
    inner = _at(answer, layout, answer.margin)
    shape = list(inner.shape)
    shape.insert(answer.axis, length)

    def rows(place: int) -> Values:
        if answer.margin <= place < length - answer.margin:
            return _at(answer, layout, place)
        return np.full(inner.shape, np.nan)

    return tuple(shape), functionals.expected(rows, answer.axis, shape, field.seed)


def _at(answer: Answer, layout: Layout, place: int) -> Values:
    """Return the right values at one row or day."""
    near = slice(place - answer.margin, place + answer.margin + 1)
    box = (slice(None), near) if answer.along == "lat" else (near, slice(None))
    values = tuple(
        replace(layout.field, seed=layout.field.seed + number)[box].astype("f8")
        for number in range(layout.variables)
    )
    return answer.at(values, layout.field)


def _places(answer: Answer, layout: Layout, block: int) -> list[int]:
    """Return rows or days from every chunk's range, different in each block, and the edges."""
    field = layout.field
    axis = 0 if answer.along == "time" else 1
    length = field.shape[axis] - 2 * answer.margin
    parts = max(8, -(-field.shape[axis] // layout.chunks[axis]))
    megabytes = layout.nbytes / field.shape[axis] * (1 + 2 * answer.margin) / MEGABYTE
    most = max(1, int(MOST_MB / megabytes))
    bounds = np.linspace(0, length, min(parts, length, most) + 1).astype(int)
    pick = np.random.default_rng([field.seed, block])
    drawn = [int(pick.integers(low, high)) + answer.margin for low, high in pairwise(bounds)]
    if not answer.across:
        return drawn
    step = chunk_shape(field, "space", layout.chunk_mb)[axis]
    edges = {at + side for at in range(step, field.shape[axis], step) for side in (-1, 0)}
    inside = [at for at in sorted(edges) if 0 <= at - answer.margin < length]
    if len(inside) > most:
        inside = sorted(pick.choice(inside, most, replace=False).tolist())
    return sorted({*drawn, *inside})


def check(answer: Answer, right: Known, result: Any, layout: Layout) -> Verdict:
    """Compare `result` (xarray, or numpy with the answer's dimensions) with the known values.

    A missing value is wrong unless it is missing in the known answer too.
    """
    each = 0.0 if answer.exact else TOLERANCE[layout.field.dtype] * answer.scale
    places = [place for place, _ in right.rows]
    expected = np.stack([values for _, values in right.rows])
    length = layout.field.shape[0 if answer.along == "time" else 1]
    share = 1.0 if right.factors else len(places) / length
    if isinstance(result, xr.DataArray):
        picked = result.transpose(*answer.dims).isel({answer.along: places})
        got = np.moveaxis(picked.to_numpy(), answer.axis, 0)
    else:
        result = np.asarray(result)
        got = np.moveaxis(result, answer.axis, 0)[places]
    got = got.astype("f8")
    if got.shape != expected.shape:
        return Verdict(False, float(expected.size), float(got.size), 0.0, share)
    off = np.abs(got - expected)
    off[np.isnan(got) & np.isnan(expected)] = 0.0
    off[np.isnan(off)] = np.inf
    worst = np.unravel_index(int(off.argmax()), off.shape)
    at_worst = float(expected[worst]), float(got[worst])
    if off[worst] > each or not right.factors:
        return Verdict(bool(off[worst] <= each), *at_worst, each, share)
    total = functionals.of(result, answer.dims, right.factors)
    allowed = functionals.tolerance([len(factors) for factors in right.factors], each)
    if abs(total - right.total) <= allowed:
        return Verdict(True, *at_worst, each, share)
    why = "The answer is wrong: rows that were looked at are right, the sum over all is not."
    return Verdict(False, right.total, total, allowed, share, why)


def _area_mean(v: tuple[Values, ...], field: Field) -> Values:
    return np.asarray(np.average(v[0][0].mean(axis=1), weights=weights(field)))


def _time_mean(v: tuple[Values, ...], _field: Field) -> Values:
    return np.asarray(v[0][:, 0].mean(axis=0))


def _by(by: day_groups.By) -> Callable[[tuple[Values, ...], Field], Values]:
    def at(v: tuple[Values, ...], field: Field) -> Values:
        labels, code = day_groups.codes(field, by)
        return np.stack([v[0][code == number, 0].mean(axis=0) for number in range(len(labels))])

    return at


def _anomaly(v: tuple[Values, ...], field: Field) -> Values:
    _, code = day_groups.codes(field, "month")
    return np.asarray(v[0][:, 0] - _by("month")(v, field)[code])


def _variance(v: tuple[Values, ...], field: Field) -> Values:
    return np.asarray((_anomaly(v, field) ** 2).mean(axis=0))


def _quadratic(v: tuple[Values, ...], _field: Field) -> Values:
    one, two = (values[:, 0] for values in v)
    return np.stack([(a * b).mean(axis=0) for a, b in ((one, one), (two, two), (one, two))])


def _roughness(v: tuple[Values, ...], _field: Field) -> Values:
    out = np.full(v[0].shape[2], np.nan)
    inner = v[0][:, 1, 1:-1]
    around = v[0][:, 0, 1:-1] + v[0][:, 2, 1:-1] + v[0][:, 1, 2:] + v[0][:, 1, :-2]
    out[1:-1] = ((around - 4 * inner) ** 2).mean(axis=0)
    return out


def _coarse(v: tuple[Values, ...], field: Field) -> Values:
    return np.asarray(v[0][0].reshape(field.lat // 4, 4, field.lon // 4, 4).mean(axis=(1, 3)))


def _itself(v: tuple[Values, ...], _field: Field) -> Values:
    return np.asarray(v[0][:, 0])


def _eddies(v: tuple[Values, ...], field: Field) -> Values:
    one, two = (values[:, 0] - values[:, 0].mean(axis=1, keepdims=True) for values in v)
    month = days(field.years).to_period("M").asi8
    flux = (one * two).mean(axis=1)
    return np.array([flux[month == one].mean() for one in np.unique(month)])


def weights(field: Field) -> Values:
    """Return the area of each latitude, to any scale."""
    return np.asarray(np.cos(np.deg2rad(field.lat_degrees)))


MAP = ("lat", "lon")
ANSWERS: Mapping[str, Answer] = {
    "area-mean": Answer(("time",), _area_mean, "time"),
    "time-mean": Answer(MAP, _time_mean),
    "climatology-season": Answer(("season", *MAP), _by("season")),
    "climatology-month": Answer(("month", *MAP), _by("month")),
    "climatology-day": Answer(("dayofyear", *MAP), _by("dayofyear")),
    "anomaly": Answer(("time", *MAP), _anomaly),
    "anomaly-variance": Answer(MAP, _variance),
    "quadratic-means": Answer(("product", *MAP), _quadratic, scale=50.0),
    "roughness": Answer(MAP, _roughness, margin=1, across=True),
    "coarsen": Answer(("time", *MAP), _coarse, "time"),
    "rechunk": Answer(("time", *MAP), _itself, exact=True, across=True),
    "eddy-flux": Answer(("time", "lat"), _eddies, scale=10.0),
}
