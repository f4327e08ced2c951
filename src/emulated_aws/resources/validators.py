"""Checks of one value: what the real provider refuses in `terraform validate`."""

import ipaddress
import json
import re
from collections.abc import Iterator
from typing import Any

from emulated_aws.resources.base import Check, State


def one_of(*allowed: str) -> Check:
    """Refuse any other value."""

    def check(value: Any) -> str | None:
        expected = ", ".join(f'"{item}"' for item in allowed)
        return None if value in allowed else f'expected one of [{expected}], got "{value}"'

    return check


def between(least: float, most: float) -> Check:
    """Refuse numbers outside the range."""

    def check(value: Any) -> str | None:
        return None if least <= value <= most else f"expected {least} to {most}, got {value}"

    return check


def cidr(value: Any) -> str | None:
    """Refuse what is not a network in CIDR notation with no host bits set."""
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        return f'"{value}" is not a valid CIDR block: {error}'
    return None


def arn(value: Any) -> str | None:
    """Refuse what is not an ARN."""
    ok = re.fullmatch(r"arn:[\w-]+:[a-zA-Z0-9-]+:[\w-]*:(\d{12}|aws|)?:.+", str(value))
    return None if ok else f'"{value}" is an invalid ARN'


def document(value: Any) -> str | None:
    """Refuse what is not a JSON object."""
    try:
        if isinstance(json.loads(value), dict):
            return None
    except ValueError as error:
        return f"contains an invalid JSON policy: {error}"
    return "contains an invalid JSON policy: not an object"


def exactly_one(config: State, *names: str) -> Iterator[tuple[str, str]]:
    """Refuse none or several of the attributes."""
    if sum(config.get(name) is not None for name in names) != 1:
        yield names[0], f"exactly one of {', '.join(names)} must be given"
