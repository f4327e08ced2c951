"""Campaigns on a hub's Dask-Gateway: a cluster of its own, with versions compared first.

In a user's server of any hub the gateway's address and the user's token are in the environment. For
a rehearsed hub a campaign outside of it logs in as one of the rehearsal's people.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any

from dask_gateway import Gateway
from dask_gateway.auth import JupyterHubAuth
from distributed import Client

from dask_bench import data_place, run_environment
from dask_bench.cluster import PATIENCE_OF_NODES, Cluster, Scalable, Shape
from dask_bench.data_place import Place
from dask_bench.fields import MEGABYTE
from dask_bench.sent_code import send_code
from pangeo_core.errors import BadInput, CheckFailed
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets import target_of

GIB_MB = 2**30 / MEGABYTE
# What must be the same everywhere: data computed by another numpy has other bits in its last place.
# Functions travel as bytecode, which another minor version of Python does not take.
SAME = ("python", "dask", "distributed", "xarray", "zarr", "flox", "numpy")


class _Gateway(Gateway):  # type: ignore[misc]
    """The gateway's client, without its complaint at the end that its cluster closed it already."""

    def __del__(self) -> None:
        with suppress(RuntimeError):
            super().__del__()


def gateway(
    deployment: Deployment, shape: Shape, place: Place, patience: float = PATIENCE_OF_NODES
) -> Cluster:
    """Return a cluster that the deployment's gateway makes when it is first needed.

    Its image needs Dask, xarray and Zarr, nothing of ours: the benchmark's own code is sent to the
    scheduler and each worker. Opening it raises `NotOnThisTarget` without a way to the gateway,
    `CheckFailed` where versions differ between this process, the scheduler and the workers, and
    `MissingPrerequisite` where a worker does not see the data's `place`.
    """

    @contextmanager
    def opened() -> Iterator[tuple[Client, Scalable]]:
        access = _connect(deployment)
        options = access.cluster_options()
        options.worker_cores = shape.threads
        if shape.memory_limit_mb is not None:
            options.worker_memory = shape.memory_limit_mb / GIB_MB
        with (
            access.new_cluster(options, shutdown_on_close=True) as cluster,
            closing(cluster.get_client(set_as_default=False)) as client,
        ):
            send_code(client)
            yield client, cluster

    def accept(client: Client) -> None:
        require_same_versions(client)
        data_place.require_seen(client, place)

    return Cluster("gateway", shape, opened, patience, accept=accept)


def require_limits(limits: Mapping[str, Any], shape: Shape, workers: int) -> None:
    """Refuse a cluster that is larger than the charts allow; `limits` are their `dask` values."""
    memory = (shape.memory_limit_mb or 0) / GIB_MB
    asked = {
        "worker_cores_max": (shape.threads, "cores of a worker"),
        "worker_memory_gib_max": (memory, "GiB of a worker"),
        "cluster_max_workers": (workers, "workers"),
        "cluster_max_cores": (workers * shape.threads, "cores of a cluster"),
        "cluster_max_memory_gib": (workers * memory, "GiB of a cluster"),
    }
    over = [
        f"{what}: {value:g} asked, {limits[name]:g} allowed ({name})"
        for name, (value, what) in asked.items()
        if name in limits and value > limits[name]
    ]
    if over:
        raise BadInput(
            f"{workers} workers of {shape.threads} threads are more than this hub allows.",
            why="; ".join(over),
            fix="Ask for fewer with --workers and --threads, take a smaller --tier, or raise the "
            "limits in helm/environments.",
        )


def require_same_versions(client: Client) -> None:
    """Refuse a cluster whose image has other versions than this process."""
    mine = _comparable(run_environment.versions())
    seen = {
        "the scheduler": client.run_on_scheduler(run_environment.versions),
        **client.run(run_environment.versions),
    }
    for who, theirs in seen.items():
        versions = _comparable(theirs)
        differ = [
            f"{name} {versions.get(name, 'missing')} there, {mine.get(name, 'missing')} here"
            for name in SAME
            if versions.get(name) != mine.get(name)
        ]
        if differ:
            raise CheckFailed(
                f"The image of {who} is not this one.",
                why="; ".join(differ),
                fix="Choose the image of this server for the cluster, or update the server.",
            )


def _comparable(versions: Mapping[str, str]) -> dict[str, str]:
    python = ".".join(versions.get("python", "").split(".")[:2])
    return {**versions, "python": python}


def _connect(deployment: Deployment) -> Gateway:
    if "DASK_GATEWAY__ADDRESS" in os.environ:  # in a user's server
        return _Gateway()
    access = target_of(deployment).gateway("ann")
    return _Gateway(
        address=access.address,
        proxy_address=access.proxy_address,
        auth=JupyterHubAuth(api_token=access.token),
    )
