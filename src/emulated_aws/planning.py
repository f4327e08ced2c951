"""Plan the value of a resource, as a provider does for Terraform."""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from tf.types import Unknown

from emulated_aws.schema import Block, Type
from emulated_aws.terraform_values import (
    is_unknown,
    same,
    same_block,
    same_nested,
    sort_key,
    zeros_within,
)

EMPTY_BLOCK: Mapping[str, Any] = {}
EMPTY: tuple[Any, ...] = (None, "", 0, False, [], {})


def plan_block(
    type_: Type,
    block: Block,
    proposed: Mapping[str, Any],
    prior: Mapping[str, Any] | None,
    defaults: Mapping[str, Any],
    path: str = "",
    within_set: bool = False,
) -> dict[str, Any]:
    """Return the planned value of one block.

    `proposed` is Terraform's own merge of configuration and prior state. In a new resource, values
    that only the API knows become unknown; an existing one keeps them. `defaults` maps dotted paths
    to the values used where the configuration sets nothing.
    """
    planned = dict(proposed)
    for name, attribute in block.attributes.items():
        value = proposed.get(name)
        if type_.sdk and isinstance(value, list):
            # Objects are blocks in the older SDK: it plans zeros for values left out.
            planned[name] = value = [zeros_within(attribute.type[1], item) for item in value]
        if value is None and f"{path}{name}" in defaults:
            planned[name] = defaults[f"{path}{name}"]
        elif value is None and attribute.computed and prior is None:
            planned[name] = Unknown
        elif prior is not None and type_.sdk and value is None and is_empty(prior.get(name)):
            planned[name] = prior.get(name)  # to the older SDK, null and empty are equal
        elif prior is not None and same(attribute.type, value, prior.get(name)):
            planned[name] = prior.get(name)
        elif type_.sdk and isinstance(value, list) and any(map(is_unknown, value)):
            planned[name] = Unknown  # to the older SDK, a list is known as a whole or not at all
        elif type_.sdk and value is None and within_set and not isinstance(attribute.type, str):
            planned[name] = {} if attribute.type[0] == "map" else []
    for name, nested in block.blocks.items():
        items = proposed.get(name)
        before = prior.get(name) if prior is not None else None
        if nested.computed and not items:
            planned[name] = Unknown if prior is None else before
        elif isinstance(items, dict):
            planned[name] = items
        elif isinstance(items, list):
            planned[name] = [
                plan_block(
                    type_,
                    nested.block,
                    item,
                    counterpart(nested.block, item, index, before, nested.nesting == "set"),
                    defaults,
                    f"{path}{name}.",
                    within_set or nested.nesting == "set",
                )
                for index, item in enumerate(items)
            ]
    return planned


def counterpart(
    block: Block, item: Mapping[str, Any], index: int, before: Any, is_set: bool
) -> Mapping[str, Any] | None:
    """Return the prior value that a block's `item` continues, if there is one."""
    if not isinstance(before, list):
        return None
    if not is_set:
        return before[index] if index < len(before) else None
    return next((candidate for candidate in before if agrees(item, candidate)), None)


def agrees(item: Any, candidate: Any) -> bool:
    """Return whether a prior value has every value that `item` sets; unset values match any."""
    if item is None or item == []:
        return True
    if isinstance(item, dict) and isinstance(candidate, dict):
        return all(agrees(value, candidate.get(name)) for name, value in item.items())
    if isinstance(item, list) and isinstance(candidate, list) and len(item) == len(candidate):
        return all(map(agrees, item, candidate))
    return sort_key(item) == sort_key(candidate)


def is_empty(value: Any) -> bool:
    """Return whether a value is its type's empty value."""
    return any(value is empty or (type(value) is type(empty) and value == empty) for empty in EMPTY)


def differences(
    block: Block, one: Mapping[str, Any], other: Mapping[str, Any], path: str = ""
) -> list[str]:
    """Return the dotted paths, without indexes, at which two values of a block differ."""
    found = [
        f"{path}{name}"
        for name, attribute in block.attributes.items()
        if not same(attribute.type, one.get(name), other.get(name))
    ]
    for name, nested in block.blocks.items():
        mine, yours = one.get(name), other.get(name)
        if same_nested(block, name, mine, yours):
            continue
        found.append(f"{path}{name}")
        if isinstance(mine, list) and isinstance(yours, list):
            for left, right in unequal(nested.block, mine, yours, nested.nesting == "set"):
                found += differences(nested.block, left, right, f"{path}{name}.")
    return found


def unequal(
    block: Block, mine: list[Any], yours: list[Any], is_set: bool
) -> Iterator[tuple[Any, Any]]:
    """Yield pairs of a block's values to compare; a value that one side lacks is empty."""
    if is_set:
        left = [one for one in mine if not any(same_block(block, one, other) for other in yours)]
        right = [one for one in yours if not any(same_block(block, one, other) for other in mine)]
        mine, yours = left, right
    yield from zip_longest(mine, yours, fillvalue=EMPTY_BLOCK)
