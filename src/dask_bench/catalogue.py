"""All workloads, and the named sets of them."""

from collections.abc import Mapping, Sequence

from dask_bench import (
    cluster_life,
    compute,
    numpy_baseline,
    object_workloads,
    roofline,
    scheduling,
    storage_workloads,
    streamed,
)
from dask_bench.object_bucket import PLACE
from dask_bench.workload import Workload
from pangeo_core.errors import BadInput

WORKLOADS: Mapping[str, Workload] = {
    one.name: one
    for room in (
        roofline,
        scheduling,
        numpy_baseline,
        compute,
        streamed,
        storage_workloads,
        object_workloads,
        cluster_life,
    )
    for one in room.WORKLOADS
}

# Cheap enough for every campaign: the operations of the headlines, each with its baseline, plain
# and better.
CORE = (
    "memory-sum:numpy:time",
    "read:numpy:time",
    *(f"area-mean:{variant}:time" for variant in ("numpy", "naive", "better", "streamed")),
    *(
        f"climatology-month:{variant}:{scheme}"
        for scheme in ("time", "space")
        for variant in ("numpy", "naive", "better", "streamed")
    ),
    *(f"anomaly:{variant}:space" for variant in ("numpy", "naive", "better")),
)
SETS = ("core", *sorted({one.family for one in WORKLOADS.values()}), PLACE, "all")


def choose(names: Sequence[str]) -> tuple[Workload, ...]:
    """Return the workloads of sets, operations or full names (operation:variant:scheme).

    Raises `BadInput` for an unknown name.
    """
    found: dict[str, Workload] = {}
    for name in names:
        mine = {key: workload for key, workload in WORKLOADS.items() if _is(name, workload)}
        if not mine:
            operations = ", ".join(
                dict.fromkeys(workload.operation for workload in WORKLOADS.values())
            )
            raise BadInput(
                f"There is no workload or set {name!r}.",
                fix=f"Use a set ({', '.join(SETS)}) or one of: {operations}.",
            )
        found |= mine
    return tuple(found.values())


def _is(name: str, workload: Workload) -> bool:
    if name == "core":
        return workload.name in CORE
    sets = ("all", workload.family, workload.operation, PLACE if workload.needs_bucket else "all")
    return name in (*sets, workload.name) or workload.name.startswith(f"{name}:")
