"""The known answers, computed from the formula by plain numpy in double precision.

An answer of 10 TB cannot be recomputed on one machine, so some of its rows (or days) are: one
taken at random from every chunk's range of rows (or days). A row holds all days and all longitudes,
a day the whole map: at tier xs every stored chunk takes part in the check.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from dask_bench import day_groups
from dask_bench.fields import MEGABYTE, Field, days
from dask_bench.zarr_store import Layout

# Means of a few thousand values near 27 in single precision, added in any order, stay within it.
TOLERANCE: Mapping[str, float] = {"f4": 2e-4, "f8": 1e-9}
MOST_MB = 256.0  # of data that one answer is computed from

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Answer:
    """A known answer: its dimensions, and its values at one row or one day.

    `at` gets the variables on (time, row, lon), or (one day, lat, lon), and the field. `margin` is
    how many rows to each side it needs. `scale` widens the tolerance where values are larger.
    """

    dims: tuple[str, ...]
    at: Callable[[tuple[Values, ...], Field], Values]
    along: Literal["lat", "time"] = "lat"
    margin: int = 0
    scale: float = 1.0


@dataclass(frozen=True)
class Verdict:
    """Whether an answer was right, and where it was worst."""

    ok: bool
    expected: float
    got: float
    tolerance: float


Known = tuple[tuple[int, Values], ...]


def known(answer: Answer, layout: Layout) -> Known:
    """Return (row or day, the right values there) for a sample that touches every chunk."""
    field = layout.field
    axis = 0 if answer.along == "time" else 1
    length = field.shape[axis] - 2 * answer.margin
    parts = max(8, -(-field.shape[axis] // layout.chunks[axis]))
    megabytes = layout.nbytes / field.shape[axis] * (1 + 2 * answer.margin) / MEGABYTE
    parts = min(parts, length, max(1, int(MOST_MB / megabytes)))
    edges = np.linspace(0, length, parts + 1).astype(int)
    pick = np.random.default_rng(field.seed)
    found = []
    for low, high in pairwise(edges):
        place = int(pick.integers(low, high)) + answer.margin
        near = slice(place - answer.margin, place + answer.margin + 1)
        box = (near, slice(None)) if axis == 0 else (slice(None), near)
        values = tuple(
            replace(field, seed=field.seed + number)[box].astype("f8")
            for number in range(layout.variables)
        )
        found.append((place, answer.at(values, field)))
    return tuple(found)


def check(answer: Answer, right: Known, result: Any, layout: Layout) -> Verdict:
    """Compare `result` (xarray, or numpy with the answer's dimensions) with the known values.

    A missing value is wrong unless it is missing in the known answer too.
    """
    tolerance = TOLERANCE[layout.field.dtype] * answer.scale
    places = [place for place, _ in right]
    expected = np.stack([values for _, values in right])
    if isinstance(result, xr.DataArray):
        picked = result.transpose(*answer.dims).isel({answer.along: places})
        got = np.moveaxis(picked.to_numpy(), answer.dims.index(answer.along), 0)
    else:
        got = np.moveaxis(np.asarray(result), answer.dims.index(answer.along), 0)[places]
    got = got.astype("f8")
    if got.shape != expected.shape:
        return Verdict(False, float(expected.size), float(got.size), 0.0)
    off = np.abs(got - expected)
    off[np.isnan(got) & np.isnan(expected)] = 0.0
    off[np.isnan(off)] = np.inf
    worst = np.unravel_index(int(off.argmax()), off.shape)
    return Verdict(
        bool(off[worst] <= tolerance), float(expected[worst]), float(got[worst]), tolerance
    )


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
    "roughness": Answer(MAP, _roughness, margin=1),
    "coarsen": Answer(("time", *MAP), _coarse, "time"),
    "rechunk": Answer(("time", *MAP), _itself),
    "eddy-flux": Answer(("time", "lat"), _eddies, scale=10.0),
}
