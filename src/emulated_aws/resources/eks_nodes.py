"""Node groups of a Kubernetes cluster."""

from emulated_aws.resources.base import Api, Resource, State, changed, first, given_name, retagging


def nodes(state: State) -> dict[str, str]:
    """Return the parameters that name a node group."""
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
    """Create a node group."""
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


def taints(new: State) -> list[dict[str, str]]:
    """Return the taints in the API's form."""
    return [
        {"key": one["key"], "value": one["value"] or "", "effect": one["effect"]}
        for one in new["taint"]
    ]


def settle_nodes(api: Api, old: State, new: State) -> None:
    """Update a node group: the version first."""
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
            # The state of an SDK type holds 0 for unset numbers; the provider does not send them.
            "updateConfig": {
                name: value for name, value in (shapes.get("updateConfig") or {}).items() if value
            },
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
    """Read a node group."""
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


RESOURCES = {
    "aws_eks_node_group": Resource(
        create=create_nodes,
        settle=settle_nodes,
        read=read_nodes,
        delete=lambda api, state: api.call("eks", "delete_nodegroup", **nodes(state)),
        retag=retagging("eks", "resourceArn", tags="tags", keys="tagKeys", form=dict),
    ),
}
