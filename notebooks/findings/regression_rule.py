"""How good is the rule that says "regression"? Tried on runs that were only repeated.

Runs of one configuration in the order of time are cut into a before and an after. Nothing changed,
so an alarm is false; with the after's times multiplied by a slowdown, a missing alarm is a miss.
Order matters: shuffled repeats would hide that machines have better and worse days.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from dask_bench import statistics
from dask_bench.columns import PARAMETERS
from dask_bench.compare import FLAGGED, LEVEL, MARGIN

Times = npt.NDArray[np.float64]
Rule = Callable[[Times, Times], bool]
RUNS = 10  # before, and after
SLOWDOWN = 1.2


@dataclass(frozen=True)
class Tried:
    """What a rule did in `comparisons`: alarms where nothing changed, and with a slowdown."""

    comparisons: int
    false_alarms: int
    found: int


def rule_of(margin: float, level: float, *, paired: bool = False) -> Rule:
    """Return the rule: `statistics.slower` with this margin has a p value of at most `level`."""
    return lambda a, b: statistics.slower(a, b, paired=paired, margin=margin) <= level


def asv(before: Times, after: Times, factor: float = 1.5) -> bool:
    """Say what airspeed velocity's `asv continuous --factor 1.5` would (asv.statistics, 0.6).

    The medians differ by the factor, and a two-sided Mann-Whitney test has p < 0.002.
    """
    differs = 2 * min(plain_p(before, after), plain_p(after, before)) < 0.002
    return bool(np.median(after) > factor * np.median(before) and differs)


def coiled(before: Times, after: Times) -> bool:
    """Say what coiled/benchmarks' `detect_regressions.py` would, with `after` as the new runs.

    Its last three runs all exceed the mean of the ten before by three standard deviations, and by
    one second.
    """
    threshold = before.mean() + max(3 * before.std(ddof=1), 1.0)
    return bool((after[:3] >= threshold).all())


def plain_p(before: Times, after: Times) -> float:
    """Return the p value of the plain rank test, without a margin."""
    return statistics.slower(before, after, paired=False, margin=0)


RULES: Mapping[str, Rule] = {
    "bench compare, one workload": rule_of(MARGIN, LEVEL),
    "Mann-Whitney test alone": rule_of(0, LEVEL),
    "asv, factor 1.5": asv,
    "asv, factor 1.1": functools.partial(asv, factor=1.1),
    "coiled/benchmarks": coiled,
}


def signed_rank(before: Times, after: Times) -> bool:
    """Say what Wilcoxon's signed-rank test of the ratios would, at the same margin and level."""
    over = np.log(after / before / (1 + MARGIN))
    return bool(stats.wilcoxon(over, alternative="greater").pvalue <= LEVEL)


PAIRED_RULES: Mapping[str, Rule] = {
    "bench compare, pairs": rule_of(MARGIN, LEVEL, paired=True),
    "signed-rank test, pairs": signed_rank,
}


def repeats(table: pd.DataFrame, least: int = 2 * RUNS) -> list[Times]:
    """Return the seconds of each configuration with `least` good runs, in the table's order."""
    good = table[(table.role != "warm-up") & ~table.failed.astype(bool)]
    groups = good.groupby(["fingerprint", *PARAMETERS], dropna=False, sort=True)
    return [runs.seconds.to_numpy(float) for _, runs in groups if len(runs) >= least]


def halves(series: Iterable[Times], *, slide: bool = False) -> list[tuple[Times, Times]]:
    """Return the first ten runs of each series and the ten that follow.

    With `slide`, from every possible start: more comparisons, which overlap.
    """
    return [
        (one[at : at + RUNS], one[at + RUNS : at + 2 * RUNS])
        for one in series
        for at in range(len(one) - 2 * RUNS + 1 if slide else 1)
    ]


def turns(series: Iterable[Times], seed: int) -> list[tuple[Times, Times]]:
    """Return ten pairs of neighbours of each series; a coin says which of two is before."""
    rng = np.random.default_rng(seed)
    found = []
    for one in series:
        pairs = rng.permuted(one[: 2 * RUNS].reshape(RUNS, 2), axis=1)
        found.append((pairs[:, 0], pairs[:, 1]))
    return found


@dataclass(frozen=True)
class CommandTried:
    """What `bench compare` did with sets of `workloads`, of which none or one was slowed down.

    Shares of the sets: where nothing changed and any alarm was raised, and where the slowed one was
    found. `alone` is the first stage, `again` both: what it flags is measured again, and that
    decides. `flagged` is how many a set has on average where nothing changed.
    """

    workloads: int
    sets: int
    alone_false: float
    alone_found: float
    again_false: float
    again_found: float
    flagged: float


