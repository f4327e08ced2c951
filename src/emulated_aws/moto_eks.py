"""What moto's EKS lacks: the parts that AWS adds to a new cluster, and most ways to change one.

As in `moto_patches`: on moto's own models, added to moto while an account is open.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore import xform_name
from moto.core.resource_tagging import TaggedResource
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.moto_api._internal import mock_random

# Not a version that AWS released, so that nobody mistakes it for one.
IMAGE = "{version}.0-00000000"
EVERYWHERE = "0.0.0.0/0"
NODEGROUP = (
    *("nodegroupName", "scalingConfig", "subnets", "instanceTypes", "amiType", "nodeRole"),
    *("labels", "taints", "tags", "launchTemplate", "capacityType", "version", "releaseVersion"),
)


def routes() -> dict[str, Callable[..., Any]]:
    """Return the URL patterns that moto's EKS does not answer."""
    dispatch = importlib.import_module("moto.eks.urls").response.dispatch
    cluster = "{0}/clusters/(?P<name>[^/]+)"
    nodes = f"{cluster}/node-groups/(?P<nodegroupName>[^/]+)"
    return {f"{cluster}/updates$": dispatch, f"{nodes}/update-version$": dispatch}


def refuse(kind: str, message: str) -> Exception:
    """Return an error in EKS's form."""
    error: Exception = getattr(importlib.import_module("moto.eks.exceptions"), kind)(
        message=message
    )
    return error


def updated(kind: str) -> ActionResult:
    """Return the response to an update, which is complete at once."""
    update = {"id": str(mock_random.uuid4()), "status": "Successful", "type": kind}
    return ActionResult({"update": {**update, "params": [], "createdAt": utcnow(), "errors": []}})


def create_cluster(response: Any) -> ActionResult:
    """EKS CreateCluster, with what AWS adds to it: names, a security group, defaults."""
    asked, backend = response._get_param, response.eks_backend
    vpc = asked("resourcesVpcConfig")
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    vpc_ids = {ec2.get_subnet(subnet).vpc_id for subnet in vpc["subnetIds"]}
    zones = {ec2.get_subnet(subnet).availability_zone for subnet in vpc["subnetIds"]}
    if len(vpc_ids) > 1 or len(zones) < 2:
        raise refuse(
            "InvalidParameterException",
            "Subnets specified must be in one VPC and in at least two different AZs",
        )
    cluster = backend.create_cluster(
        name=asked("name"),
        version=asked("version"),
        role_arn=asked("roleArn"),
        resources_vpc_config=vpc,
        logging=asked("logging"),
        tags=asked("tags"),
        encryption_config=asked("encryptionConfig"),
    )
    region = backend.region_name
    cluster.resources_vpc_config = {
        "endpointPublicAccess": True,
        "endpointPrivateAccess": False,
        "securityGroupIds": [],
        **vpc,
        "vpcId": vpc_ids.pop(),
    }
    cluster.resources_vpc_config["clusterSecurityGroupId"] = own_group(ec2, cluster)
    open_to_all(cluster.resources_vpc_config)
    cluster.endpoint = f"https://{hexadecimal()}.gr7.{region}.eks.amazonaws.com"
    issuer = f"https://oidc.eks.{region}.amazonaws.com/id/{hexadecimal()}"
    cluster.identity = {"oidc": {"issuer": issuer}}
    cluster.access_config = {"authenticationMode": "CONFIG_MAP", **(asked("accessConfig") or {})}
    cluster.upgrade_policy = asked("upgradePolicy") or {"supportType": "EXTENDED"}
    cluster.deletion_protection = bool(asked("deletionProtection"))
    cluster.kubernetes_network_config = {"serviceIpv4Cidr": "172.20.0.0/16", "ipFamily": "ipv4"}
    return ActionResult({"cluster": cluster})


def hexadecimal() -> str:
    """Return hexadecimal digits, as EKS draws them for a cluster's addresses."""
    return str(mock_random.get_random_hex(32)).upper()


def open_to_all(vpc: dict[str, Any]) -> None:
    """Set the CIDR blocks that may reach the public endpoint: all addresses by default.

    A cluster whose endpoint is closed again keeps its list, as EKS does
    (aws/containers-roadmap#2002).
    """
    if not vpc["endpointPublicAccess"]:
        vpc.setdefault("publicAccessCidrs", [])
    elif not vpc.get("publicAccessCidrs"):
        vpc["publicAccessCidrs"] = [EVERYWHERE]


def own_group(ec2: Any, cluster: Any) -> str:
    """Create the security group that EKS gives the control plane and its nodes."""
    name = f"eks-cluster-sg-{cluster.name}-{mock_random.get_random_hex(8)}"
    tags = {"Name": name, f"kubernetes.io/cluster/{cluster.name}": "owned"}
    group = ec2.create_security_group(
        name=name,
        description="EKS created security group applied to ENI that is attached to EKS Control "
        "Plane master nodes, as well as any managed workloads.",
        vpc_id=cluster.resources_vpc_config["vpcId"],
        tags={**tags, "aws:eks:cluster-name": cluster.name},
    )
    ec2.authorize_security_group_ingress(
        group_name_or_id=group.id,
        ip_protocol="-1",
        from_port=None,
        to_port=None,
        ip_ranges=[],
        source_groups=[{"GroupId": group.id}],
    )
    return str(group.id)


