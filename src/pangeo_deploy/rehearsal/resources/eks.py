"""Kubernetes clusters, their nodes, and what is registered with them."""

import re
from typing import Any

from pangeo_deploy.rehearsal.resources.base import (
    Api,
    Resource,
    State,
    arn,
    changed,
    document,
    drawn,
    drawn_uuid,
    first,
    given_name,
    keeping,
    moment,
    one_of,
    retagging,
)

LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")


def name(value: Any) -> str | None:
    """Refuse names that EKS does not allow for clusters."""
    ok = re.fullmatch(r"[0-9A-Za-z][\w-]{0,99}", str(value), re.ASCII)
    return None if ok else f'"{value}" is not 1 to 100 letters, digits, hyphens or underscores'


def each_of(*allowed: str) -> Any:
    """Refuse lists with any other value."""
    check = one_of(*allowed)
    return lambda values: first(problem for problem in map(check, values) if problem)


# Clusters


def logging(types: Any) -> dict[str, Any]:
    """Return which logs are on and off as the API wants it."""
    on = [one for one in LOG_TYPES if one in (types or ())]
    off = [one for one in LOG_TYPES if one not in on]
    setup = ({"types": on, "enabled": True}, {"types": off, "enabled": False})
    return {"clusterLogging": [one for one in setup if one["types"]]}


def network(block: State) -> dict[str, Any]:
    """Return how the API is reached, as the API wants it."""
    return {
        "endpointPrivateAccess": bool(block["endpoint_private_access"]),
        "endpointPublicAccess": bool(block["endpoint_public_access"]),
        **({"publicAccessCidrs": cidrs} if (cidrs := block["public_access_cidrs"]) else {}),
    }


def create_cluster(api: Api, new: State) -> str:
    """Make a cluster."""
    vpc = new["vpc_config"][0]
    access = first(new["access_config"])
    upgrade = first(new["upgrade_policy"])
    asked: dict[str, Any] = {
        "name": new["name"],
        "version": new["version"],
        "roleArn": new["role_arn"],
        "bootstrapSelfManagedAddons": new["bootstrap_self_managed_addons"],
        "deletionProtection": new["deletion_protection"],
        "logging": logging(new["enabled_cluster_log_types"]),
        "resourcesVpcConfig": {
            **network(vpc),
            "subnetIds": vpc["subnet_ids"],
            "securityGroupIds": vpc["security_group_ids"] or [],
        },
        "encryptionConfig": [
            {
                "resources": block["resources"],
                "provider": {"keyArn": block["provider"][0]["key_arn"]},
            }
            for block in new["encryption_config"]
        ],
        "accessConfig": access and access_config(access),
        "upgradePolicy": upgrade and {"supportType": upgrade["support_type"]},
        "tags": new["tags_all"],
    }
    return str(api.call("eks", "create_cluster", **asked)["cluster"]["name"])


def access_config(block: State) -> dict[str, Any]:
    """Return who is let in, as the API wants it."""
    names = {
        "authentication_mode": "authenticationMode",
        "bootstrap_cluster_creator_admin_permissions": "bootstrapClusterCreatorAdminPermissions",
    }
    return {option: block[name] for name, option in names.items() if block[name] is not None}


def settle_cluster(api: Api, old: State, new: State) -> None:
    """Bring an existing cluster up to date: the version first, then one thing a call."""
    if not old:
        return
    if changed(old, new, "version"):
        api.call("eks", "update_cluster_version", name=new["id"], version=new["version"])
    before, after = old["vpc_config"][0], new["vpc_config"][0]
    updates: list[dict[str, Any]] = []
    if changed(old, new, "access_config"):
        mode = new["access_config"][0]["authentication_mode"]
        updates.append({"accessConfig": {"authenticationMode": mode}})
    if changed(old, new, "enabled_cluster_log_types"):
        updates.append({"logging": logging(new["enabled_cluster_log_types"])})
    if changed(old, new, "upgrade_policy"):
        support = new["upgrade_policy"][0]["support_type"]
        updates.append({"upgradePolicy": {"supportType": support}})
    if changed(old, new, "deletion_protection"):
        updates.append({"deletionProtection": bool(new["deletion_protection"])})
    if network(before) != network(after):
        updates.append({"resourcesVpcConfig": network(after)})
    if changed(before, after, "subnet_ids"):
        updates.append({"resourcesVpcConfig": {"subnetIds": after["subnet_ids"]}})
    if changed(before, after, "security_group_ids"):
        groups = after["security_group_ids"] or []
        updates.append({"resourcesVpcConfig": {"securityGroupIds": groups}})
    for update in updates:
        api.call("eks", "update_cluster_config", name=new["id"], **update)


