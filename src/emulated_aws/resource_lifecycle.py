"""Plan, apply and read a resource as the real provider does, on plain values."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from tf.types import Unknown

from emulated_aws.account import making
from emulated_aws.facts import facts_of
from emulated_aws.json_documents import normalized, same_document
from emulated_aws.planning import differences, is_empty, plan_block
from emulated_aws.resources.base import (
    STEERING,
    Api,
    Refused,
    Resource,
    State,
    is_gone,
)
from emulated_aws.schema import Block, Type
from emulated_aws.terraform_values import (
    conform_block,
    contains_unknown,
    is_unknown,
    same,
    zero,
    zeros_within,
)


class Gone(Refused):
    """A resource that was just created or changed does not exist."""


def means_gone(error: Exception | None) -> bool:
    """Return whether a change failed because its resource, or one it needs, does not exist."""
    return isinstance(error, Gone) or (isinstance(error, ClientError) and is_gone(error))


@dataclass(frozen=True)
class Settings:
    """The settings of one provider configuration."""

    region: str
    default_tags: Mapping[str, str]


def plan(
    type_: Type,
    resource: Resource,
    api: Api,
    settings: Settings,
    prior: State | None,
    proposed: State,
) -> tuple[State, list[str]]:
    """Return the planned state and the attributes whose change forces a replacement."""
    facts = facts_of(type_.name)
    defaults = {**facts.defaults, **resource.defaults}
    planned = plan_block(type_, type_.block, proposed, prior, defaults)
    if is_unknown(planned.get("region")):
        planned["region"] = settings.region
    if "tags_all" in type_.block.attributes:
        planned["tags_all"] = all_tags(planned.get("tags"), settings)
    for name in resource.documents:
        if prior and same_document(prior.get(name), planned.get(name)):
            planned[name] = prior[name]
        else:
            planned[name] = normalized(facts, name, planned.get(name))
    also = (resource.plan(api, prior, planned) if resource.plan else None) or frozenset()
    if prior is None:
        return planned, []
    changed = differences(type_.block, prior, planned)
    if not changed:
        return prior, []
    immutable = facts.immutable | resource.immutable | also | {"region"}
    return planned, sorted({path.partition(".")[0] for path in changed if path in immutable})


def all_tags(tags: Any, settings: Settings) -> Any:
    """Return a resource's tags: the provider's defaults, overridden by its own."""
    if contains_unknown(tags):
        return Unknown
    return {**settings.default_tags, **(tags or {})}


def own_tags(found: Mapping[str, str], before: Any, settings: Settings) -> Any:
    """Return the tags that are not provider defaults, and those that the configuration repeats."""
    mine = before or {}
    default = settings.default_tags
    result = {
        key: value
        for key, value in found.items()
        if default.get(key) != value or mine.get(key) == value
    }
    return result or (None if before is None else {})


def read(
    type_: Type, resource: Resource, api: Api, settings: Settings, state: State
) -> State | None:
    """Return the state as the API shows it now, or None if the resource is gone."""
    found = observe(resource, api, state)
    if found is None:
        return None
    merged = merge(type_, resource, api, settings, state, found)
    return with_zeros(type_, merged, None) if type_.sdk else merged


def with_zeros(type_: Type, state: State, planned: State | None) -> State:
    """Return a state as the older SDK writes it: attributes read and unset have the type's zero.

    After an apply, a list or map that was planned as null stays null.
    """
    recorded = facts_of(type_.name).recorded | {"tags"}

    def fill(block: Block, value: State, plan: Any, top: bool) -> State:
        filled = dict(value)
        for name, attribute in block.attributes.items():
            nothing = value.get(name) is None and (
                (name in recorded and attribute.optional) if top else True
            )
            collection = not isinstance(attribute.type, str)
            if nothing and not (collection and plan is not None and plan.get(name) is None):
                filled[name] = zero(attribute.type)
            elif collection and isinstance(filled[name], list):
                filled[name] = [zeros_within(attribute.type[1], item) for item in filled[name]]
        for name, nested in block.blocks.items():
            items = value.get(name)
            if isinstance(items, list):
                plans = (plan or {}).get(name)
                matched = isinstance(plans, list) and len(plans) == len(items)
                filled[name] = [
                    fill(nested.block, item, plans[i] if matched and plans else None, False)
                    for i, item in enumerate(items)
                ]
        return filled

    return fill(type_.block, state, planned, True)


def with_defaults(block: Block, value: State, defaults: Mapping[str, Any], path: str = "") -> State:
    """Return a configuration with the provider's defaults where it sets nothing."""
    filled = dict(value)
    for name in block.attributes:
        if filled.get(name) is None:
            filled[name] = defaults.get(f"{path}{name}")
    for name, nested in block.blocks.items():
        if isinstance(filled.get(name), list):
            inside = f"{path}{name}."
            filled[name] = [
                with_defaults(nested.block, one, defaults, inside) for one in value[name]
            ]
    return filled


