"""Cost allocation tags, anomaly monitors and subscriptions, and exports of the bill."""

import json
from typing import Any

from emulated_aws.resources.base import (
    Api,
    Resource,
    State,
    as_json,
    changed,
    first,
    from_api,
    retagging,
    tags_as_list,
    tags_as_map,
)


def put_cost_tag(api: Api, new: State) -> str:
    """Activate or deactivate a cost allocation tag."""
    asked = [{"TagKey": new["tag_key"], "Status": new["status"]}]
    api.call("ce", "update_cost_allocation_tags_status", CostAllocationTagsStatus=asked)
    return str(new["tag_key"])


def settle_cost_tag(api: Api, old: State, new: State) -> None:
    """Update a cost allocation tag, by putting it anew as the real provider does."""
    if old:
        new["id"] = put_cost_tag(api, new)


def read_cost_tag(api: Api, state: State) -> State | None:
    """Read a cost allocation tag."""
    answer = api.call("ce", "list_cost_allocation_tags", TagKeys=[state["id"]])
    found = first(answer["CostAllocationTags"])
    if not found:
        return None
    return {"tag_key": found["TagKey"], "status": found["Status"], "type": found["Type"]}


# Keys of an expression in the API; a configuration leaves the unused ones out.
EXPRESSION = ("And", "CostCategories", "Dimensions", "Not", "Or", "Tags")
VALUES = ("Key", "MatchOptions", "Values")
PARTS = {"cost_category": "CostCategories", "dimension": "Dimensions", "tags": "Tags"}


def without_nothing(value: Any) -> Any:
    """Return a JSON value without nulls."""
    if isinstance(value, dict):
        return {key: without_nothing(item) for key, item in value.items() if item is not None}
    return [without_nothing(item) for item in value] if isinstance(value, list) else value


def with_nothing(expression: dict[str, Any]) -> dict[str, Any]:
    """Return an expression with null for keys left out, as the provider writes it."""
    result: dict[str, Any] = dict.fromkeys(EXPRESSION)
    for name, value in expression.items():
        if name in ("And", "Or"):
            result[name] = [with_nothing(item) for item in value]
        elif name == "Not":
            result[name] = with_nothing(value)
        else:
            result[name] = {**dict.fromkeys(VALUES), **value}
    return result


def expression(block: State) -> dict[str, Any]:
    """Return a block's expression in the API's form."""
    result: dict[str, Any] = {}
    for name, part in PARTS.items():
        for inner in block.get(name) or ():
            keys = {"key": "Key", "match_options": "MatchOptions", "values": "Values"}
            result[part] = {key: inner[of] for of, key in keys.items() if inner[of]}
    for name in ("and", "or"):
        if block.get(name):
            result[name.capitalize()] = [expression(inner) for inner in block[name]]
    for inner in block.get("not") or ():
        result["Not"] = expression(inner)
    return result


def block_of(found: dict[str, Any]) -> State:
    """Return an API expression as a block."""
    block: State = {name: [] for name in (*PARTS, "and", "or", "not")}
    for name, part in PARTS.items():
        if part in found:
            keys = {"key": "Key", "match_options": "MatchOptions", "values": "Values"}
            block[name] = [{of: found[part].get(key) for of, key in keys.items()}]
    for name in ("and", "or"):
        block[name] = [block_of(inner) for inner in found.get(name.capitalize(), ())]
    if "Not" in found:
        block["not"] = [block_of(found["Not"])]
    return block


def create_monitor(api: Api, new: State) -> State:
    """Create an anomaly monitor."""
    asked = {
        "MonitorName": new["name"],
        "MonitorType": new["monitor_type"],
        "MonitorDimension": new["monitor_dimension"] or None,
    }
    given = {key: value for key, value in asked.items() if value is not None}
    if new["monitor_specification"]:
        given["MonitorSpecification"] = without_nothing(json.loads(new["monitor_specification"]))
    tags = tags_as_list(new["tags_all"]) or None
    answer = api.call("ce", "create_anomaly_monitor", AnomalyMonitor=given, ResourceTags=tags)
    return {"id": answer["MonitorArn"], "arn": answer["MonitorArn"]}


def settle_monitor(api: Api, old: State, new: State) -> None:
    """Update a monitor's name."""
    if old and changed(old, new, "name"):
        asked = {"MonitorArn": new["id"], "MonitorName": new["name"]}
        api.call("ce", "update_anomaly_monitor", **asked)


def cost_tags(api: Api, arn: str) -> dict[str, str]:
    """Return the tags of a Cost Explorer resource."""
    return tags_as_map(api.call("ce", "list_tags_for_resource", ResourceArn=arn)["ResourceTags"])


def read_monitor(api: Api, state: State) -> State | None:
    """Read an anomaly monitor."""
    answer = api.call("ce", "get_anomaly_monitors", MonitorArnList=[state["id"]])
    found = first(answer["AnomalyMonitors"])
    if not found:
        return None
    specification = found.get("MonitorSpecification")
    return {
        "arn": found["MonitorArn"],
        "monitor_dimension": found.get("MonitorDimension", ""),
        "monitor_specification": as_json(with_nothing(specification)) if specification else "",
        "monitor_type": found["MonitorType"],
        "name": found["MonitorName"],
        "tags_all": cost_tags(api, state["id"]),
    }


