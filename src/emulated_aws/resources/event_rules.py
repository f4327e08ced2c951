"""Rules that send events to their targets."""

from botocore.exceptions import ClientError

from emulated_aws.resources.base import (
    Api,
    Refused,
    Resource,
    State,
    first,
    given_name,
    retagging,
    tags_as_list,
    tags_as_map,
    unique_name,
)

BUS = "default"


def put_rule(api: Api, new: State, name: str) -> str:
    """Create or replace a rule."""
    asked = api.parameters("events", "put_rule", new)
    answer = api.call("events", "put_rule", **{**asked, "Name": name})
    return str(answer["RuleArn"])


def create_rule(api: Api, new: State) -> str:
    """Create a rule with its tags."""
    name = given_name(new)
    put_rule(api, new, name)
    if new["tags_all"]:
        where = rule_path(new["event_bus_name"], name)
        tags = tags_as_list(new["tags_all"])
        api.call("events", "tag_resource", ResourceARN=api.arn("events", where), Tags=tags)
    return name if new["event_bus_name"] == BUS else f"{new['event_bus_name']}/{name}"


def rule_path(bus: str, name: str) -> str:
    """Return the rule's part of its ARN."""
    return f"rule/{name}" if bus == BUS else f"rule/{bus}/{name}"


def read_rule(api: Api, state: State) -> State:
    """Read a rule."""
    bus, _, name = state["id"].rpartition("/")
    asked = {"Name": name, "EventBusName": bus or BUS}
    found = api.call("events", "describe_rule", **asked)
    tags = api.call("events", "list_tags_for_resource", ResourceARN=found["Arn"])["Tags"]
    return {
        "arn": found["Arn"],
        "description": found.get("Description", ""),
        "event_bus_name": bus or BUS,
        "event_pattern": found.get("EventPattern", ""),
        "is_enabled": found["State"] != "DISABLED",
        "name": name,
        "name_prefix": state.get("name_prefix") or "",
        "role_arn": found.get("RoleArn", ""),
        "schedule_expression": found.get("ScheduleExpression", ""),
        "state": found["State"],
        "tags_all": tags_as_map(tags),
    }


def plan_rule(api: Api, prior: State | None, planned: State) -> None:
    """Keep a rule's state if none is configured, and derive `is_enabled` from it."""
    if prior and planned["state"] is None:
        planned["state"] = prior["state"]
    if prior and planned["is_enabled"] is None:
        planned["is_enabled"] = planned["state"] != "DISABLED"


def put_target(api: Api, new: State, target: str) -> str:
    """Create or update a rule's target."""
    asked = {"Id": target, "Arn": new["arn"]}
    names = {"input": "Input", "input_path": "InputPath", "role_arn": "RoleArn"}
    asked |= {option: new[name] for name, option in names.items() if new[name]}
    bus, rule = new["event_bus_name"], new["rule"]
    answer = api.call("events", "put_targets", Rule=rule, EventBusName=bus, Targets=[asked])
    if answer.get("FailedEntryCount"):
        raise ClientError({"Error": answer["FailedEntries"][0]}, "PutTargets")
    return f"{rule}-{target}" if bus == BUS else f"{bus}-{rule}-{target}"


def read_target(api: Api, state: State) -> State | None:
    """Read a rule's target."""
    asked = {"Rule": state["rule"], "EventBusName": state["event_bus_name"]}
    targets = api.call("events", "list_targets_by_rule", **asked)["Targets"]
    found = first(one for one in targets if one["Id"] == state["target_id"])
    if not found:
        return None
    return {
        "rule": state["rule"],
        "event_bus_name": state["event_bus_name"],
        "target_id": found["Id"],
        "arn": found["Arn"],
        "input": found.get("Input", ""),
        "input_path": found.get("InputPath", ""),
        "role_arn": found.get("RoleArn", ""),
    }


def imported_target(_api: Api, identity: str) -> State:
    """Return a target from an import's id: `rule/target`, on another bus `bus/rule/target`."""
    if "/" not in identity:
        raise Refused(f"unexpected format for ID ({identity}), expected RULE/TARGETID")
    *bus, rule, target = identity.rsplit("/", 2)
    where = bus[0] if bus else BUS
    made = f"{rule}-{target}" if where == BUS else f"{where}-{rule}-{target}"
    return {"event_bus_name": where, "rule": rule, "target_id": target, "id": made}


def create_target(api: Api, new: State) -> State:
    """Create a target, with a unique id if none is configured."""
    target = new["target_id"] or unique_name("terraform-")
    return {"id": put_target(api, new, target), "target_id": target}


RESOURCES = {
    "aws_cloudwatch_event_rule": Resource(
        create=create_rule,
        settle=lambda api, old, new: old and put_rule(api, new, new["name"]),
        read=read_rule,
        plan=plan_rule,
        delete=lambda api, state: api.call(
            "events", "delete_rule", Name=state["name"], EventBusName=state["event_bus_name"]
        ),
        retag=retagging("events", "ResourceARN"),
        documents=frozenset({"event_pattern"}),
    ),
    "aws_cloudwatch_event_target": Resource(
        create=create_target,
        settle=lambda api, old, new: old and put_target(api, new, new["target_id"]),
        read=read_target,
        imported=imported_target,
        delete=lambda api, state: api.call(
            "events",
            "remove_targets",
            Rule=state["rule"],
            EventBusName=state["event_bus_name"],
            Ids=[state["target_id"]],
        ),
    ),
}
