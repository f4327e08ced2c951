"""The Kubernetes API's door: shut from outside, opened to the machine that deploys, shut again."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pangeo_core.errors import MissingPrerequisite

WHO_AM_I = "https://checkip.amazonaws.com"
TIMEOUT_SECONDS = 10.0
PATIENCE = {"Delay": 10, "MaxAttempts": 90}  # AWS takes minutes to change an endpoint


@dataclass(frozen=True)
class Door:
    """Whether the API is reachable from outside the VPC, and from which networks."""

    public: bool
    networks: frozenset[str] = frozenset()


def declared(state: Mapping[str, Any]) -> Door:
    """Return the door as Terraform left it, from its state; shut where there is no cluster."""
    for resource in state.get("resources", ()):
        if resource["type"] == "aws_eks_cluster" and resource["mode"] == "managed":
            for instance in resource["instances"]:
                config = instance["attributes"]["vpc_config"][0]
                networks = frozenset(config["public_access_cidrs"] or ())
                return Door(bool(config["endpoint_public_access"]), networks)
    return Door(False)


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


def open_to(eks: Any, cluster: str, network: str) -> Door:
    """Let `network` reach the API beside those that may; return the door. Waits for AWS."""
    now = seen(eks, cluster)
    known = now.networks if now.public else frozenset()
    return put(eks, cluster, Door(True, known | {network}))


def shut_to(eks: Any, cluster: str, network: str, left: Door) -> Door:
    """Take `network` out again; the door is then as `left` says, but for others that use it now.

    Nothing is done where the cluster is gone.
    """
    try:
        now = seen(eks, cluster)
    except eks.exceptions.ResourceNotFoundException:
        return Door(False)
    others = (now.networks - {network}) if now.public else frozenset()
    networks = others | (left.networks if left.public else frozenset())
    return put(eks, cluster, Door(bool(networks), networks))


def put(eks: Any, cluster: str, door: Door) -> Door:
    """Have the door be so, and wait until it is."""
    now = seen(eks, cluster)
    if (now.public, now.networks if now.public else None) == (
        door.public,
        door.networks if door.public else None,
    ):
        return now
    networks = {"publicAccessCidrs": sorted(door.networks)} if door.public else {}
    config = {"endpointPublicAccess": door.public, "endpointPrivateAccess": True, **networks}
    eks.update_cluster_config(name=cluster, resourcesVpcConfig=config)
    eks.get_waiter("cluster_active").wait(name=cluster, WaiterConfig=PATIENCE)
    return seen(eks, cluster)


def seen(eks: Any, cluster: str) -> Door:
    """Return the door as it is now."""
    config = eks.describe_cluster(name=cluster)["cluster"]["resourcesVpcConfig"]
    networks = frozenset(config.get("publicAccessCidrs") or ())
    return Door(bool(config["endpointPublicAccess"]), networks)
