"""Days that cost what their past does not explain, and which part of the bill did it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub_costs.bills.daily_cost import LEAST, Daily, positive
from pangeo_core.errors import BadInput

_BACK = 8  # weeks of the same weekday that a day is compared with


@dataclass(frozen=True)
class Anomaly:
    """One day out of line: what it cost, what was expected, and what changed.

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
    """Return the days of `daily` that are out of line with those before them.

    A day is expected to cost the median of the last weeks' days, times its weekday. It is out of
    line where its ratio to that lies further out than a share of `rate` of the ratios before it,
    taken as normal around their median with their median deviation: so `rate` is about the share of
    ordinary days that are called. Days called do not count as past for those that follow. `parts`
    are series that add to `daily`, to say what changed. Raises `BadInput` for too few days.
    """
    if len(daily.usd) < LEAST:
        raise BadInput(
            f"{len(daily.usd)} days are too few to tell what is ordinary.",
            fix=f"Give {LEAST} days or more.",
        )
    if not 0 < rate < 0.5:
        raise BadInput(f"A false-alarm rate of {rate} cannot be.", fix="Use one such as 0.01.")
    from statistics import NormalDist

    far = NormalDist().inv_cdf(1 - rate / 2)
    y = positive(daily.usd)
    clean = y.copy()
    ratios: list[float] = []
    found = []
    for n in range(28, len(y)):
        expected = _expected(clean[:n])
        ratio = float(np.log(y[n] / expected))
        if len(ratios) >= 14:
            middle = float(np.median(ratios))
            spread = 1.4826 * float(np.median(np.abs(np.array(ratios) - middle)))
            # 2 % is what a bill's rounding and a month's length do by themselves
            if abs(ratio - middle) > far * max(spread, 0.02):
                after = _after(y, n, expected, far * max(spread, 0.02))
                cost = daily.usd[n], Decimal(f"{expected:.2f}")
                found.append(Anomaly(daily.day(n), *cost, after, _changes(parts or {}, n)))
                # a spike is forgotten; a step is the new ordinary and must be learnt
                if after != "step":
                    clean[n] = expected
                    continue
        ratios.append(ratio)
        del ratios[:-90]
    return found


def _expected(past: NDArray[np.float64]) -> float:
    """Return what the next day would ordinarily cost: the level of four weeks times its weekday."""
    weeks = min(_BACK, len(past) // 7)
    table = past[len(past) - 7 * weeks :].reshape(weeks, 7)
    factor = float(np.median(table[:, 0] / np.median(table, axis=1)))
    return float(np.median(past[-28:])) * factor


def _after(y: NDArray[np.float64], n: int, expected: float, reach: float) -> str:
    later = y[n + 1 : n + 6]
    if len(later) < 3:
        return "open"
    moved = np.log(np.median(later) / expected)
    return "step" if abs(moved) > reach / 2 and moved * np.log(y[n] / expected) > 0 else "spike"


def _changes(parts: Mapping[str, Sequence[Decimal]], n: int) -> tuple[tuple[str, Decimal], ...]:
    """Return how each part differs from its median of the four same weekdays before."""
    changes = []
    for name, usd in parts.items():
        before = sorted(usd[n - 7 * k] for k in range(1, 5))
        change = usd[n] - (before[1] + before[2]) / 2
        if change:
            changes.append((name, change.quantize(Decimal("0.01"))))
    return tuple(sorted(changes, key=lambda item: (-abs(item[1]), item[0]))[:5])
