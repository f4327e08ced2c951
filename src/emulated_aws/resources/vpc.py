"""VPCs, subnets, gateways and addresses."""

from collections.abc import Mapping
from typing import Any

from emulated_aws.resources.base import Api, State, changed, first
from emulated_aws.resources.ec2 import described, filters

VPC_SWITCHES = {
    "enable_dns_support": "EnableDnsSupport",
    "enable_dns_hostnames": "EnableDnsHostnames",
    "enable_network_address_usage_metrics": "EnableNetworkAddressUsageMetrics",
}


def settle_vpc(api: Api, old: State, new: State) -> None:
    """Set the options, one in each call as the API requires."""
    for name, option in VPC_SWITCHES.items():
        if new[name] is not None and changed(old, new, name):
            api.call(
                "ec2", "modify_vpc_attribute", VpcId=new["id"], **{option: {"Value": new[name]}}
            )


def more_of_vpc(api: Api, vpc: dict[str, Any]) -> State:
    """Read the options, and the resources that AWS created with the VPC."""
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
    """Set the options, one in each call as the API requires; they are off at first."""
    for name, option in SUBNET_SWITCHES.items():
        if bool(old.get(name)) != bool(new[name]):
            value = {option: {"Value": bool(new[name])}}
            api.call("ec2", "modify_subnet_attribute", SubnetId=new["id"], **value)


def more_of_subnet(api: Api, subnet: dict[str, Any]) -> State:
    """Flatten EC2's nested description."""
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
    """Return the address's names in EC2's DNS."""
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
    ),
    "aws_nat_gateway": described(
        "natgateway",
        "NatGateway",
        create="create_nat_gateway",
        describe="describe_nat_gateways",
        delete="delete_nat_gateway",
        key="NatGatewayId",
        more=more_of_nat_gateway,
    ),
}