def command(
    series: Sequence[Times], workloads: int, *, backwards: bool, sets: int = 2000, seed: int = 0
) -> CommandTried:
    """Return what the command does with sets drawn from `series`, each of twenty repeats.

    A are the first ten of each, B the next ten (`backwards`: the other way round). What it flags is
    measured again in ten pairs. No more repeats were published, so these are pairs of neighbours of
    the same twenty, and a coin says which is B's: the noise of neighbouring runs, in new roles.
    """
    rng = np.random.default_rng(seed)
    firsts = [(one[:RUNS], one[RUNS : 2 * RUNS]) for one in series]
    cut = [(b, a) if backwards else (a, b) for a, b in firsts]
    first = np.array(
        [[statistics.slower(a, b * slow, paired=False, margin=MARGIN) for a, b in cut]
         for slow in (1.0, SLOWDOWN)]
    )  # fmt: skip
    coins = [turns(series, int(draw)) for draw in rng.integers(2**32, size=20)]
    second = np.array(
        [[[statistics.slower(a, b * slow, paired=True, margin=MARGIN) for a, b in pairs]
          for pairs in coins] for slow in (1.0, SLOWDOWN)]
    )  # fmt: skip
    seen = np.zeros((2, 2))  # no or one slowed down; alone or again
    flags = 0
    for _ in range(sets):
        drawn = rng.choice(len(series), workloads, replace=False)
        coin = rng.integers(len(coins))
        for slowed in (0, 1):
            p, again = first[0, drawn].copy(), second[0, coin, drawn].copy()
            if slowed:
                p[0], again[0] = first[1, drawn[0]], second[1, coin, drawn[0]]
            alarm = p * workloads <= LEVEL
            flagged = p <= FLAGGED
            both = flagged & (again * max(1, flagged.sum()) <= LEVEL)
            flags += 0 if slowed else int(flagged.sum())
            seen[slowed] += (alarm[0], both[0]) if slowed else (alarm.any(), both.any())
    share = seen / sets
    return CommandTried(
        workloads, sets, share[0, 0], share[1, 0], share[0, 1], share[1, 1], flags / sets
    )


def arms(table: pd.DataFrame) -> list[tuple[Times, Times]]:
    """Return the seconds of each configuration that ran twice in each block: A, and A again.

    Both are in the order of the blocks, and only blocks in which both runs were good count.
    """
    good = table[(table.role != "warm-up") & ~table.failed.astype(bool)]
    found = []
    for _, runs in good.groupby(["campaign", *PARAMETERS], dropna=False, sort=True):
        first, again = (
            runs[runs.role == role].set_index("block").seconds for role in ("run", "aa")
        )
        both = first.index.intersection(again.index).sort_values()
        if len(both):
            found.append((first[both].to_numpy(float), again[both].to_numpy(float)))
    return found


def windows(both: Iterable[tuple[Times, Times]], size: int = RUNS) -> list[tuple[Times, Times]]:
    """Return every stretch of `size` consecutive pairs. They overlap: a share, not a count."""
    return [
        (a[at : at + size], b[at : at + size]) for a, b in both for at in range(len(a) - size + 1)
    ]


def power(
    rule: Rule, both: tuple[Times, Times], pairs: int, seed: int = 0, resamples: int = 200
) -> float:
    """Return the share of slowdowns that `rule` finds in so many pairs like those of `both`.

    Pairs are drawn again with replacement: what more blocks would show if they were as these are.
    """
    a, b = both
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(a), size=(resamples, pairs))
    turned = rng.random((resamples, pairs)) < 0.5  # which of two equals is before is chance
    found = [
        rule(np.where(swap, b[at], a[at]), SLOWDOWN * np.where(swap, a[at], b[at]))
        for at, swap in zip(drawn, turned, strict=True)
    ]
    return float(np.mean(found))


def pairs_needed(
    rule: Rule, both: tuple[Times, Times], aim: float, choices: Iterable[int]
) -> int | None:
    """Return the fewest pairs of `choices` with a power of `aim`; None where none has it."""
    return next((n for n in choices if power(rule, both, n) >= aim), None)


def tried(rule: Rule, cut: Iterable[tuple[Times, Times]], slowdown: float = SLOWDOWN) -> Tried:
    """Return what `rule` says of each (before, after), as it is and with the after slowed down."""
    plain = [(rule(a, b), rule(a, b * slowdown)) for a, b in cut]
    return Tried(len(plain), sum(one for one, _ in plain), sum(two for _, two in plain))
