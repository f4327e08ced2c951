"""Cost Explorer's anomaly monitors and subscriptions, cost allocation tags, and bill exports."""

from collections.abc import Iterator
from typing import Any

from emulated_aws.operations.protocol import DECLINED, Call, Failure
from emulated_aws.operations.store import Things, drawn_uuid, now

# Cost Explorer and exports have one region for the whole account.
EVERYWHERE = ""
MONITOR, SUBSCRIPTION, TAG, EXPORT = "anomaly monitor", "anomaly subscription", "cost tag", "export"


# Cost Explorer


def tags_of(asked: Any) -> dict[str, str]:
    """Return a request's tags as a map."""
    return {tag["Key"]: tag["Value"] for tag in asked or ()}


def create_monitor(things: Things, call: Call) -> Any:
    """Create an anomaly monitor."""
    asked = call.parameters["AnomalyMonitor"]
    identity = drawn_uuid("anomaly-monitor", call.account_id, asked["MonitorName"])
    arn = call.arn(f"anomalymonitor/{identity}", regional=False)
    kept = ("MonitorName", "MonitorType", "MonitorDimension", "MonitorSpecification")
    made = {"MonitorArn": arn, "CreationDate": now(), "LastUpdatedDate": now()}
    made |= {name: asked[name] for name in kept if asked.get(name)}
    if things.get(MONITOR, EVERYWHERE, arn):
        raise Failure("ValidationException", f"A monitor named {asked['MonitorName']} exists")
    things.put(
        MONITOR, EVERYWHERE, arn, {**made, "tags": tags_of(call.parameters.get("ResourceTags"))}
    )
    return {"MonitorArn": arn}


def create_subscription(things: Things, call: Call) -> Any:
    """Create an anomaly subscription."""
    asked = call.parameters["AnomalySubscription"]
    for monitor in asked["MonitorArnList"]:
        found(things, MONITOR, monitor)
    identity = drawn_uuid("anomaly-subscription", call.account_id, asked["SubscriptionName"])
    arn = call.arn(f"anomalysubscription/{identity}", regional=False)
    if things.get(SUBSCRIPTION, EVERYWHERE, arn):
        raise Failure("ValidationException", f"A subscription {asked['SubscriptionName']} exists")
    made = {**asked, "SubscriptionArn": arn, "AccountId": asked.get("AccountId") or call.account_id}
    tags = tags_of(call.parameters.get("ResourceTags"))
    things.put(SUBSCRIPTION, EVERYWHERE, arn, {**made, "tags": tags})
    return {"SubscriptionArn": arn}


def found(things: Things, kind: str, arn: str) -> dict[str, Any]:
    """Return a monitor or subscription. Raises `Failure` if there is none."""
    thing = things.get(kind, EVERYWHERE, arn)
    if thing is None:
        code = "UnknownMonitorException" if kind == MONITOR else "UnknownSubscriptionException"
        raise Failure(code, f"Not found: {arn}")
    return thing


def listed(things: Things, kind: str, arns: Any) -> list[dict[str, Any]]:
    """Return all monitors or subscriptions, or the named ones."""
    if arns:
        return [found(things, kind, arn) for arn in arns]
    return things.all(kind, EVERYWHERE)


def change(things: Things, call: Call, kind: str, whose: str) -> Any:
    """Update the given parameters."""
    thing = found(things, kind, call.parameters[whose])
    thing |= {name: value for name, value in call.parameters.items() if value is not None}
    return {whose: call.parameters[whose]}


def drop(things: Things, call: Call, kind: str, whose: str) -> Any:
    """Remove a monitor or subscription."""
    found(things, kind, call.parameters[whose])
    things.remove(kind, EVERYWHERE, call.parameters[whose])
    return {}


def tagged(things: Things, call: Call) -> dict[str, str] | None:
    """Return the tags of the resource that a call names, mutable; None if it is moto's."""
    arn = call.parameters["ResourceArn"]
    for kind in (MONITOR, SUBSCRIPTION, EXPORT):
        if thing := things.get(kind, EVERYWHERE, arn):
            return thing["tags"]  # type: ignore[no-any-return]
    if call.service == "ce":  # the tags of cost categories
        return None
    raise Failure("ResourceNotFoundException", f"Not found: {arn}")


