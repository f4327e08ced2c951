"""What still carries a deployment's tags, and its upkeep: by asking the account, not the state."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jmespath

from hub_costs.estimates import prices
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets import Cloud, connect
from pangeo_deploy.terraform.leftover_cost import usd_per_month

__all__ = ["sweep"]

# EC2's things by kind: how to list them, where the answer has them, and what their id is called.
# The tagging API is not asked for these: it goes on naming what was deleted for a while.
EC2 = {
    "address": ("describe_addresses", "Addresses[]", "AllocationId"),
    "instance": (
        "describe_instances",
        "Reservations[].Instances[?State.Name != 'terminated'][]",
        "InstanceId",
    ),
    "internet-gateway": ("describe_internet_gateways", "InternetGateways[]", "InternetGatewayId"),
    "launch-template": ("describe_launch_templates", "LaunchTemplates[]", "LaunchTemplateId"),
    "nat-gateway": ("describe_nat_gateways", "NatGateways[?State != 'deleted']", "NatGatewayId"),
    "network-interface": (
        "describe_network_interfaces",
        "NetworkInterfaces[]",
        "NetworkInterfaceId",
    ),
    "route-table": ("describe_route_tables", "RouteTables[]", "RouteTableId"),
    "security-group": ("describe_security_groups", "SecurityGroups[]", "GroupId"),
    "snapshot": ("describe_snapshots", "Snapshots[]", "SnapshotId"),
    "subnet": ("describe_subnets", "Subnets[]", "SubnetId"),
    "volume": ("describe_volumes", "Volumes[]", "VolumeId"),
    "vpc": ("describe_vpcs", "Vpcs[]", "VpcId"),
    "vpc-endpoint": (
        "describe_vpc_endpoints",
        "VpcEndpoints[?State != 'deleted']",
        "VpcEndpointId",
    ),
}


@dataclass(frozen=True)
class Leftover:
    """One thing that carries the tags. `id` is its ARN or id, the price None where not known."""

    id: str
    type: str
    usd_per_month: str | None = None


def sweep(deployment: Deployment) -> tuple[Leftover, ...]:
    """Return everything in the deployment's account that still belongs to it, with its upkeep."""
    with connect(deployment) as cloud:
        return sweep_account(cloud, deployment)


def sweep_account(cloud: Cloud, deployment: Deployment) -> tuple[Leftover, ...]:
    """Do the same on an account that is open already."""
    listed = prices.read()
    found = {
        (kind, identity): thing
        for key, value in deployment.owner_tags.items()
        for kind, identity, thing in (*_ec2(cloud, key, value), *_others(cloud, key, value))
    }
    found |= {(kind, identity): thing for kind, identity, thing in _logs(cloud, deployment.name)}
    return tuple(
        Leftover(identity, kind, usd_per_month(cloud, kind, identity, thing, listed))
        for (kind, identity), thing in sorted(found.items(), key=lambda item: item[0])
    )


Found = Iterator[tuple[str, str, Mapping[str, Any]]]


def _ec2(cloud: Cloud, key: str, value: str) -> Found:
    ec2 = cloud.client("ec2")
    filters = [{"Name": f"tag:{key}", "Values": [value]}]
    for kind, (operation, items, name) in EC2.items():
        # This one operation keeps an old name for the parameter.
        asked = {"Filter" if operation == "describe_nat_gateways" else "Filters": filters}
        pages = (
            ec2.get_paginator(operation).paginate(**asked)
            if ec2.can_paginate(operation)
            else [getattr(ec2, operation)(**asked)]
        )
        for page in pages:
            for thing in jmespath.search(items, page) or ():
                # The filter saves pages; whether it was applied is not left to trust.
                if {"Key": key, "Value": value} in thing.get("Tags", ()):
                    yield kind, thing[name], thing


def _others(cloud: Cloud, key: str, value: str) -> Found:
    pages = cloud.client("resourcegroupstaggingapi").get_paginator("get_resources")
    for page in pages.paginate(TagFilters=[{"Key": key, "Values": [value]}]):
        for one in page["ResourceTagMappingList"]:
            arn = one["ResourceARN"]
            if arn.split(":")[2] != "ec2" and not _is_going(cloud, arn):
                yield _kind(arn), arn, {}


def _logs(cloud: Cloud, cluster: str) -> Found:
    """Find the cluster's log groups by name: EKS makes them anew, untagged, when they are gone."""
    pages = cloud.client("logs").get_paginator("describe_log_groups")
    for page in pages.paginate(logGroupNamePrefix=f"/aws/eks/{cluster}/"):
        for group in page["logGroups"]:
            yield "logs:log-group", group["arn"].removesuffix(":*"), group


def _is_going(cloud: Cloud, arn: str) -> bool:
    """Tell whether a thing is a key that waits for its deletion, which costs nothing."""
    if _kind(arn) != "kms:key":
        return False
    found = cloud.client("kms").describe_key(KeyId=arn)["KeyMetadata"]
    return bool(found["KeyState"] in ("PendingDeletion", "PendingReplicaDeletion"))


def _kind(arn: str) -> str:
    """Return the service and kind that an ARN names: of `arn:aws:s3:::bucket`, `s3`."""
    service, resource = arn.split(":")[2], arn.split(":", 5)[5]
    kind = resource.split("/")[0].split(":")[0]
    return service if kind == resource else f"{service}:{kind}"