def plan_cluster(api: Api, prior: State | None, planned: State) -> frozenset[str]:
    """Replace a cluster whose secrets shall no longer be encrypted: AWS cannot undo it."""
    undone = prior and prior["encryption_config"] and not planned["encryption_config"]
    return frozenset({"encryption_config"}) if undone else frozenset()


def read_cluster(api: Api, state: State) -> State:
    """Read a cluster."""
    found = api.call("eks", "describe_cluster", name=state["id"])["cluster"]
    vpc = found["resourcesVpcConfig"]
    before = first(state.get("access_config") or ()) or {}
    bootstrap = before.get("bootstrap_cluster_creator_admin_permissions")  # no API returns it
    logs = found["logging"]["clusterLogging"]
    kubernetes = found["kubernetesNetworkConfig"]
    return {
        "access_config": [
            {
                "authentication_mode": found["accessConfig"]["authenticationMode"],
                "bootstrap_cluster_creator_admin_permissions": bootstrap,
            }
        ],
        "arn": found["arn"],
        "certificate_authority": [{"data": found["certificateAuthority"]["data"]}],
        "compute_config": [],
        "control_plane_scaling_config": [{"tier": "standard"}],
        "created_at": moment(found["createdAt"]),
        "deletion_protection": found.get("deletionProtection", False),
        "enabled_cluster_log_types": [
            one for setup in logs if setup["enabled"] for one in setup["types"]
        ],
        "encryption_config": [
            {"resources": one["resources"], "provider": [{"key_arn": one["provider"]["keyArn"]}]}
            for one in found.get("encryptionConfig", ())
        ],
        "endpoint": found["endpoint"],
        "identity": [{"oidc": [{"issuer": found["identity"]["oidc"]["issuer"]}]}],
        "kubernetes_network_config": [
            {
                "elastic_load_balancing": [{"enabled": False}],
                "ip_family": kubernetes.get("ipFamily", "ipv4"),
                "service_ipv4_cidr": kubernetes["serviceIpv4Cidr"],
                "service_ipv6_cidr": "",
            }
        ],
        "name": found["name"],
        "platform_version": found["platformVersion"],
        "role_arn": found["roleArn"],
        "status": found["status"],
        "storage_config": [],
        "tags_all": found.get("tags", {}),
        "upgrade_policy": [{"support_type": found["upgradePolicy"]["supportType"]}],
        "version": found["version"],
        "vpc_config": [
            {
                "cluster_security_group_id": vpc["clusterSecurityGroupId"],
                "control_plane_egress_mode": "",
                "endpoint_private_access": vpc["endpointPrivateAccess"],
                "endpoint_public_access": vpc["endpointPublicAccess"],
                "public_access_cidrs": vpc.get("publicAccessCidrs", []),
                "security_group_ids": vpc.get("securityGroupIds", []),
                "subnet_ids": vpc["subnetIds"],
                "vpc_id": vpc["vpcId"],
            }
        ],
    }


def delete_cluster(api: Api, state: State) -> None:
    """Remove a cluster, and with it what is registered with it."""
    api.call("eks", "delete_cluster", name=state["id"])
    with api.kept.change() as kept:
        for things in (kept.get(type_, {}) for type_ in KEPT):
            for identity in [i for i, one in things.items() if one["cluster_name"] == state["id"]]:
                del things[identity]


# Nodes


def nodes(state: State) -> dict[str, str]:
    """Return what names a group of nodes."""
    cluster, _, group = state["id"].partition(":")
    return {"clusterName": cluster, "nodegroupName": group}


def template(new: State, *, update: bool = False) -> dict[str, str] | None:
    """Return the launch template and its version; an update must not have both id and name."""
    block = first(new["launch_template"])
    if not block:
        return None
    named = "id" if block["id"] else "name"
    return {named: block[named], "version": block["version"]}


def create_nodes(api: Api, new: State) -> str:
    """Make a group of nodes."""
    group = given_name(
        {"name": new["node_group_name"], "name_prefix": new["node_group_name_prefix"]}
    )
    asked = api.parameters(
        "eks", "create_nodegroup", new, node_role_arn="nodeRole", subnet_ids="subnets"
    )
    asked.pop("launchTemplate", None)
    asked |= {"nodegroupName": group, "tags": new["tags_all"], "taints": taints(new)}
    api.call("eks", "create_nodegroup", **asked, launchTemplate=template(new))
    return f"{new['cluster_name']}:{group}"


EFFECTS = ("NO_SCHEDULE", "NO_EXECUTE", "PREFER_NO_SCHEDULE")


