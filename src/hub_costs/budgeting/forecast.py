"""Daily cost ahead, with intervals that say how wrong such forecasts have been.

A level times the weekdays' profile. The level is the geometric mean of exponential smoothing at
several speeds: on series kept for choosing (see the notebook `05-cost`) that did better than the
one speed which had been best so far (forecasts combined with equal weights mostly do: Clemen 1989).
The intervals are conformal: the same forecast is made from every day of the past, and the quantiles
of its errors, as ratios, become the interval (Vovk, Gammerman and Shafer 2005; for series
Stankeviciute, Alaa and van der Schaar 2021). No shape of the errors is assumed, only that the
past's are like the next.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from hub_costs.bills.daily_cost import LEAST, Daily, Floats, levels, positive, weekdays
from hub_costs.months import Month
from pangeo_core.errors import BadInput

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
    return _from(_Past.of(positive(daily.usd), horizon), daily, len(daily.usd), horizon, level)


@dataclass(frozen=True)
class MonthEnd:
    """What a month will have cost when it ends: what it did so far, and the days to come, USD."""

    month: Month
    so_far: Decimal
    days_left: int
    mean: Decimal
    low: Decimal
    high: Decimal

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        amounts = {k: format(getattr(self, k), "f") for k in ("so_far", "mean", "low", "high")}
        return {"month": str(self.month), "days_left": self.days_left, **amounts}


def month_end(daily: Daily, level: float = 0.8, *, so_far: Decimal | None = None) -> MonthEnd:
    """Forecast the sum of the month of the last day in `daily`.

    `so_far` is what that month was billed up to there, where that is more than the sum of its days
    (taxes and credits); what these will be for the days to come is not forecast.
    """
    last = daily.day(len(daily.usd) - 1)
    month = Month.of(last)
    if so_far is None:
        so_far = sum(daily.usd[-last.day :], Decimal(0))
    left = month.length - last.day
    if not left:
        return MonthEnd(month, so_far, 0, so_far, so_far, so_far)
    rest = forecast(daily, left, level).total
    return MonthEnd(month, so_far, left, *(so_far + x for x in (rest.mean, rest.low, rest.high)))


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
    day_error: float | None = None  # mean error of the single days, as a share of what came

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
    past = _Past.of(y, horizon)
    records = []
    for origin in range(max(LEAST, (first - daily.start).days), len(y) - horizon + 1, every):
        came = y[origin : origin + horizon]
        actual = float(came.sum())
        ahead = _from(past, daily, origin, horizon, level)
        told = ahead.total
        usd = daily.usd[origin : origin + horizon]
        held = sum(d.low <= x <= d.high for d, x in zip(ahead.days, usd, strict=True))
        day = daily.day(origin)
        mean, low, high = (float(usd) for usd in (told.mean, told.low, told.high))
        wrong = float(np.mean(np.abs(past.means[origin] / came - 1)))
        records.append(Record(day, "ours", mean, low, high, actual, held / horizon, wrong))
        for back in (7, 30):
            level_then = float(y[origin - back : origin].mean())
            wrong = float(np.mean(np.abs(level_then / came - 1)))
            name = f"last {back} days"
            records.append(
                Record(day, name, level_then * horizon, None, None, actual, day_error=wrong)
            )
    return records


@dataclass(frozen=True)
class _Past:
    """The forecast from every past day, and what came.

    `means[o]` are the days after the first `o`, told from those `o` days alone: rows up to any
    origin hold for that origin too, so one pass serves a whole back-test.
    """

    y: Floats
    means: Floats

    @classmethod
    def of(cls, y: Floats, horizon: int) -> "_Past":
        means = np.full((len(y) + 1, horizon), np.nan)
        level = np.exp(np.log(levels(y)).mean(axis=0))
        for origin in range(_FIRST, len(y) + 1):
            means[origin] = level[origin - 1] * np.resize(weekdays(y[:origin]), horizon)
        return cls(y, means)

    def day_errors(self, origin: int, ahead: int) -> Floats:
        """Return log(came / told) of the day `ahead` (from 0), of all that came before `origin`."""
        told = self.means[_FIRST : origin - ahead, ahead]
        result: Floats = np.log(self.y[_FIRST + ahead : origin] / told)
        return result

    def total_errors(self, origin: int, reach: int) -> Floats:
        """Return log(came / told) of the sums of `reach` days that came before `origin`."""
        told = self.means[_FIRST : origin - reach + 1, :reach].sum(axis=1)
        came = np.convolve(self.y[_FIRST:origin], np.ones(reach), "valid")
        result: Floats = np.log(came / told)
        return result


def _from(past: _Past, daily: Daily, origin: int, horizon: int, level: float) -> Forecast:
    """Return the forecast after the first `origin` days, of which alone it knows."""
    mean = past.means[origin]
    # far days share the errors of the farthest that the past can show
    reach = min(horizon, origin - _FIRST - 7)
    days = []
    for n in range(horizon):
        errors = past.day_errors(origin, min(n, reach - 1))
        days.append(_ahead(daily.day(origin + n), mean[n], errors, level, 7))
    total = _ahead(None, mean.sum(), past.total_errors(origin, reach), level, horizon)
    return Forecast(tuple(days), total, level)


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
