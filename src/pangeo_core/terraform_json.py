"""The one reader of `terraform show -json`: the resources and the changes of a plan or a state."""

import re
from collections.abc import Iterable, Iterator, Mapping
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


@dataclass(frozen=True)
class Changed:
    """What a plan does to one resource or output, or found changed behind Terraform's back.

    `actions` are Terraform's own words (`create`; `delete`, `create`; `no-op`; ...), `change` is
    its JSON with `before`, `after`, and what of them is unknown or sensitive. `reason` says why
    Terraform replaces or deletes, `moved_from` is the address before, `import_id` what is imported,
    each empty for none.
    """

    address: str
    actions: tuple[str, ...]
    change: Mapping[str, Any] = field(repr=False)
    type: str = ""
    reason: str = ""
    moved_from: str = ""
    mode: str = "managed"

    @property
    def before(self) -> Mapping[str, Any]:
        """Its values before, none for something new."""
        return self.change.get("before") or {}

    @property
    def import_id(self) -> str:
        """The id that it is imported by."""
        return str((self.change.get("importing") or {}).get("id", ""))


def resource_changes(shown: Shown) -> tuple[Changed, ...]:
    """Return what a plan does to each resource it reads or manages, no-ops too, by address."""
    return _changed(shown.get("resource_changes"))


def resource_drift(shown: Shown) -> tuple[Changed, ...]:
    """Return what a plan found changed since the state was written, by address."""
    return _changed(shown.get("resource_drift"))


def output_changes(shown: Shown) -> tuple[Changed, ...]:
    """Return what a plan does to the root module's outputs, by name."""
    return tuple(
        Changed(name, tuple(change.get("actions", ())), change)
        for name, change in sorted((shown.get("output_changes") or {}).items())
    )


def _changed(listed: Iterable[Mapping[str, Any]] | None) -> tuple[Changed, ...]:
    changes = (
        Changed(
            entry["address"],
            tuple(entry["change"].get("actions", ())),
            entry["change"],
            entry.get("type", ""),
            entry.get("action_reason", ""),
            entry.get("previous_address", ""),
            entry.get("mode", "managed"),
        )
        for entry in listed or ()
    )
    return tuple(sorted(changes, key=lambda change: change.address))


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


def planned_outputs(shown: Shown) -> dict[str, Any]:
    """Return the root module's outputs, by name, as far as a plan knows their values."""
    outputs = (shown.get("planned_values") or {}).get("outputs") or {}
    return {name: output["value"] for name, output in outputs.items() if "value" in output}


def sensitive_variables(shown: Shown) -> tuple[str, ...]:
    """Return the names of the root module's sensitive variables that a plan holds a value of."""
    declared = ((shown.get("configuration") or {}).get("root_module") or {}).get("variables") or {}
    given = shown.get("variables") or {}
    return tuple(
        name
        for name, variable in declared.items()
        if variable.get("sensitive") and (given.get(name) or {}).get("value") is not None
    )


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
