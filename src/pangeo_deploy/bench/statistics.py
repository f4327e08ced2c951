"""Medians, ratios and their intervals by bootstrap, and the test that compares two sets of times.

Times of runs have long right tails and few repeats, so medians stand for them, ranks compare them,
and intervals come from resampling (scipy's percentile bootstrap, seeded: the same runs always give
the same interval).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval; `low` and `high` are None where one run allows none."""

    value: float
    low: float | None
    high: float | None


def median(values: npt.ArrayLike) -> Estimate:
    """Return the median of `values` (at least one) with its interval."""
    return _estimate([values], lambda x, axis: np.median(x, axis=axis))


def ratio(before: npt.ArrayLike, after: npt.ArrayLike, *, scale: float = 1.0) -> Estimate:
    """Return `scale` x median(after) / median(before) of two independent sets of runs."""

    def of(a: Any, b: Any, axis: int) -> Any:
        return scale * np.median(b, axis=axis) / np.median(a, axis=axis)

    return _estimate([before, after], of)


def paired_ratio(before: npt.ArrayLike, after: npt.ArrayLike) -> Estimate:
    """Return the median of after / before over pairs of runs."""
    return median(np.asarray(after, float) / np.asarray(before, float))


def slower(before: npt.ArrayLike, after: npt.ArrayLike, *, paired: bool, margin: float) -> float:
    """Return the one-sided p value of: `after` takes more than (1 + `margin`) times `before`.

    Independent sets: Mann and Whitney's test. Pairs (each measured close together, in either
    order): Wilcoxon's signed-rank test of the logarithm of their ratio.
    """
    a, b = np.asarray(before, float) * (1 + margin), np.asarray(after, float)
    if paired:
        return float(stats.wilcoxon(np.log(b / a), alternative="greater").pvalue)
    return float(stats.mannwhitneyu(b, a, alternative="greater").pvalue)


def smallest_p(n_before: int, n_after: int, *, paired: bool) -> float:
    """Return the least p value that so many runs can give, whatever their times."""
    a, b = np.arange(1.0, n_before + 1), n_before + np.arange(1.0, n_after + 1) ** 2
    return slower(a, b, paired=paired, margin=0)


def adjusted(p: Sequence[float]) -> list[float]:
    """Return p values for many comparisons at once (Benjamini and Hochberg).

    Where nothing changed, any alarm at all then has at most the level's probability.
    """
    return [float(one) for one in stats.false_discovery_control(p)] if len(p) else []


def _estimate(samples: Sequence[npt.ArrayLike], of: Callable[..., Any]) -> Estimate:
    arrays = [np.asarray(sample, float) for sample in samples]
    value = float(of(*arrays, axis=0))
    if any(len(array) < 2 for array in arrays):
        return Estimate(value, None, None)
    found = stats.bootstrap(
        arrays,
        of,
        vectorized=True,
        method="percentile",
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Estimate(value, float(found.low), float(found.high))
