"""Add-ons of a Kubernetes cluster, tags of what is registered with it, and updates."""

from collections.abc import Iterator
from typing import Any

from emulated_aws.operations import eks_access
from emulated_aws.operations.eks_access import (
    ADDON,
    ENTRY,
    POD,
    POLICY,
    cluster_of,
    in_use,
    missing,
    of_cluster,
    pod_identity,
)
from emulated_aws.operations.protocol import DECLINED, Call
from emulated_aws.operations.store import Things, drawn_uuid, now

UPDATE = "eks update"
# Not a version that AWS released, so that nobody mistakes it for one.
ADDON_VERSION = "v0.0.0-emulated.1"


def update(things: Things, call: Call, kind: str) -> dict[str, Any]:
    """Record an update, complete at once, so that it can be described."""
    made = {"id": things.uuid(), "status": "Successful", "type": kind, "params": []}
    made |= {"createdAt": now(), "errors": []}
    return things.put(UPDATE, call.region, str(made["id"]), made)


def describe_update(things: Things, call: Call) -> Any:
    """Describe an update."""
    found = things.get(UPDATE, call.region, call.parameters["updateId"])
    if not found:
        raise missing(f"No update found for ID: {call.parameters['updateId']}")
    return {"update": found}


# Add-ons


def create_addon(things: Things, call: Call) -> Any:
    """Create an add-on."""
    cluster, asked = cluster_of(call), call.parameters
    name = asked["addonName"]
    key = f"{cluster}:{name}"
    if things.get(ADDON, call.region, key):
        raise in_use(f"Addon already exists: {name}")
    associations = give_roles(things, call, cluster, asked.get("podIdentityAssociations") or ())
    made = {
        "addonName": name,
        "clusterName": cluster,
        "status": "ACTIVE",
        "addonVersion": asked.get("addonVersion") or ADDON_VERSION,
        "health": {"issues": []},
        "addonArn": call.arn(f"addon/{cluster}/{name}/{drawn_uuid('addon', key)}"),
        "createdAt": now(),
        "modifiedAt": now(),
        "serviceAccountRoleArn": asked.get("serviceAccountRoleArn"),
        "configurationValues": asked.get("configurationValues"),
        "podIdentityAssociations": associations,
        "namespaceConfig": asked.get("namespaceConfig"),
        "tags": asked.get("tags") or {},
    }
    return {"addon": things.put(ADDON, call.region, key, made)}


def give_roles(things: Things, call: Call, cluster: str, asked: Any) -> list[str]:
    """Give the service accounts of an add-on their roles; return the associations' ARNs."""
    return [
        pod_identity(things, call, cluster, "kube-system", one)["associationArn"] for one in asked
    ]


def drop_roles(things: Things, call: Call, addon: dict[str, Any]) -> None:
    """Remove the roles that an add-on brought."""
    for arn in addon["podIdentityAssociations"]:
        things.remove(POD, call.region, arn.rsplit("/", 1)[-1])


def addon_of(things: Things, call: Call) -> dict[str, Any]:
    """Return the add-on that a call names."""
    cluster, name = cluster_of(call), call.parameters["addonName"]
    found = things.get(ADDON, call.region, f"{cluster}:{name}")
    if not found:
        raise missing(f"No addon: {name} found in cluster: {cluster}")
    return found


def update_addon(things: Things, call: Call) -> Any:
    """Update an add-on; parameters left out keep their values."""
    found, asked = addon_of(things, call), call.parameters
    if (roles := asked.get("podIdentityAssociations")) is not None:
        drop_roles(things, call, found)
        found["podIdentityAssociations"] = give_roles(things, call, found["clusterName"], roles)
    for name in ("addonVersion", "serviceAccountRoleArn", "configurationValues"):
        if asked.get(name) is not None:
            found[name] = asked[name]
    found["modifiedAt"] = now()
    return {"update": update(things, call, "AddonUpdate")}


def delete_addon(things: Things, call: Call) -> Any:
    """Remove an add-on."""
    found = addon_of(things, call)
    drop_roles(things, call, found)
    things.remove(ADDON, call.region, f"{found['clusterName']}:{found['addonName']}")
    return {"addon": {**found, "status": "DELETING"}}


def describe_addon_versions(things: Things, call: Call) -> Any:
    """List the only version that an add-on has here."""
    name = call.parameters.get("addonName")
    if not name:
        return {"addons": []}
    version = {"addonVersion": ADDON_VERSION, "architecture": ["amd64", "arm64"]}
    offered = {"clusterVersion": call.parameters.get("kubernetesVersion"), "defaultVersion": True}
    return {
        "addons": [
            {"addonName": name, "addonVersions": [{**version, "compatibilities": [offered]}]}
        ]
    }


def forget_cluster(things: Things, region: str, name: str) -> None:
    """Remove everything registered with a deleted cluster."""
    for kind in (ADDON, ENTRY, POLICY, POD):
        things.remove_where(kind, region, lambda one: one["clusterName"] == name)


# Tags

ARNS = {ADDON: "addonArn", ENTRY: "accessEntryArn", POD: "associationArn"}


def tags_of(things: Things, call: Call) -> dict[str, str] | None:
    """Return the tags of a registered resource, mutable; None if it is moto's."""
    arn = call.parameters["resourceArn"]
    for kind, name in ARNS.items():
        for thing in things.all(kind, call.region):
            if thing[name] == arn:
                return thing["tags"]  # type: ignore[no-any-return]
    return None


def tagged(things: Things, region: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the ARN and tags of everything registered with a region's clusters."""
    for kind, name in ARNS.items():
        for thing in things.all(kind, region):
            yield thing[name], thing["tags"]


def list_tags(things: Things, call: Call) -> Any:
    """List tags."""
    tags = tags_of(things, call)
    return DECLINED if tags is None else {"tags": tags}


def add_tags(things: Things, call: Call) -> Any:
    """Set tags."""
    tags = tags_of(things, call)
    if tags is None:
        return DECLINED
    tags.update(call.parameters["tags"])
    return {}


def remove_tags(things: Things, call: Call) -> Any:
    """Remove tags."""
    tags = tags_of(things, call)
    if tags is None:
        return DECLINED
    for key in call.parameters["tagKeys"]:
        tags.pop(key, None)
    return {}


def follow(things: Things, call: Call, answer: Any) -> None:
    """Follow up on moto's response: clean up after a deleted cluster, record an update."""
    if call.operation == "DeleteCluster":
        forget_cluster(things, call.region, call.parameters["name"])
    if update := answer.get("update"):
        things.put(UPDATE, call.region, update["id"], {**update, "createdAt": now()})


OPERATIONS = {
    **eks_access.OPERATIONS,
    "ListTagsForResource": list_tags,
    "TagResource": add_tags,
    "UntagResource": remove_tags,
    "CreateAddon": create_addon,
    "DeleteAddon": delete_addon,
    "DescribeAddon": lambda things, call: {"addon": addon_of(things, call)},
    "DescribeAddonVersions": describe_addon_versions,
    "DescribeUpdate": describe_update,
    "ListAddons": lambda things, call: {
        "addons": [one["addonName"] for one in of_cluster(things, ADDON, call)]
    },
    "UpdateAddon": update_addon,
}
