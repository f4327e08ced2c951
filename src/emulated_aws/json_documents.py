"""JSON documents in a state: how the provider normalizes them, and when two are equivalent."""

import json
from typing import Any

from emulated_aws.facts import Facts
from emulated_aws.resources.base import as_json, as_policy


def normalized(facts: Facts, name: str, document: Any) -> Any:
    """Return a JSON document as the provider writes it into the state."""
    if name not in facts.normal or not isinstance(document, str) or not document:
        return document
    try:
        content = json.loads(document)
    except ValueError:
        return document
    return as_policy(content) if facts.normal[name] == "policy" else as_json(content)


def same_document(one: Any, other: Any) -> bool:
    """Return whether two JSON policies are equivalent, regardless of spacing and order."""
    if not isinstance(one, str) or not isinstance(other, str):
        return False
    try:
        return bool(canonical(json.loads(one)) == canonical(json.loads(other)))
    except ValueError:
        return one == other


def canonical(value: Any) -> Any:
    """Return a JSON value with sorted lists, and lists of one item replaced by it, as IAM does."""
    if isinstance(value, dict):
        return {key: canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        items = sorted(map(canonical, value), key=lambda item: json.dumps(item, sort_keys=True))
        return items[0] if len(items) == 1 else items
    return value
