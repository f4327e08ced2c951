"""Roles, policies, and their attachments."""

from typing import Any

from emulated_aws.resources.base import (
    Api,
    Resource,
    State,
    as_json,
    as_policy,
    changed,
    given_name,
    moment,
    retagging,
    tags_as_list,
    tags_as_map,
)

VERSIONS_KEPT = 5  # of a policy, by AWS


def create_role(api: Api, new: State) -> str:
    """Create a role."""
    asked = api.parameters("iam", "create_role", new, assume_role_policy="AssumeRolePolicyDocument")
    asked |= {"RoleName": given_name(new), "Tags": tags_as_list(new["tags_all"])}
    return str(api.call("iam", "create_role", **asked)["Role"]["RoleName"])


def settle_role(api: Api, old: State, new: State) -> None:
    """Update a role."""
    if not old:
        return
    role = {"RoleName": new["id"]}
    if changed(old, new, "assume_role_policy"):
        api.call(
            "iam", "update_assume_role_policy", **role, PolicyDocument=new["assume_role_policy"]
        )
    if changed(old, new, "description", "max_session_duration"):
        asked = {
            "Description": new["description"] or "",
            "MaxSessionDuration": new["max_session_duration"],
        }
        api.call("iam", "update_role", **role, **asked)
    if changed(old, new, "permissions_boundary"):
        if boundary := new["permissions_boundary"]:
            api.call("iam", "put_role_permissions_boundary", **role, PermissionsBoundary=boundary)
        else:
            api.call("iam", "delete_role_permissions_boundary", **role)


def read_role(api: Api, state: State) -> State:
    """Read a role and its policies."""
    found = api.call("iam", "get_role", RoleName=state["id"])["Role"]
    role = {"RoleName": state["id"]}
    attached = api.call("iam", "list_attached_role_policies", **role)["AttachedPolicies"]
    inline = [
        {"name": name, "policy": as_policy(inline_policy(api, state["id"], name))}
        for name in api.call("iam", "list_role_policies", **role)["PolicyNames"]
    ]
    return {
        **api.attributes(found),
        "assume_role_policy": as_json(found["AssumeRolePolicyDocument"]),
        "create_date": moment(found["CreateDate"]),
        "description": found.get("Description", ""),
        "inline_policy": inline,
        "managed_policy_arns": [policy["PolicyArn"] for policy in attached],
        "name": found["RoleName"],
        "name_prefix": state.get("name_prefix") or "",
        "permissions_boundary": found.get("PermissionsBoundary", {}).get(
            "PermissionsBoundaryArn", ""
        ),
        "tags_all": tags_as_map(found.get("Tags")),
        "unique_id": found["RoleId"],
    }


def delete_role(api: Api, state: State) -> None:
    """Remove a role from instance profiles, then delete it."""
    role = {"RoleName": state["id"]}
    for profile in api.call("iam", "list_instance_profiles_for_role", **role)["InstanceProfiles"]:
        name = profile["InstanceProfileName"]
        api.call("iam", "remove_role_from_instance_profile", InstanceProfileName=name, **role)
    if state.get("force_detach_policies") or state.get("managed_policy_arns"):
        for policy in api.call("iam", "list_attached_role_policies", **role)["AttachedPolicies"]:
            api.call("iam", "detach_role_policy", PolicyArn=policy["PolicyArn"], **role)
    if state.get("force_detach_policies") or state.get("inline_policy"):
        for name in api.call("iam", "list_role_policies", **role)["PolicyNames"]:
            api.call("iam", "delete_role_policy", PolicyName=name, **role)
    api.call("iam", "delete_role", **role)


def inline_policy(api: Api, role: str, name: str) -> Any:
    """Return an inline policy of a role."""
    found = api.call("iam", "get_role_policy", RoleName=role, PolicyName=name)
    return found["PolicyDocument"]


def put_role_policy(api: Api, state: State, name: str) -> str:
    """Create or replace an inline policy of a role."""
    role = state["role"]
    api.call(
        "iam", "put_role_policy", RoleName=role, PolicyName=name, PolicyDocument=state["policy"]
    )
    return f"{role}:{name}"


def read_role_policy(api: Api, state: State) -> State:
    """Read an inline policy of a role."""
    role, _, name = state["id"].partition(":")
    return {
        "name": name,
        "name_prefix": state.get("name_prefix") or "",
        "policy": as_policy(inline_policy(api, role, name)),
        "role": role,
    }


