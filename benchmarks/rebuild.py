"""How quick a rebuild is, as ratios in one run: to Sphinx's own no-op, and to serial execution.

    python benchmarks/rebuild.py [--everything] [--runs 3]

Prints one JSON document. The first ratio compares `book build` with nothing to do to Jupyter Book
told to build the same unchanged pages once more, both as processes of their own. `--everything`
executes all notebooks anew, one at a time and then as many at once as there are cores.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pangeo_deploy.deployment import find_project

BUILD = """
import sys
from pathlib import Path
import proof_book
done = proof_book.build(Path(sys.argv[1]), out=Path(sys.argv[2]), workers=int(sys.argv[3]))
print(len(done.executed))
"""


def seconds(command: list[str], **environment: str) -> tuple[float, float, str]:
    """Run `command`; return wall and CPU seconds of it and its children, and what it printed."""
    before, since = os.times(), time.monotonic()
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    wall, after = time.monotonic() - since, os.times()
    cpu = after.children_user + after.children_system
    return wall, cpu - before.children_user - before.children_system, done.stdout.strip()


def build(project: Path, out: Path, workers: int = 2, **environment: str) -> tuple[float, float]:
    """Build in `out` as a process of its own; return wall and CPU seconds."""
    command = [sys.executable, "-c", BUILD, str(project), str(out), str(workers)]
    return seconds(command, **environment)[:2]


def nothing_changed(project: Path, runs: int) -> dict[str, float]:
    """Return the median seconds of both no-ops, and their ratio."""
    cache = os.environ.get("PANGEO_DEPLOY_CACHE") or str(project / "_build" / "cache")
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        build(project, out, PANGEO_DEPLOY_CACHE=cache)
        jupyter_book = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
        pages = [*jupyter_book, "build", str(out / "stage"), "--path-output", str(out / "sphinx")]
        seconds(pages)
        ours = [build(project, out, PANGEO_DEPLOY_CACHE=cache) for _ in range(runs)]
        theirs = [seconds(pages)[:2] for _ in range(runs)]
    return _compare(ours, theirs, "book_build", "jupyter_book")


def everything(project: Path) -> dict[str, float]:
    """Return the seconds of executing all notebooks one at a time and in parallel."""
    took = {}
    for workers in (1, os.cpu_count() or 1):
        with tempfile.TemporaryDirectory() as name:
            out = Path(name)
            took[workers] = build(project, out, workers, PANGEO_DEPLOY_CACHE=str(out / "cache"))
    serial, parallel = took.values()
    return _compare([parallel], [serial], "parallel", "serial")


def _compare(
    ours: list[tuple[float, float]], theirs: list[tuple[float, float]], one: str, other: str
) -> dict[str, float]:
    result: dict[str, float] = {}
    for place, kind in enumerate(("wall", "cpu")):
        mine, its = (statistics.median(run[place] for run in runs) for runs in (ours, theirs))
        result |= {
            f"{one}_{kind}_seconds": round(mine, 2),
            f"{other}_{kind}_seconds": round(its, 2),
            f"{kind}_ratio": round(mine / its, 3),
        }
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--everything", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    project = find_project()
    result = {"load": os.getloadavg()[0], "nothing_changed": nothing_changed(project, given.runs)}
    if given.everything:
        result["everything"] = everything(project)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
