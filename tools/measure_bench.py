"""Record the campaigns that notebook 03-benchmarks shows, each as one run file under data/.

    python tools/measure_bench.py data [bench_xs bench_strong bench_weak bench_life bench_families
        bench_repeats]

On a machine with nothing else to do each takes a few minutes; every row holds the load average. A
campaign that was interrupted goes on where it stopped; remove its file to measure anew.
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dask_bench.campaign import start
from dask_bench.catalogue import choose
from pangeo_core.progress import Event
from pangeo_deploy.bench_request import Request, prepare

HEADLINE, SCALED, REPEATED = 10, 10, 24  # blocks
# Two workers of one thread are all that two cores can compare with one.
WORKERS = {"threads": 1, "workers": (1, 2), "least": SCALED, "most": SCALED}
SCALING = (
    "area-mean:streamed:time",
    "climatology-month:naive:time",
    "climatology-month:streamed:time",
    "anomaly:better:space",
)
# What lies under the workloads: the machine, the scheduler, and the ways to store the same bytes.
FAMILIES = (
    "roofline",
    *("no-op-map-1000", "round-trip", "tree-sum"),  # the larger ones take as long as all others
    *("write", "read", "open", "select-point", "select-map", "select-box"),
    *(f"read-{at_once}-at-once" for at_once in (1, 4, 16, 64)),
    "s3-emulated",
)
NOWHERE = Path()
CAMPAIGNS: Mapping[str, Request] = {
    "bench_xs": Request(("core",), NOWHERE, least=HEADLINE, most=HEADLINE),
    "bench_strong": Request(SCALING, NOWHERE, **WORKERS),  # type: ignore[arg-type]
    "bench_weak": Request(SCALING, NOWHERE, weak=True, **WORKERS),  # type: ignore[arg-type]
    "bench_life": Request(("life",), NOWHERE, least=HEADLINE, most=HEADLINE),
    "bench_families": Request(FAMILIES, NOWHERE, grid=(2, 180, 240), least=HEADLINE, most=HEADLINE),
    # Nothing changes here: every workload twice in each block, to try the regression rule. A
    # quarter of the size, for many blocks in minutes.
    "bench_repeats": Request(("core",), NOWHERE, grid=(2, 120, 160), least=REPEATED, most=REPEATED),
}
# What runs twice in each block, A against A, where it is not what `bench run` would choose.
TWICE = {
    "bench_life": ("lost-worker:undisturbed:space",),
    "bench_families": ("read:numpy:time", "read:chunk-16:time"),
    "bench_repeats": tuple(one.name for one in choose(("core",))),
}


def main(folder: Path, names: list[str]) -> None:
    """Measure and write the named campaigns, or all."""
    for name in names or CAMPAIGNS:
        out = folder / f"{name}.parquet"
        asked = prepare(replace(CAMPAIGNS[name], out=out))
        if name in TWICE:
            asked["plan"] = replace(asked["plan"], twice=TWICE[name])
        found = start(**asked, progress=_told).go()
        print(f"{out}: {len(found)} runs, {int(found.failed.sum())} failed")


def _told(event: Event) -> None:
    if event.state == "failed":
        print(event.task, event.message, file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
