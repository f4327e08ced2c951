"""Routes, and associations of route tables."""

import zlib

from emulated_aws.resources.base import Api, Refused, Resource, State, changed, first
from emulated_aws.resources.ec2 import filters

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
    """Return a route's table, destination and target as parameters."""
    option, value = destination(new)
    targets = {option: new[name] for name, option in TARGETS.items() if new.get(name)}
    return {"RouteTableId": new["route_table_id"], option: value, **targets}


def create_route(api: Api, new: State) -> str:
    """Create a route; the provider makes up its id."""
    api.call("ec2", "create_route", **route_parameters(new))
    return f"r-{new['route_table_id']}{zlib.crc32(destination(new)[1].encode())}"


def imported_route(_api: Api, identity: str) -> State:
    """Return a route from an import's id: `rtb-1_10.0.0.0/16`."""
    table, _, value = identity.partition("_")
    if not value:
        raise Refused(f"unexpected format of ID ({identity}), expected ROUTETABLEID_DESTINATION")
    name = "destination_cidr_block"
    if ":" in value:
        name = "destination_ipv6_cidr_block"
    elif value.startswith("pl-"):
        name = "destination_prefix_list_id"
    known = {"route_table_id": table, name: value}
    return {**known, "id": f"r-{table}{zlib.crc32(value.encode())}"}


def imported_association(api: Api, identity: str) -> State:
    """Return an association from an import's id: `subnet-1/rtb-1`, or `igw-1/rtb-1`."""
    whose, _, table = identity.partition("/")
    tables = api.call("ec2", "describe_route_tables", RouteTableIds=[table])["RouteTables"]
    for found in tables[0]["Associations"]:
        if whose in (found.get("SubnetId"), found.get("GatewayId")):
            return {"id": found["RouteTableAssociationId"]}
    raise Refused(f"No association of {whose} with {table}.")


def settle_route(api: Api, old: State, new: State) -> None:
    """Change a route's target."""
    if old and changed(old, new, *TARGETS):
        api.call("ec2", "replace_route", **route_parameters(new))


def read_route(api: Api, state: State) -> State | None:
    """Read a route."""
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
        "instance_id": "",
        "instance_owner_id": "",
    }


def delete_route(api: Api, state: State) -> None:
    """Delete a route."""
    option, value = destination(state)
    api.call("ec2", "delete_route", RouteTableId=state["route_table_id"], **{option: value})


def create_association(api: Api, new: State) -> str:
    """Associate a subnet or gateway with a route table."""
    asked = api.parameters("ec2", "associate_route_table", new)
    return str(api.call("ec2", "associate_route_table", **asked)["AssociationId"])


def read_association(api: Api, state: State) -> State | None:
    """Read an association."""
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
    """Move an association to another table, which changes its id."""
    if old and changed(old, new, "route_table_id"):
        answer = api.call(
            "ec2",
            "replace_route_table_association",
            AssociationId=new["id"],
            RouteTableId=new["route_table_id"],
        )
        new["id"] = answer["NewAssociationId"]


RESOURCES = {
    "aws_route": Resource(
        create=create_route,
        settle=settle_route,
        read=read_route,
        imported=imported_route,
        delete=delete_route,
    ),
    "aws_route_table_association": Resource(
        create=create_association,
        settle=settle_association,
        read=read_association,
        imported=imported_association,
        delete=lambda api, state: api.call(
            "ec2", "disassociate_route_table", AssociationId=state["id"]
        ),
    ),
}
