"""Route tables with inline routes, and a VPC's default route table and network ACL."""

from dataclasses import replace
from typing import Any

from emulated_aws.resources.base import Api, Resource, State, as_json, changed
from emulated_aws.resources.ec2 import described, retag
from emulated_aws.resources.routes import DESTINATIONS, TARGETS
from emulated_aws.terraform_values import contains_unknown

# An inline route's attributes for its destination have other names than in `aws_route`.
INSIDE = {
    "destination_cidr_block": "cidr_block",
    "destination_ipv6_cidr_block": "ipv6_cidr_block",
}
DESTINATION = {INSIDE.get(name, name): option for name, option in DESTINATIONS.items()}
IN_TABLE = {**DESTINATION, **TARGETS}


def more_of_route_table(api: Api, found: dict[str, Any]) -> State:
    """Return the routes that are not the VPC's own."""
    routes = [
        {name: route.get(option, "") for name, option in IN_TABLE.items()}
        for route in found["Routes"]
        if route.get("Origin") == "CreateRoute" and "DestinationPrefixListId" not in route
    ]
    return {"route": routes, "propagating_vgws": []}


def by_destination(routes: list[State] | None) -> dict[tuple[str, str], dict[str, str]]:
    """Return the targets of inline routes, by destination."""
    found = {}
    for route in routes or ():
        to = next((option, route[name]) for name, option in DESTINATION.items() if route.get(name))
        found[to] = {option: route[name] for name, option in TARGETS.items() if route.get(name)}
    return found


def settle_routes(api: Api, old: State, new: State) -> None:
    """Update a table's inline routes from the old to the new ones."""
    if new.get("route") is None:
        return
    before, wanted = by_destination(old.get("route")), by_destination(new["route"])
    table = {"RouteTableId": new["id"]}
    for option, value in before.keys() - wanted.keys():
        api.call("ec2", "delete_route", **table, **{option: value})
    for (option, value), targets in wanted.items():
        if before.get((option, value)) != targets:
            call = "replace_route" if (option, value) in before else "create_route"
            api.call("ec2", call, **table, **{option: value}, **targets)


TABLE = described(
    "route-table",
    "RouteTable",
    create="create_route_table",
    describe="describe_route_tables",
    delete="delete_route_table",
    key="RouteTableId",
    more=more_of_route_table,
    settle=settle_routes,
)


def adopt_table(api: Api, new: State) -> str:
    """Adopt a VPC's main route table, and remove its routes."""
    identity = str(new["default_route_table_id"])
    found = TABLE.read(api, {"id": identity}) or {}
    settle_routes(api, found, {"id": identity, "route": []})
    set_tags(api, identity, found, new)
    return identity


def set_tags(api: Api, identity: str, found: State, new: State) -> None:
    """Replace the tags of an adopted resource by the configured ones."""
    old, wanted = found.get("tags_all") or {}, new.get("tags_all") or {}
    retag(api, {"id": identity}, wanted, sorted(old.keys() - wanted.keys()))


def read_default_table(api: Api, state: State) -> State | None:
    """Read a VPC's main route table."""
    found = TABLE.read(api, state)
    return found and {**found, "default_route_table_id": state["id"]}


def let_go(api: Api, state: State) -> None:
    """Do nothing: AWS keeps it for as long as the VPC."""


LAST = 32767  # AWS's own rule, which denies everything else
WAYS = {"egress": True, "ingress": False}


def more_of_acl(api: Api, found: dict[str, Any]) -> State:
    """Return the rules of an ACL, and its subnets."""
    rules: dict[str, list[State]] = {way: [] for way in WAYS}
    for entry in found["Entries"]:
        if entry["RuleNumber"] < LAST:
            rules["egress" if entry["Egress"] else "ingress"].append(
                {
                    "action": entry["RuleAction"],
                    "cidr_block": entry.get("CidrBlock") or "",
                    "ipv6_cidr_block": entry.get("Ipv6CidrBlock") or "",
                    "from_port": entry.get("PortRange", {}).get("From") or 0,
                    "to_port": entry.get("PortRange", {}).get("To") or 0,
                    "icmp_code": entry.get("IcmpTypeCode", {}).get("Code") or 0,
                    "icmp_type": entry.get("IcmpTypeCode", {}).get("Type") or 0,
                    "protocol": entry["Protocol"],
                    "rule_no": entry["RuleNumber"],
                }
            )
    subnets = [one["SubnetId"] for one in found["Associations"]]
    return {**rules, "subnet_ids": subnets, "default_network_acl_id": found["NetworkAclId"]}


ACL = described(
    "network-acl",
    "NetworkAcl",
    create="",
    describe="describe_network_acls",
    delete="",
    key="NetworkAclId",
    more=more_of_acl,
)
NUMBERS = {"tcp": "6", "udp": "17", "icmp": "1", "icmpv6": "58", "all": "-1"}


def entry_of(rule: State) -> dict[str, Any]:
    """Return a rule in the API's form."""
    protocol = NUMBERS.get(rule["protocol"], rule["protocol"])
    asked: dict[str, Any] = {
        "Protocol": protocol,
        "RuleAction": rule["action"].lower(),
        "RuleNumber": int(rule["rule_no"]),
    }
    for name, option in (("cidr_block", "CidrBlock"), ("ipv6_cidr_block", "Ipv6CidrBlock")):
        if rule.get(name):
            asked[option] = rule[name]
    if protocol in ("6", "17"):
        asked["PortRange"] = {"From": int(rule["from_port"]), "To": int(rule["to_port"])}
    if protocol in ("1", "58"):
        asked["IcmpTypeCode"] = {
            "Type": int(rule.get("icmp_type") or 0),
            "Code": int(rule.get("icmp_code") or 0),
        }
    return asked


def settle_rules(api: Api, old: State, new: State) -> None:
    """Update an ACL's rules from the old to the new ones."""
    acl = {"NetworkAclId": new["id"]}
    for way, egress in WAYS.items():
        if not changed(old, new, way):
            continue
        before, wanted = map(list, (map(entry_of, old.get(way) or ()), map(entry_of, new[way])))
        for entry in (one for one in before if one not in wanted):
            number = {"RuleNumber": entry["RuleNumber"], "Egress": egress}
            api.call("ec2", "delete_network_acl_entry", **acl, **number)
        for entry in (one for one in wanted if one not in before):
            api.call("ec2", "create_network_acl_entry", **acl, **entry, Egress=egress)


def plan_rules(api: Api, prior: State | None, planned: State) -> None:
    """Keep equivalent rules, such as `tcp` and `6`, as they are."""
    for way in WAYS:
        rules = planned.get(way)
        if not prior or contains_unknown(rules):
            continue
        before = {as_json(entry_of(rule)): rule for rule in prior.get(way) or ()}
        planned[way] = [before.get(as_json(entry_of(rule)), rule) for rule in rules or ()]


def adopt_acl(api: Api, new: State) -> str:
    """Adopt a VPC's default ACL, and remove its rules."""
    identity = str(new["default_network_acl_id"])
    found = ACL.read(api, {"id": identity}) or {}
    settle_rules(api, found, {"id": identity, **{way: [] for way in WAYS}})
    set_tags(api, identity, found, new)
    return identity


RESOURCES = {
    "aws_route_table": TABLE,
    "aws_default_route_table": replace(
        TABLE, create=adopt_table, read=read_default_table, delete=let_go
    ),
    "aws_default_network_acl": Resource(
        create=adopt_acl,
        plan=plan_rules,
        settle=settle_rules,
        read=ACL.read,
        delete=let_go,
        retag=retag,
    ),
}
