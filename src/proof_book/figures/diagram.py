"""Draw what refers to what: boxes in layers, each to the right of what it refers to, or above."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

GAP = 0.9  # between the boxes of a layer, in lines of text
ROW_GAP = 2.6  # between the layers, where these are rows
WIDTH = 0.72  # of a box, where layers are 1 apart


@dataclass(frozen=True)
class Box:
    """A node: `title`, and the lines under it."""

    title: str
    lines: tuple[str, ...] = ()

    @property
    def height(self) -> float:
        """The height in lines of text."""
        return 1.6 + len(self.lines)


@dataclass(frozen=True)
class Diagram:
    """Boxes by name, and the arrows (from, to) with how many references each stands for.

    `down`: the layers are rows and the arrows point down, for a drawing with more layers than fit
    beside one another.
    """

    boxes: Mapping[str, Box]
    arrows: Mapping[tuple[str, str], int]
    down: bool = False

    def size(self) -> tuple[float, float]:
        """Return a size in inches that holds the drawing and its text."""
        _, across, tall = _places(self)
        widest = max(len(text) for box in self.boxes.values() for text in (box.title, *box.lines))
        return (0.095 * widest + 0.3) / WIDTH * across, 0.19 * tall + 0.3


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
    ranks = layers(diagram.boxes, diagram.arrows)
    place: dict[str, tuple[float, float]] = {}
    if diagram.down:
        rows = [max(diagram.boxes[name].height for name in rank) for rank in ranks]
        tall = sum(rows) + ROW_GAP * (len(rows) - 1)
        top = -tall / 2
        for rank, row in zip(ranks, rows, strict=True):
            middle = (len(rank) - 1) / 2
            place |= {name: (x - middle, top + row / 2) for x, name in enumerate(rank)}
            top += row + ROW_GAP
        return place, max(map(len, ranks)), tall
    for x, rank in enumerate(ranks):
        top = _height(diagram, rank) / 2
        for name in rank:
            height = diagram.boxes[name].height
            place[name] = (x - (len(ranks) - 1) / 2, top - height / 2)
            top -= height + GAP
    return place, len(ranks), max(_height(diagram, rank) for rank in ranks)


def layers(nodes: Iterable[str], arrows: Mapping[tuple[str, str], int]) -> Sequence[Sequence[str]]:
    """Return the nodes in layers: each in a later one than all it refers to, unless they refer to
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


def _height(diagram: Diagram, column: Sequence[str]) -> float:
    return sum(diagram.boxes[name].height for name in column) + GAP * (len(column) - 1)


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
    axes.text(x, top, box.title, ha="center", va="center", weight="bold", size=9, zorder=3)
    for row, line in enumerate(box.lines, start=1):
        axes.text(x, top - row, line, ha="center", va="center", size=8, zorder=3)


def _arrow(
    diagram: Diagram,
    place: Mapping[str, tuple[float, float]],
    source: str,
    target: str,
    count: int,
) -> FancyArrowPatch:
    (x, y), (to_x, to_y) = place[source], place[target]
    beside = y == to_y if diagram.down else x == to_x
    if diagram.down and not beside:
        start = (x, y - diagram.boxes[source].height / 2)
        end = (to_x, to_y + diagram.boxes[target].height / 2)
    elif diagram.down:
        side = 1 if to_x > x else -1
        start, end = (x + side * WIDTH / 2, y), (to_x - side * WIDTH / 2, to_y)
    elif beside:  # they refer to one another: side by side in the layer, bent to tell them apart
        down = -1 if to_y < y else 1
        start = (x, y + down * diagram.boxes[source].height / 2)
        end = (to_x, to_y - down * diagram.boxes[target].height / 2)
    else:
        start, end = (x - WIDTH / 2, y), (to_x + WIDTH / 2, to_y)
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
