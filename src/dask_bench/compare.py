"""Is B slower than A? The regression gate: one verdict for two files of runs.

A configuration is a regression where its runs in B take more than `MARGIN` longer than in A beyond
doubt. Both numbers below belong to the rule and are the same for every operation; what the rule
does on real repeats, and what others would do, is in notebook 03-benchmarks.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from dask_bench import statistics
from dask_bench.columns import PARAMETERS
from pangeo_core.errors import BadInput

MARGIN = 0.03  # a slowdown of less is not worth an alarm: days differ by that much
# One-sided levels. With the margin each leaves under 1 % of false alarms on NCAR's repeats
# (data/ncar_rules.csv): pairs share their minute, so they bear a looser one. The test for pairs was
# chosen on half of HAL's configurations; the other half and Cheyenne judge it.
LEVEL = {"independent": 0.01, "paired": 0.05}

REGRESSION, IMPROVEMENT, NO_CHANGE, TOO_FEW = (
    "regression",
    "improvement",
    "no change",
    "too few runs",
)


@dataclass(frozen=True)
class Compared:
    """One configuration: B's time over A's with its 95 % interval, and whether that is a change.

    `p` is the chance of B looking this slow if it takes at most `MARGIN` longer, `p_faster` that of
    A looking this slow beside B; both corrected for how many configurations are compared.
    """

    configuration: dict[str, Any]
    verdict: str
    ratio: float | None
    low: float | None
    high: float | None
    p: float | None
    p_faster: float | None
    n: tuple[int, int]
    failed: tuple[int, int]
    paired: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of one configuration."""
        return asdict(self)


def compare(before: pd.DataFrame, after: pd.DataFrame, *, paired: bool = False) -> list[Compared]:
    """Compare the runs of each configuration that both tables hold, the clearest regression first.

    `paired`: runs of A and B took turns, and the first of A belongs to the first of B, failed or
    not. Only whoever ran them knows: two files may name campaign and block alike and be days apart.
    A configuration that fails in B and not in A is a regression. Raises `BadInput` where the tables
    have no configuration in common.
    """
    a, b = (_by_configuration(table) for table in (before, after))
    common = [key for key in a if key in b]
    if not common:
        raise BadInput(
            "The two files have no configuration in common.",
            why="Runs are compared where all their parameters agree.",
            fix="Measure the same operations, sizes and workers for A and for B.",
        )
    found = [_measured(key, a[key], b[key], paired) for key in common]
    return sorted(_judged(found), key=_urgency)


def configurations(table: pd.DataFrame) -> pd.Series:
    """Return each row's parameters as a tuple in the order of `PARAMETERS`, None for null.

    Tuples with None can be compared between tables, which NaN cannot. The index is 0, 1, ...
    """
    plain = table[list(PARAMETERS)].astype(object)
    return pd.Series(list(plain.where(plain.notna(), None).itertuples(index=False, name=None)))


def worst(compared: Sequence[Compared]) -> Compared:
    """Return the comparison that decides: the clearest regression, or the nearest to one."""
    return min(compared, key=_urgency)


def _by_configuration(table: pd.DataFrame) -> dict[tuple[Any, ...], pd.DataFrame]:
    counted = table[table.role != "warm-up"]
    keys = configurations(counted)
    by_position = keys.groupby(keys, sort=False).indices  # labels may repeat in joined tables
    return {key: counted.iloc[rows] for key, rows in by_position.items()}


def _measured(key: tuple[Any, ...], a: pd.DataFrame, b: pd.DataFrame, paired: bool) -> Compared:
    """Return the comparison with its two raw one-sided p values, before any verdict."""
    failed = int(a.failed.sum()), int(b.failed.sum())
    x, y = (one.seconds.where(~one.failed.astype(bool)).to_numpy(float) for one in (a, b))
    if paired:
        shared = min(len(x), len(y))
        both = np.isfinite(x[:shared]) & np.isfinite(y[:shared])
        x, y = x[:shared][both], y[:shared][both]
    else:
        x, y = x[np.isfinite(x)], y[np.isfinite(y)]
    n = len(x), len(y)
    configuration = {name: _plain(value) for name, value in zip(PARAMETERS, key, strict=True)}
    known = {name: value for name, value in configuration.items() if value is not None}
    if min(n) == 0:
        return Compared(known, TOO_FEW, None, None, None, None, None, n, failed, paired)
    estimate = statistics.paired_ratio(x, y) if paired else statistics.ratio(x, y)
    p = p_faster = None
    if statistics.smallest_p(*n, paired=paired) <= _level(paired):
        p = statistics.slower(x, y, paired=paired, margin=MARGIN)
        p_faster = statistics.slower(y, x, paired=paired, margin=MARGIN)
    interval = estimate.value, estimate.low, estimate.high
    return Compared(known, TOO_FEW, *interval, p, p_faster, n, failed, paired)


def _judged(found: Sequence[Compared]) -> list[Compared]:
    """Return the comparisons with verdicts, their p values corrected for how many there are."""
    raw = [(one.p, one.p_faster) for one in found if one.p is not None and one.p_faster is not None]
    corrected = iter(
        zip(*(statistics.adjusted(side) for side in zip(*raw, strict=True)), strict=True)
    )
    judged = []
    for one in found:
        p, p_faster = (None, None) if one.p is None else next(corrected)
        judged.append(replace(one, verdict=_verdict(one, p, p_faster), p=p, p_faster=p_faster))
    return judged


def _verdict(one: Compared, p: float | None, p_faster: float | None) -> str:
    if one.failed[1] and not one.failed[0]:
        return REGRESSION
    if p is None or p_faster is None:
        return TOO_FEW
    if p <= _level(one.paired):
        return REGRESSION
    return IMPROVEMENT if p_faster <= _level(one.paired) else NO_CHANGE


def _level(paired: bool) -> float:
    return LEVEL["paired" if paired else "independent"]


def _urgency(one: Compared) -> tuple[bool, float, float]:
    return (one.verdict != REGRESSION, 2.0 if one.p is None else one.p, -(one.ratio or 0))


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
