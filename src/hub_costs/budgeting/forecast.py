"""Daily cost ahead, with intervals that say how wrong such forecasts have been.

The forecast is the geometric mean of two: statsmodels' exponential smoothing of the logarithm of
cost (a level and a weekly season, both additive, without a trend, fitted to the last 180 days), and
the last four weeks carried on, weekday by weekday. Of the methods tried on the first year of
mybinder.org's cost (see the notebook `05-cost`) it had the least error of 30-day sums: smoothing
with and without a damped trend, days carried on, and means of these.

The intervals are conformal: the same forecast is made from each week of the past year as it was
known then, and the quantiles of its errors, as ratios, become the interval (Vovk, Gammerman and
Shafer 2005; for series Stankeviciute, Alaa and van der Schaar 2021). No shape of the errors is
assumed, only that the past's are like the next.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np

from hub_costs.bills.daily_cost import LEAST, Daily, Floats, positive
from hub_costs.months import Month
from pangeo_core.errors import BadInput

__all__ = ["backtest", "forecast", "month_end"]

_FITTED = 180  # days that the smoothing is fitted to
_LEVEL = 4  # weeks whose mean is the present level
_FIRST = 21  # days of the first forecast of the past: three weeks
_ERRORS = 365  # days back to the first forecast whose errors count
_WEEK = 7
_FEWEST = 3  # errors that an interval needs


@dataclass(frozen=True)
class Ahead:
    """One day, or with `date` None the sum of all: USD."""

    date: date | None
    mean: Decimal
    low: Decimal
    high: Decimal

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        amounts = {k: format(getattr(self, k), "f") for k in ("mean", "low", "high")}
        return amounts if self.date is None else {"date": self.date.isoformat(), **amounts}


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

    Raises `BadInput` for fewer than `daily_cost.LEAST` days or settings that mean nothing.
    """
    if not 1 <= horizon <= 366 or not 0 < level < 1:
        raise BadInput(
            f"Invalid horizon ({horizon} days) or level ({level}).",
            fix="Use 1 to 366 days and a level between 0 and 1, such as 0.8.",
        )
    if len(daily.usd) < LEAST:
        raise BadInput(
            f"Not enough history to forecast: {len(daily.usd)} days.",
            fix=f"Give {LEAST} days or more.",
        )
    return _from(_Past(positive(daily.usd), horizon), daily, len(daily.usd), level)


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


def month_end(
    daily: Daily, level: float = 0.8, *, so_far: Decimal | None = None, month: Month | None = None
) -> MonthEnd:
    """Forecast the sum of `month`, by default that of the last day in `daily`.

    `so_far` is what the last day's month was billed up to there, where that is more than the sum of
    its days (taxes and credits); what these will be for the days to come is not forecast. A later
    month is forecast whole.
    """
    last = daily.day(len(daily.usd) - 1)
    if month and month != Month.of(last):
        first = month.interval().start.date()
        return _later_month(daily, level, month, (first - last).days - 1)
    month = Month.of(last)
    if so_far is None:
        so_far = sum(daily.usd[-last.day :], Decimal(0))
    left = month.length - last.day
    if not left:
        return MonthEnd(month, so_far, 0, so_far, so_far, so_far)
    rest = forecast(daily, left, level).total
    return MonthEnd(month, so_far, left, *(so_far + x for x in (rest.mean, rest.low, rest.high)))


def _later_month(daily: Daily, level: float, month: Month, gap: int) -> MonthEnd:
    """Forecast a month that begins `gap` days after the last: its share of the whole interval."""
    ahead = forecast(daily, gap + month.length, level)
    mean = sum((day.mean for day in ahead.days[gap:]), Decimal(0))
    cent = Decimal("0.01")
    low, high = (
        (mean * bound / ahead.total.mean).quantize(cent) if ahead.total.mean else mean
        for bound in (ahead.total.low, ahead.total.high)
    )
    return MonthEnd(month, Decimal(0), month.length, mean, low, high)


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


