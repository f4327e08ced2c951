"""Temporary access to a cluster's Kubernetes API from a machine outside its network.

The API is closed from outside unless the environment's `api_public_cidrs` says otherwise. A job
that deploys opens it to its own address and closes it when it ends. Terraform ignores both
settings once the cluster is there, so that no plan, drift or state depends on who is at work.

AWS keeps the list of addresses when the API is closed, and shows it ever after: the list means
something only while the API is open.
"""

import ipaddress
import subprocess
from dataclasses import dataclass
from typing import Any

from pangeo_core.errors import MissingPrerequisite
from pangeo_deploy.deployment import Deployment

WHO_AM_I = "https://checkip.amazonaws.com"
TIMEOUT_SECONDS = 10.0
WAIT = {"Delay": 10, "MaxAttempts": 90}  # AWS takes minutes to change an endpoint


@dataclass(frozen=True)
class Access:
    """The networks outside the VPC from which the API is reached; none while it is closed."""

    networks: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return ", ".join(sorted(self.networks)) or "nobody outside its network"


def declared(deployment: Deployment) -> Access:
    """Return the access that the environment's variables ask for.

    From the configuration, never from the state: what a lost runner left open is in the state
    after the next refresh.
    """
    import hcl2

    values = hcl2.loads(deployment.tfvars.read_text())
    return Access(frozenset(str(value).strip('"') for value in values.get("api_public_cidrs", ())))


def own_network() -> str:
    """Return the network of this machine alone, as AWS sees it from outside."""
    import requests

    try:
        answer = requests.get(WHO_AM_I, timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
        return f"{ipaddress.ip_address(answer.text.strip())}/32"
    except (requests.RequestException, ValueError) as error:
        raise MissingPrerequisite(
            "This machine's address is not known.", why=f"{WHO_AM_I}: {error}"
        ) from error


def current(eks: Any, cluster: str) -> Access | None:
    """Return the access as it is now, None where there is no such cluster."""
    try:
        config = eks.describe_cluster(name=cluster)["cluster"]["resourcesVpcConfig"]
    except eks.exceptions.ResourceNotFoundException:
        return None
    is_open = bool(config["endpointPublicAccess"])
    return Access(frozenset(config.get("publicAccessCidrs") or ()) if is_open else frozenset())


def open_to(eks: Any, cluster: str, network: str, always: Access) -> Access | None:
    """Let `network` and `always` reach the API, and wait until they do. None without a cluster.

    Nobody else: jobs that deploy exclude each other, so another address is a lost runner's.
    """
    return set_to(eks, cluster, Access(always.networks | {network}))


def set_to(eks: Any, cluster: str, wanted: Access) -> Access | None:
    """Have the API reached from `wanted` alone, and wait until it is. None without a cluster."""
    now = current(eks, cluster)
    if now is None or now == wanted:
        return now
    is_open = bool(wanted.networks)
    # AWS refuses an update that changes nothing; without a list it keeps the one it has.
    listed = {"publicAccessCidrs": sorted(wanted.networks)} if is_open else {}
    config = {"endpointPublicAccess": is_open, "endpointPrivateAccess": True, **listed}
    eks.update_cluster_config(name=cluster, resourcesVpcConfig=config)
    eks.get_waiter("cluster_active").wait(name=cluster, WaiterConfig=WAIT)
    return current(eks, cluster)


def write_kubeconfig(cluster: str) -> None:
    """Have kubectl and helm reach the cluster, by the `aws` program's own means."""
    try:
        done = subprocess.run(
            ["aws", "eks", "update-kubeconfig", "--name", cluster],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise MissingPrerequisite(
            "There is no aws on PATH.", why=str(error), fix="Install the AWS command line."
        ) from error
    if done.returncode:
        raise MissingPrerequisite(
            f"kubectl cannot be pointed at {cluster}.", why=done.stderr.strip()
        )
