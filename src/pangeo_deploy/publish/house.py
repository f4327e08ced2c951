"""The package as a picture: its rooms, and who imports whom, read from the sources."""

from collections import Counter
from pathlib import Path

from pangeo_deploy.publish.sources import package_folder, read_graph
from pangeo_deploy.terraform.diagram import Box, Diagram

CORE = "core"
SWITCH = "targets"  # of the core, and drawn apart: the only door to the stand-in
STAND_IN = "rehearsal"


def room_of(file: str) -> str:
    """Return the room of a file of the package, named relative to it."""
    if "/" in file:
        return file.split("/")[0]
    return SWITCH if file == f"{SWITCH}.py" else CORE


def rooms(root: Path | None = None) -> Diagram:
    """Return the rooms with their files and lines, and how many imports go from one to another.

    Left out are arrows to the core, since every room has one, and those of the stand-in, which is
    made of the same rooms that it stands in for.
    """
    root = root or package_folder()
    graph = {name: needs for name, needs in read_graph(root).items() if name.endswith(".py")}
    files = Counter(room_of(name) for name in graph)
    lines: Counter[str] = Counter()
    arrows: Counter[tuple[str, str]] = Counter()
    for name, needs in graph.items():
        lines[room_of(name)] += len((root / name).read_text().splitlines())
        for other in needs:
            pair = room_of(name), room_of(other)
            if other.endswith(".py") and pair[0] not in (pair[1], STAND_IN) and CORE not in pair:
                arrows[pair] += 1
    boxes = {
        name: Box(name, (f"{files[name]} file{'s' * (files[name] > 1)}", f"{lines[name]:,} lines"))
        for name in files
    }
    return Diagram(boxes, arrows, down=True)
