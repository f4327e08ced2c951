"""From what a person asks for to a campaign that can start: the plan, the cluster, the folders."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

from dask_bench import data_place
from dask_bench.campaign import origin_of
from dask_bench.campaign_plan import Plan, again
from dask_bench.cluster import PATIENCE, PATIENCE_OF_NODES, Cluster, Shape, local
from dask_bench.data_place import Place
from dask_bench.measure import LONGEST
from dask_bench.object_bucket import Bucket
from dask_bench.tiers import TIERS
from dask_bench.zarr_store import Layout
from emulated_aws import counted_s3
from pangeo_core.errors import BadInput
from pangeo_deploy.deployment import (
    DEFAULT_TARGET,
    Deployment,
    TargetName,
    default_state,
    find_project,
)

USUAL_BLOCKS, MOST_BLOCKS = 10, 30
ANY_BLOCKS = 1000  # where the minutes decide


@dataclass(frozen=True)
class Request:
    """What `bench run` was asked for; None and empty: the tier's own."""

    workloads: tuple[str, ...]
    out: Path
    tier: str = "xs"
    on: str = "local"
    folder: Path | None = None
    workers: tuple[int, ...] = ()
    threads: int | None = None
    memory_limit_mb: float | None = None
    weak: bool = False
    least: int = 10
    most: int | None = None
    grid: tuple[int, int, int] | None = None
    chunk_mb: float | None = None
    seed: int = 0
    longest: float = LONGEST
    minutes: float | None = None
    data: str | None = None
    patience: float | None = None
    environment: str = "staging"
    target: TargetName = DEFAULT_TARGET


class Prepared(TypedDict):
    """The arguments of `campaign.start`, each of its own type."""

    plan: Plan
    out: Path
    folder: Path
    data: Place | None
    minutes: float | None
    cluster: Cluster
    common: Mapping[str, Any]
    bucket: Bucket


def prepare(request: Request) -> Prepared:
    """Return the arguments of `campaign.start`. Raises `BadInput` for a tier there is not."""
    if request.tier not in TIERS:
        raise BadInput(
            f"There is no tier {request.tier!r}.", fix=f"Use one of: {', '.join(TIERS)}."
        )
    tier, project = TIERS[request.tier], find_project()
    grid = replace(tier.field, seed=request.seed)
    if request.grid is not None:
        years, lat, lon = request.grid
        if min(request.grid) < 1 or lat % 4 or lon % 4 or lat < 8 or lon < 8:
            raise BadInput(
                f"There is no grid of {years} years, {lat} latitudes and {lon} longitudes.",
                why="Boxes of four by four are averaged, and a map has a middle.",
                fix="Take whole years, and at least 8 latitudes and longitudes, in fours.",
            )
        grid = replace(grid, years=years, lat=lat, lon=lon)
    folder = request.folder or default_state(project) / "bench"
    place = _place(request, folder)
    shape = Shape(request.threads or tier.threads, request.memory_limit_mb or tier.memory_limit_mb)
    cluster, more = CLUSTERS[request.on](request, shape, place)
    usual = MOST_BLOCKS if request.least >= USUAL_BLOCKS else 0
    most = request.most or (ANY_BLOCKS if request.minutes else max(request.least, usual))
    common = {**origin_of(project), **more}
    plan = Plan(
        campaign=request.out.stem,
        tier=request.tier,
        layout=Layout(grid, chunk_mb=request.chunk_mb or tier.chunk_mb),
        workloads=request.workloads,
        workers=request.workers or (tier.workers,),
        weak=request.weak,
        least=request.least,
        most=most,
        seed=request.seed,
        twice=again(request.workloads),
        longest=request.longest,
    )
    return {
        "plan": plan,
        "out": request.out,
        "folder": folder,
        "data": place,
        "minutes": request.minutes,
        "cluster": cluster,
        "common": common,
        "bucket": Bucket(server=counted_s3.serve),
    }


def _place(request: Request, folder: Path) -> Place:
    """Return where the data lies: as asked, else where a gateway's workers see it, else here."""
    if request.data is not None:
        return data_place.parse(request.data)
    bucket = data_place.scratch_bucket() if request.on != "local" else None
    return folder if bucket is None else data_place.join(bucket, "dask_bench")


def _local(request: Request, shape: Shape, _place: Place) -> tuple[Cluster, Mapping[str, Any]]:
    return local(shape, request.patience or PATIENCE), {}


def _gateway(request: Request, shape: Shape, place: Place) -> tuple[Cluster, Mapping[str, Any]]:
    from pangeo_deploy.charts import values
    from pangeo_deploy.gateway_cluster import gateway, require_limits
    from pangeo_deploy.targets import target_of

    deployment = Deployment(request.environment, request.target)
    limits = values.settings(find_project(), request.environment)["dask"]
    require_limits(limits, shape, max(request.workers or (TIERS[request.tier].workers,)))
    cluster = gateway(deployment, shape, place, request.patience or PATIENCE_OF_NODES)
    return cluster, target_of(deployment).bench_columns()


CLUSTERS: Mapping[str, Callable[[Request, Shape, Place], tuple[Cluster, Mapping[str, Any]]]] = {
    "local": _local,
    "gateway": _gateway,
}
