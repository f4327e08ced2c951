"""Campaigns on a hub's Dask-Gateway: a cluster of its own, with versions compared first.

In a user's server of any hub the gateway's address and the user's token are in the environment. For
a rehearsed hub a campaign outside of it logs in as one of the rehearsal's people.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from dask_gateway import Gateway
from dask_gateway.auth import JupyterHubAuth
from distributed import Client

from dask_bench import run_environment
from dask_bench.cluster import PATIENCE, Cluster, Scalable, Shape
from dask_bench.fields import MEGABYTE
from pangeo_core.errors import CheckFailed
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets import target_of

GIB_MB = 2**30 / MEGABYTE
# What must be the same everywhere: data computed by another numpy has other bits in its last place.
SAME = ("python", "dask", "distributed", "xarray", "zarr", "flox", "numpy", "pangeo-deploy")


class _Gateway(Gateway):  # type: ignore[misc]
    """The gateway's client, without its complaint at the end that its cluster closed it already."""

    def __del__(self) -> None:
        with suppress(RuntimeError):
            super().__del__()


def gateway(deployment: Deployment, shape: Shape, patience: float = PATIENCE) -> Cluster:
    """Return a cluster that the deployment's gateway makes when it is first needed.

    Opening it raises `NotOnThisTarget` without a way to the gateway, and `CheckFailed` where
    versions differ between this process, the scheduler and the workers.
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
            yield client, cluster

    return Cluster("gateway", shape, opened, patience, accept=require_same_versions)


def require_same_versions(client: Client) -> None:
    """Refuse a cluster whose image has other versions than this process."""
    mine = run_environment.versions()
    seen = {
        "the scheduler": client.run_on_scheduler(run_environment.versions),
        **client.run(run_environment.versions),
    }
    for who, versions in seen.items():
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


def _connect(deployment: Deployment) -> Gateway:
    if "DASK_GATEWAY__ADDRESS" in os.environ:  # in a user's server
        return _Gateway()
    access = target_of(deployment).gateway("ann")
    return _Gateway(
        address=access.address,
        proxy_address=access.proxy_address,
        auth=JupyterHubAuth(api_token=access.token),
    )
