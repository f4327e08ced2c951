"""Add-ons, access entries and pod identity associations of a Kubernetes cluster."""

from datetime import UTC
from typing import Any

from emulated_aws.resources.base import Api, Resource, State, changed, moment, retagging

TAGS = retagging("eks", "resourceArn", tags="tags", keys="tagKeys", form=dict)


def within(state: State, separator: str = ":") -> tuple[str, ...]:
    """Return the cluster, and the resource registered with it, that an id names."""
    return tuple(state["id"].split(separator, 2 if separator == "#" else 1))


# Add-ons

ROLES = {"pod_identity_association": "podIdentityAssociations"}
CHANGEABLE = (
    *("addon_version", "configuration_values", "pod_identity_association"),
    "service_account_role_arn",
)


def create_addon(api: Api, new: State) -> str:
    """Create an add-on."""
    asked = api.parameters("eks", "create_addon", new, **ROLES)
    asked |= {"resolveConflicts": new["resolve_conflicts_on_create"], "tags": new["tags_all"]}
    api.call("eks", "create_addon", **asked)
    return f"{new['cluster_name']}:{new['addon_name']}"


def settle_addon(api: Api, old: State, new: State) -> None:
    """Update an add-on's version, settings and role."""
    if not old or not changed(old, new, *CHANGEABLE):
        return
    asked = api.parameters("eks", "update_addon", new, **ROLES)
    asked |= {"resolveConflicts": new["resolve_conflicts_on_update"]}
    if changed(old, new, "pod_identity_association"):
        asked.setdefault("podIdentityAssociations", [])
    api.call("eks", "update_addon", **asked)


def read_addon(api: Api, state: State) -> State:
    """Read an add-on."""
    cluster, name = within(state)
    found = api.call("eks", "describe_addon", clusterName=cluster, addonName=name)["addon"]
    roles = [pod_identity(api, cluster, arn) for arn in found.get("podIdentityAssociations", ())]
    return {
        **api.attributes(found),
        "arn": found["addonArn"],
        "configuration_values": found.get("configurationValues", ""),
        "created_at": moment(found["createdAt"]),
        "modified_at": moment(found["modifiedAt"]),
        "namespace_config": [found["namespaceConfig"]] if found.get("namespaceConfig") else [],
        "pod_identity_association": [
            {"role_arn": one["roleArn"], "service_account": one["serviceAccount"]} for one in roles
        ],
        "service_account_role_arn": found.get("serviceAccountRoleArn", ""),
        "tags_all": found.get("tags", {}),
    }


def pod_identity(api: Api, cluster: str, arn: str) -> dict[str, Any]:
    """Return a pod identity association."""
    asked = {"clusterName": cluster, "associationId": arn.rsplit("/", 1)[-1]}
    return api.call("eks", "describe_pod_identity_association", **asked)["association"]  # type: ignore[no-any-return]


def delete_addon(api: Api, state: State) -> None:
    """Delete an add-on."""
    cluster, name = within(state)
    preserve = state.get("preserve")
    api.call("eks", "delete_addon", clusterName=cluster, addonName=name, preserve=preserve)


# Access entries and their policies


def create_entry(api: Api, new: State) -> str:
    """Create an access entry."""
    asked = api.parameters("eks", "create_access_entry", new, user_name="username")
    api.call("eks", "create_access_entry", **asked, tags=new["tags_all"])
    return f"{new['cluster_name']}:{new['principal_arn']}"


def settle_entry(api: Api, old: State, new: State) -> None:
    """Update an entry's groups and user name."""
    if old and changed(old, new, "kubernetes_groups", "user_name"):
        asked = api.parameters("eks", "update_access_entry", new, user_name="username")
        asked["kubernetesGroups"] = new["kubernetes_groups"] or []
        api.call("eks", "update_access_entry", **asked)


def read_entry(api: Api, state: State) -> State:
    """Read an access entry."""
    cluster, principal = within(state)
    asked = {"clusterName": cluster, "principalArn": principal}
    found = api.call("eks", "describe_access_entry", **asked)["accessEntry"]
    return {
        **api.attributes(found, user_name="username"),
        "created_at": moment(found["createdAt"]),
        "modified_at": moment(found["modifiedAt"]),
        "tags_all": found.get("tags", {}),
    }