def tagged_in(things: Things, region: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the ARN and tags of monitors, subscriptions and exports, all in one region."""
    if region == "us-east-1":
        for kind in (MONITOR, SUBSCRIPTION, EXPORT):
            for arn, thing in things.of(kind, EVERYWHERE).items():
                yield arn, thing["tags"]


def list_tags(things: Things, call: Call) -> Any:
    """List tags."""
    tags = tagged(things, call)
    if tags is None:
        return DECLINED
    return {"ResourceTags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def add_tags(things: Things, call: Call) -> Any:
    """Set tags."""
    tags = tagged(things, call)
    if tags is None:
        return DECLINED
    tags.update(tags_of(call.parameters["ResourceTags"]))
    return {}


def remove_tags(things: Things, call: Call) -> Any:
    """Remove tags."""
    tags = tagged(things, call)
    if tags is None:
        return DECLINED
    for key in call.parameters["ResourceTagKeys"]:
        tags.pop(key, None)
    return {}


def set_cost_tags(things: Things, call: Call) -> Any:
    """Activate or deactivate cost allocation tags. AWS refuses tags that no bill has had."""
    for asked in call.parameters["CostAllocationTagsStatus"]:
        kind = "AWSGenerated" if asked["TagKey"].startswith("aws:") else "UserDefined"
        things.put(
            TAG, EVERYWHERE, asked["TagKey"], {**asked, "Type": kind, "LastUpdatedDate": now()}
        )
    return {"Errors": []}


def list_cost_tags(things: Things, call: Call) -> Any:
    """List the cost allocation tags."""
    asked = call.parameters
    tags = [
        tag
        for tag in things.all(TAG, EVERYWHERE)
        if tag["TagKey"] in (asked.get("TagKeys") or [tag["TagKey"]])
        and asked.get("Status", tag["Status"]) == tag["Status"]
        and asked.get("Type", tag["Type"]) == tag["Type"]
    ]
    return {"CostAllocationTags": tags}


# Exports


def export_of(things: Things, call: Call) -> dict[str, Any]:
    """Return the export that a call names."""
    thing = things.get(EXPORT, EVERYWHERE, call.parameters["ExportArn"])
    if thing is None:
        raise Failure("ResourceNotFoundException", f"Not found: {call.parameters['ExportArn']}")
    return thing


def create_export(things: Things, call: Call) -> Any:
    """Create an export of the bill."""
    asked = call.parameters["Export"]
    path = f"export/{asked['Name']}-{drawn_uuid('export', call.account_id, asked['Name'])}"
    arn = f"arn:aws:bcm-data-exports:us-east-1:{call.account_id}:{path}"
    if things.get(EXPORT, EVERYWHERE, arn):
        raise Failure("ValidationException", f"An export named {asked['Name']} exists already")
    status = {"StatusCode": "HEALTHY", "CreatedAt": now(), "LastUpdatedAt": now()}
    tags = tags_of(call.parameters.get("ResourceTags"))
    made = {"Export": {**asked, "ExportArn": arn}, "ExportStatus": status, "tags": tags}
    things.put(EXPORT, EVERYWHERE, arn, made)
    return {"ExportArn": arn}


def update_export(things: Things, call: Call) -> Any:
    """Update an export."""
    thing = export_of(things, call)
    thing["Export"] = {**call.parameters["Export"], "ExportArn": call.parameters["ExportArn"]}
    thing["ExportStatus"]["LastUpdatedAt"] = now()
    return {"ExportArn": call.parameters["ExportArn"]}


def delete_export(things: Things, call: Call) -> Any:
    """Delete an export."""
    export_of(things, call)
    things.remove(EXPORT, EVERYWHERE, call.parameters["ExportArn"])
    return {"ExportArn": call.parameters["ExportArn"]}


def list_exports(things: Things, call: Call) -> Any:
    """List the exports."""
    shown = [
        {
            "ExportArn": one["Export"]["ExportArn"],
            "ExportName": one["Export"]["Name"],
            "ExportStatus": one["ExportStatus"],
        }
        for one in things.all(EXPORT, EVERYWHERE)
    ]
    return {"Exports": shown}


TAGS = {"ListTagsForResource": list_tags, "TagResource": add_tags, "UntagResource": remove_tags}
COST_EXPLORER = {
    **TAGS,
    "CreateAnomalyMonitor": create_monitor,
    "CreateAnomalySubscription": create_subscription,
    "DeleteAnomalyMonitor": lambda things, call: drop(things, call, MONITOR, "MonitorArn"),
    "DeleteAnomalySubscription": lambda things, call: drop(
        things, call, SUBSCRIPTION, "SubscriptionArn"
    ),
    "GetAnomalyMonitors": lambda things, call: {
        "AnomalyMonitors": listed(things, MONITOR, call.parameters.get("MonitorArnList"))
    },
    "GetAnomalySubscriptions": lambda things, call: {
        "AnomalySubscriptions": listed(
            things, SUBSCRIPTION, call.parameters.get("SubscriptionArnList")
        )
    },
    "ListCostAllocationTags": list_cost_tags,
    "UpdateAnomalyMonitor": lambda things, call: change(things, call, MONITOR, "MonitorArn"),
    "UpdateAnomalySubscription": lambda things, call: change(
        things, call, SUBSCRIPTION, "SubscriptionArn"
    ),
    "UpdateCostAllocationTagsStatus": set_cost_tags,
}
DATA_EXPORTS = {
    **TAGS,
    "CreateExport": create_export,
    "DeleteExport": delete_export,
    "GetExport": lambda things, call: export_of(things, call),
    "ListExports": list_exports,
    "UpdateExport": update_export,
}
