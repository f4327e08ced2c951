"""VPCs and what is in them."""

from typing import Any

from pangeo_deploy.rehearsal.resources.base import (
    Api,
    Resource,
    State,
    changed,
    cidr,
    first,
    one_of,
    tags_as_list,
)


def tag_on_create(kind: str, state: State) -> list[dict[str, Any]] | None:
    """Return EC2's way of giving tags to a thing when it is made."""
    tags = tags_as_list(state.get("tags_all"))
    return [{"ResourceType": kind, "Tags": tags}] if tags else None


def retag(api: Api, state: State, given: dict[str, str], removed: list[str]) -> None:
    """Set and remove tags of any EC2 thing."""
    if removed:
        api.call(
            "ec2", "delete_tags", Resources=[state["id"]], Tags=[{"Key": key} for key in removed]
        )
    if given:
        api.call("ec2", "create_tags", Resources=[state["id"]], Tags=tags_as_list(given))


def filters(**values: str) -> list[dict[str, Any]]:
    """Return EC2's filters; underscores stand for dashes."""
    return [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in values.items()]


# VPC

DNS = {"enable_dns_support": "EnableDnsSupport", "enable_dns_hostnames": "EnableDnsHostnames"}


def create_vpc(api: Api, new: State) -> str:
    """Make a VPC."""
    made = api.call(
        "ec2",
        "create_vpc",
        **api.parameters("ec2", "create_vpc", new),
        TagSpecifications=tag_on_create("vpc", new),
    )
    return str(made["Vpc"]["VpcId"])


def settle_vpc(api: Api, old: State, new: State) -> None:
    """Set the DNS options, one a call as the API wants it."""
    for name, option in DNS.items():
        if new[name] is not None and changed(old, new, name):
            api.call(
                "ec2", "modify_vpc_attribute", VpcId=new["id"], **{option: {"Value": new[name]}}
            )


def read_vpc(api: Api, state: State) -> State | None:
    """Read a VPC with what AWS made along with it."""
    vpc = first(api.call("ec2", "describe_vpcs", VpcIds=[state["id"]])["Vpcs"])
    if not vpc:
        return None
    mine = filters(vpc_id=vpc["VpcId"])
    main = first(
        api.call(
            "ec2",
            "describe_route_tables",
            Filters=[*mine, *filters(**{"association.main": "true"})],
        )["RouteTables"]
    )
    group = first(
        api.call(
            "ec2", "describe_security_groups", Filters=[*mine, *filters(group_name="default")]
        )["SecurityGroups"]
    )
    acl = first(
        api.call("ec2", "describe_network_acls", Filters=[*mine, *filters(default="true")])[
            "NetworkAcls"
        ]
    )
    found = api.attributes(vpc)
    for name, option in DNS.items():
        answer = api.call(
            "ec2",
            "describe_vpc_attribute",
            VpcId=vpc["VpcId"],
            Attribute=option[0].lower() + option[1:],
        )
        found[name] = answer[option]["Value"]
    return {
        **found,
        "arn": api.arn("ec2", f"vpc/{vpc['VpcId']}"),
        "owner_id": api.account_id,
        "enable_network_address_usage_metrics": False,
        "main_route_table_id": main and main["RouteTableId"],
        "default_route_table_id": main and main["RouteTableId"],
        "default_security_group_id": group and group["GroupId"],
        "default_network_acl_id": acl and acl["NetworkAclId"],
        "ipv6_association_id": "",
        "ipv6_cidr_block": "",
        "ipv6_cidr_block_network_border_group": "",
    }


RESOURCES = {
    "aws_vpc": Resource(
        create=create_vpc,
        settle=settle_vpc,
        read=read_vpc,
        delete=lambda api, state: api.call("ec2", "delete_vpc", VpcId=state["id"]),
        retag=retag,
        immutable=frozenset(
            {"cidr_block", "ipv4_ipam_pool_id", "ipv4_netmask_length", "instance_tenancy"}
        ),
        defaults={"enable_dns_support": True, "instance_tenancy": "default"},
        checks={"cidr_block": cidr, "instance_tenancy": one_of("default", "dedicated")},
    ),
}
