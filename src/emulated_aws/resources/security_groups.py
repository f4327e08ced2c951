"""Security groups and their rules."""

from collections.abc import Iterable, Mapping
from typing import Any

from emulated_aws.resources.base import (
    Api,
    Resource,
    State,
    changed,
    exactly_one,
    first,
    tags_as_list,
)
from emulated_aws.resources.ec2 import described, filters, retag

# The four kinds of source or destination: attribute, list in a permission, key there.
SOURCES = {
    "cidr_blocks": ("IpRanges", "CidrIp"),
    "ipv6_cidr_blocks": ("Ipv6Ranges", "CidrIpv6"),
    "prefix_list_ids": ("PrefixListIds", "PrefixListId"),
    "security_groups": ("UserIdGroupPairs", "GroupId"),
}
SINGLE_SOURCES = {
    "cidr_ipv4": ("IpRanges", "CidrIp"),
    "cidr_ipv6": ("Ipv6Ranges", "CidrIpv6"),
    "prefix_list_id": ("PrefixListIds", "PrefixListId"),
    "referenced_security_group_id": ("UserIdGroupPairs", "GroupId"),
}
DIRECTIONS = {"ingress": "IpPermissions", "egress": "IpPermissionsEgress"}


def more_of_group(api: Api, found: dict[str, Any]) -> State:
    """Return the group's rules in the older, inline form."""
    return {
        "name": found["GroupName"],
        "name_prefix": "",
        **{way: inline_rules(found[many], found["GroupId"]) for way, many in DIRECTIONS.items()},
    }


def inline_rules(permissions: Iterable[Mapping[str, Any]], own: str) -> list[State]:
    """Return permissions as inline rules, one for each combination of ports and description."""
    rules: dict[Any, State] = {}
    for permission in permissions:
        ports = (
            permission["IpProtocol"],
            permission.get("FromPort", 0),
            permission.get("ToPort", 0),
        )
        for attribute, (many, key) in SOURCES.items():
            for source in permission.get(many) or ():
                description = source.get("Description", "")
                empty = {"self": False, **{name: [] for name in SOURCES}}
                known = dict(zip(("protocol", "from_port", "to_port"), ports, strict=True))
                rule = rules.setdefault(
                    (*ports, description), {**known, "description": description, **empty}
                )
                if source[key] == own:
                    rule["self"] = True
                else:
                    rule[attribute].append(source[key])
    return list(rules.values())


def permission(rule: Mapping[str, Any], own: str) -> dict[str, Any]:
    """Return an inline rule as a permission in the API's form."""
    described_as = {"Description": rule["description"]} if rule.get("description") else {}
    sources = {name: list(rule.get(name) or ()) for name in SOURCES}
    if rule.get("self"):
        sources["security_groups"].append(own)
    listed = {
        many: [{key: source, **described_as} for source in sources[name]]
        for name, (many, key) in SOURCES.items()
        if sources[name]
    }
    return {"IpProtocol": rule["protocol"], **ports_of(rule, rule["protocol"]), **listed}


def ports_of(rule: Mapping[str, Any], protocol: str) -> dict[str, int]:
    """Return a rule's ports; a rule for all protocols has none."""
    if protocol == "-1" or rule.get("from_port") is None:
        return {}
    return {"FromPort": rule["from_port"], "ToPort": rule["to_port"]}


# The egress that AWS allows in a new group, and the provider removes.
ANYWHERE = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


def settle_group(api: Api, old: State, new: State) -> None:
    """Set the inline rules, if any; a new group allows no egress, unlike AWS's default.

    Rules that are resources of their own stay: after a killed apply they may exist already.
    """
    if not old:
        asked = {"GroupId": new["id"], "IpPermissions": [ANYWHERE]}
        api.call("ec2", "revoke_security_group_egress", **asked)
    group = first(
        api.call("ec2", "describe_security_groups", GroupIds=[new["id"]])["SecurityGroups"]
    )
    for way, many in DIRECTIONS.items():
        if changed(old, new, way) if old else new.get(way):
            replace_rules(api, way, new["id"], group[many], new.get(way) or ())


def replace_rules(
    api: Api,
    way: str,
    group: str,
    present: list[dict[str, Any]],
    wanted: Iterable[Mapping[str, Any]],
) -> None:
    """Replace a group's rules."""
    permissions = [permission(rule, group) for rule in wanted]
    if inline_rules(present, group) == inline_rules(permissions, group):
        return
    if present:
        api.call("ec2", f"revoke_security_group_{way}", GroupId=group, IpPermissions=present)
    if permissions:
        api.call("ec2", f"authorize_security_group_{way}", GroupId=group, IpPermissions=permissions)


def revoke_if_asked(api: Api, state: State) -> None:
    """Remove a group's rules before deleting it, for groups that refer to each other."""
    if not state.get("revoke_rules_on_delete"):
        return
    asked = [state["id"]]
    group = first(api.call("ec2", "describe_security_groups", GroupIds=asked)["SecurityGroups"])
    for way, many in DIRECTIONS.items():
        replace_rules(api, way, state["id"], group[many], ())