def observe(resource: Resource, api: Api, state: State) -> State | None:
    """Return a resource as the API shows it, or None if it is gone."""
    try:
        return resource.read(api, state)
    except ClientError as error:
        if is_gone(error):
            return None
        raise


def merge(
    type_: Type, resource: Resource, api: Api, settings: Settings, state: State, found: State
) -> State:
    """Return the state updated from the API; equivalent values keep their form."""
    if "tags_all" in found:
        found["tags"] = own_tags(found["tags_all"], state.get("tags"), settings)
    merged = {**state, "region": state.get("region") or api.region, **found}
    for name in resource.documents:
        if same_document(state.get(name), merged.get(name)):
            merged[name] = state[name]
        else:
            merged[name] = normalized(facts_of(type_.name), name, merged.get(name))
    result = conform_block(type_.block, merged)
    for name, attribute in type_.block.attributes.items():
        if same(attribute.type, state.get(name), result.get(name)):
            result[name] = state.get(name)
    return result


def apply(
    type_: Type,
    resource: Resource,
    api: Api,
    settings: Settings,
    prior: State | None,
    planned: State | None,
) -> tuple[State | None, Exception | None]:
    """Make the change; return the new state, and the error that interrupted it, if any."""
    state = prior
    try:
        if planned is None:
            delete(resource, api, prior or {})
            return None, None
        new: State = without_unknown(planned)
        if prior is None:
            with making(fingerprint(type_, planned)):
                made = resource.create(api, new)
                new |= made if isinstance(made, dict) else {"id": made}
                state = conform_block(type_.block, new)
                if resource.settle:
                    resource.settle(api, {}, new)
        else:
            new["id"] = prior.get("id")
            if resource.settle:
                resource.settle(api, prior, new)
            update_tags(resource, api, prior, new)
        found = observe(resource, api, new)
        if found is None:
            raise Gone(f"{type_.name} {new['id']} is gone right after it was made or changed")
        state = merge(type_, resource, api, settings, new, found)
        if type_.sdk:
            state = with_zeros(type_, state, new)
        refuse_unemulated(type_, resource, new, found)
        return state, None
    except Exception as error:  # whatever it is, resources that exist by now must reach the state
        return state, error


def refuse_unemulated(type_: Type, resource: Resource, new: State, found: State) -> None:
    """Refuse a configured attribute that the emulation would silently ignore."""
    handled = {*found, *STEERING, "id", "region", "tags", "timeouts"}
    for name, value in new.items():
        by_default = is_empty(value) or value == resource.defaults.get(
            name, facts_of(type_.name).defaults.get(name)
        )
        if name not in handled and not by_default:
            raise Refused(
                f"The rehearsal does not emulate {name} of {type_.name}",
                "AWS would take it up. Leave it out to rehearse, or teach the rehearsal.",
                (name,),
            )


def fingerprint(type_: Type, planned: State) -> str:
    """Return a digest of a planned state; all unknown values are alike."""
    text = json.dumps([type_.name, planned], sort_keys=True, default=lambda unknown: "?")
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def without_unknown(value: Any) -> Any:
    """Return a value with None for each unknown part."""
    if is_unknown(value):
        return None
    if isinstance(value, dict):
        return {key: without_unknown(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_unknown(item) for item in value]
    return value


def delete(resource: Resource, api: Api, prior: State) -> None:
    """Delete the resource; it is no error if it is gone already."""
    try:
        resource.delete(api, prior)
    except ClientError as error:
        if not is_gone(error):
            raise


def update_tags(resource: Resource, api: Api, prior: State, new: State) -> None:
    """Update tags from the old state to the new one."""
    old, wanted = prior.get("tags_all") or {}, new.get("tags_all") or {}
    given = {key: value for key, value in wanted.items() if old.get(key) != value}
    removed = sorted(old.keys() - wanted.keys())
    if resource.retag and (given or removed):
        resource.retag(api, prior, given, removed)
