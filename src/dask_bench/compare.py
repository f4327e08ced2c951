"""Is B worse than A? One verdict for each configuration of two files of runs, and one for all.

Times are judged in two stages. The first flags each configuration whose runs in B look slower. The
second uses new runs of the flagged ones, alternating between A and B, and decides. Without a second
stage, only what is beyond chance for so many configurations is called a regression, and a machine
that had a worse day may raise it. The power and the false alarms of either stage are in the book
(notebook 03-benchmarks), on other people's runs.

A configuration that is missing from B, fails more often, ran under other settings, or takes more
tasks, bytes or memory has a verdict of its own: a gate must not pass what it did not compare.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from dask_bench import statistics
from dask_bench.columns import PARAMETERS
from dask_bench.counts_gate import Growth, grown_counts
from dask_bench.runs import Key, by_configuration, identity, known, timed
from pangeo_core.errors import BadInput

MARGIN = 0.03  # a smaller slowdown is not worth an alarm: days differ by that much
FLAGGED = 0.10  # one-sided level at which the first stage asks for another look
# One-sided level for all configurations together: of ten thousand comparisons without a change at
# most five hundred may raise any alarm. It is divided by how many configurations are judged.
LEVEL = 0.05

REGRESSION = "regression"
FAILS = "fails more often"
MISSING = "missing"
CHANGED = "other settings"
GREW = "grew"
TOO_FEW = "too few runs"
SUSPECT = "measure again"
IMPROVEMENT = "improvement"
NO_CHANGE = "no change"
NEW = "new"
# The first of these that any configuration has is the overall verdict.
VERDICTS = (
    REGRESSION,
    FAILS,
    MISSING,
    CHANGED,
    GREW,
    TOO_FEW,
    SUSPECT,
    IMPROVEMENT,
    NO_CHANGE,
    NEW,
)
SAYS_NO = frozenset((REGRESSION, FAILS, MISSING, CHANGED, GREW, TOO_FEW))


@dataclass(frozen=True)
class Compared:
    """One configuration: B's time over A's with its 95 % interval, and whether that is a change.

    `p` is the probability of B looking this slow if it takes at most `MARGIN` longer, `p_faster`
    that of A looking this slow beside B, both for this configuration alone. `p_again` is that of
    the second stage. `reason` says what the verdict rests on where it is not the time.
    """

    configuration: dict[str, Any]
    verdict: str
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_faster: float | None = None
    n: tuple[int, int] = (0, 0)
    failed: tuple[int, int] = (0, 0)
    paired: bool = False
    p_again: float | None = None
    reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of one configuration."""
        return asdict(self)


def compare(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    paired: bool = False,
    again: tuple[pd.DataFrame, pd.DataFrame] | None = None,
) -> list[Compared]:
    """Compare each configuration of the two tables; the most urgent verdict comes first.

    `paired`: runs of A and B alternated, and the first of A belongs to the first of B, failed or
    not. Only the caller knows: two files may name campaign and block alike and be days apart.
    `again` are interleaved runs of A and B for the configurations that a first comparison flagged.
    Raises `BadInput` if the tables have no configuration in common.
    """
    a, b = by_configuration(before), by_configuration(after)
    pairs, alone = _matched(a, b)
    if not pairs:
        raise BadInput(
            "The two files have no configuration in common.",
            why="Runs are compared where operation, sizes and workers agree.",
            fix="Measure the same operations, sizes and workers for A and for B.",
        )
    second = _second_stage(again) if again is not None else None
    compared = [_measured(key, a[key], b[other], paired) for key, other in pairs if key == other]
    compared = _judged(compared, second)
    compared += [_changed(key, other, a[key], b[other]) for key, other in pairs if key != other]
    compared += [
        Compared(known(key), MISSING, n=(len(a[key]), 0), reason="B has no such run.")
        for key in alone
    ]
    matched = {other for _, other in pairs}
    compared += [
        Compared(known(key), NEW, n=(0, len(b[key])), reason="A has no such run.")
        for key in b
        if key not in matched
    ]
    grew = grown_counts({key: (a[key], b[other]) for key, other in pairs})
    return sorted((_grown(comparison, grew) for comparison in compared), key=_urgency)


def verdict(compared: Sequence[Compared]) -> str:
    """Return the overall verdict: the most urgent of the configurations' verdicts."""
    return min((comparison.verdict for comparison in compared), key=VERDICTS.index)


def worst(compared: Sequence[Compared]) -> Compared:
    """Return the deciding comparison: the most urgent, or the nearest to a regression."""
    return min(compared, key=_urgency)


def to_measure_again(compared: Sequence[Compared]) -> list[Compared]:
    """Return the configurations that the first stage flags and that are not settled yet."""
    open_ = (SUSPECT, TOO_FEW, GREW)
    return [
        comparison
        for comparison in compared
        if comparison.verdict in open_
        and comparison.p is not None
        and comparison.p <= FLAGGED
        and comparison.p_again is None
    ]


