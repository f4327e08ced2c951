"""Dask-Gateway's configuration: what a user may ask of a cluster, and when it ends by itself.

The chart runs this file as `gateway.extraConfig`, the rehearsal loads it from here: one source. All
that differs between environments is in `PANGEO_SETTINGS`, the JSON of `pangeo` in the Helm values.
"""

import asyncio
import json
import math
import os
import re
import time

from dask_gateway_server.backends.base import PublicException
from dask_gateway_server.options import Float, Integer, Mapping, Options, String

GIB = 2**30
LISTED_SECONDS = 30
USER = "hub.jupyter.org/username"  # what kube-state-metrics and the cost reports look for

settings = json.loads(os.environ["PANGEO_SETTINGS"])
dask = settings["dask"]
on_kubernetes = "KUBERNETES_SERVICE_HOST" in os.environ


def repository_of(image):
    """Return an image's name without its tag or digest."""
    name = image.partition("@")[0]
    head, _, tag = name.rpartition(":")
    return name if "/" in tag or not head else head


repositories = {
    repository_of(image)
    for image in (settings["image"], *(one["image"] for one in settings["software"]["images"]))
}


def runs(image):
    """Tell whether clusters may run an image: one that a server may run.

    Any tag of those listed: on the day of an upgrade, servers still run the one before.
    """
    other = settings["software"]["other"]
    return repository_of(image) in repositories or bool(other and re.fullmatch(other, image))


def configure(options, user):
    """Return the cluster's configuration for validated `options` of `user`.

    Raises ValueError, which the gateway answers with 422, for what the options cannot check.
    """
    if not math.isfinite(options.worker_memory):
        raise ValueError("worker_memory must be a number of GiB")
    if on_kubernetes and not runs(options.image):
        raise ValueError(f"image must be a version of {', or of '.join(sorted(repositories))}")
    cluster = {
        "worker_cores": options.worker_cores,
        "worker_threads": options.worker_cores,
        "worker_memory": int(options.worker_memory * GIB),
        "environment": {**options.environment, "PANGEO_CLUSTER_OWNER": user.name},
    }
    if on_kubernetes:
        # A label cannot hold every name (an e-mail address); the annotation says whose it is.
        label = re.sub(r"[^a-z0-9._-]", "-", user.name)[:63].strip("._-")
        owner = {"annotations": {USER: user.name}, "labels": {USER: label}}
        cluster |= {
            "image": options.image,
            **{
                f"{part}_extra_pod_{key}": owner[key]
                for part in ("scheduler", "worker")
                for key in owner
            },
        }
    return cluster


fields = [
    Integer(
        "worker_cores", dask["worker_cores"], min=1, max=dask["worker_cores_max"], label="Cores"
    ),
    Float(
        "worker_memory",
        dask["worker_memory_gib"],
        min=0.5,
        max=dask["worker_memory_gib_max"],
        label="Memory (GiB)",
    ),
    Mapping("environment", {}, label="Environment variables"),
]
if on_kubernetes:
    # The gateway's own defaults name programs that distributed has not installed since 2026.6.
    c.ClusterConfig.scheduler_cmd = ["dask", "scheduler"]
    c.ClusterConfig.worker_cmd = ["dask", "worker"]
    # Servers ask for their own (helm/files/hub.py), so that client and workers are of one version.
    fields.append(String("image", settings["image"], label="Image"))


def limited(backend_class):
    """Return the backend, made to refuse clusters beyond the limits of a person and of the hub.

    A cluster's own limits, and the quota of all workers, say nothing of how many schedulers run.
    """

    class Limited(backend_class):
        def __init__(self, **options):
            super().__init__(**options)
            self.one_at_a_time, self.started = asyncio.Lock(), {}

        async def start_cluster(self, user, cluster_options):
            async with self.one_at_a_time:
                everyones = {one.name: one.username for one in await self.list_clusters()}
                # A cluster of a moment ago may not be listed yet.
                soon = time.monotonic() - LISTED_SECONDS
                self.started = {
                    name: known for name, known in self.started.items() if known[1] > soon
                }
                recent = {name: owner for name, (owner, _) in self.started.items()}
                owners = list((recent | everyones).values())
                if owners.count(user.name) >= dask["clusters_per_person"]:
                    raise PublicException(
                        f"You have {owners.count(user.name)} clusters, as many as a person may. "
                        "Shut one down: Gateway().list_clusters(), Gateway().stop_cluster(name)"
                    )
                if len(owners) >= dask["clusters_at_once"]:
                    raise PublicException("The hub has as many clusters as it may. Try later.")
                name = await super().start_cluster(user, cluster_options)
                self.started[name] = (user.name, time.monotonic())
                return name

        async def stop_cluster(self, cluster_name, failed=False):
            self.started.pop(cluster_name, None)
            await super().stop_cluster(cluster_name, failed)

    return Limited


if on_kubernetes:
    from dask_gateway_server.backends.kubernetes import KubeBackend

    c.DaskGateway.backend_class = limited(KubeBackend)
c.Backend.cluster_options = Options(*fields, handler=configure)
c.ClusterConfig.idle_timeout = dask["idle_timeout_seconds"]
c.ClusterConfig.cluster_max_cores = dask["cluster_max_cores"]
c.ClusterConfig.cluster_max_memory = int(dask["cluster_max_memory_gib"] * GIB)
c.ClusterConfig.cluster_max_workers = dask["cluster_max_workers"]
c.ClusterConfig.scheduler_cores = 1
c.ClusterConfig.scheduler_memory = int(dask["scheduler_memory_gib"] * GIB)
