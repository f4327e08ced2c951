"""Buckets."""

import re
from typing import Any

from botocore.exceptions import ClientError

from emulated_aws.resources.base import Api, Resource, State, tags_as_list, tags_as_map, unique_name

# Alias records for websites: AWS General Reference, "Amazon S3 endpoints and quotas".
HOSTED_ZONES = {
    "us-east-1": "Z3AQBSTGFYJSTF",
    "us-east-2": "Z2O1EMRO9K5GLX",
    "us-west-1": "Z2F56UZL2M1ACD",
    "us-west-2": "Z3BJ6K6RIION7M",
}


def create_bucket(api: Api, new: State) -> str:
    """Create a bucket."""
    where = None if api.region == "us-east-1" else {"LocationConstraint": api.region}
    asked = {
        "CreateBucketConfiguration": where,
        "ObjectLockEnabledForBucket": new["object_lock_enabled"],
    }
    name = new["bucket"] or unique_name(new["bucket_prefix"] or "terraform-")
    api.call("s3", "create_bucket", Bucket=name, **asked)
    return str(name)


def settle_bucket(api: Api, old: State, new: State) -> None:
    """Tag a new bucket, which the API cannot do on creation."""
    if not old and new["tags_all"]:
        retag_bucket(api, new, new["tags_all"], [])


def retag_bucket(api: Api, state: State, given: dict[str, str], removed: list[str]) -> None:
    """Replace all tags of the bucket, as the API requires."""
    tags = {**bucket_tags(api, state["id"]), **given}
    kept = {key: value for key, value in tags.items() if key not in removed}
    if kept:
        api.call(
            "s3", "put_bucket_tagging", Bucket=state["id"], Tagging={"TagSet": tags_as_list(kept)}
        )
    else:
        api.call("s3", "delete_bucket_tagging", Bucket=state["id"])


def bucket_tags(api: Api, bucket: str) -> dict[str, str]:
    """Return the bucket's tags."""
    return tags_as_map((optional(api, "get_bucket_tagging", bucket) or {}).get("TagSet"))


def optional(api: Api, operation: str, bucket: str) -> dict[str, Any] | None:
    """Call an operation; return None if it fails because nothing is configured."""
    try:
        return api.call("s3", operation, Bucket=bucket)
    except ClientError as error:
        if re.match(
            r"NoSuch(?!Bucket$)|\w+NotFoundError$|\w+NotFound$", error.response["Error"]["Code"]
        ):
            return None
        raise


def read_bucket(api: Api, state: State) -> State:
    """Read a bucket, and those of its settings that are still in the schema."""
    bucket = state["id"]
    api.call("s3", "head_bucket", Bucket=bucket)
    versioning = api.call("s3", "get_bucket_versioning", Bucket=bucket)
    encryption = optional(api, "get_bucket_encryption", bucket) or {}
    return {
        "bucket": bucket,
        "bucket_namespace": "global",
        "bucket_prefix": state.get("bucket_prefix") or "",
        "arn": f"arn:{api.partition}:s3:::{bucket}",
        "bucket_domain_name": f"{bucket}.s3.amazonaws.com",
        "bucket_region": api.region,
        "bucket_regional_domain_name": f"{bucket}.s3.{api.region}.amazonaws.com",
        "hosted_zone_id": HOSTED_ZONES.get(api.region, ""),
        "object_lock_enabled": state.get("object_lock_enabled") or False,
        "request_payer": "BucketOwner",
        "policy": (optional(api, "get_bucket_policy", bucket) or {}).get("Policy", ""),
        "versioning": [
            {
                "enabled": versioning.get("Status") == "Enabled",
                "mfa_delete": versioning.get("MFADelete") == "Enabled",
            }
        ],
        "server_side_encryption_configuration": [
            {"rule": [encryption_rule(rule) for rule in rules]}
            for rules in [encryption.get("ServerSideEncryptionConfiguration", {}).get("Rules")]
            if rules
        ],
        "tags_all": bucket_tags(api, bucket),
    }


def encryption_rule(rule: dict[str, Any]) -> State:
    """Return an encryption rule in the schema's form."""
    by_default = rule["ApplyServerSideEncryptionByDefault"]
    return {
        "bucket_key_enabled": rule.get("BucketKeyEnabled", False),
        "apply_server_side_encryption_by_default": [
            {
                "sse_algorithm": by_default["SSEAlgorithm"],
                "kms_master_key_id": by_default.get("KMSMasterKeyID", ""),
            }
        ],
    }


def delete_bucket(api: Api, state: State) -> None:
    """Delete the bucket; empty it first only if `force_destroy` is set."""
    if state.get("force_destroy"):
        pages = api.client("s3").get_paginator("list_object_versions").paginate(Bucket=state["id"])
        for page in pages:
            found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
            objects = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]
            if objects:
                api.call("s3", "delete_objects", Bucket=state["id"], Delete={"Objects": objects})
    api.call("s3", "delete_bucket", Bucket=state["id"])


RESOURCES = {
    "aws_s3_bucket": Resource(
        create=create_bucket,
        settle=settle_bucket,
        read=read_bucket,
        delete=delete_bucket,
        retag=retag_bucket,
        documents=frozenset({"policy"}),
    ),
}
