"""Data with known answers: every value is a function of its position.

With t in days since the first of January of `FIRST_YEAR`, doy the day of the year and years = t /
365.2425,

    value(t, y, x) = 15 + 12 cos(lat) + 4 cos(lat) sin(2 pi doy / 365.2425) + 0.01 years + h

in degrees Celsius. h is uniform in [-0.5, 0.5): the splitmix64 hash (Steele, Lea, Flood 2014,
doi:10.1145/2660193.2660195) of the seed and the element's linear index. Any chunking, any cluster
and any retry gives the same bits: what is not exact (sin, cos) is computed on whole axes and only
sliced, and the rest are additions and one rounding to the data's type.
"""

import functools
from dataclasses import dataclass, replace
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

FIRST_YEAR = 2001
CALENDAR = "standard"
DAYS_A_YEAR = 365.2425
MEGABYTE = 10**6

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = ((30, np.uint64(0xBF58476D1CE4E5B9)), (27, np.uint64(0x94D049BB133111EB)))
_PIECE = 2**16  # elements hashed at a time: the temporaries stay in a core's cache


@dataclass(frozen=True)
class Field:
    """One variable on (time, lat, lon): daily values of whole years, computed on demand.

    It behaves as a read-only array: `field[0:31, :, 5]` computes just these values.
    """

    years: int
    lat: int
    lon: int
    dtype: str = "f4"
    seed: int = 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Days, latitudes, longitudes."""
        return (len(days(self.years)), self.lat, self.lon)

    @property
    def ndim(self) -> int:
        """Three."""
        return 3

    @property
    def nbytes(self) -> int:
        """Bytes of all values."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize

    @property
    def label(self) -> str:
        """Type and shape, as the run table names the grid."""
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"

    def dataset(self, chunks: tuple[int, int, int], variables: int = 1) -> xr.Dataset:
        """Return `variables` fields (v0, v1, ... with consecutive seeds) as lazy arrays.

        `chunks` are days, latitudes, longitudes.
        """
        names = [f"v{number}" for number in range(variables)]
        fields = {
            name: da.from_array(replace(self, seed=self.seed + number), chunks, inline_array=True)
            for number, name in enumerate(names)
        }
        coords = {"time": days(self.years), "lat": self.lat_degrees, "lon": self.lon_degrees}
        return xr.Dataset(
            {name: (("time", "lat", "lon"), field) for name, field in fields.items()}, coords
        )

    @property
    def lat_degrees(self) -> npt.NDArray[np.float64]:
        """Centres of equal bands from south to north, degrees."""
        return (np.arange(self.lat) + 0.5) * 180.0 / self.lat - 90.0

    @property
    def lon_degrees(self) -> npt.NDArray[np.float64]:
        """Eastern edges of equal bands from the date line, degrees."""
        return np.arange(self.lon) * 360.0 / self.lon - 180.0

    def __getitem__(self, index: Any) -> npt.NDArray[Any]:
        """Return the values at `index`: slices with positive steps, or integers."""
        wanted = index if isinstance(index, tuple) else (index,)
        wanted += (slice(None),) * (3 - len(wanted))
        at = tuple(
            np.arange(size, dtype=np.uint64)[one]
            for one, size in zip(wanted, self.shape, strict=True)
        )
        return self._values(*(np.atleast_1d(axis) for axis in at)).reshape(
            sum((axis.shape for axis in at), ())
        )

    def _values(self, t: Any, y: Any, x: Any) -> npt.NDArray[Any]:
        out = np.empty((t.size, y.size, x.size), self.dtype)
        smooth = self._smooth(t, y)
        rows = t[:, None] * np.uint64(self.lat) + y
        start = (np.uint64(self.seed) + _GOLDEN) + rows * np.uint64(self.lon) * _GOLDEN
        step = x * _GOLDEN
        few = max(1, _PIECE // max(1, y.size * x.size))
        for first in range(0, t.size, few):
            piece = slice(first, first + few)
            noise = _noise(start[piece, :, None] + step)
            noise += smooth[piece, :, None]
            out[piece] = noise
        return out

    def smooth(self) -> npt.NDArray[np.float64]:
        """Return the formula without its noise on all days and latitudes."""
        return self._smooth(np.arange(self.shape[0]), np.arange(self.lat))

    def _smooth(self, t: Any, y: Any) -> npt.NDArray[np.float64]:
        """Return the formula without its noise: (days, latitudes); no value depends on x."""
        when = days(self.years)
        season = np.sin(2 * np.pi * when.day_of_year.to_numpy() / DAYS_A_YEAR)[t, None]
        trend = (0.01 * np.arange(len(when)) / DAYS_A_YEAR)[t, None]
        cosine = np.cos(np.deg2rad(self.lat_degrees))[None, y]
        smooth: npt.NDArray[np.float64] = 15 + 12 * cosine + 4 * cosine * season + trend
        return smooth


@functools.cache  # every shape needs it, several times in a run
def days(years: int) -> pd.DatetimeIndex:
    """Return the days of `years` whole years from `FIRST_YEAR`, in the `CALENDAR`."""
    return pd.date_range(f"{FIRST_YEAR}-01-01", f"{FIRST_YEAR + years - 1}-12-31", freq="D")


def _noise(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    """Return splitmix64's output for `state` (which it overwrites) in [-0.5, 0.5)."""
    for shift, factor in _MIX:
        state ^= state >> np.uint64(shift)
        state *= factor
    state ^= state >> np.uint64(31)
    state >>= np.uint64(11)
    result = state.astype(np.float64)
    result *= 2.0**-53
    result -= 0.5
    return result
