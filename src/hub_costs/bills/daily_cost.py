"""Daily cost as a series.

Amounts are exact where they come in and go out; what lies between is statistics, in floats.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from hub_costs.estimates import published_tables
from pangeo_core.errors import BadInput

Floats = npt.NDArray[np.float64]
LEAST = 42  # days without which nothing can be said of a month ahead


@dataclass(frozen=True)
class Daily:
    """Cost of consecutive days; `filled` are days that were missing and were interpolated."""

    start: date
    usd: tuple[Decimal, ...]
    filled: tuple[date, ...] = ()

    def day(self, number: int) -> date:
        """Return the date of a day by its number; numbers past the end are days ahead."""
        return self.start + timedelta(days=number)


def read(path: Path) -> Daily:
    """Read a csv with `date, usd`, in any order. Raises `BadInput` naming file and line."""
    found: dict[date, Decimal] = {}
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read.", why=str(error), fix="Give a csv.") from None
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line and line[0] != "#"]
    head = next(csv.reader([lines[0][1]])) if lines else []
    if not {"date", "usd"} <= set(head):
        raise BadInput(f"{path} is not a table of daily cost.", fix="It needs columns date, usd.")
    for number, line in lines[1:]:
        row = dict(zip(head, next(csv.reader([line])), strict=False))
        try:
            day, usd = (
                date.fromisoformat(row.get("date", "")),
                published_tables.money(row.get("usd", "")),
            )
        except ValueError as error:
            raise BadInput(
                f"{path}, line {number}: not a day's cost.", why=str(error), fix="Correct the line."
            ) from None
        if day in found:
            raise BadInput(
                f"{path}, line {number}: {day} is there twice.",
                fix="Sum each day's cost over services first.",
            )
        found[day] = usd
    return series(found)


def series(found: dict[date, Decimal]) -> Daily:
    """Return days as a series; up to one day in ten may be missing and is interpolated."""
    if not found:
        raise BadInput("There is no day of cost.", fix=f"Give at least {LEAST} days.")
    first, last = min(found), max(found)
    span = (last - first).days + 1
    missing = [d for n in range(span) if (d := first + timedelta(days=n)) not in found]
    if len(missing) * 10 > span:
        raise BadInput(
            f"{len(missing)} of {span} days since {first} are missing, such as {missing[0]}.",
            fix="Give every day's cost; write 0 for a day without any.",
        )
    known = sorted(found)
    usd = []
    for n in range(span):
        day = first + timedelta(days=n)
        if day not in found:
            before = max(d for d in known if d < day)
            after = min(d for d in known if d > day)
            part = Decimal((day - before).days) / (after - before).days
            usd.append(
                (found[before] + part * (found[after] - found[before])).quantize(Decimal("1e-12"))
            )
        else:
            usd.append(found[day])
    return Daily(first, tuple(usd), tuple(missing))


def positive(values: Sequence[Decimal]) -> Floats:
    """Return amounts as floats, none below a hundredth of the median so far: so ratios exist."""
    y = pd.Series([float(v) for v in values])
    floor = y.expanding().median().clip(lower=0.01) / 100
    result: Floats = np.maximum(y, floor).to_numpy()
    return result
