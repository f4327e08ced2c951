"""The real provider's checks of values, as `aws_facts.json` lists them.

A check is a list that begins with its name: `["between", 1, 64]`. Names with a dot are functions
in the provider's source, which no tool can translate: they are in `named_checks`.
"""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from emulated_aws.named_checks import BY_HAND, Problem, cidr, compiled, invalid


def problem_with(value: Any, form: Sequence[Any]) -> Problem:
    """Return why a check refuses a value, or None if it accepts it."""
    name, *arguments = form
    if name in BY_HAND:
        return BY_HAND[name](value)
    return CHECKS[name](value, *arguments) if name in CHECKS else None


def one_of(value: Any, *allowed: Any) -> Problem:
    """Refuse values that are not listed."""
    expected = ", ".join(f'"{item}"' for item in allowed)
    return None if value in allowed else f'expected one of [{expected}], got "{value}"'


def between(value: Any, least: float, most: float) -> Problem:
    """Refuse numbers outside the range."""
    return (
        None
        if least <= float(value) <= most
        else f"expected to be in the range ({least} - {most}), got {value}"
    )


def at_least(value: Any, least: float) -> Problem:
    """Refuse smaller numbers."""
    return None if float(value) >= least else f"expected to be at least ({least}), got {value}"


def above(value: Any, limit: float) -> Problem:
    """Refuse numbers that are not greater."""
    return None if float(value) > limit else f"expected to be greater than ({limit}), got {value}"


def multiple_of(value: Any, divisor: int) -> Problem:
    """Refuse numbers that are not multiples of the divisor."""
    return None if value % divisor == 0 else f"expected to be divisible by {divisor}, got {value}"


def length(value: str, least: int, most: int) -> Problem:
    """Refuse strings whose length is outside a range."""
    if least <= len(value.encode()) <= most:
        return None
    return f"expected length to be in the range ({least} - {most}), got {value}"


def match(value: str, pattern: str, words: str = "") -> Problem:
    """Refuse strings that a regular expression does not match."""
    return None if compiled(pattern).search(value) else invalid(value, words or f"need {pattern}")


def no_match(value: str, pattern: str, words: str = "") -> Problem:
    """Refuse strings that a regular expression matches."""
    return (
        invalid(value, words or f"must not match {pattern}")
        if compiled(pattern).search(value)
        else None
    )


def size_at_least(value: Sequence[Any], least: int) -> Problem:
    """Refuse shorter lists."""
    return None if len(value) >= least else f"requires {least} item minimum, got {len(value)}"


def size_at_most(value: Sequence[Any], most: int) -> Problem:
    """Refuse longer lists."""
    return None if len(value) <= most else f"at most {most} items are allowed, got {len(value)}"


def size(value: Any, least: int, most: int) -> Problem:
    """Refuse lists (of blocks or values) whose length is outside a range; 0 is no limit."""
    if not isinstance(value, list):
        return None
    if most and len(value) > most:
        return size_at_most(value, most)
    return size_at_least(value, least)


def whole(value: Any) -> Problem:
    """Refuse numbers with a fraction."""
    return None if float(value).is_integer() else f"a whole number is required, got {value}"


def every(value: Any, *forms: Sequence[Any]) -> Problem:
    """Refuse a value that any of the checks refuses."""
    return next((why for form in forms if (why := problem_with(value, form))), None)


def some(value: Any, *forms: Sequence[Any]) -> Problem:
    """Refuse a value that all of the checks refuse."""
    problems = [problem_with(value, form) for form in forms]
    return None if None in problems else "; ".join(str(one) for one in problems)


def each(value: Any, form: Sequence[Any]) -> Problem:
    """Refuse a list (or map) with an element that the check refuses."""
    items = value.values() if isinstance(value, Mapping) else value
    return next(
        (why for item in items if item is not None and (why := problem_with(item, form))), None
    )


def each_key(value: Mapping[str, Any], form: Sequence[Any]) -> Problem:
    """Refuse a map with a key that the check refuses."""
    return each(list(value), form)


def cidr_size(value: Any, least: int, most: int) -> Problem:
    """Refuse networks whose prefix length is outside a range."""
    if why := cidr(value):
        return why
    bits = ipaddress.ip_network(value).prefixlen
    if least <= bits <= most:
        return None
    return f"expected {value} to contain a network with between {least} and {most} significant bits"


CHECKS: Mapping[str, Callable[..., Problem]] = {
    "above": above,
    "all": every,
    "any": some,
    "at_least": at_least,
    "between": between,
    "cidr_size": cidr_size,
    "each": each,
    "each_key": each_key,
    "length": length,
    "match": match,
    "multiple_of": multiple_of,
    "no_match": no_match,
    "one_of": one_of,
    "size": size,
    "size_at_least": size_at_least,
    "size_at_most": size_at_most,
    "whole": whole,
}
