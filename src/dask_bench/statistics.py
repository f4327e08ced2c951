"""Medians, ratios and their intervals by bootstrap, and the test that compares two sets of times.

Times of runs have long right tails and few repeats, so medians stand for them, ranks or trimmed
means compare them, and intervals come from resampling (scipy's percentile bootstrap, seeded: the
same runs always give the same interval).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 2000
TRIM = 0.2  # of the ratios of pairs, at each end
LEAST_PAIRS = 5  # below, nothing is left to trim


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
    order): the t test of the trimmed mean of the logarithm of their ratio (Yuen 1974,
    doi 10.1093/biomet/61.1.165), which a few wild pairs do not blind.
    """
    a, b = np.asarray(before, float) * (1 + margin), np.asarray(after, float)
    if not paired:
        return float(stats.mannwhitneyu(b, a, alternative="greater").pvalue)
    return _trimmed_p(np.sort(np.log(b / a)))


def smallest_p(n_before: int, n_after: int, *, paired: bool) -> float:
    """Return the least p value that so many runs can give, whatever their times."""
    if paired:
        return 0.0 if min(n_before, n_after) >= LEAST_PAIRS else 1.0
    a, b = np.arange(1.0, n_before + 1), n_before + np.arange(1.0, n_after + 1) ** 2
    return slower(a, b, paired=False, margin=0)


def adjusted(p: Sequence[float]) -> list[float]:
    """Return p values for many comparisons at once (Benjamini and Hochberg).

    Where nothing changed, any alarm at all then has at most the level's probability.
    """
    return [float(one) for one in stats.false_discovery_control(p)] if len(p) else []


def _trimmed_p(values: npt.NDArray[np.float64]) -> float:
    """Return the one-sided p value of: the trimmed mean of the sorted `values` is at most 0."""
    cut = int(TRIM * len(values))
    kept = values[cut : len(values) - cut]
    spread = np.clip(values, kept[0], kept[-1]).var(ddof=1)
    error = np.sqrt((len(values) - 1) * spread / (len(kept) * (len(kept) - 1)))
    if error == 0:  # all pairs say the same
        return float(kept[0] <= 0)
    return float(stats.t.sf(kept.mean() / error, len(kept) - 1))


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
