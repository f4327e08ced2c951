"""Access entries of a Kubernetes cluster, and its pod identity associations."""

from typing import Any

from moto.eks.models import eks_backends

from emulated_aws.operations.protocol import Call, Failure
from emulated_aws.operations.store import Things, drawn, drawn_uuid, now

ADDON, ENTRY, POLICY, POD = "eks addon", "eks access entry", "eks access policy", "eks pod identity"
UPDATE = "eks update"


def cluster_of(call: Call) -> str:
    """Return the cluster that a call names. Raises `Failure` if there is none."""
    name = str(call.parameters.get("clusterName") or call.parameters.get("name"))
    if name not in eks_backends[call.account_id][call.region].clusters:
        raise missing(f"No cluster found for name: {name}.")
    return name


def missing(message: str) -> Failure:
    """Return EKS's error for something that does not exist."""
    return Failure("ResourceNotFoundException", message, 404)


def in_use(message: str) -> Failure:
    """Return EKS's error for something that exists already."""
    return Failure("ResourceInUseException", message, 409)


def of_cluster(things: Things, kind: str, call: Call) -> list[dict[str, Any]]:
    """Return the resources of one kind that are registered with the call's cluster."""
    cluster = cluster_of(call)
    return [
        resource for resource in things.all(kind, call.region) if resource["clusterName"] == cluster
    ]


# Access entries and their policies


def create_entry(things: Things, call: Call) -> Any:
    """Create an access entry."""
    cluster, asked = cluster_of(call), call.parameters
    principal, kind = asked["principalArn"], asked.get("type") or "STANDARD"
    key = f"{cluster}:{principal}"
    if things.get(ENTRY, call.region, key):
        raise in_use("The specified access entry resource is already in use on this cluster.")
    what, who = principal.rpartition(":")[2].split("/")[0], principal.rsplit("/", 1)[1]
    as_node = kind.startswith("EC2")
    assumed = f"arn:aws:sts::{call.account_id}:assumed-role/{who}/{{{{SessionName}}}}"
    node = "system:node:{{EC2PrivateDNSName}}"
    path = f"{cluster}/{what}/{call.account_id}/{who}/{drawn_uuid('access-entry', key)}"
    made = {
        "clusterName": cluster,
        "principalArn": principal,
        "kubernetesGroups": asked.get("kubernetesGroups") or (["system:nodes"] if as_node else []),
        "accessEntryArn": call.arn(f"access-entry/{path}"),
        "createdAt": now(),
        "modifiedAt": now(),
        "tags": asked.get("tags") or {},
        "username": asked.get("username") or (node if as_node else assumed),
        "type": kind,
    }
    return {"accessEntry": things.put(ENTRY, call.region, key, made)}


def entry_of(things: Things, call: Call) -> dict[str, Any]:
    """Return the access entry that a call names."""
    cluster, principal = cluster_of(call), call.parameters["principalArn"]
    found = things.get(ENTRY, call.region, f"{cluster}:{principal}")
    if not found:
        raise missing(f"The specified principalArn could not be found: {principal}")
    return found


def change(found: dict[str, Any], call: Call, *names: str) -> None:
    """Update these parameters as far as the call gives them."""
    for name in names:
        if call.parameters.get(name) is not None:
            found[name] = call.parameters[name]
    found["modifiedAt"] = now()


def update_entry(things: Things, call: Call) -> Any:
    """Update an entry's groups and user name."""
    found = entry_of(things, call)
    change(found, call, "kubernetesGroups", "username")
    return {"accessEntry": found}


def delete_entry(things: Things, call: Call) -> Any:
    """Delete an access entry, and its policies with it."""
    found = entry_of(things, call)
    key = f"{found['clusterName']}:{found['principalArn']}"
    things.remove(ENTRY, call.region, key)
    for policy in policies_of(things, call, found):
        things.remove(POLICY, call.region, policy_key(policy))
    return {}


def policy_key(policy: dict[str, Any]) -> str:
    """Return the key of a principal's policy in a cluster."""
    return f"{policy['clusterName']}#{policy['principalArn']}#{policy['policyArn']}"


