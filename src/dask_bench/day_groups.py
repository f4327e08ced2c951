"""The groups of days in a climatology, with xarray's labels."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dask_bench.fields import Field, days

By = Literal["season", "month", "dayofyear"]
SEASONS = ("DJF", "MAM", "JJA", "SON")


def codes(field: Field, by: By) -> tuple[npt.NDArray[Any], npt.NDArray[np.intp]]:
    """Return the sorted labels and, for each day, the number of its label."""
    when = days(field.years)
    if by == "season":
        labels = np.array(SEASONS)[when.month.to_numpy() % 12 // 3]
    else:
        labels = (when.month if by == "month" else when.day_of_year).to_numpy()
    found, code = np.unique(labels, return_inverse=True)
    return found, code


def sums(values: npt.NDArray[Any], code: npt.NDArray[np.intp], groups: int) -> npt.NDArray[Any]:
    """Return the sum of each group's days: (groups, lat, lon), one pass, no copy of `values`."""
    out = np.zeros((groups, *values.shape[1:]), values.dtype)
    for group, row in zip(code, values, strict=True):
        out[group] += row
    return out


def means(values: npt.NDArray[Any], code: npt.NDArray[np.intp], groups: int) -> npt.NDArray[Any]:
    """Return the mean of each group's days: (groups, lat, lon)."""
    out = sums(values, code, groups)
    out /= counts(code, groups).astype(values.dtype)
    return out


def counts(code: npt.NDArray[np.intp], groups: int) -> npt.NDArray[np.intp]:
    """Return the number of days in each group, shaped to divide sums."""
    return np.bincount(code, minlength=groups)[:, None, None]


def anomalies(
    values: npt.NDArray[Any], code: npt.NDArray[np.intp], groups: int
) -> npt.NDArray[Any]:
    """Return `values` less their group's mean; needs all days at once."""
    mean = means(values, code, groups)
    out = np.empty_like(values)
    for day, group in enumerate(code):
        np.subtract(values[day], mean[group], out=out[day])
    return out
