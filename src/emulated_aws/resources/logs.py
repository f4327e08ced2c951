"""Log groups."""

from typing import Any

from emulated_aws.resources.base import Api, Resource, State, changed, first, given_name, retagging


def create_group(api: Api, new: State) -> str:
    """Create a log group."""
    asked: dict[str, Any] = {
        "kmsKeyId": new["kms_key_id"] or None,
        "logGroupClass": new["log_group_class"],
        "tags": new["tags_all"] or None,
    }
    name = given_name(new)
    api.call("logs", "create_log_group", logGroupName=name, **asked)
    return name


def settle_group(api: Api, old: State, new: State) -> None:
    """Set a log group's retention and key."""
    group = {"logGroupName": new["id"]}
    if changed({"retention_in_days": 0, **old}, new, "retention_in_days"):
        if days := new["retention_in_days"]:
            api.call("logs", "put_retention_policy", **group, retentionInDays=int(days))
        else:
            api.call("logs", "delete_retention_policy", **group)
    if old and changed(old, new, "kms_key_id"):
        if new["kms_key_id"]:
            api.call("logs", "associate_kms_key", **group, kmsKeyId=new["kms_key_id"])
        else:
            api.call("logs", "disassociate_kms_key", **group)


def read_group(api: Api, state: State) -> State | None:
    """Read a log group, which the API finds by prefix."""
    groups = api.call("logs", "describe_log_groups", logGroupNamePrefix=state["id"])["logGroups"]
    found = first(one for one in groups if one["logGroupName"] == state["id"])
    if not found:
        return None
    arn_ = found["arn"].removesuffix(":*")
    return {
        "arn": arn_,
        "deletion_protection_enabled": found.get("deletionProtectionEnabled", False),
        "kms_key_id": found.get("kmsKeyId", ""),
        "log_group_class": found.get("logGroupClass", "STANDARD"),
        "name": found["logGroupName"],
        "name_prefix": state.get("name_prefix") or "",
        "retention_in_days": found.get("retentionInDays", 0),
        "tags_all": api.call("logs", "list_tags_for_resource", resourceArn=arn_)["tags"],
    }


def delete_group(api: Api, state: State) -> None:
    """Delete the log group, unless `skip_destroy` is set."""
    if not state.get("skip_destroy"):
        api.call("logs", "delete_log_group", logGroupName=state["id"])


RESOURCES = {
    "aws_cloudwatch_log_group": Resource(
        create=create_group,
        settle=settle_group,
        read=read_group,
        delete=delete_group,
        retag=retagging("logs", "resourceArn", tags="tags", keys="tagKeys", form=dict),
    ),
}
