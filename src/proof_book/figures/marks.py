"""Drawing habits shared by figures: stacked bars whose parts are named beside them."""

from collections.abc import Sequence
from typing import Any

import pandas as pd


def stacked_bars(axes: Any, wide: pd.DataFrame, *, unfinished: Sequence[str] = ()) -> None:
    """Draw one bar per row of `wide`, stacked in the order of its columns, each named on the right.

    Index values are the labels below the bars; those in `unfinished` are hatched.
    """
    bottom = pd.Series(0.0, index=wide.index)
    middles = []
    for number, column in enumerate(wide.columns):
        values = wide[column].astype(float)
        bars = axes.bar(range(len(wide)), values, bottom=bottom, color=f"C{number}", width=0.8)
        for label, bar in zip(wide.index, bars, strict=True):
            if label in unfinished:
                bar.set_hatch("///")
        middles.append(bottom.iloc[-1] + values.iloc[-1] / 2)
        bottom = bottom + values
    axes.set_xticks(range(len(wide)), list(wide.index), rotation=45, ha="right")
    axes.set_xlim(-0.6, len(wide) - 0.4)
    gap = float(bottom.max()) / 16
    for number, (column, y) in enumerate(zip(wide.columns, spread(middles, gap), strict=True)):
        axes.annotate(
            column,
            (len(wide) - 0.35, y),
            color=f"C{number}",
            va="center",
            annotation_clip=False,
            fontweight="bold",
        )


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """Return `positions` (ascending) moved up as little as keeps them `gap` apart."""
    placed: list[float] = []
    for position in positions:
        placed.append(max(position, placed[-1] + gap) if placed else position)
    return placed
