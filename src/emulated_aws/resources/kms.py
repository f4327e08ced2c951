"""Keys and their aliases."""

from emulated_aws.resources.base import Api, Resource, State, changed, first, given_name, retagging

ROTATION_DAYS = 365  # AWS's defaults
DELETION_DAYS = 30


def tags_of_kms(tags: dict[str, str] | None) -> list[dict[str, str]]:
    """Return tags as pairs in KMS's own form."""
    return [{"TagKey": key, "TagValue": value} for key, value in sorted((tags or {}).items())]


def create_key(api: Api, new: State) -> str:
    """Create a key."""
    names = {
        "bypass_policy_lockout_safety_check": "BypassPolicyLockoutSafetyCheck",
        "customer_master_key_spec": "KeySpec",
    }
    asked = api.parameters("kms", "create_key", new, **names)
    found = api.call("kms", "create_key", **asked, Tags=tags_of_kms(new["tags_all"]))
    return str(found["KeyMetadata"]["KeyId"])


def settle_key(api: Api, old: State, new: State) -> None:
    """Set a key's rotation, policy and description, and enable or disable it."""
    key = {"KeyId": new["id"]}
    before = {"enable_key_rotation": False, "is_enabled": True, **old}
    if new["is_enabled"] and changed(before, new, "is_enabled"):
        api.call("kms", "enable_key", **key)
    if old and changed(old, new, "policy"):
        policy = {"PolicyName": "default", "Policy": new["policy"]}
        api.call("kms", "put_key_policy", **key, **policy)
    if old and changed(old, new, "description"):
        api.call("kms", "update_key_description", **key, Description=new["description"] or "")
    if changed(before, new, "enable_key_rotation") or (
        new["enable_key_rotation"] and old and changed(old, new, "rotation_period_in_days")
    ):
        if new["enable_key_rotation"]:
            days = new["rotation_period_in_days"] or None
            api.call("kms", "enable_key_rotation", **key, RotationPeriodInDays=days)
        else:
            api.call("kms", "disable_key_rotation", **key)
    if not new["is_enabled"] and changed(before, new, "is_enabled"):
        api.call("kms", "disable_key", **key)


def read_key(api: Api, state: State) -> State | None:
    """Read a key; one that is scheduled for deletion counts as gone."""
    key = {"KeyId": state["id"]}
    found = api.call("kms", "describe_key", **key)["KeyMetadata"]
    if found["KeyState"] == "PendingDeletion":
        return None
    rotation = api.call("kms", "get_key_rotation_status", **key)
    tags = api.call("kms", "list_resource_tags", **key)["Tags"]
    rotates = rotation["KeyRotationEnabled"]
    return {
        **api.attributes(found),
        "customer_master_key_spec": found["KeySpec"],
        "enable_key_rotation": rotates,
        "is_enabled": found["Enabled"],
        "multi_region": found.get("MultiRegion", False),
        "policy": api.call("kms", "get_key_policy", **key, PolicyName="default")["Policy"],
        "rotation_period_in_days": (
            rotation.get("RotationPeriodInDays", ROTATION_DAYS) if rotates else 0
        ),
        "tags_all": {tag["TagKey"]: tag["TagValue"] for tag in tags},
    }


def delete_key(api: Api, state: State) -> None:
    """Schedule the key's deletion; AWS waits at least a week."""
    days = state.get("deletion_window_in_days") or DELETION_DAYS
    api.call("kms", "schedule_key_deletion", KeyId=state["id"], PendingWindowInDays=days)


def create_alias(api: Api, new: State) -> str:
    """Create an alias."""
    name = new["name"] or f"alias/{given_name({**new, 'name_prefix': alias_prefix(new)})}"
    api.call("kms", "create_alias", AliasName=name, TargetKeyId=new["target_key_id"])
    return str(name)


def alias_prefix(new: State) -> str:
    """Return an alias prefix without the `alias/` that every alias starts with."""
    return str(new.get("name_prefix") or "").removeprefix("alias/")


def settle_alias(api: Api, old: State, new: State) -> None:
    """Move the alias to another key."""
    if old and changed(old, new, "target_key_id"):
        api.call("kms", "update_alias", AliasName=new["id"], TargetKeyId=new["target_key_id"])


def read_alias(api: Api, state: State) -> State | None:
    """Read an alias."""
    pages = api.client("kms").get_paginator("list_aliases").paginate()
    found = first(
        one for page in pages for one in page["Aliases"] if one["AliasName"] == state["id"]
    )
    if not found or "TargetKeyId" not in found:
        return None
    key = found["TargetKeyId"]
    return {
        "arn": found["AliasArn"],
        "name": found["AliasName"],
        "name_prefix": state.get("name_prefix") or "",
        "target_key_arn": api.arn("kms", f"key/{key}"),
        "target_key_id": key,
    }


RESOURCES = {
    "aws_kms_key": Resource(
        create=create_key,
        settle=settle_key,
        read=read_key,
        delete=delete_key,
        retag=retagging("kms", "KeyId", "id", form=tags_of_kms),
        documents=frozenset({"policy"}),
    ),
    "aws_kms_alias": Resource(
        create=create_alias,
        settle=settle_alias,
        read=read_alias,
        delete=lambda api, state: api.call("kms", "delete_alias", AliasName=state["id"]),
    ),
}
