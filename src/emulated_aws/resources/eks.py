"""Kubernetes clusters."""

from typing import Any

from emulated_aws.resources.base import Api, Resource, State, changed, first, moment, retagging

LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")


def logging(types: Any) -> dict[str, Any]:
    """Return the logging settings in the API's form."""
    on = [kind for kind in LOG_TYPES if kind in (types or ())]
    off = [kind for kind in LOG_TYPES if kind not in on]
    setup = ({"types": on, "enabled": True}, {"types": off, "enabled": False})
    return {"clusterLogging": [entry for entry in setup if entry["types"]]}


def network(block: State) -> dict[str, Any]:
    """Return the network settings of the endpoint in the API's form."""
    return {
        "endpointPrivateAccess": bool(block["endpoint_private_access"]),
        "endpointPublicAccess": bool(block["endpoint_public_access"]),
        **({"publicAccessCidrs": cidrs} if (cidrs := block["public_access_cidrs"]) else {}),
    }


def create_cluster(api: Api, new: State) -> str:
    """Create a cluster."""
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
    """Return the access settings in the API's form."""
    names = {
        "authentication_mode": "authenticationMode",
        "bootstrap_cluster_creator_admin_permissions": "bootstrapClusterCreatorAdminPermissions",
    }
    return {option: block[name] for name, option in names.items() if block[name] is not None}


def settle_cluster(api: Api, old: State, new: State) -> None:
    """Update a cluster: the version first, then one setting in each call."""
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
    """Replace a cluster that no longer encrypts secrets: AWS cannot undo encryption."""
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
            entry for setup in logs if setup["enabled"] for entry in setup["types"]
        ],
        "encryption_config": [
            {
                "resources": entry["resources"],
                "provider": [{"key_arn": entry["provider"]["keyArn"]}],
            }
            for entry in found.get("encryptionConfig", ())
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
    """Delete a cluster, with everything registered with it."""
    api.call("eks", "delete_cluster", name=state["id"])


RESOURCES = {
    "aws_eks_cluster": Resource(
        create=create_cluster,
        settle=settle_cluster,
        read=read_cluster,
        plan=plan_cluster,
        delete=delete_cluster,
        retag=retagging("eks", "resourceArn", tags="tags", keys="tagKeys", form=dict),
    ),
}
