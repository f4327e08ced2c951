"""Dask-Gateway's configuration: what a user may ask of a cluster, and when it ends by itself.

The chart runs this file as `gateway.extraConfig`, the rehearsal loads it from here: one source. All
that differs between environments is in `PANGEO_SETTINGS`, the JSON of `pangeo` in the Helm values.
"""

import json
import os

from dask_gateway_server.options import Float, Integer, Mapping, Options, String

GIB = 2**30
USER = "hub.jupyter.org/username"  # what kube-state-metrics and the cost reports look for

settings = json.loads(os.environ["PANGEO_SETTINGS"])
dask = settings["dask"]
on_kubernetes = "KUBERNETES_SERVICE_HOST" in os.environ


def configure(options, user):
    """Return the cluster's configuration for validated `options` of `user`."""
    cluster = {
        "worker_cores": options.worker_cores,
        "worker_threads": options.worker_cores,
        "worker_memory": int(options.worker_memory * GIB),
        "environment": {**options.environment, "PANGEO_CLUSTER_OWNER": user.name},
    }
    if on_kubernetes:
        owner = {"annotations": {USER: user.name}, "labels": {USER: user.name}}
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
    # The server's own image by default, so that client, scheduler and workers are of one version.
    fields.append(String("image", settings["image"], label="Image"))

c.Backend.cluster_options = Options(*fields, handler=configure)
c.ClusterConfig.idle_timeout = dask["idle_timeout_seconds"]
c.ClusterConfig.cluster_max_cores = dask["cluster_max_cores"]
c.ClusterConfig.cluster_max_memory = int(dask["cluster_max_memory_gib"] * GIB)
c.ClusterConfig.cluster_max_workers = dask["cluster_max_workers"]
c.ClusterConfig.scheduler_cores = 1
c.ClusterConfig.scheduler_memory = int(dask["scheduler_memory_gib"] * GIB)
