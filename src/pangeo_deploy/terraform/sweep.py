"""What still carries a deployment's tags, by asking the account and not the state."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jmespath

from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets import connect

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
    """One thing that carries the tags. `id` is its ARN or id; the price is None while unknown."""

    id: str
    type: str
    usd_per_month: str | None = None


def sweep(deployment: Deployment) -> tuple[Leftover, ...]:
    """Return everything in the deployment's account that still carries its tags."""
    with connect(deployment) as cloud:
        return sweep_account(cloud.client, deployment.tags)


def sweep_account(client: Callable[[str], Any], tags: Mapping[str, str]) -> tuple[Leftover, ...]:
    """Return everything in the account's region that carries all of `tags`, by type and id."""
    found = {*_ec2(client("ec2"), tags), *_others(client("resourcegroupstaggingapi"), tags)}
    return tuple(sorted(found, key=lambda one: (one.type, one.id)))


def _ec2(ec2: Any, tags: Mapping[str, str]) -> Iterator[Leftover]:
    filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
    for kind, (operation, items, key) in EC2.items():
        # This one operation keeps an old name for the parameter.
        name = "Filter" if operation == "describe_nat_gateways" else "Filters"
        pages = (
            ec2.get_paginator(operation).paginate(**{name: filters})
            if ec2.can_paginate(operation)
            else [getattr(ec2, operation)(**{name: filters})]
        )
        for page in pages:
            for one in jmespath.search(items, page) or ():
                # The filter saves pages; whether it was applied is not left to trust.
                carried = {tag["Key"]: tag["Value"] for tag in one.get("Tags", ())}
                if tags.items() <= carried.items():
                    yield Leftover(one[key], kind)


def _others(tagging: Any, tags: Mapping[str, str]) -> Iterator[Leftover]:
    filters = [{"Key": key, "Values": [value]} for key, value in tags.items()]
    for page in tagging.get_paginator("get_resources").paginate(TagFilters=filters):
        for one in page["ResourceTagMappingList"]:
            arn = one["ResourceARN"]
            if arn.split(":")[2] != "ec2":
                yield Leftover(arn, _type(arn))


def _type(arn: str) -> str:
    """Return the service and kind that an ARN names: of `arn:aws:s3:::bucket`, `s3`."""
    service, resource = arn.split(":")[2], arn.split(":", 5)[5]
    return f"{service}:{resource.split('/')[0]}" if "/" in resource else service
