"""What all EC2 resources have in common."""

from collections.abc import Callable, Mapping
from typing import Any

from emulated_aws.resources.base import Api, Resource, State, first, tags_as_list


def described(
    kind: str,
    noun: str,
    *,
    create: str,
    describe: str,
    delete: str,
    key: str,
    many: str = "",
    delete_by_list: bool = False,
    more: Callable[[Api, dict[str, Any]], State] = lambda api, found: {},
    always: Callable[[State], dict[str, Any]] = lambda new: {},
    before_delete: Callable[[Api, State], object] = lambda api, state: None,
    names: Mapping[str, str] | None = None,
    **rest: Any,
) -> Resource:
    """Return a resource type that EC2 creates, describes and deletes in its usual way.

    `kind` is its name in tags and ARNs, `noun` its name in responses, `key` the name of its id,
    `many` the name of a list of it; `more` returns attributes that the description lacks; `always`
    returns parameters that are sent even if they are not configured.
    """

    def make(api: Api, new: State) -> str:
        tags = tags_as_list(new.get("tags_all"))
        answer = api.call(
            "ec2",
            create,
            **{**api.parameters("ec2", create, new, **(names or {})), **always(new)},
            TagSpecifications=[{"ResourceType": kind, "Tags": tags}] if tags else None,
        )
        return str(answer.get(noun, answer)[key])

    def read(api: Api, state: State) -> State | None:
        answer = api.call("ec2", describe, **{f"{key}s": [state["id"]]})
        found = first(answer[many or f"{noun}s"])
        if not found or found.get("State") in ("deleting", "deleted"):
            return None
        known = {
            "id": found[key],
            "arn": api.arn("ec2", f"{kind}/{found[key]}"),
            "owner_id": api.account_id,
        }
        return {**known, **api.attributes(found, **(names or {})), **more(api, found)}

    def remove(api: Api, state: State) -> None:
        before_delete(api, state)
        by_list = {f"{key}s": [state["id"]]}
        api.call("ec2", delete, **(by_list if delete_by_list else {key: state["id"]}))

    return Resource(create=make, read=read, delete=remove, retag=retag, **rest)


def retag(api: Api, state: State, given: dict[str, str], removed: list[str]) -> None:
    """Set and remove tags of any EC2 resource."""
    if removed:
        api.call(
            "ec2", "delete_tags", Resources=[state["id"]], Tags=[{"Key": key} for key in removed]
        )
    if given:
        api.call("ec2", "create_tags", Resources=[state["id"]], Tags=tags_as_list(given))


def filters(values: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return filters in EC2's form."""
    return [{"Name": name, "Values": [value]} for name, value in values.items()]
