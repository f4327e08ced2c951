"""VPCs and what is in them."""

import zlib
from collections.abc import Callable, Mapping
from typing import Any

from tf.types import Unknown

from pangeo_deploy.rehearsal.resources.base import (
    Api,
    Resource,
    State,
    changed,
    cidr,
    document,
    exactly_one,
    first,
    one_of,
    tags_as_list,
)


def described(
    kind: str,
    noun: str,
    *,
    create: str,
    describe: str,
    delete: str,
    key: str,
    many: str = "",
    delete_by_list: bool = False,
    more: Callable[[Api, dict[str, Any]], State] = lambda api, found: {},
    before_delete: Callable[[Api, State], object] = lambda api, state: None,
    names: Mapping[str, str] | None = None,
    **rest: Any,
) -> Resource:
    """Return the resource of a thing that EC2 makes, describes and deletes in its usual way.

    `kind` is what its tags and ARN call it, `noun` what answers call it, `key` its id's name,
    `many` what a list of it is called; `more` gives attributes that the description does not hold.
    """

    def make(api: Api, new: State) -> str:
        tags = tags_as_list(new.get("tags_all"))
        answer = api.call(
            "ec2",
            create,
            **api.parameters("ec2", create, new, **(names or {})),
            TagSpecifications=[{"ResourceType": kind, "Tags": tags}] if tags else None,
        )
        return str(answer.get(noun, answer)[key])

    def read(api: Api, state: State) -> State | None:
        answer = api.call("ec2", describe, **{f"{key}s": [state["id"]]})
        found = first(answer[many or f"{noun}s"])
        if not found or found.get("State") in ("deleting", "deleted"):
            return None
        known = {
            "id": found[key],
            "arn": api.arn("ec2", f"{kind}/{found[key]}"),
            "owner_id": api.account_id,
        }
        return {**known, **api.attributes(found, **(names or {})), **more(api, found)}

    def remove(api: Api, state: State) -> None:
        before_delete(api, state)
        by_list = {f"{key}s": [state["id"]]}
        api.call("ec2", delete, **(by_list if delete_by_list else {key: state["id"]}))

    return Resource(create=make, read=read, delete=remove, retag=retag, **rest)


def retag(api: Api, state: State, given: dict[str, str], removed: list[str]) -> None:
    """Set and remove tags of any EC2 thing."""
    if removed:
        api.call(
            "ec2", "delete_tags", Resources=[state["id"]], Tags=[{"Key": key} for key in removed]
        )
    if given:
        api.call("ec2", "create_tags", Resources=[state["id"]], Tags=tags_as_list(given))