def adopt_default_group(api: Api, new: State) -> State:
    """Adopt the VPC's default group, which AWS created, and tag it."""
    asked = filters({"vpc-id": new["vpc_id"], "group-name": "default"})
    group = api.call("ec2", "describe_security_groups", Filters=asked)["SecurityGroups"][0]
    if new.get("tags_all"):
        api.call(
            "ec2", "create_tags", Resources=[group["GroupId"]], Tags=tags_as_list(new["tags_all"])
        )
    return {"id": group["GroupId"]}


def settle_default_group(api: Api, old: State, new: State) -> None:
    """Replace the default group's rules by the configured ones, if any."""
    group = first(
        api.call("ec2", "describe_security_groups", GroupIds=[new["id"]])["SecurityGroups"]
    )
    for way, many in DIRECTIONS.items():
        replace_rules(api, way, new["id"], group[many], new.get(way) or ())


def rule(way: str) -> Resource:
    """Return the resource type of a single rule."""

    def create(api: Api, new: State) -> str:
        name = first(name for name in SINGLE_SOURCES if new.get(name))
        many, key = SINGLE_SOURCES[name]
        described_as = {"Description": new["description"]} if new.get("description") else {}
        asked = {
            "IpProtocol": new["ip_protocol"],
            **ports_of(new, new["ip_protocol"]),
            many: [{key: new[name], **described_as}],
        }
        tags = tags_as_list(new.get("tags_all"))
        answer = api.call(
            "ec2",
            f"authorize_security_group_{way}",
            GroupId=new["security_group_id"],
            IpPermissions=[asked],
            TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": tags}]
            if tags
            else None,
        )
        return str(answer["SecurityGroupRules"][0]["SecurityGroupRuleId"])

    def read(api: Api, state: State) -> State | None:
        asked = [state["id"]]
        found = first(
            api.call("ec2", "describe_security_group_rules", SecurityGroupRuleIds=asked)[
                "SecurityGroupRules"
            ]
        )
        if not found:
            return None
        ports = {}
        for name, key in (("from_port", "FromPort"), ("to_port", "ToPort")):
            shown = found.get(key)
            ports[name] = None if shown == -1 and state.get(name) is None else shown
        return {
            **api.attributes(found),
            **ports,
            "arn": api.arn("ec2", f"security-group-rule/{state['id']}"),
            "security_group_id": found["GroupId"],
            "description": found.get("Description") or None,
            "referenced_security_group_id": (found.get("ReferencedGroupInfo") or {}).get("GroupId"),
        }

    def settle(api: Api, old: State, new: State) -> None:
        compared = ("ip_protocol", "from_port", "to_port", "description", *SINGLE_SOURCES)
        if not old or not changed(old, new, *compared):
            return
        asked = {
            "IpProtocol": new["ip_protocol"],
            "FromPort": -1 if new["from_port"] is None else new["from_port"],
            "ToPort": -1 if new["to_port"] is None else new["to_port"],
            "CidrIpv4": new["cidr_ipv4"],
            "CidrIpv6": new["cidr_ipv6"],
            "PrefixListId": new["prefix_list_id"],
            "ReferencedGroupId": new["referenced_security_group_id"],
            "Description": new["description"],
        }
        update = {key: value for key, value in asked.items() if value is not None}
        api.call(
            "ec2",
            "modify_security_group_rules",
            GroupId=new["security_group_id"],
            SecurityGroupRules=[{"SecurityGroupRuleId": new["id"], "SecurityGroupRule": update}],
        )

    def delete(api: Api, state: State) -> None:
        asked = {"GroupId": state["security_group_id"], "SecurityGroupRuleIds": [state["id"]]}
        api.call("ec2", f"revoke_security_group_{way}", **asked)

    def plan(api: Api, prior: State | None, planned: State) -> frozenset[str]:
        moved = [
            name for name in SINGLE_SOURCES if prior and bool(prior[name]) != bool(planned[name])
        ]
        return frozenset(moved)

    return Resource(
        create=create,
        read=read,
        settle=settle,
        delete=delete,
        retag=retag,
        plan=plan,
        validate=lambda config: exactly_one(config, *SINGLE_SOURCES),
    )


RESOURCES = {
    "aws_security_group": described(
        "security-group",
        "SecurityGroup",
        create="create_security_group",
        describe="describe_security_groups",
        delete="delete_security_group",
        key="GroupId",
        names={"name": "GroupName"},
        more=more_of_group,
        settle=settle_group,
        before_delete=revoke_if_asked,
    ),
    "aws_default_security_group": Resource(
        create=adopt_default_group,
        settle=settle_default_group,
        read=described(
            "security-group",
            "SecurityGroup",
            create="",
            describe="describe_security_groups",
            delete="",
            key="GroupId",
            more=more_of_group,
        ).read,
        delete=lambda api, state: (
            None
        ),  # AWS keeps it for as long as the VPC; Terraform only forgets it
        retag=retag,
    ),
    "aws_vpc_security_group_ingress_rule": rule("ingress"),
    "aws_vpc_security_group_egress_rule": rule("egress"),
}
