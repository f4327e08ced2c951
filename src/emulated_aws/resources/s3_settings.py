"""Settings of a bucket, each a resource of its own."""

from collections.abc import Callable
from typing import Any

from emulated_aws.resources.base import Api, Resource, State, from_api, to_api
from emulated_aws.resources.s3 import encryption_rule, optional


def setting(
    *,
    put: str,
    get: str,
    ask: Callable[[Api, State], dict[str, Any]],
    show: Callable[[Api, dict[str, Any], State], State],
    delete: str = "",
    drop: Callable[[Api, State], object] | None = None,
    **rest: Any,
) -> Resource:
    """Return the resource type of a bucket setting, which the API puts and deletes as a whole.

    `delete` is the operation that removes it; `drop` is a function to call instead.
    """

    def create(api: Api, new: State) -> str:
        api.call("s3", put, Bucket=new["bucket"], **ask(api, new))
        return str(new["bucket"])

    def settle(api: Api, old: State, new: State) -> None:
        if old:
            api.call("s3", put, Bucket=new["bucket"], **ask(api, new))

    def read(api: Api, state: State) -> State | None:
        found = optional(api, get, state["id"])
        return None if found is None else {"bucket": state["id"], **show(api, found, state)}

    def remove(api: Api, state: State) -> None:
        if not state.get("skip_destroy"):
            api.call("s3", delete, Bucket=state["id"])

    return Resource(create=create, settle=settle, read=read, delete=drop or remove, **rest)


def suspend_versioning(api: Api, state: State) -> None:
    """Suspend versioning: once enabled, it cannot be removed."""
    if state["versioning_configuration"][0]["status"] == "Enabled":
        suspended = {"Status": "Suspended"}
        asked = {"Bucket": state["id"], "VersioningConfiguration": suspended}
        api.call("s3", "put_bucket_versioning", **asked)


PUBLIC_ACCESS = {
    "block_public_acls": "BlockPublicAcls",
    "block_public_policy": "BlockPublicPolicy",
    "ignore_public_acls": "IgnorePublicAcls",
    "restrict_public_buckets": "RestrictPublicBuckets",
}


def ask_encryption(api: Api, new: State) -> dict[str, Any]:
    """Return the encryption rules in the API's form."""
    rules = []
    for rule in new["rule"]:
        by_default = {}
        for block in rule["apply_server_side_encryption_by_default"]:
            key = (
                {"KMSMasterKeyID": block["kms_master_key_id"]} if block["kms_master_key_id"] else {}
            )
            by_default = {"SSEAlgorithm": block["sse_algorithm"], **key}
        asked: dict[str, Any] = {"ApplyServerSideEncryptionByDefault": by_default}
        if rule["bucket_key_enabled"] is not None:
            asked["BucketKeyEnabled"] = rule["bucket_key_enabled"]
        rules.append(asked)
    return {"ServerSideEncryptionConfiguration": {"Rules": rules}}


def ask_lifecycle(api: Api, new: State) -> dict[str, Any]:
    """Return the lifecycle rules in the API's form."""
    client = api.client("s3")
    shape = client.meta.service_model.shape_for("LifecycleRule")
    names = {
        "ID": "id",
        "Transitions": "transition",
        "NoncurrentVersionTransitions": "noncurrent_version_transition",
    }
    rules = []
    for rule in new["rule"]:
        # Zero means "not set" in these places, as in the real provider.
        given = {**rule, "expiration": [without_zeros(block) for block in rule["expiration"]]}
        if rule["filter"]:
            given |= {"prefix": None, "filter": [without_zeros(rule["filter"][0])]}
        asked = to_api(shape, given, names)
        if rule["filter"] and not asked.get("Filter"):
            asked["Filter"] = {"Prefix": ""}
        rules.append(asked)
    return {"LifecycleConfiguration": {"Rules": rules}}


def without_zeros(block: State) -> State:
    """Return a block without its empty values."""
    return {name: value for name, value in block.items() if value not in (None, 0, "", [], False)}


