"""Daily cost ahead, with intervals that say how wrong such forecasts have been.

A level (exponential smoothing) times the weekdays' profile. How fast the level follows is not set
by us: each forecast takes the speed that would have told its own past best. The intervals are
conformal: the same forecast is made from every day of the past, and the quantiles of its errors,
as ratios, become the interval (Vovk, Gammerman and Shafer 2005; for series Stankeviciute, Alaa and
van der Schaar 2021). No shape of the errors is assumed, only that the past's are like the next.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from pangeo_deploy.cost.daily import LEAST, Daily, Floats, levels, positive, weekdays
from pangeo_deploy.errors import BadInput

_FIRST = 28  # the first day from which a forecast of the past is made


@dataclass(frozen=True)
class Ahead:
    """One day, or with `date` None the sum of all: USD."""

    date: date | None
    mean: Decimal
    low: Decimal
    high: Decimal

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        told = {k: format(getattr(self, k), "f") for k in ("mean", "low", "high")}
        return told if self.date is None else {"date": self.date.isoformat(), **told}


@dataclass(frozen=True)
class Forecast:
    """Days ahead and their sum. `level` is how often the intervals should hold."""

    days: tuple[Ahead, ...]
    total: Ahead
    level: float

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of `cost forecast`."""
        return {
            "level": self.level,
            "days": [day.as_dict() for day in self.days],
            "total": self.total.as_dict(),
        }


def forecast(daily: Daily, horizon: int = 30, level: float = 0.8) -> Forecast:
    """Forecast `horizon` days after `daily` ends, with intervals that hold in `level` of cases.

    Raises `BadInput` for fewer than `daily.LEAST` days or settings that mean nothing.
    """
    if not 1 <= horizon <= 366 or not 0 < level < 1:
        raise BadInput(
            f"A horizon of {horizon} days at level {level} cannot be.",
            fix="Use 1 to 366 days and a level between 0 and 1, such as 0.8.",
        )
    if len(daily.usd) < LEAST:
        raise BadInput(
            f"{len(daily.usd)} days are too few to look ahead.", fix=f"Give {LEAST} days or more."
        )
    y = positive(daily.usd)
    mean = _mean(y, *_speeds(y, horizon), horizon)
    day_errors, total_errors = _past_errors(y, horizon)
    last = len(y)
    days = []
    for n in range(horizon):
        # far days share the errors of the farthest that the past can show
        errors = day_errors[min(n, len(day_errors) - 1)]
        days.append(_ahead(daily.day(last + n), mean[n], errors, level, 7))
    return Forecast(tuple(days), _ahead(None, mean.sum(), total_errors, level, horizon), level)


@dataclass(frozen=True)
class Record:
    """How a forecast would have done: one row an origin."""

    origin: date
    method: str
    forecast: float
    low: float | None
    high: float | None
    actual: float
    days_held: float | None = None  # share of the days ahead that came within their intervals

    @property
    def error(self) -> float:
        """The error of the sum, as a share of what came."""
        return abs(self.forecast - self.actual) / self.actual


def backtest(
    daily: Daily, *, first: date, horizon: int = 30, level: float = 0.8, every: int = 1
) -> list[Record]:
    """Forecast from each `every`th day since `first` knowing only the past, and compare.

    Methods: `ours`, and `last 7 days` and `last 30 days` (their mean, carried on). Sums over the
    horizon, USD.
    """
    y = positive(daily.usd)
    records = []
    for origin in range(max(LEAST, (first - daily.start).days), len(y) - horizon + 1, every):
        known = Daily(daily.start, daily.usd[:origin])
        actual = float(y[origin : origin + horizon].sum())
        ahead = forecast(known, horizon, level)
        told = ahead.total
        came = daily.usd[origin : origin + horizon]
        held = sum(d.low <= usd <= d.high for d, usd in zip(ahead.days, came, strict=True))
        day = daily.day(origin)
        mean, low, high = float(told.mean), float(told.low), float(told.high)
        records.append(Record(day, "ours", mean, low, high, actual, held / horizon))
        for back in (7, 30):
            carried = float(y[origin - back : origin].mean()) * horizon
            records.append(Record(day, f"last {back} days", carried, None, None, actual))
    return records


def _speeds(y: Floats, horizon: int) -> tuple[Floats, Floats]:
    """Return the level of each speed after each day, and how wrong it was from each past day on.

    Both hold for every shorter past too, by leaving out their last days.
    """
    speeds = levels(y)
    origins = np.arange(_FIRST, max(len(y) - horizon + 1, _FIRST))
    came = np.array([y[o : o + horizon].mean() for o in origins])
    return speeds, np.abs(np.log(speeds[:, origins - 1] / came))


def _mean(y: Floats, speeds: Floats, wrong: Floats, horizon: int) -> Floats:
    """Return the forecast of each day after `y`, of which only the past is used."""
    told = len(y) - horizon + 1 - _FIRST  # forecasts of the past whose days have all come
    if told < 7:  # too short a past to choose: the middle of all speeds
        level = float(speeds[:, len(y) - 1].mean())
    else:
        level = float(speeds[wrong[:, :told].mean(axis=1).argmin(), len(y) - 1])
    result: Floats = level * np.resize(weekdays(y), horizon)
    return result


def _past_errors(y: Floats, horizon: int) -> tuple[list[Floats], Floats]:
    """Return the logarithms of (what came / forecast) by day ahead, and for the sum."""
    reach = min(horizon, len(y) - _FIRST - 7)
    speeds, wrong = _speeds(y, reach)
    days: list[list[float]] = [[] for _ in range(reach)]
    totals = []
    for origin in range(_FIRST, len(y)):
        ahead = min(reach, len(y) - origin)
        mean = _mean(y[:origin], speeds, wrong, reach)
        for n in range(ahead):
            days[n].append(float(np.log(y[origin + n] / mean[n])))
        if ahead == reach:
            totals.append(float(np.log(y[origin : origin + reach].sum() / mean.sum())))
    return [np.array(errors) for errors in days], np.array(totals)


def _ahead(day: date | None, mean: float, errors: Floats, level: float, apart: int) -> Ahead:
    """Return `mean` with its conformal interval: quantiles of the errors, taken outwards by 1/n.

    Errors of overlapping windows repeat each other. `n` counts those that do not: one for each
    `apart` days.
    """
    n = max(len(errors) / apart, 1.0)
    tail = (1 - level) / 2
    low = np.quantile(errors, max(0.0, tail - tail / n), method="lower")
    high = np.quantile(errors, min(1.0, (1 - tail) * (1 + 1 / n)), method="higher")
    values = (mean, mean * min(np.exp(low), 1.0), mean * max(np.exp(high), 1.0))
    return Ahead(day, *(Decimal(f"{value:.2f}") for value in values))