def delete_entry(api: Api, state: State) -> None:
    """Delete an access entry."""
    cluster, principal = within(state)
    api.call("eks", "delete_access_entry", clusterName=cluster, principalArn=principal)


def create_policy(api: Api, new: State) -> str:
    """Associate an access policy."""
    asked = api.parameters("eks", "associate_access_policy", new)
    api.call("eks", "associate_access_policy", **asked)
    return f"{new['cluster_name']}#{new['principal_arn']}#{new['policy_arn']}"


def read_policy(api: Api, state: State) -> State | None:
    """Read an access policy's association."""
    cluster, principal, policy = within(state, "#")
    asked = {"clusterName": cluster, "principalArn": principal}
    listed = api.call("eks", "list_associated_access_policies", **asked)
    for found in listed["associatedAccessPolicies"]:
        if found["policyArn"] == policy:
            # The provider stores these two times as Go prints them.
            moments = {
                name: f"{found[key].astimezone(UTC):%Y-%m-%d %H:%M:%S} +0000 UTC"
                for name, key in (("associated_at", "associatedAt"), ("modified_at", "modifiedAt"))
            }
            scope = found["accessScope"]
            return {
                "access_scope": [
                    {"type": scope["type"], "namespaces": scope.get("namespaces", [])}
                ],
                "cluster_name": cluster,
                "policy_arn": policy,
                "principal_arn": principal,
                **moments,
            }
    return None


def delete_policy(api: Api, state: State) -> None:
    """Disassociate an access policy."""
    cluster, principal, policy = within(state, "#")
    asked = {"clusterName": cluster, "principalArn": principal, "policyArn": policy}
    api.call("eks", "disassociate_access_policy", **asked)


# Pod identity associations


def create_pod_identity(api: Api, new: State) -> State:
    """Create a pod identity association."""
    asked = api.parameters("eks", "create_pod_identity_association", new)
    asked["tags"] = new["tags_all"]
    found = api.call("eks", "create_pod_identity_association", **asked)["association"]
    return {"id": found["associationId"], "association_id": found["associationId"]}


def settle_pod_identity(api: Api, old: State, new: State) -> None:
    """Update a pod identity association's role."""
    names = ("disable_session_tags", "policy", "role_arn", "target_role_arn")
    if old and changed(old, new, *names):
        asked = api.parameters("eks", "update_pod_identity_association", new)
        api.call("eks", "update_pod_identity_association", **asked)


def read_pod_identity(api: Api, state: State) -> State:
    """Read a pod identity association."""
    found = pod_identity(api, state["cluster_name"], state["id"])
    return {
        **api.attributes(found),
        "external_id": found.get("externalId"),
        "tags_all": found.get("tags", {}),
    }


def delete_pod_identity(api: Api, state: State) -> None:
    """Delete a pod identity association."""
    asked = {"clusterName": state["cluster_name"], "associationId": state["association_id"]}
    api.call("eks", "delete_pod_identity_association", **asked)


RESOURCES = {
    "aws_eks_addon": Resource(
        create=create_addon,
        settle=settle_addon,
        read=read_addon,
        delete=delete_addon,
        retag=TAGS,
        documents=frozenset({"configuration_values"}),
    ),
    "aws_eks_access_entry": Resource(
        create=create_entry,
        settle=settle_entry,
        read=read_entry,
        delete=delete_entry,
        retag=retagging(
            "eks", "resourceArn", "access_entry_arn", tags="tags", keys="tagKeys", form=dict
        ),
    ),
    "aws_eks_access_policy_association": Resource(
        create=create_policy, read=read_policy, delete=delete_policy
    ),
    "aws_eks_pod_identity_association": Resource(
        create=create_pod_identity,
        settle=settle_pod_identity,
        read=read_pod_identity,
        imported=lambda api, identity: dict(
            zip(("cluster_name", "id"), identity.split(",", 1), strict=True)
        ),
        delete=delete_pod_identity,
        retag=retagging(
            "eks", "resourceArn", "association_arn", tags="tags", keys="tagKeys", form=dict
        ),
    ),
}