def delete_role_policy(api: Api, state: State) -> None:
    """Delete an inline policy of a role."""
    role, _, name = state["id"].partition(":")
    api.call("iam", "delete_role_policy", RoleName=role, PolicyName=name)


def create_policy(api: Api, new: State) -> State:
    """Create a policy."""
    asked = api.parameters("iam", "create_policy", new, policy="PolicyDocument")
    asked |= {"PolicyName": given_name(new), "Tags": tags_as_list(new["tags_all"])}
    found = api.call("iam", "create_policy", **asked)["Policy"]
    return {"id": found["Arn"], "arn": found["Arn"]}


def settle_policy(api: Api, old: State, new: State) -> None:
    """Create a new default version of a policy; AWS keeps five versions."""
    if not old or not changed(old, new, "policy"):
        return
    versions = api.call("iam", "list_policy_versions", PolicyArn=new["id"])["Versions"]
    others = sorted(
        (one for one in versions if not one["IsDefaultVersion"]), key=lambda one: one["CreateDate"]
    )
    if len(versions) >= VERSIONS_KEPT:
        oldest = others[0]["VersionId"]
        api.call("iam", "delete_policy_version", PolicyArn=new["id"], VersionId=oldest)
    asked = {"PolicyArn": new["id"], "PolicyDocument": new["policy"], "SetAsDefault": True}
    api.call("iam", "create_policy_version", **asked)


def read_policy(api: Api, state: State) -> State:
    """Read a policy and its default version."""
    found = api.call("iam", "get_policy", PolicyArn=state["id"])["Policy"]
    asked = {"PolicyArn": state["id"], "VersionId": found["DefaultVersionId"]}
    version = api.call("iam", "get_policy_version", **asked)["PolicyVersion"]
    return {
        **api.attributes(found),
        "description": found.get("Description", ""),
        "name": found["PolicyName"],
        "name_prefix": state.get("name_prefix") or "",
        "policy": as_json(version["Document"]),
        "tags_all": tags_as_map(found.get("Tags")),
    }


def delete_policy(api: Api, state: State) -> None:
    """Delete a policy with its versions."""
    for version in api.call("iam", "list_policy_versions", PolicyArn=state["id"])["Versions"]:
        if not version["IsDefaultVersion"]:
            asked = {"PolicyArn": state["id"], "VersionId": version["VersionId"]}
            api.call("iam", "delete_policy_version", **asked)
    api.call("iam", "delete_policy", PolicyArn=state["id"])


def attach(api: Api, new: State) -> str:
    """Attach a policy to a role."""
    api.call("iam", "attach_role_policy", RoleName=new["role"], PolicyArn=new["policy_arn"])
    return f"{new['role']}/{new['policy_arn']}"


def read_attachment(api: Api, state: State) -> State | None:
    """Read a policy's attachment to a role."""
    role, _, policy = state["id"].partition("/")
    attached = api.call("iam", "list_attached_role_policies", RoleName=role)["AttachedPolicies"]
    found = any(one["PolicyArn"] == policy for one in attached)
    return {"role": role, "policy_arn": policy} if found else None


def tagging(kind: str, whose: str, attribute: str = "id") -> Any:
    """Return a function that sets and removes tags of one kind of IAM resource."""
    return retagging("iam", whose, attribute, tag=f"tag_{kind}", untag=f"untag_{kind}")


RESOURCES = {
    "aws_iam_role": Resource(
        create=create_role,
        settle=settle_role,
        read=read_role,
        delete=delete_role,
        retag=tagging("role", "RoleName"),
        documents=frozenset({"assume_role_policy"}),
    ),
    "aws_iam_role_policy": Resource(
        create=lambda api, new: put_role_policy(api, new, given_name(new)),
        settle=lambda api, old, new: old and put_role_policy(api, new, new["name"]),
        read=read_role_policy,
        delete=delete_role_policy,
        documents=frozenset({"policy"}),
    ),
    "aws_iam_policy": Resource(
        create=create_policy,
        settle=settle_policy,
        read=read_policy,
        delete=delete_policy,
        retag=tagging("policy", "PolicyArn"),
        documents=frozenset({"policy"}),
    ),
    "aws_iam_role_policy_attachment": Resource(
        create=attach,
        read=read_attachment,
        delete=lambda api, state: api.call(
            "iam", "detach_role_policy", RoleName=state["role"], PolicyArn=state["policy_arn"]
        ),
    ),
}
