"""Record runs in which nothing changes, to try the regression rule on (data/bench_repeats.parquet).

    python tools/measure_repeats.py data/bench_repeats.parquet

Each block holds every core workload twice, in random order: A against A. The data is a quarter of
tier xs, so that the campaign takes minutes. It resumes where it was interrupted.
"""

import sys
from dataclasses import replace
from pathlib import Path

from pangeo_deploy.bench.campaign import start
from pangeo_deploy.bench.catalogue import choose
from pangeo_deploy.bench.request import Request, prepare
from pangeo_deploy.progress import Event

BLOCKS = 24
GRID = (2, 120, 160)  # years, latitudes, longitudes


def main(out: Path) -> None:
    """Measure and write `out`."""
    request = Request(workloads=("core",), out=out, grid=GRID, least=BLOCKS, most=BLOCKS)
    asked = prepare(request)
    everything = tuple(one.name for one in choose(request.workloads))
    asked["plan"] = replace(asked["plan"], twice=everything)
    found = start(**asked, progress=_told).go()
    print(f"{out}: {len(found)} runs, {int(found.failed.sum())} failed")


def _told(event: Event) -> None:
    if event.state == "failed":
        print(event.task, event.message, file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
