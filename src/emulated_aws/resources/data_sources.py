"""Data sources about the account, its region and partition, and policy documents."""

import json
import zlib
from collections.abc import Iterable
from typing import Any

from emulated_aws.resources.base import Api, DataSource, State

# "Location" of the AWS price list and of the real data source's `description`.
DESCRIPTIONS = {
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-west-1": "US West (N. California)",
    "us-west-2": "US West (Oregon)",
}


def availability_zones(api: Api, config: State) -> State:
    """List the region's zones."""
    asked = [{"Name": block["name"], "Values": block["values"]} for block in config["filter"]]
    if config["state"]:
        asked.append({"Name": "state", "Values": [config["state"]]})
    answer = api.call("ec2", "describe_availability_zones", Filters=asked or None)
    left_out = {*(config["exclude_names"] or ()), *(config["exclude_zone_ids"] or ())}
    found = sorted(
        (zone["ZoneName"], zone["ZoneId"])
        for zone in answer["AvailabilityZones"]
        if not {zone["ZoneName"], zone["ZoneId"]} & left_out
    )
    return {
        "id": api.region,
        "names": [name for name, _ in found],
        "zone_ids": [zone_id for _, zone_id in found],
        "group_names": sorted({zone.get("GroupName", "") for zone in answer["AvailabilityZones"]}),
    }


def region(api: Api, config: State) -> State:
    """Describe the region."""
    return {
        "id": api.region,
        "name": api.region,
        "region": api.region,
        "endpoint": f"ec2.{api.region}.{api.dns_suffix}",
        "description": DESCRIPTIONS.get(api.region, ""),
    }


def caller_identity(api: Api, config: State) -> State:
    """Return the caller's identity."""
    found = api.call("sts", "get_caller_identity")
    return {
        "id": found["Account"],
        "account_id": found["Account"],
        "arn": found["Arn"],
        "user_id": found["UserId"],
    }


def partition(api: Api, config: State) -> State:
    """Describe the partition."""
    return {
        "id": api.partition,
        "partition": api.partition,
        "dns_suffix": api.dns_suffix,
        "reverse_dns_prefix": "com.amazonaws",
    }


def policy_document(api: Api, config: State) -> State:
    """Write an IAM policy as the real provider does."""
    base: dict[str, Any] = {"Version": config["version"] or "2012-10-17"}
    if config["policy_id"]:
        base["Id"] = config["policy_id"]
    statements: dict[Any, dict[str, Any]] = {}

    def add(items: Iterable[dict[str, Any]]) -> None:
        for item in items:
            # A statement with the Sid of an earlier one replaces it.
            statements[item.get("Sid") or len(statements)] = item

    for text in config["source_policy_documents"] or ():
        add(as_list(json.loads(text).get("Statement", [])))
    add(statement(block) for block in config["statement"])
    for text in config["override_policy_documents"] or ():
        add(as_list(json.loads(text).get("Statement", [])))
    document = {**base, **({"Statement": list(statements.values())} if statements else {})}
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return {
        "id": str(zlib.crc32(text.encode())),
        "json": text,
        "minified_json": json.dumps(document, separators=(",", ":"), ensure_ascii=False),
        "version": base["Version"],
    }


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, any other value as a list of one."""
    return value if isinstance(value, list) else [value]


def statement(block: State) -> dict[str, Any]:
    """Return one statement, with lists of one item replaced by it, as IAM does."""
    lists = {
        "Action": block["actions"],
        "NotAction": block["not_actions"],
        "Resource": block["resources"],
        "NotResource": block["not_resources"],
    }
    people = {"Principal": block["principals"], "NotPrincipal": block["not_principals"]}
    result: dict[str, Any] = {"Sid": block["sid"]} if block["sid"] else {}
    result["Effect"] = block["effect"] or "Allow"
    result |= {name: one_or_many(values) for name, values in lists.items() if values}
    result |= {name: principals(blocks) for name, blocks in people.items() if blocks}
    conditions: dict[str, dict[str, Any]] = {}
    for condition in block["condition"]:
        test = conditions.setdefault(condition["test"], {})
        values = as_list(test.get(condition["variable"], [])) + condition["values"]
        test[condition["variable"]] = values[0] if len(values) == 1 else values
    ordered = {test: dict(sorted(of.items())) for test, of in sorted(conditions.items())}
    return {**result, **({"Condition": ordered} if ordered else {})}


def one_or_many(values: Iterable[str]) -> Any:
    """Return values as IAM writes them: in descending order, or a single one without a list."""
    ordered = sorted(values, reverse=True)
    return ordered[0] if len(ordered) == 1 else ordered


def principals(blocks: Iterable[State]) -> Any:
    """Return a statement's principals."""
    found: dict[str, list[str]] = {}
    for block in blocks:
        found.setdefault(block["type"], []).extend(block["identifiers"])
    if found == {"*": ["*"]}:
        return "*"
    return {kind: one_or_many(values) for kind, values in found.items()}


DATA_SOURCES = {
    "aws_availability_zones": DataSource(availability_zones),
    "aws_region": DataSource(region),
    "aws_caller_identity": DataSource(caller_identity),
    "aws_partition": DataSource(partition),
    "aws_iam_policy_document": DataSource(policy_document),
}
