"""Instance profiles and OpenID Connect providers: what lets others assume a role."""

from tf.types import Unknown

from emulated_aws.operations.store import drawn
from emulated_aws.resources.base import (
    Api,
    Resource,
    State,
    changed,
    first,
    given_name,
    moment,
    tags_as_list,
    tags_as_map,
)
from emulated_aws.resources.iam import tagging


def create_profile(api: Api, new: State) -> str:
    """Create an instance profile."""
    asked = {"Path": new["path"], "Tags": tags_as_list(new["tags_all"])}
    name = given_name(new)
    api.call("iam", "create_instance_profile", InstanceProfileName=name, **asked)
    return name


def settle_profile(api: Api, old: State, new: State) -> None:
    """Add or replace an instance profile's role."""
    profile = {"InstanceProfileName": new["id"]}
    if changed(old, new, "role"):
        if old.get("role"):
            api.call("iam", "remove_role_from_instance_profile", **profile, RoleName=old["role"])
        if new["role"]:
            api.call("iam", "add_role_to_instance_profile", **profile, RoleName=new["role"])


def read_profile(api: Api, state: State) -> State:
    """Read an instance profile."""
    asked = {"InstanceProfileName": state["id"]}
    found = api.call("iam", "get_instance_profile", **asked)["InstanceProfile"]
    return {
        **api.attributes(found),
        "create_date": moment(found["CreateDate"]),
        "name": found["InstanceProfileName"],
        "name_prefix": state.get("name_prefix") or "",
        "role": (first(found["Roles"]) or {}).get("RoleName", ""),
        "tags_all": tags_as_map(found.get("Tags")),
        "unique_id": found["InstanceProfileId"],
    }


def delete_profile(api: Api, state: State) -> None:
    """Remove the role, then delete the instance profile."""
    profile = {"InstanceProfileName": state["id"]}
    if state.get("role"):
        api.call("iam", "remove_role_from_instance_profile", **profile, RoleName=state["role"])
    api.call("iam", "delete_instance_profile", **profile)


def plan_provider(api: Api, prior: State | None, planned: State) -> None:
    """Treat a URL with and without its scheme as equal, because AWS drops it."""
    if prior and isinstance(planned["url"], str):
        if planned["url"].removeprefix("https://") == prior["url"].removeprefix("https://"):
            planned["url"] = prior["url"]
    elif prior:
        planned["url"] = Unknown


def create_provider(api: Api, new: State) -> State:
    """Create an identity provider. AWS fetches the thumbprint if none is configured."""
    thumbprints = new["thumbprint_list"] or [drawn(40, new["url"])]
    answer = api.call(
        "iam",
        "create_open_id_connect_provider",
        Url=new["url"],
        ClientIDList=new["client_id_list"],
        ThumbprintList=thumbprints,
        Tags=tags_as_list(new["tags_all"]),
    )
    found = answer["OpenIDConnectProviderArn"]
    return {"id": found, "arn": found}


def settle_provider(api: Api, old: State, new: State) -> None:
    """Update an identity provider's audiences and thumbprints."""
    provider = {"OpenIDConnectProviderArn": new["id"]}
    before, after = set(old.get("client_id_list") or ()), set(new["client_id_list"])
    if not old:
        return
    for client in sorted(after - before):
        api.call("iam", "add_client_id_to_open_id_connect_provider", **provider, ClientID=client)
    for client in sorted(before - after):
        call = "remove_client_id_from_open_id_connect_provider"
        api.call("iam", call, **provider, ClientID=client)
    if changed(old, new, "thumbprint_list"):
        thumbprints = {"ThumbprintList": new["thumbprint_list"]}
        api.call("iam", "update_open_id_connect_provider_thumbprint", **provider, **thumbprints)


def read_provider(api: Api, state: State) -> State:
    """Read an identity provider."""
    asked = {"OpenIDConnectProviderArn": state["id"]}
    found = api.call("iam", "get_open_id_connect_provider", **asked)
    return {
        "arn": state["id"],
        "client_id_list": found["ClientIDList"],
        "tags_all": tags_as_map(found.get("Tags")),
        "thumbprint_list": found["ThumbprintList"],
        "url": found["Url"].removeprefix("https://"),
    }


RESOURCES = {
    "aws_iam_instance_profile": Resource(
        create=create_profile,
        settle=settle_profile,
        read=read_profile,
        delete=delete_profile,
        retag=tagging("instance_profile", "InstanceProfileName"),
    ),
    "aws_iam_openid_connect_provider": Resource(
        create=create_provider,
        settle=settle_provider,
        read=read_provider,
        plan=plan_provider,
        delete=lambda api, state: api.call(
            "iam", "delete_open_id_connect_provider", OpenIDConnectProviderArn=state["id"]
        ),
        retag=tagging("open_id_connect_provider", "OpenIDConnectProviderArn"),
    ),
}
