"""Days that cost what their past does not explain, and which part of the bill did it.

A change that lasts is one event: it resets what is ordinary, which is learnt anew from the days
after it. A spike is forgotten. So every day is judged by at most the last four weeks of days that
were ordinary at the level of today.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub_costs.bills.daily_cost import Daily, positive
from pangeo_core.errors import BadInput

__all__ = ["anomalies"]

Floats = NDArray[np.float64]
_WARM = 7  # days whose level the first error is taken from
_FIRST = 14  # days before the first that is judged: the third week's
_BACK = 28  # days that the spread is taken from
_LEARN = 7  # days after a step before the next day is judged
_AFTER = 5  # later days that tell a step from a spike, of which three must be there
# A bill's own restlessness: no smaller share of a day is an event.
_LEAST_SPREAD = 0.02


@dataclass(frozen=True)
class Anomaly:
    """One event: the day it began, what that cost, what was expected, and what changed.

    `kind` is `step` where the days after stay there, `spike` where they return, `open` where it is
    too early to say. `parts` are the changes by part of the bill (service, owner), largest first.
    """

    date: date
    usd: Decimal
    expected: Decimal
    kind: str
    parts: tuple[tuple[str, Decimal], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "date": self.date.isoformat(),
            "usd": format(self.usd, "f"),
            "expected": format(self.expected, "f"),
            "kind": self.kind,
            "parts": [{"part": name, "change": format(usd, "f")} for name, usd in self.parts],
        }


def anomalies(
    daily: Daily, *, rate: float = 0.01, parts: Mapping[str, Sequence[Decimal]] | None = None
) -> list[Anomaly]:
    """Return the events in `daily`: days, or lasting changes, that their past does not explain.

    A day is expected to cost the median of the last two weeks at the present level, times its
    weekday. It is out of line where it lies further from that than a share of `rate` of the last
    four weeks' days, by their median deviation: so `rate` is about the share of ordinary days that
    are called. `parts` are series that add to `daily`, to say what changed. Raises `BadInput` for
    too few days.
    """
    if len(daily.usd) <= _FIRST:
        raise BadInput(
            f"Not enough history to find anomalies: {len(daily.usd)} days.",
            fix=f"Give more than {_FIRST} days.",
        )
    if not 0 < rate < 0.5:
        raise BadInput(f"Invalid false-alarm rate: {rate}.", fix="Use one such as 0.01.")
    y = np.log(positive(daily.usd))
    ordinary = list(range(_WARM))  # days of the present level, spikes left out
    errors: list[float] = []  # of what was expected of each day, spikes' too
    events: list[Anomaly] = []
    judged_from = _FIRST
    for n in range(_WARM, len(y)):
        expected = _expected(y, ordinary, n)
        error = float(y[n]) - expected
        if n >= judged_from and abs(error) > (limit := _limit(errors, rate)):
            kind = _kind(y, ordinary, n, limit)
            cost = daily.usd[n], Decimal(f"{np.exp(expected):.2f}")
            events.append(Anomaly(daily.day(n), *cost, kind, _changes(parts or {}, n)))
            if kind == "step":
                ordinary, judged_from = [n], n + _LEARN
                continue
        else:
            ordinary.append(n)
        if n >= judged_from or n < _FIRST:
            errors.append(error)
    return events


def _profile(y: Floats, days: Sequence[int], n: int) -> Floats:
    """Return what each of `days` differs from its level, by the weekday it shares with day `n`.

    Only whole weeks of the present level can tell; before three of them there is no profile.
    """
    if len(days) < 3 * 7:
        return np.zeros(7)
    recent = np.array(days[-8 * 7 :])
    level = np.median(y[recent])
    found = np.zeros(7)
    for weekday in range(7):
        same = recent[recent % 7 == weekday]
        found[weekday] = np.median(y[same]) - level if len(same) else 0.0
    return found


def _expected(y: Floats, days: Sequence[int], n: int) -> float:
    """Return the log of what day `n` would ordinarily cost."""
    profile = _profile(y, days, n)
    recent = np.array(days[-14:])
    return float(np.median(y[recent] - profile[recent % 7]) + profile[n % 7])


def _limit(errors: Sequence[float], rate: float) -> float:
    """Return how far a day may be from what is expected of it.

    The spread is 1.48 times the median deviation of the last errors; a spread of few days is
    itself uncertain, so the limit is Student's.
    """
    from scipy.stats import t  # a second that few verbs need

    recent = np.abs(errors[-_BACK:])
    spread = max(_LEAST_SPREAD, 1.4826 * float(np.median(recent)))
    return float(t.ppf(1 - rate / 2, len(recent) / 3)) * spread


def _kind(y: Floats, days: Sequence[int], n: int, limit: float) -> str:
    """Tell whether the days after `n` stay on its side of what was expected of them."""
    later = range(n + 1, min(n + 1 + _AFTER, len(y)))
    if len(later) < 3:
        return "open"
    profile = _profile(y, days, n)
    recent = np.array(days[-14:])
    level = np.median(y[recent] - profile[recent % 7])
    moved = float(np.median([y[k] - profile[k % 7] - level for k in later]))
    same_side = moved * (y[n] - profile[n % 7] - level) > 0
    return "step" if abs(moved) > limit / 2 and same_side else "spike"


def _changes(parts: Mapping[str, Sequence[Decimal]], n: int) -> tuple[tuple[str, Decimal], ...]:
    """Return how each part differs from its median of the same weekdays before, up to four."""
    changes = []
    for name, usd in parts.items():
        before = sorted(usd[n - 7 * k] for k in range(1, 5) if n >= 7 * k)
        middle = len(before) // 2
        change = (
            usd[n] - (before[middle - 1 if len(before) % 2 == 0 else middle] + before[middle]) / 2
        )
        if change:
            changes.append((name, change.quantize(Decimal("0.01"))))
    return tuple(sorted(changes, key=lambda item: (-abs(item[1]), item[0]))[:5])