def taints(new: State) -> list[dict[str, str]]:
    """Return the taints as the API wants them."""
    return [
        {"key": one["key"], "value": one["value"] or "", "effect": one["effect"]}
        for one in new["taint"]
    ]


def settle_nodes(api: Api, old: State, new: State) -> None:
    """Bring an existing group up to date: the version first."""
    if not old:
        return
    if changed(old, new, "launch_template", "release_version", "version"):
        asked = {
            "launchTemplate": template(new),
            "releaseVersion": new["release_version"]
            if changed(old, new, "release_version")
            else None,
            "version": new["version"] if changed(old, new, "version") else None,
            "force": bool(new["force_update_version"]),
        }
        api.call("eks", "update_nodegroup_version", **nodes(new), **asked)
    if changed(old, new, "labels", "scaling_config", "taint", "update_config"):
        shapes = api.parameters("eks", "update_nodegroup_config", new)
        before, after = old["labels"] or {}, new["labels"] or {}
        had, has = taints(old), taints(new)
        asked = {
            "scalingConfig": shapes["scalingConfig"],
            "updateConfig": shapes.get("updateConfig"),
            "labels": {
                "addOrUpdateLabels": after,
                "removeLabels": sorted(before.keys() - after.keys()),
            },
            "taints": {
                "addOrUpdateTaints": has,
                "removeTaints": [one for one in had if one not in has],
            },
        }
        api.call("eks", "update_nodegroup_config", **nodes(new), **asked)


def read_nodes(api: Api, state: State) -> State:
    """Read a group of nodes."""
    found = api.call("eks", "describe_nodegroup", **nodes(state))["nodegroup"]
    made = found["resources"]
    names = {"nodegroupArn": "arn", "nodeRole": "node_role_arn", "nodegroupName": "node_group_name"}
    shown = {attribute: found[key] for key, attribute in names.items()}
    return {
        **api.attributes(found),
        **shown,
        "disk_size": found.get("diskSize", 0),
        "labels": found.get("labels", {}),
        "launch_template": [found["launchTemplate"]] if found.get("launchTemplate") else [],
        "node_group_name_prefix": state.get("node_group_name_prefix") or "",
        "node_repair_config": [],
        "remote_access": [],
        "resources": [
            {
                "autoscaling_groups": [{"name": one["name"]} for one in made["autoScalingGroups"]],
                "remote_access_security_group_id": made.get("remoteAccessSecurityGroup", ""),
            }
        ],
        "subnet_ids": found["subnets"],
        "taint": found.get("taints", []),
        "tags_all": found.get("tags", {}),
        "warm_pool_config": [],
    }


# What is registered with a cluster


def in_cluster(api: Api, new: State) -> State:
    """Return the cluster that something shall be registered with; fails if there is none."""
    answer = api.call("eks", "describe_cluster", name=new["cluster_name"])
    return answer["cluster"]  # type: ignore[no-any-return]


def addon(api: Api, new: State) -> State:
    """Name an add-on. Which version AWS would take is not known here; its label says so."""
    cluster = in_cluster(api, new)["name"]
    drawn_id = drawn_uuid("addon", cluster, new["addon_name"])
    return {
        "id": f"{cluster}:{new['addon_name']}",
        "arn": api.arn("eks", f"addon/{cluster}/{new['addon_name']}/{drawn_id}"),
        "addon_version": new["addon_version"] or "v0.0.0-rehearsal.1",
        "configuration_values": new["configuration_values"] or "",
        "created_at": moment(),
        "modified_at": moment(),
        "namespace_config": new["namespace_config"] or [],
    }


def access_entry(api: Api, new: State) -> State:
    """Name who may enter a cluster, and as whom."""
    cluster, principal = in_cluster(api, new)["name"], new["principal_arn"]
    kind, who = principal.rpartition(":")[2].split("/")[0], principal.rsplit("/", 1)[1]
    drawn_id = drawn_uuid("access-entry", cluster, principal)
    path = f"access-entry/{cluster}/{kind}/{api.account_id}/{who}/{drawn_id}"
    as_node = new["type"].startswith("EC2_")
    assumed = f"arn:{api.partition}:sts::{api.account_id}:assumed-role/{who}/{{{{SessionName}}}}"
    return {
        "id": f"{cluster}:{principal}",
        "access_entry_arn": api.arn("eks", path),
        "created_at": moment(),
        "kubernetes_groups": new["kubernetes_groups"] or (["system:nodes"] if as_node else []),
        "modified_at": moment(),
        "user_name": new["user_name"]
        or ("system:node:{{EC2PrivateDNSName}}" if as_node else assumed),
    }


