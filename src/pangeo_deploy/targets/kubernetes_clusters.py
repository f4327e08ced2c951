"""The Dask clusters of a hub on Kubernetes: the gateway's own resources, through kubectl."""

import json
import subprocess
from collections.abc import Callable
from datetime import datetime
from typing import Any

from hub_user.idle_rules import LAUNCHED
from hub_user.janitor import Cluster
from pangeo_core.errors import PangeoDeployError
from pangeo_deploy.charts.programs import find

KIND = "daskclusters.gateway.dask.org"
GIB = 2**30


class ClustersUnknown(PangeoDeployError):
    """kubectl could not list the clusters, or stop one."""


def clusters(namespace: str) -> list[Cluster]:
    """Return the Dask clusters that run in `namespace` of kubectl's context."""
    told = json.loads(kubectl("get", KIND, "--namespace", namespace, "--output", "json"))
    return [cluster(resource, namespace) for resource in told["items"] if lives(resource)]


def lives(resource: dict[str, Any]) -> bool:
    """Return whether a cluster has neither ended nor been told to."""
    ended = "completionTime" in resource.get("status", {})
    return bool(resource["spec"].get("active", True)) and not ended


def cluster(resource: dict[str, Any], namespace: str) -> Cluster:
    """Return a custom resource as a cluster."""
    spec, metadata = resource["spec"], resource["metadata"]
    config = spec.get("config") or {}
    return Cluster(
        metadata["name"],
        spec.get("username", ""),
        datetime.fromisoformat(metadata["creationTimestamp"].replace("Z", "+00:00")),
        int(spec.get("replicas") or 0),
        float(config.get("worker_cores", 1)),
        float(config.get("worker_memory", 0)) / GIB,
        ending(metadata["name"], namespace),
        LAUNCHED in (config.get("environment") or {}),
    )


def ending(name: str, namespace: str) -> Callable[[], None]:
    """Return a function that ends a cluster as the gateway does: by making it inactive."""
    patch = '{"spec": {"active": false}}'

    def end() -> None:
        words = ("patch", KIND, name, "--namespace", namespace, "--type", "merge", "--patch", patch)
        kubectl(*words)

    return end


def kubectl(*words: str) -> str:
    """Return kubectl's output."""
    try:
        done = subprocess.run(
            [find("kubectl") or "kubectl", *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClustersUnknown("kubectl does not answer.", why=str(error)) from error
    if done.returncode:
        raise ClustersUnknown(f"kubectl {words[0]} failed.", why=done.stderr.strip())
    return done.stdout
