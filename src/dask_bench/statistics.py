"""Medians, ratios and their intervals, and the test that compares two sets of times.

Run times have long right tails and few repeats, so they are summarized by medians, and compared by
ranks or trimmed means. An interval has its stated coverage even with few runs. That of a median is
bounded by two of the runs (the sign test's interval, for any distribution); with fewer than
`LEAST_RANKS` runs no two of them cover enough, and Student's t interval of the logarithms is used:
wide, and right for times whose logarithms are spread evenly.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 2000
MOST_SPREAD = 20  # with fewer runs in either set, resampling covers too little
LEAST_RANKS = 6  # with fewer, the least and the most of them cover the median in under 95 %
TRIM = 0.2  # of the ratios of pairs, at each end
MOST_EXACT = 2500  # pairs of a run before and one after; beyond, the normal approximation is close
LEAST_PAIRS = 5  # below, nothing is left to trim


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval; `low` and `high` are None for a single run."""

    value: float
    low: float | None
    high: float | None


def median(values: npt.ArrayLike) -> Estimate:
    """Return the median of `values` (at least one) with its interval."""
    runs = np.sort(np.asarray(values, float))
    value = float(np.median(runs))
    if len(runs) < 2:
        return Estimate(value, None, None)
    if len(runs) < LEAST_RANKS and runs[0] > 0:
        return _spread(value, [np.log(runs)])
    outside = stats.binom.cdf(np.arange(len(runs)), len(runs), 0.5)
    rank = max(0, int((outside <= (1 - CONFIDENCE) / 2).sum()) - 1)
    return Estimate(value, float(runs[rank]), float(runs[-1 - rank]))


def ratio(before: npt.ArrayLike, after: npt.ArrayLike, *, scale: float = 1.0) -> Estimate:
    """Return `scale` x median(after) / median(before) of two independent sets of runs."""
    a, b = np.asarray(before, float), np.asarray(after, float)
    value = scale * float(np.median(b) / np.median(a))
    if min(len(a), len(b)) < 2:
        return Estimate(value, None, None)
    if min(len(a), len(b)) < MOST_SPREAD and min(a.min(), b.min()) > 0:
        return _spread(value, [np.log(a), np.log(b)])

    def of(x: Any, y: Any, axis: int) -> Any:
        return scale * np.median(y, axis=axis) / np.median(x, axis=axis)

    found = stats.bootstrap(
        [a, b],
        of,
        vectorized=True,
        method="percentile",
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Estimate(value, float(found.low), float(found.high))


def paired_ratio(before: npt.ArrayLike, after: npt.ArrayLike) -> Estimate:
    """Return the median of after / before over pairs of runs."""
    return median(np.asarray(after, float) / np.asarray(before, float))


def slower(before: npt.ArrayLike, after: npt.ArrayLike, *, paired: bool, margin: float) -> float:
    """Return the one-sided p value of `after` taking more than (1 + `margin`) times `before`.

    Independent sets: Mann and Whitney's test, exact where no two times are equal. Pairs (each
    measured close together, in either order): the t test of the trimmed mean of the logarithm of
    their ratio (Yuen 1974, doi 10.1093/biomet/61.1.165), which a few wild pairs do not blind.
    """
    a, b = np.asarray(before, float) * (1 + margin), np.asarray(after, float)
    if not paired:
        ties = len(np.unique(np.concatenate([a, b]))) < len(a) + len(b)
        method = "asymptotic" if ties or len(a) * len(b) > MOST_EXACT else "exact"
        return float(stats.mannwhitneyu(b, a, alternative="greater", method=method).pvalue)
    return _trimmed_p(np.sort(np.log(b / a)))


def smallest_p(n_before: int, n_after: int, *, paired: bool) -> float:
    """Return the smallest p value that this many runs can give, whatever their times."""
    if paired:
        return 0.0 if min(n_before, n_after) >= LEAST_PAIRS else 1.0
    return 1 / math.comb(n_before + n_after, n_after)


def _trimmed_p(values: npt.NDArray[np.float64]) -> float:
    """Return the one-sided p value of the trimmed mean of the sorted `values` being at most 0."""
    cut = int(TRIM * len(values))
    kept = values[cut : len(values) - cut]
    spread = np.clip(values, kept[0], kept[-1]).var(ddof=1)
    error = np.sqrt((len(values) - 1) * spread / (len(kept) * (len(kept) - 1)))
    if error == 0:  # all pairs are equal
        return float(kept[0] <= 0)
    return float(stats.t.sf(kept.mean() / error, len(kept) - 1))


def _spread(value: float, logarithms: Sequence[npt.NDArray[np.float64]]) -> Estimate:
    """Return `value` with Welch's interval for the logarithm of one or two sets of runs."""
    shares = [times.var(ddof=1) / len(times) for times in logarithms]
    if not sum(shares):
        return Estimate(value, value, value)
    freedom = sum(shares) ** 2 / sum(
        share**2 / (len(times) - 1) for share, times in zip(shares, logarithms, strict=True)
    )
    factor = float(np.exp(stats.t.ppf((1 + CONFIDENCE) / 2, freedom) * np.sqrt(sum(shares))))
    return Estimate(value, value / factor, value * factor)
