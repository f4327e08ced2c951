"""Intervals cover what they say they do, and p values are honest where nothing changed."""

from math import comb

import numpy as np
import pytest
from scipy import stats

from dask_bench import statistics


@pytest.mark.parametrize("runs", [2, 3, 5, 6, 10, 15])
def test_an_interval_covers_the_truth_also_where_runs_are_few(runs: int) -> None:
    draw = np.random.default_rng(7)
    found = [statistics.median(draw.lognormal(0, 0.3, runs)) for _ in range(400)]
    assert np.mean([one.low <= 1.0 <= one.high for one in found]) >= 0.92
    pairs = [statistics.ratio(*draw.lognormal(0, 0.3, (2, runs))) for _ in range(400)]
    assert np.mean([one.low <= 1.0 <= one.high for one in pairs]) >= 0.90


def test_one_run_has_no_interval() -> None:
    assert statistics.median([2.0]) == statistics.Estimate(2.0, None, None)


def test_the_same_runs_always_give_the_same_interval() -> None:
    times = [1.0, 1.2, 0.9, 1.1, 1.4]
    assert statistics.ratio(times, times[::-1]) == statistics.ratio(times, times[::-1])
    assert statistics.ratio(times, [2 * one for one in times]).value == pytest.approx(2)


def test_pairs_have_the_median_of_their_ratios() -> None:
    assert statistics.paired_ratio([1, 10, 100], [2, 20, 200]).value == pytest.approx(2)


@pytest.mark.parametrize("paired", [False, True])
def test_p_values_are_honest_where_nothing_changed(paired: bool) -> None:
    draw = np.random.default_rng(3)
    times = draw.lognormal(0, 0.2, (400, 2, 10))
    p = [statistics.slower(a, b, paired=paired, margin=0) for a, b in times]
    assert np.mean(np.array(p) <= 0.05) <= 0.08
    wider = [statistics.slower(a, b, paired=paired, margin=0.1) for a, b in times]
    assert np.mean(np.array(wider) <= 0.05) <= 0.02


def test_the_least_p_is_that_of_a_complete_separation() -> None:
    assert statistics.smallest_p(5, 6, paired=False) == pytest.approx(1 / comb(11, 5))
    assert statistics.smallest_p(4, 4, paired=True) == 1  # nothing is left to trim
    assert statistics.smallest_p(5, 5, paired=True) == 0


def test_pairs_are_compared_by_yuens_test() -> None:
    draw = np.random.default_rng(2)
    a, b = draw.lognormal(0, 0.1, (2, 10))
    log = np.sort(np.log(b / a))
    spread = np.clip(log, log[2], log[7])  # the two least and the two greatest drawn in
    error = np.sqrt(9 * spread.var(ddof=1) / (6 * 5))
    expected = stats.t.sf(log[2:8].mean() / error, 5)
    assert statistics.slower(a, b, paired=True, margin=0) == pytest.approx(expected)


def test_a_wild_pair_does_not_hide_a_slowdown() -> None:
    before = np.full(10, 10.0) + np.linspace(-0.2, 0.2, 10)
    after = 1.2 * before[::-1]
    after[0] /= 30  # one run of ten was disturbed
    assert statistics.slower(before, after, paired=True, margin=0.03) < 0.001
    assert statistics.slower(before, before, paired=True, margin=0.03) == 1
