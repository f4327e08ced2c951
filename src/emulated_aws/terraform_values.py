"""Terraform's values: convert them to a schema's types, and compare them.

A value is what msgpack carries: None, bool, number, str, list, dict, or `Unknown` if it is known
only after the apply. Sets are lists without order.
"""

import json
from collections.abc import Mapping
from typing import Any

from msgpack import ExtType
from tf.types import Unknown

from emulated_aws.schema import Block


def is_unknown(value: Any) -> bool:
    """Return whether a value is known only after apply (an extension type, if partly known)."""
    return value is Unknown or isinstance(value, ExtType)


def conform(type_: Any, value: Any) -> Any:
    """Return an API's `value` converted to `type_`; None stays None."""
    if value is None or is_unknown(value):
        return value
    if type_ == "string":
        return value if isinstance(value, str) else json.dumps(value)
    if type_ == "number":
        number = float(value)
        return int(number) if number.is_integer() else number
    if type_ == "bool":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    kind, inner = type_
    if kind == "map":
        return {key: conform(inner, item) for key, item in value.items()}
    if kind == "object":
        return {key: conform(of, value.get(key)) for key, of in inner.items()}
    items = [conform(inner, item) for item in value]
    return sorted(dedupe(items), key=sort_key) if kind == "set" else items


def dedupe(items: list[Any]) -> list[Any]:
    """Return the items without repetitions."""
    return list({sort_key(item): item for item in items}.values())


def sort_key(value: Any) -> str:
    """Return a text that sorts and distinguishes values."""
    return json.dumps(value, sort_keys=True, default=str)


def conform_block(block: Block, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a block's value with every attribute and nested block, each converted to its type."""
    result = {name: conform(a.type, value.get(name)) for name, a in block.attributes.items()}
    for name, nested in block.blocks.items():
        found = value.get(name)
        if nested.nesting == "single":
            result[name] = None if found is None else conform_block(nested.block, found)
            continue
        items = (
            [] if is_unknown(found) else [conform_block(nested.block, item) for item in found or ()]
        )
        result[name] = sorted(items, key=sort_key) if nested.nesting == "set" else items
    return result


def same(type_: Any, one: Any, other: Any) -> bool:
    """Return whether two values of a type are equal; an unknown value equals nothing."""
    if contains_unknown(one) or contains_unknown(other):
        return False
    return bool(conform(type_, one) == conform(type_, other))


def contains_unknown(value: Any) -> bool:
    """Return whether a value is unknown or has an unknown part."""
    if is_unknown(value):
        return True
    if isinstance(value, dict):
        return any(contains_unknown(item) for item in value.values())
    return isinstance(value, list) and any(contains_unknown(item) for item in value)


def same_block(block: Block, one: Any, other: Any) -> bool:
    """Return whether two values of a block are equal."""
    if one is None or other is None:
        return one is other
    for name, attribute in block.attributes.items():
        if not same(attribute.type, one.get(name), other.get(name)):
            return False
    return all(same_nested(block, name, one.get(name), other.get(name)) for name in block.blocks)


def same_nested(block: Block, name: str, one: Any, other: Any) -> bool:
    """Return whether two values of a nested block type are equal."""
    if contains_unknown(one) or contains_unknown(other):
        return False
    whole = Block({}, {name: block.blocks[name]})
    return conform_block(whole, {name: one}) == conform_block(whole, {name: other})


def zeros_within(type_: Any, value: Any) -> Any:
    """Return an element of a list attribute, with zeros for missing values of an object."""
    if isinstance(type_, str) or type_[0] != "object" or not isinstance(value, dict):
        return value
    return {key: zero(of) if value.get(key) is None else value[key] for key, of in type_[1].items()}


def zero(type_: Any) -> Any:
    """Return the empty value of a type."""
    if isinstance(type_, str):
        return {"string": "", "number": 0, "bool": False}[type_]
    return {} if type_[0] == "map" else []
