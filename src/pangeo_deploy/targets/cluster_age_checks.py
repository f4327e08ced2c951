"""Checks whether a running cluster's add-ons and nodes are up to date for its version.

AWS updates neither add-ons nor the AMI of a node group automatically.
"""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pangeo_deploy.targets.check import Check

__all__ = ["cluster_age"]

RELEASE = (
    "/aws/service/eks/optimized-ami/{kubernetes}/amazon-linux-2023/x86_64/standard/"
    "recommended/release_version"
)


def cluster_age(session: Any, name: str) -> Iterator[Check]:
    """Yield each outdated add-on of a cluster, and outdated core nodes; nothing without one."""
    eks = session.client("eks")
    try:
        kubernetes = eks.describe_cluster(name=name)["cluster"]["version"]
    except (BotoCoreError, ClientError):
        return  # not created yet, or access denied: other checks report that
    try:
        yield from _addons(eks, name, kubernetes)
        yield from _core_nodes(eks, session.client("ssm"), name, kubernetes)
    except (BotoCoreError, ClientError) as error:
        yield Check(f"{name}: versions", False, f"cannot be asked: {error}", required=False)


def _addons(eks: Any, name: str, kubernetes: str) -> Iterator[Check]:
    for addon in eks.list_addons(clusterName=name)["addons"]:
        has = eks.describe_addon(clusterName=name, addonName=addon)["addon"]["addonVersion"]
        asked = eks.describe_addon_versions(addonName=addon, kubernetesVersion=kubernetes)
        default = next(
            (
                version["addonVersion"]
                for listed in asked["addons"]
                for version in listed["addonVersions"]
                if any(fit.get("defaultVersion") for fit in version["compatibilities"])
            ),
            has,
        )
        ok = _number(has) >= _number(default)
        fix = "" if ok else f'addon_versions = {{ "{addon}" = "{default}" }} in the tfvars.'
        detail = has if ok else f"{has}; AWS installs {default} for {kubernetes}"
        yield Check(f"{name}: {addon}", ok, detail, fix, required=False)


def _core_nodes(eks: Any, ssm: Any, name: str, kubernetes: str) -> Iterator[Check]:
    newest = ssm.get_parameter(Name=RELEASE.format(kubernetes=kubernetes))["Parameter"]["Value"]
    for group in eks.list_nodegroups(clusterName=name)["nodegroups"]:
        told = eks.describe_nodegroup(clusterName=name, nodegroupName=group)["nodegroup"]
        has = str(told.get("releaseVersion") or "")
        fix = "" if has == newest else f'core_ami_release = "{newest}" in the tfvars.'
        detail = has if has == newest else f"{has or 'unknown'}; the newest is {newest}"
        yield Check(f"{name}: AMI of {group}", has == newest, detail, fix, required=False)


def _number(version: str) -> tuple[int, ...]:
    """Return v1.19.0-eksbuild.2 as numbers that can be compared."""
    digits = "".join(sign if sign.isdigit() else " " for sign in version)
    return tuple(map(int, digits.split()))