def update_cluster_config(response: Any) -> ActionResult:
    """EKS UpdateClusterConfig: one kind of change in each call."""
    asked = response._get_param
    cluster = response.eks_backend.describe_cluster(asked("name"))
    if vpc := asked("resourcesVpcConfig"):
        cluster.resources_vpc_config = {**cluster.resources_vpc_config, **vpc}
        open_to_all(cluster.resources_vpc_config)
    if logging := asked("logging"):
        cluster.logging = logging
    if access := asked("accessConfig"):
        cluster.access_config = {**cluster.access_config, **access}
    if upgrade := asked("upgradePolicy"):
        cluster.upgrade_policy = upgrade
    if asked("deletionProtection") is not None:
        cluster.deletion_protection = bool(asked("deletionProtection"))
    return updated("ConfigUpdate")


def update_cluster_version(response: Any) -> ActionResult:
    """EKS UpdateClusterVersion: to the next minor version, never to an older one."""
    cluster = response.eks_backend.describe_cluster(response._get_param("name"))
    wanted = response._get_param("version")
    now, then = (int(version.split(".")[1]) for version in (cluster.version, wanted))
    if then not in (now, now + 1):
        raise refuse(
            "InvalidParameterException",
            f"Unsupported Kubernetes minor version update from {cluster.version} to {wanted}",
        )
    cluster.version = wanted
    return updated("VersionUpdate")


def delete_cluster(response: Any) -> ActionResult:
    """EKS DeleteCluster, with the security group that was created for it."""
    backend, name = response.eks_backend, response._get_param("name")
    cluster = backend.describe_cluster(name)
    if cluster.deletion_protection:
        raise refuse(
            "InvalidRequestException", f"Cluster {name} has deletion protection: turn it off first"
        )
    backend.delete_cluster(name)
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    ec2.delete_security_group(group_id=cluster.resources_vpc_config["clusterSecurityGroupId"])
    return ActionResult({"cluster": cluster})


def create_nodegroup(response: Any) -> ActionResult:
    """EKS CreateNodegroup, with AWS's defaults in place of moto's."""
    backend, asked = response.eks_backend, response._get_param
    given = {xform_name(name): asked(name) for name in NODEGROUP}
    cluster = backend.describe_cluster(asked("name"))
    group = backend.create_nodegroup(cluster_name=cluster.name, **given)
    group.version = given["version"] or cluster.version
    group.release_version = given["release_version"] or IMAGE.format(version=group.version)
    group.remote_access = None
    group.disk_size = None if group.launch_template else asked("diskSize") or 20
    group.update_config = asked("updateConfig") or {"maxUnavailable": 1}
    name = f"eks-{group.nodegroup_name}-{group.uuid}"
    group.resources = {"autoScalingGroups": [{"name": name}]}
    return ActionResult({"nodegroup": group})


def update_nodegroup_version(response: Any) -> ActionResult:
    """EKS UpdateNodegroupVersion."""
    backend, asked = response.eks_backend, response._get_param
    group = backend.describe_nodegroup(asked("name"), asked("nodegroupName"))
    cluster = backend.describe_cluster(asked("name"))
    if wanted := asked("version"):
        if int(wanted.split(".")[1]) > int(cluster.version.split(".")[1]):
            raise refuse(
                "InvalidParameterException",
                f"Requested nodegroup version {wanted} is newer than the cluster's",
            )
        group.version = wanted
    if wanted or asked("releaseVersion"):
        group.release_version = asked("releaseVersion") or IMAGE.format(version=group.version)
    if template := asked("launchTemplate"):
        group.launch_template = {**group.launch_template, "version": template["version"]}
    group.modified_at = utcnow()
    return updated("VersionUpdate")


def taggable(backend: Any) -> Iterator[tuple[str, Any]]:
    """Yield (type, resource) of everything that has tags."""
    for cluster in backend.clusters.values():
        yield "eks:cluster", cluster
        for group in cluster.nodegroups.values():
            yield "eks:nodegroup", group


def tagged(backend: Any) -> Iterator[TaggedResource]:
    """Yield the same for the tagging API, which moto's EKS does not support."""
    for kind, thing in taggable(backend):
        yield TaggedResource(arn=thing.arn, tags=thing.tags, resource_type=kind)


def tags_of(backend: Any, resource_arn: str) -> dict[str, str]:
    """Return the tags of a cluster or node group; moto supports clusters only."""
    for _, thing in taggable(backend):
        if thing.arn == resource_arn:
            return thing.tags  # type: ignore[no-any-return]
    raise refuse("ResourceNotFoundException", f"Resource was not found: {resource_arn}")


def tag_resource(backend: Any, resource_arn: str, tags: dict[str, str]) -> None:
    """EKS TagResource."""
    tags_of(backend, resource_arn).update(tags)


def untag_resource(backend: Any, resource_arn: str, tag_keys: Any) -> None:
    """EKS UntagResource."""
    found = tags_of(backend, resource_arn)
    for key in tag_keys if isinstance(tag_keys, list) else [tag_keys]:
        found.pop(key, None)


ADDITIONS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("moto.eks.responses", "EKSResponse"): {
        "create_cluster": create_cluster,
        "create_nodegroup": create_nodegroup,
        "delete_cluster": delete_cluster,
        "update_cluster_config": update_cluster_config,
        "update_cluster_version": update_cluster_version,
        "update_nodegroup_version": update_nodegroup_version,
    },
    ("moto.eks.models", "EKSBackend"): {
        "list_tags_for_resource": tags_of,
        "tag_resource": tag_resource,
        "untag_resource": untag_resource,
    },
}
