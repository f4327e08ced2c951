"""What cannot be made again once it is removed, and what refuses to be removed."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pangeo_core.errors import BadInput
from pangeo_deploy.deployment import Deployment

# Homes, buckets and the keys they are encrypted with, with their settings: a bucket without its
# public access block is no safe place.
# The homes' policy names their access point: whoever keeps the one keeps the other.
DATA = (
    "aws_s3_bucket",
    "aws_efs_file_system",
    "aws_efs_access_point",
    "aws_efs_backup_policy",
    "aws_kms_key",
    "data",
)
# The same, as a sweep names it.
DATA_KINDS = ("s3", "elasticfilesystem:file-system", "elasticfilesystem:access-point", "kms:key")
# A plan that removes one of these is applied only under the environment's name.
IRREPLACEABLE = ("aws_s3_bucket", "aws_efs_file_system", "aws_kms_key", "aws_eks_cluster")
# Attributes by which AWS refuses to delete a thing, after it has deleted what needs it.
LOCKS = ("deletion_protection", "enable_deletion_protection")


def is_data(resource_type: str) -> bool:
    """Tell whether `destroy --keep-data` keeps a type."""
    return resource_type.startswith(DATA)


def holds_no_data(address: str) -> bool:
    """Tell whether `destroy --keep-data` removes the resource of an address."""
    return not is_data(type_in(address))


def type_in(address: str) -> str:
    """Return the type that an address names, as in `module.a["b.c"].aws_s3_bucket.d[0]`."""
    plain = re.sub(r"\[[^]]*\]", "", address).split(".")
    return "data" if "data" in plain[:-2] else plain[-2]


def require_unprotected(deployment: Deployment, state: Mapping[str, Any]) -> None:
    """Refuse to destroy what AWS will not delete: it would stop half-way, with the data gone."""
    if found := [f"{address}: {lock} is true" for address, lock in _locked(state)]:
        raise BadInput(
            f"{deployment.environment} is protected against deletion. Nothing was changed.",
            why="\n".join(found),
            fix="If it shall go, set deletion_protection = false in "
            f"terraform/environments/{deployment.environment}.tfvars, plan and apply that first.",
        )


def _locked(state: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for resource in state.get("resources", ()):
        if resource.get("mode") != "managed":
            continue
        module = f"{resource['module']}." if resource.get("module") else ""
        for instance in resource.get("instances", ()):
            for lock in LOCKS:
                if instance.get("attributes", {}).get(lock) is True:
                    yield f"{module}{resource['type']}.{resource['name']}", lock