def backtest(daily: Daily, *, first: date, horizon: int = 30, level: float = 0.8) -> list[Record]:
    """Forecast from each seventh day since `first` knowing only the past, and compare.

    Methods: `ours`, and `last 7 days` and `last 30 days` (their mean, carried on). Sums over the
    horizon, USD.
    """
    y = positive(daily.usd)
    past = _Past(y, horizon)
    records = []
    for origin in range(max(LEAST, (first - daily.start).days), len(y) - horizon + 1, _WEEK):
        came = y[origin : origin + horizon]
        actual = float(came.sum())
        ahead = _from(past, daily, origin, level)
        usd = daily.usd[origin : origin + horizon]
        held = sum(d.low <= x <= d.high for d, x in zip(ahead.days, usd, strict=True))
        day = daily.day(origin)
        mean, low, high = (float(x) for x in (ahead.total.mean, ahead.total.low, ahead.total.high))
        wrong = float(np.mean(np.abs(past.means(origin) / came - 1)))
        records.append(Record(day, "ours", mean, low, high, actual, held / horizon, wrong))
        for back in (7, 30):
            level_then = float(y[origin - back : origin].mean())
            wrong = float(np.mean(np.abs(level_then / came - 1)))
            name = f"last {back} days"
            records.append(
                Record(day, name, level_then * horizon, None, None, actual, day_error=wrong)
            )
    return records


class _Past:
    """The forecast from past days, each told from the days before it alone, fitted when asked."""

    def __init__(self, y: Floats, horizon: int) -> None:
        self.y, self.horizon = y, horizon
        self.means = cache(self._means)

    def _means(self, origin: int) -> Floats:
        smoothed = _smoothed(self.y[max(0, origin - _FITTED) : origin], self.horizon)
        weeks = min(_LEVEL, origin // _WEEK)
        week = self.y[origin - weeks * _WEEK : origin].reshape(weeks, _WEEK).mean(axis=0)
        result: Floats = np.sqrt(smoothed * np.resize(week, self.horizon))
        return result

    def origins(self, origin: int, reach: int) -> list[int]:
        """Return the weeks before `origin` from which `reach` days had come by then."""
        first = max(_FIRST, origin - _ERRORS - reach)
        return [n for n in range(origin - _WEEK, first - 1, -_WEEK) if n + reach <= origin]

    def day_errors(self, origin: int, ahead: int) -> Floats:
        """Return log(came / forecast) of the day `ahead` (from 0) of earlier forecasts."""
        places = self.origins(origin, ahead + 1)
        return np.array([np.log(self.y[n + ahead] / self.means(n)[ahead]) for n in places])

    def total_errors(self, origin: int, reach: int) -> Floats:
        """Return log(came / forecast) of the sums of `reach` days of earlier forecasts."""
        places = self.origins(origin, reach)
        came = (self.y[n : n + reach].sum() for n in places)
        return np.array(
            [np.log(x / self.means(n)[:reach].sum()) for n, x in zip(places, came, strict=True)]
        )


def _smoothed(y: Floats, horizon: int) -> Floats:
    """Return what statsmodels' exponential smoothing says of the days after `y`."""
    from statsmodels.tsa.holtwinters import ExponentialSmoothing  # a second that few verbs need

    logs = np.log(y)
    if np.ptp(logs) == 0:  # nothing to fit: every day cost the same
        return np.full(horizon, y[-1])
    with np.errstate(all="ignore"), _quiet():
        model = ExponentialSmoothing(
            logs, seasonal="add", seasonal_periods=_WEEK, initialization_method="estimated"
        )
        result: Floats = np.exp(np.asarray(model.fit(optimized=True).forecast(horizon)))
    return result


def _quiet() -> Any:
    """Return a context without statsmodels' warnings that a fit stopped early: it still counts."""
    import warnings

    return warnings.catch_warnings(action="ignore")


def _from(past: _Past, daily: Daily, origin: int, level: float) -> Forecast:
    """Return the forecast after the first `origin` days, of which alone it knows."""
    mean, horizon = past.means(origin), past.horizon
    # far days share the errors of the farthest that enough of the past can show
    reach = min(horizon, max(1, origin - _FIRST - _WEEK * (_FEWEST - 1)))
    errors = [past.day_errors(origin, n) for n in range(reach)]
    days = [
        _ahead(daily.day(origin + n), mean[n], errors[min(n, reach - 1)], level)
        for n in range(horizon)
    ]
    total = _ahead(None, mean.sum(), past.total_errors(origin, reach), level)
    return Forecast(tuple(days), total, level)


def _ahead(day: date | None, mean: float, errors: Floats, level: float) -> Ahead:
    """Return `mean` with its conformal interval: quantiles of the errors, taken outwards by 1/n."""
    tail = (1 - level) / 2
    outwards = tail - tail / len(errors)
    low, high = np.exp(np.quantile(errors, [outwards, 1 - outwards]))
    values: Iterable[float] = (mean, mean * min(low, 1.0), mean * max(high, 1.0))
    return Ahead(day, *(Decimal(f"{value:.2f}") for value in values))
