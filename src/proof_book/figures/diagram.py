"""Draw a flow: boxes in rows, and arrows that point down.

As wide as a page and no wider, so that the text keeps its size: a row that is too long goes on in
the next, and so does a line of text.
"""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

ACROSS = 3  # boxes in a row
COLUMN = 2.3  # inches
LINE = 0.19  # inches
CHARACTERS = 22  # of a line in a box
ROW_GAP = 2.6  # between the rows, in lines of text
WIDTH = 0.86  # of a box, where columns are 1 apart


@dataclass(frozen=True)
class Box:
    """A node: `title`, and the lines under it."""

    title: str
    lines: tuple[str, ...] = ()

    @property
    def titles(self) -> list[str]:
        """The title in lines that fit."""
        return textwrap.wrap(self.title, CHARACTERS - 2)  # bold is wider

    @property
    def texts(self) -> list[str]:
        """The lines under the title, each in lines that fit."""
        return [part for line in self.lines for part in textwrap.wrap(line, CHARACTERS)]

    @property
    def height(self) -> float:
        """The height in lines of text."""
        return 0.6 + len(self.titles) + len(self.texts)


@dataclass(frozen=True)
class Diagram:
    """Boxes by name, and the arrows (from, to) with how many references each stands for.

    What has no arrow from it is at the bottom; with `early`, what has none to it is at the top: so
    each is as early as it can be, where the arrows stand for time.
    """

    boxes: Mapping[str, Box]
    arrows: Mapping[tuple[str, str], int]
    early: bool = False

    def size(self) -> tuple[float, float]:
        """Return a size in inches that holds the drawing and its text."""
        _, across, tall = _places(self)
        return COLUMN * across, LINE * tall + 0.3


def essential(arrows: Mapping[tuple[str, str], int]) -> Mapping[tuple[str, str], int]:
    """Return the arrows without those that a longer way says too."""
    return {
        (one, other): count
        for (one, other), count in arrows.items()
        if not any(
            other in _reach(via, arrows)
            for source, via in arrows
            if source == one and via not in (one, other)
        )
    }


def draw(axes: Any, diagram: Diagram) -> None:
    """Draw on matplotlib's `axes`, in the colours of its style."""
    place, across, tall = _places(diagram)
    for (source, target), count in diagram.arrows.items():
        axes.add_patch(_arrow(diagram, place, source, target, count))
    for name, (middle, y) in place.items():
        _box(axes, diagram.boxes[name], middle, y)
    axes.set_xlim(-across / 2, across / 2)
    axes.set_ylim(-tall / 2 - 0.5, tall / 2 + 0.5)
    axes.set_axis_off()


def _places(diagram: Diagram) -> tuple[dict[str, tuple[float, float]], float, float]:
    """Return the middle of each box, and how many boxes wide and lines high all of it is."""
    arrows = diagram.arrows
    if diagram.early:
        arrows = {(other, one): count for (one, other), count in arrows.items()}
    ranks = layers(diagram.boxes, arrows)
    rows = [rank[i : i + ACROSS] for rank in ranks for i in range(0, len(rank), ACROSS)]
    if diagram.early:
        rows.reverse()
    heights = [max(diagram.boxes[name].height for name in row) for row in rows]
    tall = sum(heights) + ROW_GAP * (len(rows) - 1)
    place: dict[str, tuple[float, float]] = {}
    bottom = -tall / 2
    for row, height in zip(rows, heights, strict=True):
        middle = (len(row) - 1) / 2
        place |= {name: (x - middle, bottom + height / 2) for x, name in enumerate(row)}
        bottom += height + ROW_GAP
    return place, max(map(len, rows)), tall


def layers(nodes: Iterable[str], arrows: Mapping[tuple[str, str], int]) -> Sequence[Sequence[str]]:
    """Return the nodes in layers: each above all that it refers to, unless they refer to
    one another in a circle, which share one. Within a layer, near what they refer to.
    """
    names = sorted(nodes)
    reached = {name: _reach(name, arrows) for name in names}
    depth: dict[str, int] = {}

    def level(name: str) -> int:
        if name not in depth:
            others = [one for one in reached[name] if name not in reached[one] and one != name]
            depth[name] = 1 + max((level(one) for one in others), default=-1)
        return depth[name]

    result: list[list[str]] = [
        [] for _ in range(1 + max((level(name) for name in names), default=0))
    ]
    for name in names:
        result[depth[name]].append(name)
    circle = {
        name: sorted({name} | {one for one in reached[name] if name in reached[one]})
        for name in names
    }
    position: dict[str, float] = {}
    for column in result:
        wish = {
            name: _mean([position[one] for one in reached[name] if one in position])
            for name in column
        }
        column.sort(
            key=lambda name: (_mean([wish[one] for one in circle[name]]), circle[name], name)
        )
        position |= {name: (rank + 0.5) / len(column) for rank, name in enumerate(column)}
    return result


def _reach(start: str, arrows: Mapping[tuple[str, str], int]) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        here = waiting.pop()
        new = {target for source, target in arrows if source == here} - found
        found |= new
        waiting += new
    return found


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.5


def _box(axes: Any, box: Box, x: float, y: float) -> None:
    outline = FancyBboxPatch(
        (x - WIDTH / 2, y - box.height / 2),
        WIDTH,
        box.height,
        boxstyle="round,pad=0,rounding_size=0.04",
        mutation_aspect=8,
        facecolor=axes.figure.get_facecolor(),
        edgecolor="C0",
        zorder=2,
    )
    axes.add_patch(outline)
    top = y + box.height / 2 - 0.8
    for row, line in enumerate(box.titles):
        axes.text(x, top - row, line, ha="center", va="center", weight="bold", size=9, zorder=3)
    for row, line in enumerate(box.texts, start=len(box.titles)):
        axes.text(x, top - row, line, ha="center", va="center", size=8, zorder=3)


def _arrow(
    diagram: Diagram,
    place: Mapping[str, tuple[float, float]],
    source: str,
    target: str,
    count: int,
) -> FancyArrowPatch:
    (x, y), (to_x, to_y) = place[source], place[target]
    beside = y == to_y  # they refer to one another: side by side, bent to tell them apart
    if beside:
        side = 1 if to_x > x else -1
        start, end = (x + side * WIDTH / 2, y), (to_x - side * WIDTH / 2, to_y)
    else:
        down = 1 if to_y < y else -1
        start = (x, y - down * diagram.boxes[source].height / 2)
        end = (to_x, to_y + down * diagram.boxes[target].height / 2)
    return FancyArrowPatch(
        start,
        end,
        arrowstyle="-|>",
        mutation_scale=9,
        connectionstyle=f"arc3,rad={0.25 if beside else 0.08}",
        linewidth=min(0.6 + 0.3 * count, 2.4),
        color="C7",
        zorder=1,
    )
