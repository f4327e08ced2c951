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

from dask_gateway_server.auth import JupyterHubAuthenticator
from dask_gateway_server.backends.base import PublicException
from dask_gateway_server.options import Float, Integer, Mapping, Options, String

GIB = 2**30
LISTED_SECONDS = 30
ENVIRONMENT_LENGTH = 32_768  # a cluster's whole record must fit into one object of Kubernetes
HUBS_OWN = ("PANGEO_CLUSTER_", "PANGEO_HUB_")  # variables by which clusters are known
USER = "hub.jupyter.org/username"  # what kube-state-metrics and the cost reports look for
LAUNCHED = "PANGEO_CLUSTER_LAUNCHED"  # by it the janitor knows that a cluster ends with a launch

settings = json.loads(os.environ["PANGEO_SETTINGS"])
dask, binder = settings["dask"], settings["binder"]
for_launches = binder["dask"]
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


def runs(image, launched=False):
    """Tell whether clusters may run an image: one that a server may run.

    Any tag of those listed: on the day of an upgrade, servers still run the one before. What Binder
    made is for what Binder launched.
    """
    prefix, other = binder["registry_prefix"], settings["software"]["other"]
    if launched and prefix and image.startswith(prefix):
        return True
    return repository_of(image) in repositories or bool(other and re.fullmatch(other, image))


def configure(options, user):
    """Return the cluster's configuration for validated `options` of `user`.

    Raises ValueError, which the gateway answers with 422, for what the options cannot check.
    """
    if not math.isfinite(options.worker_memory):
        raise ValueError("worker_memory must be a number of GiB")
    launched = is_launched(user)
    if on_kubernetes and not runs(options.image, launched):
        raise ValueError(f"image must be a version of {', or of '.join(sorted(repositories))}")
    marks = {"PANGEO_CLUSTER_OWNER": user.name, **({LAUNCHED: "1"} if launched else {})}
    cluster = {
        "worker_cores": options.worker_cores,
        "worker_threads": options.worker_cores,
        "worker_memory": int(options.worker_memory * GIB),
        "environment": {**variables(options.environment), **marks},
    }
    if launched:
        cluster |= {
            "cluster_max_cores": for_launches["cluster_max_cores"],
            "cluster_max_memory": int(for_launches["cluster_max_memory_gib"] * GIB),
            "cluster_max_workers": for_launches["cluster_max_workers"],
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
    if on_kubernetes and launched:
        # The service account `dask` may write to everybody's `shared/`: theirs may do nothing.
        nobody = {"serviceAccountName": "default", "automountServiceAccountToken": False}
        for name in ("scheduler_extra_pod_config", "worker_extra_pod_config"):
            cluster[name] = {**(c.KubeClusterConfig.get(name) or {}), **nobody}
    return cluster


def variables(environment):
    """Return the environment variables that a user gives to a cluster, without the hub's own.

    Raises ValueError for what Kubernetes would refuse again and again, whenever a pod is made.
    """
    for name, value in environment.items():
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"environment: {name[:40]!r} is no name of a variable")
        if not isinstance(value, str) or "\0" in value:
            raise ValueError(f"environment: {name[:40]} must be text")
    if sum(len(name) + len(value) for name, value in environment.items()) > ENVIRONMENT_LENGTH:
        raise ValueError(f"environment: more than {ENVIRONMENT_LENGTH} characters")
    return {name: one for name, one in environment.items() if not name.startswith(HUBS_OWN)}


def is_launched(user):
    """Tell whether whoever asks is a launched server: what knows no launches has none."""
    return getattr(user, "launched", False)


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

        async def everyones(self):
            """Return whose each cluster is, and whether it was made in a launch."""
            # A cluster of a moment ago may not be listed yet.
            soon = time.monotonic() - LISTED_SECONDS
            self.started = {name: one for name, one in self.started.items() if one[1] > soon}
            recent = {name: whose for name, (whose, _) in self.started.items()}
            listed = {
                one.name: (one.username, LAUNCHED in ((one.config or {}).get("environment") or {}))
                for one in await self.list_clusters()
            }
            return list((recent | listed).values())

        async def start_cluster(self, user, cluster_options):
            async with self.one_at_a_time:
                clusters, launched = await self.everyones(), is_launched(user)
                theirs = [in_launch for owner, in_launch in clusters if owner == user.name]
                if launched and sum(theirs) >= for_launches["clusters_per_person"]:
                    raise PublicException(
                        f"You have {sum(theirs)} clusters, as many as a launch from Binder may."
                    )
                if len(theirs) >= dask["clusters_per_person"]:
                    raise PublicException(
                        f"You have {len(theirs)} clusters, as many as a person may. "
                        "Shut one down: Gateway().list_clusters(), Gateway().stop_cluster(name)"
                    )
                if len(clusters) >= dask["clusters_at_once"]:
                    raise PublicException("The hub has as many clusters as it may. Try later.")
                name = await super().start_cluster(user, cluster_options)
                self.started[name] = ((user.name, launched), time.monotonic())
                return name

        async def stop_cluster(self, cluster_name, failed=False):
            self.started.pop(cluster_name, None)
            await super().stop_cluster(cluster_name, failed)

    return Limited


class TellsLaunches(JupyterHubAuthenticator):
    """JupyterHub's log-in, which also knows whether a launched server asks.

    A person's own tokens open Binder. The token of a launched server does not (hub.py), and a token
    that was made for Dask alone is treated like one.
    """

    async def authenticate(self, request):
        """Return the user, with whether the token is a launched server's."""
        user = await super().authenticate(request)
        own = {"access:services", "access:services!service=binder"}
        asked = {"headers": {"Authorization": f"token {self.get_token(request)}"}}
        url = f"{self.jupyterhub_api_url}/user"
        async with self.session.get(url, ssl=self.ssl_context, **asked) as answer:
            scopes = (await answer.json()).get("scopes", [])
        user.launched = not own.intersection(scopes)
        return user


# `TellsLaunches` reads the options of the class that it extends: the charts set those.
launches_compute = "binder" in settings["services"] and for_launches["clusters_per_person"] > 0
if launches_compute:
    c.DaskGateway.authenticator_class = TellsLaunches

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