def policies_of(things: Things, call: Call, entry: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the policies of an entry."""
    owned = of_cluster(things, POLICY, call)
    return [policy for policy in owned if policy["principalArn"] == entry["principalArn"]]


def associate_policy(things: Things, call: Call) -> Any:
    """Associate a policy with a principal."""
    entry, asked = entry_of(things, call), call.parameters
    made = {
        "clusterName": entry["clusterName"],
        "principalArn": entry["principalArn"],
        "policyArn": asked["policyArn"],
        "accessScope": asked["accessScope"],
        "associatedAt": now(),
        "modifiedAt": now(),
    }
    things.put(POLICY, call.region, policy_key(made), made)
    return {**made, "associatedAccessPolicy": made}


def disassociate_policy(things: Things, call: Call) -> Any:
    """Disassociate a policy from a principal."""
    entry, asked = entry_of(things, call), call.parameters
    key = f"{entry['clusterName']}#{entry['principalArn']}#{asked['policyArn']}"
    if not things.remove(POLICY, call.region, key):
        raise missing("The specified associated access policy could not be found.")
    return {}


def list_policies(things: Things, call: Call) -> Any:
    """List the policies associated with a principal."""
    entry = entry_of(things, call)
    return {**entry, "associatedAccessPolicies": policies_of(things, call, entry)}


# Pod identity associations


def pod_identity(
    things: Things, call: Call, cluster: str, namespace: str, asked: dict[str, Any]
) -> dict[str, Any]:
    """Create a pod identity association."""
    account = asked["serviceAccount"]
    identity = f"a-{drawn(17, 'pod-identity', cluster, namespace, account)}"
    if things.get(POD, call.region, identity):
        raise in_use(f"Association already exists: {identity}")
    target = asked.get("targetRoleArn")
    made = {
        "clusterName": cluster,
        "namespace": namespace,
        "serviceAccount": account,
        "roleArn": asked["roleArn"],
        "associationArn": call.arn(f"podidentityassociation/{cluster}/{identity}"),
        "associationId": identity,
        "tags": asked.get("tags") or {},
        "createdAt": now(),
        "modifiedAt": now(),
        "disableSessionTags": bool(asked.get("disableSessionTags")),
        "targetRoleArn": target,
        "externalId": drawn(32, "external", identity) if target else None,
        "policy": asked.get("policy"),
    }
    return things.put(POD, call.region, identity, made)


def create_pod_identity(things: Things, call: Call) -> Any:
    """Create a pod identity association."""
    cluster, asked = cluster_of(call), call.parameters
    return {"association": pod_identity(things, call, cluster, asked["namespace"], asked)}


def pod_identity_of(things: Things, call: Call) -> dict[str, Any]:
    """Return the association that a call names."""
    cluster_of(call)
    found = things.get(POD, call.region, call.parameters["associationId"])
    if not found:
        raise missing(f"Association not found: {call.parameters['associationId']}")
    return found


def list_pod_identities(things: Things, call: Call) -> Any:
    """List the pod identity associations."""
    asked = {
        name: call.parameters[name]
        for name in ("namespace", "serviceAccount")
        if call.parameters.get(name)
    }
    found = of_cluster(things, POD, call)
    return {
        "associations": [
            association
            for association in found
            if all(association[name] == value for name, value in asked.items())
        ]
    }


def update_pod_identity(things: Things, call: Call) -> Any:
    """Update a pod identity association."""
    found = pod_identity_of(things, call)
    change(found, call, "roleArn", "disableSessionTags", "targetRoleArn", "policy")
    return {"association": found}


def delete_pod_identity(things: Things, call: Call) -> Any:
    """Delete a pod identity association."""
    found = pod_identity_of(things, call)
    things.remove(POD, call.region, found["associationId"])
    return {"association": found}


OPERATIONS = {
    "AssociateAccessPolicy": associate_policy,
    "CreateAccessEntry": create_entry,
    "CreatePodIdentityAssociation": create_pod_identity,
    "DeleteAccessEntry": delete_entry,
    "DeletePodIdentityAssociation": delete_pod_identity,
    "DescribeAccessEntry": lambda things, call: {"accessEntry": entry_of(things, call)},
    "DescribePodIdentityAssociation": lambda things, call: {
        "association": pod_identity_of(things, call)
    },
    "DisassociateAccessPolicy": disassociate_policy,
    "ListAccessEntries": lambda things, call: {
        "accessEntries": [one["principalArn"] for one in of_cluster(things, ENTRY, call)]
    },
    "ListAssociatedAccessPolicies": list_policies,
    "ListPodIdentityAssociations": list_pod_identities,
    "UpdateAccessEntry": update_entry,
    "UpdatePodIdentityAssociation": update_pod_identity,
}