def filters(values: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return EC2's filters."""
    return [{"Name": name, "Values": [value]} for name, value in values.items()]


# VPC and subnets

VPC_SWITCHES = {
    "enable_dns_support": "EnableDnsSupport",
    "enable_dns_hostnames": "EnableDnsHostnames",
    "enable_network_address_usage_metrics": "EnableNetworkAddressUsageMetrics",
}


def settle_vpc(api: Api, old: State, new: State) -> None:
    """Set the switches, one a call as the API wants it."""
    for name, option in VPC_SWITCHES.items():
        if new[name] is not None and changed(old, new, name):
            api.call(
                "ec2", "modify_vpc_attribute", VpcId=new["id"], **{option: {"Value": new[name]}}
            )


def more_of_vpc(api: Api, vpc: dict[str, Any]) -> State:
    """Read the switches and what AWS made along with the VPC."""
    found: State = {}
    for name, option in VPC_SWITCHES.items():
        asked = option[0].lower() + option[1:]
        answer = api.call("ec2", "describe_vpc_attribute", VpcId=vpc["VpcId"], Attribute=asked)
        found[name] = answer[option]["Value"]

    def made_along(operation: str, many: str, key: str, which: Mapping[str, str]) -> Any:
        asked = filters({"vpc-id": vpc["VpcId"], **which})
        thing = first(api.call("ec2", operation, Filters=asked)[many])
        return thing[key] if thing else ""

    main = made_along(
        "describe_route_tables", "RouteTables", "RouteTableId", {"association.main": "true"}
    )
    return {
        **found,
        "main_route_table_id": main,
        "default_route_table_id": main,
        "default_network_acl_id": made_along(
            "describe_network_acls", "NetworkAcls", "NetworkAclId", {"default": "true"}
        ),
        "default_security_group_id": made_along(
            "describe_security_groups", "SecurityGroups", "GroupId", {"group-name": "default"}
        ),
        "ipv6_association_id": "",
        "ipv6_cidr_block": "",
        "ipv6_cidr_block_network_border_group": "",
    }


SUBNET_SWITCHES = {
    "map_public_ip_on_launch": "MapPublicIpOnLaunch",
    "enable_resource_name_dns_a_record_on_launch": "EnableResourceNameDnsARecordOnLaunch",
    "enable_resource_name_dns_aaaa_record_on_launch": "EnableResourceNameDnsAAAARecordOnLaunch",
    "enable_dns64": "EnableDns64",
    "assign_ipv6_address_on_creation": "AssignIpv6AddressOnCreation",
}


def settle_subnet(api: Api, old: State, new: State) -> None:
    """Set the switches, one a call as the API wants it; they are off at first."""
    for name, option in SUBNET_SWITCHES.items():
        if bool(old.get(name)) != bool(new[name]):
            value = {option: {"Value": bool(new[name])}}
            api.call("ec2", "modify_subnet_attribute", SubnetId=new["id"], **value)


def more_of_subnet(api: Api, subnet: dict[str, Any]) -> State:
    """Flatten what EC2 nests."""
    options = subnet.get("PrivateDnsNameOptionsOnLaunch") or {}
    return {
        "arn": subnet.get("SubnetArn"),
        "private_dns_hostname_type_on_launch": options.get("HostnameType", "ip-name"),
        "enable_resource_name_dns_a_record_on_launch": options.get(
            "EnableResourceNameDnsARecord", False
        ),
        "enable_resource_name_dns_aaaa_record_on_launch": options.get(
            "EnableResourceNameDnsAAAARecord", False
        ),
        "enable_dns64": subnet.get("EnableDns64", False),
        "ipv6_cidr_block": "",
        "ipv6_cidr_block_association_id": "",
    }


# Gateways and addresses


def settle_internet_gateway(api: Api, old: State, new: State) -> None:
    """Attach the gateway to its VPC."""
    if changed(old, new, "vpc_id"):
        detach_internet_gateway(api, old)
        if new.get("vpc_id"):
            api.call(
                "ec2", "attach_internet_gateway", InternetGatewayId=new["id"], VpcId=new["vpc_id"]
            )


def detach_internet_gateway(api: Api, state: State) -> None:
    """Detach the gateway from its VPC, if it has one."""
    if state.get("vpc_id"):
        api.call(
            "ec2", "detach_internet_gateway", InternetGatewayId=state["id"], VpcId=state["vpc_id"]
        )


def more_of_internet_gateway(api: Api, found: dict[str, Any]) -> State:
    """Flatten the attachment."""
    attached = first(found.get("Attachments") or ())
    return {"vpc_id": attached["VpcId"] if attached else ""}


def more_of_address(api: Api, found: dict[str, Any]) -> State:
    """Give the names that EC2's DNS has for the address."""
    zone = "compute-1" if api.region == "us-east-1" else f"{api.region}.compute"
    public = found.get("PublicIp", "").replace(".", "-")
    private = (found.get("PrivateIpAddress") or "").replace(".", "-")
    return {
        "arn": api.arn("ec2", f"elastic-ip/{found['AllocationId']}"),
        "allocation_id": found["AllocationId"],
        "association_id": found.get("AssociationId", ""),
        "instance": found.get("InstanceId", ""),
        "network_interface": found.get("NetworkInterfaceId", ""),
        "network_border_group": found.get("NetworkBorderGroup", api.region),
        "public_ipv4_pool": found.get("PublicIpv4Pool", "amazon"),
        "public_dns": f"ec2-{public}.{zone}.amazonaws.com",
        "private_ip": found.get("PrivateIpAddress", ""),
        "private_dns": f"ip-{private}.{api.region}.compute.internal" if private else None,
        "carrier_ip": "",
        "customer_owned_ip": "",
        "ptr_record": "",
    }


def more_of_nat_gateway(api: Api, found: dict[str, Any]) -> State:
    """Flatten the primary address."""
    address = first(found.get("NatGatewayAddresses") or ()) or {}
    return {
        "allocation_id": address.get("AllocationId"),
        "association_id": address.get("AssociationId"),
        "network_interface_id": address.get("NetworkInterfaceId"),
        "private_ip": address.get("PrivateIp"),
        "public_ip": address.get("PublicIp"),
        "availability_mode": found.get("AvailabilityMode", "zonal"),
        "secondary_allocation_ids": [],
        "secondary_private_ip_addresses": [],
        "secondary_private_ip_address_count": 0,
    }


# Routes

DESTINATIONS = {
    "destination_cidr_block": "DestinationCidrBlock",
    "destination_ipv6_cidr_block": "DestinationIpv6CidrBlock",
    "destination_prefix_list_id": "DestinationPrefixListId",
}
TARGETS = {
    "gateway_id": "GatewayId",
    "nat_gateway_id": "NatGatewayId",
    "network_interface_id": "NetworkInterfaceId",
    "transit_gateway_id": "TransitGatewayId",
    "vpc_endpoint_id": "VpcEndpointId",
    "vpc_peering_connection_id": "VpcPeeringConnectionId",
    "egress_only_gateway_id": "EgressOnlyInternetGatewayId",
    "carrier_gateway_id": "CarrierGatewayId",
    "core_network_arn": "CoreNetworkArn",
    "local_gateway_id": "LocalGatewayId",
}


def destination(state: State) -> tuple[str, str]:
    """Return the parameter and value of a route's destination."""
    return next((option, state[name]) for name, option in DESTINATIONS.items() if state.get(name))


def route_parameters(new: State) -> dict[str, str]:
    """Return where a route leads from, for what, and to what."""
    option, value = destination(new)
    targets = {option: new[name] for name, option in TARGETS.items() if new.get(name)}
    return {"RouteTableId": new["route_table_id"], option: value, **targets}


def create_route(api: Api, new: State) -> str:
    """Make a route; its id is the provider's own invention."""
    api.call("ec2", "create_route", **route_parameters(new))
    return f"r-{new['route_table_id']}{zlib.crc32(destination(new)[1].encode())}"


def settle_route(api: Api, old: State, new: State) -> None:
    """Lead an existing route elsewhere."""
    if old and changed(old, new, *TARGETS):
        api.call("ec2", "replace_route", **route_parameters(new))


def read_route(api: Api, state: State) -> State | None:
    """Find the route in its table."""
    option, value = destination(state)
    table = first(
        api.call("ec2", "describe_route_tables", RouteTableIds=[state["route_table_id"]])[
            "RouteTables"
        ]
    )
    found = first(route for route in (table or {}).get("Routes", ()) if route.get(option) == value)
    if not found:
        return None
    return {
        "route_table_id": state["route_table_id"],
        **{name: found.get(option, "") for name, option in {**DESTINATIONS, **TARGETS}.items()},
        "origin": found.get("Origin"),
        "state": found.get("State"),
        "instance_owner_id": "",
    }


def delete_route(api: Api, state: State) -> None:
    """Remove the route."""
    option, value = destination(state)
    api.call("ec2", "delete_route", RouteTableId=state["route_table_id"], **{option: value})


def create_association(api: Api, new: State) -> str:
    """Associate a subnet or gateway with a route table."""
    asked = api.parameters("ec2", "associate_route_table", new)
    return str(api.call("ec2", "associate_route_table", **asked)["AssociationId"])


def read_association(api: Api, state: State) -> State | None:
    """Find the association among its table's."""
    asked = filters({"association.route-table-association-id": state["id"]})
    for table in api.call("ec2", "describe_route_tables", Filters=asked)["RouteTables"]:
        for found in table["Associations"]:
            if found["RouteTableAssociationId"] == state["id"]:
                return {
                    "route_table_id": table["RouteTableId"],
                    "subnet_id": found.get("SubnetId", ""),
                    "gateway_id": found.get("GatewayId", ""),
                }
    return None


def settle_association(api: Api, old: State, new: State) -> None:
    """Move the association to another table, which gives it another id."""
    if old and changed(old, new, "route_table_id"):
        answer = api.call(
            "ec2",
            "replace_route_table_association",
            AssociationId=new["id"],
            RouteTableId=new["route_table_id"],
        )
        new["id"] = answer["NewAssociationId"]


def more_of_route_table(api: Api, found: dict[str, Any]) -> State:
    """List the routes that are not the VPC's own."""
    names = {**DESTINATIONS, **TARGETS}
    short = {
        "destination_cidr_block": "cidr_block",
        "destination_ipv6_cidr_block": "ipv6_cidr_block",
    }
    routes = [
        {short.get(name, name): route.get(option, "") for name, option in names.items()}
        for route in found["Routes"]
        if route.get("Origin") == "CreateRoute" and "DestinationPrefixListId" not in route
    ]
    return {"route": routes, "propagating_vgws": []}


# Endpoints

ENDPOINT_LISTS = {
    "route_table_ids": "RouteTableIds",
    "subnet_ids": "SubnetIds",
    "security_group_ids": "SecurityGroupIds",
}


def settle_endpoint(api: Api, old: State, new: State) -> None:
    """Add and remove what an existing endpoint serves; change its policy."""
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
    """Know the interfaces only after apply when the subnets change."""
    if prior and changed(prior, planned, "subnet_ids"):
        planned["network_interface_ids"] = Unknown


def more_of_endpoint(api: Api, found: dict[str, Any]) -> State:
    """Flatten groups and names; give a gateway's prefix list."""
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
    "aws_vpc": described(
        "vpc",
        "Vpc",
        create="create_vpc",
        describe="describe_vpcs",
        delete="delete_vpc",
        key="VpcId",
        more=more_of_vpc,
        settle=settle_vpc,
        immutable=frozenset(
            {"cidr_block", "ipv4_ipam_pool_id", "ipv4_netmask_length", "instance_tenancy"}
        ),
        defaults={"enable_dns_support": True, "instance_tenancy": "default"},
        checks={"cidr_block": cidr, "instance_tenancy": one_of("default", "dedicated")},
    ),
    "aws_subnet": described(
        "subnet",
        "Subnet",
        create="create_subnet",
        describe="describe_subnets",
        delete="delete_subnet",
        key="SubnetId",
        more=more_of_subnet,
        settle=settle_subnet,
        immutable=frozenset(
            {
                "vpc_id",
                "availability_zone",
                "availability_zone_id",
                "cidr_block",
                "ipv6_native",
                "outpost_arn",
            }
        ),
        defaults={**dict.fromkeys(SUBNET_SWITCHES, False), "ipv6_native": False},
        checks={"cidr_block": cidr},
    ),
    "aws_internet_gateway": described(
        "internet-gateway",
        "InternetGateway",
        create="create_internet_gateway",
        describe="describe_internet_gateways",
        delete="delete_internet_gateway",
        key="InternetGatewayId",
        more=more_of_internet_gateway,
        settle=settle_internet_gateway,
        before_delete=detach_internet_gateway,
    ),
    "aws_eip": described(
        "elastic-ip",
        "Address",
        create="allocate_address",
        describe="describe_addresses",
        delete="release_address",
        key="AllocationId",
        many="Addresses",
        more=more_of_address,
        immutable=frozenset(
            {"address", "domain", "ipam_pool_id", "network_border_group", "public_ipv4_pool"}
        ),
        checks={"domain": one_of("vpc", "standard")},
    ),
    "aws_nat_gateway": described(
        "natgateway",
        "NatGateway",
        create="create_nat_gateway",
        describe="describe_nat_gateways",
        delete="delete_nat_gateway",
        key="NatGatewayId",
        more=more_of_nat_gateway,
        immutable=frozenset(
            {
                "allocation_id",
                "connectivity_type",
                "private_ip",
                "subnet_id",
                "availability_mode",
                "vpc_id",
            }
        ),
        defaults={"connectivity_type": "public"},
        checks={"connectivity_type": one_of("private", "public")},
    ),
    "aws_route_table": described(
        "route-table",
        "RouteTable",
        create="create_route_table",
        describe="describe_route_tables",
        delete="delete_route_table",
        key="RouteTableId",
        more=more_of_route_table,
        immutable=frozenset({"vpc_id"}),
    ),
    "aws_route": Resource(
        create=create_route,
        settle=settle_route,
        read=read_route,
        delete=delete_route,
        validate=lambda config: [
            *exactly_one(config, *DESTINATIONS),
            *exactly_one(config, *TARGETS),
        ],
        immutable=frozenset({"route_table_id", *DESTINATIONS}),
        checks={"destination_cidr_block": cidr, "destination_ipv6_cidr_block": cidr},
    ),
    "aws_route_table_association": Resource(
        create=create_association,
        settle=settle_association,
        read=read_association,
        delete=lambda api, state: api.call(
            "ec2", "disassociate_route_table", AssociationId=state["id"]
        ),
        validate=lambda config: exactly_one(config, "subnet_id", "gateway_id"),
        immutable=frozenset({"subnet_id", "gateway_id"}),
    ),
    "aws_vpc_endpoint": described(
        "vpc-endpoint",
        "VpcEndpoint",
        create="create_vpc_endpoint",
        describe="describe_vpc_endpoints",
        delete="delete_vpc_endpoints",
        delete_by_list=True,
        key="VpcEndpointId",
        more=more_of_endpoint,
        settle=settle_endpoint,
        plan=plan_endpoint,
        names={"policy": "PolicyDocument"},
        immutable=frozenset(
            {
                "vpc_id",
                "service_name",
                "service_region",
                "vpc_endpoint_type",
                "resource_configuration_arn",
            }
        ),
        defaults={"vpc_endpoint_type": "Gateway"},
        documents=frozenset({"policy"}),
        checks={
            "policy": document,
            "vpc_endpoint_type": one_of(
                "Interface", "Gateway", "GatewayLoadBalancer", "Resource", "ServiceNetwork"
            ),
        },
    ),
}