def show_lifecycle(api: Api, found: dict[str, Any], state: State) -> State:
    """Return the lifecycle rules in the schema's form."""
    block = api.block.blocks["rule"].block
    names = {
        "ID": "id",
        "Transitions": "transition",
        "NoncurrentVersionTransitions": "noncurrent_version_transition",
    }
    rules = []
    for rule in found["Rules"]:
        shown = {"prefix": "", **from_api(block, rule, names)}
        for expiration in shown.get("expiration", ()):
            expiration.setdefault("days", 0)
            expiration.setdefault("expired_object_delete_marker", False)
        for part in shown.get("filter", ()):
            part.setdefault("prefix", "")
        rules.append(shown)
    return {
        "rule": rules,
        "expected_bucket_owner": state.get("expected_bucket_owner") or "",
        "transition_default_minimum_object_size": found.get(
            "TransitionDefaultMinimumObjectSize", "all_storage_classes_128K"
        ),
    }


RESOURCES = {
    "aws_s3_bucket_versioning": setting(
        put="put_bucket_versioning",
        get="get_bucket_versioning",
        drop=suspend_versioning,
        ask=lambda api, new: {
            "VersioningConfiguration": {"Status": new["versioning_configuration"][0]["status"]}
        },
        show=lambda api, found, state: {
            "versioning_configuration": [
                {
                    "status": found.get("Status", "Disabled"),
                    "mfa_delete": found.get("MFADelete", "Disabled"),  # as the provider says it
                }
            ]
        },
    ),
    "aws_s3_bucket_public_access_block": setting(
        put="put_public_access_block",
        get="get_public_access_block",
        delete="delete_public_access_block",
        ask=lambda api, new: {
            "PublicAccessBlockConfiguration": {
                option: bool(new[name]) for name, option in PUBLIC_ACCESS.items()
            }
        },
        show=lambda api, found, state: {
            name: found["PublicAccessBlockConfiguration"][option]
            for name, option in PUBLIC_ACCESS.items()
        },
    ),
    "aws_s3_bucket_ownership_controls": setting(
        put="put_bucket_ownership_controls",
        get="get_bucket_ownership_controls",
        delete="delete_bucket_ownership_controls",
        ask=lambda api, new: {
            "OwnershipControls": {
                "Rules": [{"ObjectOwnership": new["rule"][0]["object_ownership"]}]
            }
        },
        show=lambda api, found, state: {
            "rule": [
                {"object_ownership": rule["ObjectOwnership"]}
                for rule in found["OwnershipControls"]["Rules"]
            ]
        },
    ),
    "aws_s3_bucket_policy": setting(
        put="put_bucket_policy",
        get="get_bucket_policy",
        delete="delete_bucket_policy",
        ask=lambda api, new: {"Policy": new["policy"]},
        show=lambda api, found, state: {"policy": found["Policy"]},
        documents=frozenset({"policy"}),
    ),
    "aws_s3_bucket_server_side_encryption_configuration": setting(
        put="put_bucket_encryption",
        get="get_bucket_encryption",
        delete="delete_bucket_encryption",
        ask=ask_encryption,
        show=lambda api, found, state: {
            "rule": [
                encryption_rule(rule)
                for rule in found["ServerSideEncryptionConfiguration"]["Rules"]
            ]
        },
    ),
    "aws_s3_bucket_lifecycle_configuration": setting(
        put="put_bucket_lifecycle_configuration",
        get="get_bucket_lifecycle_configuration",
        delete="delete_bucket_lifecycle",
        ask=ask_lifecycle,
        show=show_lifecycle,
        defaults={
            "transition_default_minimum_object_size": "all_storage_classes_128K",
            "rule.prefix": "",
            "rule.expiration.days": 0,
            "rule.expiration.expired_object_delete_marker": False,
            "rule.filter.prefix": "",
            "rule.filter.object_size_greater_than": None,
            "rule.filter.object_size_less_than": None,
            "rule.filter.and.prefix": "",
            "rule.filter.and.object_size_greater_than": 0,
            "rule.filter.and.object_size_less_than": 0,
            "rule.noncurrent_version_expiration.newer_noncurrent_versions": None,
            "rule.noncurrent_version_transition.newer_noncurrent_versions": None,
        },
    ),
}