def access_policy(api: Api, new: State) -> State:
    """Name what somebody may do in a cluster; they must have entry to it."""
    cluster, principal = in_cluster(api, new)["name"], new["principal_arn"]
    return {
        "id": f"{cluster}#{principal}#{new['policy_arn']}",
        "associated_at": moment(),
        "modified_at": moment(),
    }


def pod_identity(api: Api, new: State) -> State:
    """Name the role of a service account."""
    cluster = in_cluster(api, new)["name"]
    identity = f"a-{drawn(17, 'pod-identity', cluster, new['namespace'], new['service_account'])}"
    return {
        "id": identity,
        "association_arn": api.arn("eks", f"podidentityassociation/{cluster}/{identity}"),
        "association_id": identity,
        "disable_session_tags": bool(new["disable_session_tags"]),
    }


KEPT = {
    "aws_eks_addon": keeping(
        "aws_eks_addon",
        addon,
        immutable=frozenset({"addon_name", "cluster_name", "namespace_config"}),
        documents=frozenset({"configuration_values"}),
        checks={
            "cluster_name": name,
            "configuration_values": document,
            "pod_identity_association.role_arn": arn,
            "resolve_conflicts_on_create": one_of("NONE", "OVERWRITE"),
            "resolve_conflicts_on_update": one_of("NONE", "OVERWRITE", "PRESERVE"),
            "service_account_role_arn": arn,
        },
    ),
    "aws_eks_access_entry": keeping(
        "aws_eks_access_entry",
        access_entry,
        immutable=frozenset({"cluster_name", "principal_arn", "type"}),
        defaults={"type": "STANDARD"},
        checks={
            "cluster_name": name,
            "principal_arn": arn,
            "type": one_of(
                *("EC2", "EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "HYBRID_LINUX", "STANDARD")
            ),
        },
    ),
    "aws_eks_access_policy_association": keeping(
        "aws_eks_access_policy_association",
        access_policy,
        immutable=frozenset({"access_scope", "cluster_name", "policy_arn", "principal_arn"}),
        checks={
            "access_scope.type": one_of("cluster", "namespace"),
            "cluster_name": name,
            "policy_arn": arn,
            "principal_arn": arn,
        },
    ),
    "aws_eks_pod_identity_association": keeping(
        "aws_eks_pod_identity_association",
        pod_identity,
        immutable=frozenset({"cluster_name", "namespace", "service_account"}),
        checks={"role_arn": arn},
    ),
}
RESOURCES = {
    **KEPT,
    "aws_eks_cluster": Resource(
        create=create_cluster,
        settle=settle_cluster,
        read=read_cluster,
        plan=plan_cluster,
        delete=delete_cluster,
        retag=retagging("eks", "resourceArn", tags="tags", keys="tagKeys", form=dict),
        immutable=frozenset(
            {
                "access_config.bootstrap_cluster_creator_admin_permissions",
                "bootstrap_self_managed_addons",
                "kubernetes_network_config.ip_family",
                "kubernetes_network_config.service_ipv4_cidr",
                "name",
                "outpost_config",
                "role_arn",
            }
        ),
        defaults={
            "bootstrap_self_managed_addons": True,
            "vpc_config.endpoint_private_access": False,
            "vpc_config.endpoint_public_access": True,
        },
        checks={
            "access_config.authentication_mode": one_of("API", "API_AND_CONFIG_MAP", "CONFIG_MAP"),
            "enabled_cluster_log_types": each_of(*LOG_TYPES),
            "name": name,
            "role_arn": arn,
            "upgrade_policy.support_type": one_of("STANDARD", "EXTENDED"),
        },
    ),
    "aws_eks_node_group": Resource(
        create=create_nodes,
        settle=settle_nodes,
        read=read_nodes,
        delete=lambda api, state: api.call("eks", "delete_nodegroup", **nodes(state)),
        retag=retagging("eks", "resourceArn", tags="tags", keys="tagKeys", form=dict),
        immutable=frozenset(
            {
                "ami_type",
                "capacity_type",
                "cluster_name",
                "disk_size",
                "instance_types",
                "launch_template.id",
                "launch_template.name",
                "node_group_name",
                "node_group_name_prefix",
                "node_role_arn",
                "remote_access",
                "subnet_ids",
            }
        ),
        checks={
            "capacity_type": one_of("ON_DEMAND", "SPOT", "CAPACITY_BLOCK"),
            "cluster_name": name,
            "node_role_arn": arn,
            "taint.effect": one_of(*EFFECTS),
        },
    ),
}
