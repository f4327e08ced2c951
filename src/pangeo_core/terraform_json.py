"""The one reader of `terraform show -json`: the resources of a plan or of a state."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pangeo_core.errors import BadInput

Shown = Mapping[str, Any]
_INDEX = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True)
class Resource:
    """One resource or data source, with what is known of its values."""

    address: str
    type: str
    values: Mapping[str, Any] = field(default_factory=dict)
    mode: str = "managed"
    sensitive: Mapping[str, Any] = field(default_factory=dict)


def planned(shown: Shown) -> tuple[Resource, ...]:
    """Return the resources that a plan will leave standing, or that a state holds.

    Raises `BadInput` for JSON that is neither.
    """
    if "planned_values" not in shown and "values" not in shown:
        raise BadInput(
            "This is not a Terraform plan: it has no planned_values.",
            fix="Give the JSON of `terraform show -json PLANFILE`.",
        )
    return tuple(one for one in everything(shown) if one.mode == "managed")


def prior(shown: Shown) -> tuple[Resource, ...]:
    """Return the resources that stood before the plan."""
    values = (shown.get("prior_state") or {}).get("values") or {}
    return tuple(one for one in _walk(values.get("root_module") or {}) if one.mode == "managed")


def everything(shown: Shown) -> tuple[Resource, ...]:
    """Return the planned resources, or a state's, with data sources."""
    values = shown.get("planned_values") or shown.get("values") or {}
    return tuple(_walk(values.get("root_module") or {}))


def everything_before(shown: Shown) -> tuple[Resource, ...]:
    """Return what stood before the plan, with data sources."""
    values = (shown.get("prior_state") or {}).get("values") or {}
    return tuple(_walk(values.get("root_module") or {}))


def references(shown: Shown, address: str, attribute: str) -> frozenset[str]:
    """Return the addresses that the code of a resource's attribute names, in its own module.

    A plan does not know ids before the apply; the code tells which resource will have them.
    """
    *modules, last = _modules(_INDEX.sub("", address))
    module = (shown.get("configuration") or {}).get("root_module") or {}
    for name in modules:
        module = ((module.get("module_calls") or {}).get(name) or {}).get("module") or {}
    prefix = "".join(f"module.{name}." for name in modules)
    for resource in module.get("resources", ()):
        if resource.get("address") == last:
            return frozenset(
                f"{prefix}{'.'.join(name.split('.')[:2])}"
                for name in _names((resource.get("expressions") or {}).get(attribute))
                if name.startswith("aws_")
            )
    return frozenset()


def without_index(address: str) -> str:
    """Return an address without instance keys: `aws_x.y["a"]` is one of `aws_x.y`."""
    return _INDEX.sub("", address)


def _modules(address: str) -> list[str]:
    """Split `module.a.module.b.type.name` into `a`, `b`, `type.name`."""
    parts = address.split(".")
    names = []
    while len(parts) > 2 and parts[0] == "module":
        names.append(parts[1])
        parts = parts[2:]
    return [*names, ".".join(parts)]


def _names(expression: Any) -> Iterator[str]:
    if isinstance(expression, Mapping):
        for key, value in expression.items():
            if key == "references":
                yield from value
            else:
                yield from _names(value)
    elif isinstance(expression, list):
        for value in expression:
            yield from _names(value)


def _walk(module: Mapping[str, Any]) -> Iterator[Resource]:
    for one in module.get("resources", ()):
        yield Resource(
            one["address"],
            one.get("type", ""),
            one.get("values") or {},
            one.get("mode", "managed"),
            one.get("sensitive_values") or {},
        )
    for child in module.get("child_modules", ()):
        yield from _walk(child)
