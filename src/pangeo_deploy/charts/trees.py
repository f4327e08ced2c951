"""Mappings within mappings: find a place, lay one over the other."""

from typing import Any

__all__ = ["Values", "at", "copied", "merged"]

Values = dict[str, Any]


def at(values: Values, path: tuple[str, ...]) -> Values:
    """Return the mapping at `path`, made where it is missing."""
    for key in path:
        values = values.setdefault(key, {})
    return values


def merged(base: Values, over: Values) -> Values:
    """Return `base` with `over` laid on it, mapping by mapping, as Helm does (null removes).

    Nothing of either is shared with the result.
    """
    result = {key: copied(value) for key, value in base.items()}
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            below = result.get(key)
            result[key] = merged(below if isinstance(below, dict) else {}, value)
        else:
            result[key] = copied(value)
    return result


def copied(value: Any) -> Any:
    """Return a value of which no mapping or list is shared."""
    if isinstance(value, dict):
        return {key: copied(one) for key, one in value.items()}
    return [copied(one) for one in value] if isinstance(value, list) else value