def subscription(new: State) -> dict[str, Any]:
    """Return an anomaly subscription in the API's form."""
    kinds = {"address": "Address", "type": "Type"}
    asked = {
        "SubscriptionName": new["name"],
        "Frequency": new["frequency"],
        "MonitorArnList": new["monitor_arn_list"],
        "Subscribers": [
            {key: one[name] for name, key in kinds.items()} for one in new["subscriber"]
        ],
    }
    for block in new["threshold_expression"] or ():
        asked["ThresholdExpression"] = expression(block)
    return asked


def create_subscription(api: Api, new: State) -> State:
    """Create an anomaly subscription."""
    asked = subscription(new) | ({"AccountId": new["account_id"]} if new["account_id"] else {})
    tags = tags_as_list(new["tags_all"]) or None
    answer = api.call(
        "ce", "create_anomaly_subscription", AnomalySubscription=asked, ResourceTags=tags
    )
    return {"id": answer["SubscriptionArn"], "arn": answer["SubscriptionArn"]}


def settle_subscription(api: Api, old: State, new: State) -> None:
    """Update an anomaly subscription."""
    if old and subscription(old) != subscription(new):
        asked = subscription(new)
        del asked["SubscriptionName"]
        api.call("ce", "update_anomaly_subscription", SubscriptionArn=new["id"], **asked)


def read_subscription(api: Api, state: State) -> State | None:
    """Read an anomaly subscription."""
    answer = api.call("ce", "get_anomaly_subscriptions", SubscriptionArnList=[state["id"]])
    found = first(answer["AnomalySubscriptions"])
    if not found:
        return None
    threshold = found.get("ThresholdExpression")
    return {
        "account_id": found["AccountId"],
        "arn": found["SubscriptionArn"],
        "frequency": found["Frequency"],
        "monitor_arn_list": found["MonitorArnList"],
        "name": found["SubscriptionName"],
        "subscriber": [
            {"address": one["Address"], "type": one["Type"]} for one in found["Subscribers"]
        ],
        "tags_all": cost_tags(api, state["id"]),
        "threshold_expression": [block_of(threshold)] if threshold else [],
    }


# Exports of the bill


def create_export(api: Api, new: State) -> State:
    """Create an export of the bill."""
    asked = api.parameters("bcm-data-exports", "create_export", new)
    tags = tags_as_list(new["tags_all"]) or None
    answer = api.call("bcm-data-exports", "create_export", **asked, ResourceTags=tags)
    return {"id": answer["ExportArn"], "arn": answer["ExportArn"]}


def settle_export(api: Api, old: State, new: State) -> None:
    """Update an export."""
    if old and changed(old, new, "export"):
        asked = api.parameters("bcm-data-exports", "update_export", new)
        api.call("bcm-data-exports", "update_export", **{**asked, "ExportArn": new["id"]})


def read_export(api: Api, state: State) -> State:
    """Read an export."""
    answer = api.call("bcm-data-exports", "get_export", ExportArn=state["id"])
    tags = api.call("bcm-data-exports", "list_tags_for_resource", ResourceArn=state["id"])
    return {
        "arn": state["id"],
        "export": from_api(api.block, {"Export": answer["Export"]}, {})["export"],
        "tags_all": tags_as_map(tags["ResourceTags"]),
    }


COST_TAGGING = retagging("ce", "ResourceArn", tags="ResourceTags", keys="ResourceTagKeys")
EXPORT_TAGGING = retagging(
    "bcm-data-exports", "ResourceArn", tags="ResourceTags", keys="ResourceTagKeys"
)
RESOURCES = {
    "aws_ce_cost_allocation_tag": Resource(
        create=put_cost_tag,
        settle=settle_cost_tag,
        read=read_cost_tag,
        delete=lambda api, state: put_cost_tag(api, {**state, "status": "Inactive"}),
    ),
    "aws_ce_anomaly_monitor": Resource(
        create=create_monitor,
        settle=settle_monitor,
        read=read_monitor,
        delete=lambda api, state: api.call("ce", "delete_anomaly_monitor", MonitorArn=state["id"]),
        retag=COST_TAGGING,
        documents=frozenset({"monitor_specification"}),
    ),
    "aws_ce_anomaly_subscription": Resource(
        create=create_subscription,
        settle=settle_subscription,
        read=read_subscription,
        delete=lambda api, state: api.call(
            "ce", "delete_anomaly_subscription", SubscriptionArn=state["id"]
        ),
        retag=COST_TAGGING,
    ),
    "aws_bcmdataexports_export": Resource(
        create=create_export,
        settle=settle_export,
        read=read_export,
        delete=lambda api, state: api.call(
            "bcm-data-exports", "delete_export", ExportArn=state["id"]
        ),
        retag=EXPORT_TAGGING,
    ),
}
