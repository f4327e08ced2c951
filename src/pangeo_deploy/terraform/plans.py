"""What a plan says: its changes, counted and named, and the drift behind them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pangeo_deploy.terraform.services import service

ACTIONS = {
    ("create",): "create",
    ("update",): "update",
    ("delete",): "delete",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
    ("forget",): "forget",
}


@dataclass(frozen=True)
class Change:
    """What a plan does to one resource; `emulated` is False for a type the rehearsal only keeps."""

    address: str
    type: str
    action: str
    emulated: bool = True

    @property
    def module(self) -> str:
        """The module the resource is declared in, `root` for none."""
        parts = self.address.split(".")
        return parts[1].split("[")[0] if parts[0] == "module" else "root"

    @property
    def service(self) -> str:
        """The AWS service the resource belongs to."""
        return service(self.type)


@dataclass(frozen=True)
class Plan:
    """A saved plan: `file` is Terraform's own, `changes` are what it will do, in address order.

    `shown` is all of it, as `terraform show -json` has it.
    """

    environment: str
    target: str
    file: Path
    changes: tuple[Change, ...]
    shown: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def count(self, action: str) -> int:
        """Return how many resources the plan has that `action` for."""
        return sum(change.action == action for change in self.changes)

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as the JSON of `pangeo-deploy plan --json`."""
        return {
            "environment": self.environment,
            "target": self.target,
            "plan_file": str(self.file),
            **{action: self.count(action) for action in ("create", "update", "replace", "delete")},
            "resources": [
                {
                    "address": change.address,
                    "type": change.type,
                    "action": change.action,
                    "emulated": change.emulated,
                }
                for change in self.changes
            ],
        }


def changes(shown: Mapping[str, Any], kept_types: frozenset[str]) -> tuple[Change, ...]:
    """Return the changes in `terraform show -json` of a plan, without reads and no-ops."""
    found = (
        (resource, ACTIONS.get(tuple(resource["change"]["actions"])))
        for resource in shown.get("resource_changes", ())
    )
    return tuple(
        Change(resource["address"], resource["type"], action, resource["type"] not in kept_types)
        for resource, action in sorted(found, key=lambda pair: pair[0]["address"])
        if action
    )


@dataclass(frozen=True)
class Drifted:
    """One attribute that is not as Terraform left it; `found` is None if the resource is gone."""

    address: str
    attribute: str
    expected: Any
    found: Any


def drifted(shown: Mapping[str, Any]) -> tuple[Drifted, ...]:
    """Return the attributes that `terraform show -json` of a refresh-only plan found changed."""
    return tuple(
        Drifted(resource["address"], *difference)
        for resource in sorted(shown.get("resource_drift", ()), key=lambda one: one["address"])
        for difference in _differences(resource["change"])
    )


def _differences(change: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    before, after = change["before"] or {}, change["after"]
    if after is None:
        return [("(whole resource)", before.get("arn") or before.get("id"), None)]
    hidden = _sensitive(change.get("before_sensitive")) | _sensitive(change.get("after_sensitive"))
    secret = "(sensitive)"  # noqa: S105
    return [
        (name, *((secret, secret) if name in hidden else (before.get(name), after.get(name))))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def _sensitive(marks: Any) -> set[str]:
    """Return the attributes with something sensitive in them, as Terraform marks it."""

    def any_true(mark: Any) -> bool:
        if isinstance(mark, Mapping):
            return any(map(any_true, mark.values()))
        return any(map(any_true, mark)) if isinstance(mark, list) else bool(mark)

    return {name for name, mark in marks.items() if any_true(mark)} if marks else set()