def _matched(
    a: Mapping[Key, pd.DataFrame], b: Mapping[Key, pd.DataFrame]
) -> tuple[list[tuple[Key, Key]], list[Key]]:
    """Return the configurations that match in both tables, and those only in A."""
    pairs = [(key, key) for key in a if key in b]
    left = {identity(known(key)): key for key in b if key not in a}
    alone = []
    for key in a:
        if key in b:
            continue
        other = left.pop(identity(known(key)), None)
        if other is None:
            alone.append(key)
        else:
            pairs.append((key, other))
    return pairs, alone


def _changed(key: Key, other: Key, a: pd.DataFrame, b: pd.DataFrame) -> Compared:
    """Return the comparison of matching runs under different settings."""
    differ = [
        f"{name} {was} in A, {now} in B"
        for name, was, now in zip(PARAMETERS, key, other, strict=True)
        if was != now
    ]
    return replace(_measured(key, a, b, False), verdict=CHANGED, reason="; ".join(differ))


def _measured(key: Key, a: pd.DataFrame, b: pd.DataFrame, paired: bool) -> Compared:
    """Return the comparison with its two one-sided p values, before any verdict."""
    failed = int(a.failed.sum()), int(b.failed.sum())
    x, y = (timed(table).to_numpy(float) for table in (a, b))
    if paired:
        shared = min(len(x), len(y))
        both = np.isfinite(x[:shared]) & np.isfinite(y[:shared])
        x, y = x[:shared][both], y[:shared][both]
    else:
        x, y = x[np.isfinite(x)], y[np.isfinite(y)]
    n = len(x), len(y)
    found = Compared(known(key), TOO_FEW, n=n, failed=failed, paired=paired)
    if min(n) == 0:
        return found
    estimate = statistics.paired_ratio(x, y) if paired else statistics.ratio(x, y)
    found = replace(found, ratio=estimate.value, low=estimate.low, high=estimate.high)
    if statistics.smallest_p(*n, paired=paired) > FLAGGED:
        return found
    return replace(
        found,
        p=statistics.slower(x, y, paired=paired, margin=MARGIN),
        p_faster=statistics.slower(y, x, paired=paired, margin=MARGIN),
    )


def _second_stage(again: tuple[pd.DataFrame, pd.DataFrame]) -> dict[Key, float | None]:
    """Return the p value of each configuration that was measured again, by its name."""
    a, b = (by_configuration(table) for table in again)
    return {identity(known(key)): _measured(key, a[key], b[key], True).p for key in a if key in b}


def _judged(
    compared: Sequence[Compared], second: Mapping[Key, float | None] | None
) -> list[Compared]:
    flagged = [
        comparison
        for comparison in compared
        if comparison.p is not None and comparison.p <= FLAGGED
    ]
    return [_verdict(comparison, len(compared), second, len(flagged)) for comparison in compared]


def _verdict(
    comparison: Compared, many: int, second: Mapping[Key, float | None] | None, flagged: int
) -> Compared:
    """Return the comparison with its verdict; all judged configurations share the level."""
    share_a, share_b = (
        bad / max(1, bad + good) for bad, good in zip(comparison.failed, comparison.n, strict=True)
    )
    if share_b > share_a:
        why = f"{comparison.failed[0]} runs of A failed, {comparison.failed[1]} of B."
        return replace(comparison, verdict=FAILS, reason=why)
    if comparison.p is None or comparison.p_faster is None:
        return comparison
    if second is not None and comparison.p <= FLAGGED:
        p = second.get(identity(comparison.configuration))
        if p is not None:
            verdict = REGRESSION if p * flagged <= LEVEL else NO_CHANGE
            return replace(comparison, verdict=verdict, p_again=p)
    if comparison.p * many <= LEVEL:
        return replace(comparison, verdict=REGRESSION)
    if comparison.p_faster * many <= LEVEL:
        return replace(comparison, verdict=IMPROVEMENT)
    if (
        second is None
        and statistics.smallest_p(*comparison.n, paired=comparison.paired) * many > LEVEL
    ):
        why = f"{many} configurations at once need more runs to tell a slowdown from chance."
        return replace(comparison, verdict=TOO_FEW, reason=why)
    return replace(comparison, verdict=SUSPECT if comparison.p <= FLAGGED else NO_CHANGE)


def _grown(comparison: Compared, grew: Mapping[Key, list[Growth]]) -> Compared:
    """Return the comparison, with the verdict `grew` if counts did and the time has not decided."""
    found = grew.get(identity(comparison.configuration))
    if not found:
        return comparison
    reason = "; ".join(f"{each.what} {each.before:g} -> {each.after:g}" for each in found)
    if VERDICTS.index(comparison.verdict) < VERDICTS.index(GREW):
        return replace(comparison, reason="; ".join(filter(None, (comparison.reason, reason))))
    return replace(comparison, verdict=GREW, reason=reason)


def _urgency(comparison: Compared) -> tuple[int, float, float]:
    return (
        VERDICTS.index(comparison.verdict),
        2.0 if comparison.p is None else comparison.p,
        -(comparison.ratio or 0),
    )
