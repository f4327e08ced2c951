"""Endpoints of AWS services inside a VPC."""

from typing import Any

from tf.types import Unknown

from emulated_aws.resources.base import Api, State, changed, first
from emulated_aws.resources.ec2 import described, filters

ENDPOINT_LISTS = {
    "route_table_ids": "RouteTableIds",
    "subnet_ids": "SubnetIds",
    "security_group_ids": "SecurityGroupIds",
}


def settle_endpoint(api: Api, old: State, new: State) -> None:
    """Update an endpoint's route tables, subnets, groups, policy and private DNS."""
    if not old:
        return
    asked: dict[str, Any] = {}
    for name, option in ENDPOINT_LISTS.items():
        before, after = set(old.get(name) or ()), set(new.get(name) or ())
        asked[f"Add{option}"] = sorted(after - before) or None
        asked[f"Remove{option}"] = sorted(before - after) or None
    if changed(old, new, "policy"):
        asked["PolicyDocument"] = new["policy"]
    if changed(old, new, "private_dns_enabled"):
        asked["PrivateDnsEnabled"] = new["private_dns_enabled"]
    if any(value is not None for value in asked.values()):
        api.call("ec2", "modify_vpc_endpoint", VpcEndpointId=new["id"], **asked)


def plan_endpoint(api: Api, prior: State | None, planned: State) -> None:
    """Plan the interfaces as unknown when the subnets change."""
    if prior and changed(prior, planned, "subnet_ids"):
        planned["network_interface_ids"] = Unknown


def more_of_endpoint(api: Api, found: dict[str, Any]) -> State:
    """Flatten groups and names; add a gateway's prefix list."""
    named = filters({"prefix-list-name": found["ServiceName"]})
    prefixes = first(api.call("ec2", "describe_prefix_lists", Filters=named)["PrefixLists"]) or {}
    gateway = found["VpcEndpointType"] == "Gateway"
    return {
        "dns_entry": found.get("DnsEntries", []),
        "dns_options": [],
        "security_group_ids": [group["GroupId"] for group in found.get("Groups", ())],
        "prefix_list_id": prefixes.get("PrefixListId") if gateway else None,
        "cidr_blocks": prefixes.get("Cidrs", []) if gateway else [],
        "policy": found.get("PolicyDocument"),
        "ip_address_type": found.get("IpAddressType", "" if gateway else "ipv4"),
        "requester_managed": found.get("RequesterManaged", False),
        "private_dns_enabled": found.get("PrivateDnsEnabled", False),
        "service_region": found.get("ServiceRegion", api.region),
        "state": found["State"].lower(),
        "subnet_configuration": [],
    }


RESOURCES = {
    "aws_vpc_endpoint": described(
        "vpc-endpoint",
        "VpcEndpoint",
        create="create_vpc_endpoint",
        describe="describe_vpc_endpoints",
        delete="delete_vpc_endpoints",
        delete_by_list=True,
        always=lambda new: {"PrivateDnsEnabled": bool(new["private_dns_enabled"])},
        key="VpcEndpointId",
        more=more_of_endpoint,
        settle=settle_endpoint,
        plan=plan_endpoint,
        names={"policy": "PolicyDocument"},
        documents=frozenset({"policy"}),
    ),
}
