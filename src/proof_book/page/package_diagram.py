"""The packages as a picture: which there are, and who imports whom, read from the sources."""

from collections import Counter
from pathlib import Path

from proof_book.figures.diagram import Box, Diagram
from proof_book.identity.code_graph import files_of, read_graph, source_folder

CORE = "pangeo_core"  # which all of them use


def package_of(file: str) -> str:
    """Return the package of a file, named relative to the folder of the packages."""
    return file.split("/")[0]


def packages(root: Path | None = None) -> Diagram:
    """Return the packages with their files and lines, and how many imports go between them.

    Arrows to the core are left out: every package has one.
    """
    root = root or source_folder()
    graph = {name: needs for name, needs in read_graph(root).items() if name.endswith(".py")}
    files = Counter(package_of(name) for name in graph)
    lines: Counter[str] = Counter()
    arrows: Counter[tuple[str, str]] = Counter()
    for name, file in files_of(root).items():
        if name not in graph:
            continue
        lines[package_of(name)] += len(file.read_text().splitlines())
        for other in graph[name]:
            pair = package_of(name), package_of(other)
            if other.endswith(".py") and pair[0] != pair[1] and CORE not in pair:
                arrows[pair] += 1
    boxes = {
        name: Box(name, (f"{files[name]} file{'s' * (files[name] > 1)}", f"{lines[name]:,} lines"))
        for name in files
    }
    return Diagram(boxes, arrows, down=True)
