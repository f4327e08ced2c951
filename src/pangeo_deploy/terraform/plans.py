"""What a plan says: its changes, counted and named, and the drift behind them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pangeo_core import terraform_json
from pangeo_deploy.terraform.attributes import AttributeChange, changed
from pangeo_deploy.terraform.services import service

ACTIONS = {
    ("create",): "create",
    ("update",): "update",
    ("delete",): "delete",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
    ("forget",): "forget",
    ("create", "forget"): "replace",
}
# In the order in which people should read them: what cannot be taken back comes first.
ORDER = ("delete", "replace", "forget", "update", "create", "import", "move")


@dataclass(frozen=True)
class Change:
    """What a plan does to one resource; `emulated` is False for a type the rehearsal only keeps.

    `attributes` is what an update, a replacement or an import changes inside it, `reason` why
    Terraform replaces or deletes it; `moved_from` is its address before, `import_id` what is
    imported, each empty for none.
    """

    address: str
    type: str
    action: str
    emulated: bool = True
    attributes: tuple[AttributeChange, ...] = ()
    reason: str = ""
    moved_from: str = ""
    import_id: str = ""

    @property
    def module(self) -> str:
        """The module the resource is declared in, `root` for none."""
        parts = self.address.split(".")
        return parts[1].split("[")[0] if parts[0] == "module" else "root"

    @property
    def service(self) -> str:
        """The AWS service the resource belongs to."""
        return service(self.type)

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of it."""
        return {
            "address": self.address,
            "type": self.type,
            "action": self.action,
            "emulated": self.emulated,
            "changes": [one.as_dict() for one in self.attributes],
            "reason": self.reason,
            "moved_from": self.moved_from,
            "import_id": self.import_id,
        }


@dataclass(frozen=True)
class OutputChange:
    """What a plan does to one output of the root module; sensitive values are masked."""

    name: str
    action: str
    attributes: tuple[AttributeChange, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of it."""
        changes = [one.as_dict() for one in self.attributes]
        return {"name": self.name, "action": self.action, "changes": changes}


@dataclass(frozen=True)
class Plan:
    """A saved plan: `file` is Terraform's own, `changes` are what it will do, in address order.

    `shown` is `terraform show -json` of it: every value, secrets too.
    """

    environment: str
    target: str
    file: Path
    changes: tuple[Change, ...]
    shown: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def outputs(self) -> tuple[OutputChange, ...]:
        """What changes in the outputs."""
        return tuple(output_changes(self.shown))

    @property
    def does_something(self) -> bool:
        """Whether applying it changes anything: a resource, an output, or the state alone."""
        return bool(self.changes or self.outputs)

    def count(self, action: str) -> int:
        """Return how many resources the plan has that `action` for."""
        return sum(change.action == action for change in self.changes)

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as the JSON of `pangeo-deploy plan --json`."""
        return {
            "environment": self.environment,
            "target": self.target,
            "plan_file": str(self.file),
            **{action: self.count(action) for action in ORDER},
            "resources": [change.as_dict() for change in self.changes],
            "outputs": [output.as_dict() for output in self.outputs],
        }


def changes(shown: Mapping[str, Any], kept_types: frozenset[str]) -> tuple[Change, ...]:
    """Return the changes in `terraform show -json` of a plan, without reads and no-ops."""
    return tuple(
        Change(
            resource.address,
            resource.type,
            action,
            resource.type not in kept_types,
            attributes=changed(resource.change) if action in ("update", "replace") else (),
            reason=resource.reason.replace("_", " "),
            moved_from=resource.moved_from,
            import_id=resource.import_id,
        )
        for resource in terraform_json.resource_changes(shown)
        if (action := _action(resource))
    )


def _action(resource: terraform_json.Changed) -> str:
    """Return what a plan does to a resource, nothing where that is nothing."""
    if action := ACTIONS.get(resource.actions):
        return action
    if resource.import_id:
        return "import"
    return "move" if resource.moved_from else ""


def output_changes(shown: Mapping[str, Any]) -> Iterator[OutputChange]:
    """Yield what a plan changes in the outputs, by name."""
    for output in terraform_json.output_changes(shown):
        if action := ACTIONS.get(output.actions):
            yield OutputChange(output.address, action, changed(output.change))


@dataclass(frozen=True)
class Drifted:
    """One attribute that is not as Terraform left it; `found` is None if the resource is gone."""

    address: str
    attribute: str
    expected: Any
    found: Any


# Opened and closed by the jobs that deploy, and watched by a check of its own: no drift
# (`ignore_changes` keeps it out of plans, but not out of a refresh).
TEMPORARY = {
    "aws_eks_cluster": {"vpc_config": ("endpoint_public_access", "public_access_cidrs")},
}


def drifted(shown: Mapping[str, Any]) -> tuple[Drifted, ...]:
    """Return the attributes that `terraform show -json` of a refresh-only plan found changed."""
    return tuple(
        Drifted(resource.address, *difference)
        for resource in terraform_json.resource_drift(shown)
        for difference in _differences(_lasting(resource))
    )


def _lasting(resource: terraform_json.Changed) -> Mapping[str, Any]:
    """Return a resource's change without what is temporary on purpose."""
    change = resource.change
    before, after = dict(change["before"] or {}), change["after"]
    if after is None:
        return change
    for block, names in TEMPORARY.get(resource.type, {}).items():
        known = (before.get(block) or [{}])[0]
        settled = {name: known.get(name) for name in names}
        after = {**after, block: [{**each, **settled} for each in after.get(block) or ()]}
    return {**change, "before": before, "after": after}


def _differences(change: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    before, after = change["before"] or {}, change["after"]
    if after is None:
        return [("(whole resource)", before.get("arn") or before.get("id"), None)]
    hidden = _sensitive(change.get("before_sensitive")) | _sensitive(change.get("after_sensitive"))
    secret = "(sensitive)"  # noqa: S105
    return [
        (name, *((secret, secret) if name in hidden else (before.get(name), after.get(name))))
        for name in sorted(before.keys() | after.keys())
        if _plain(before.get(name)) != _plain(after.get(name))
    ]


def _plain(value: Any) -> Any:
    """Return a value with null for all that is empty.

    The provider leaves null what nobody set when it makes a resource, and reads it back as empty:
    tags as `{}`, a name as `""`.
    """
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()} or None
    if isinstance(value, list):
        return [_plain(part) for part in value] or None
    return None if value == "" else value


def _sensitive(marks: Any) -> set[str]:
    """Return the attributes with something sensitive in them, as Terraform marks it."""

    def any_true(mark: Any) -> bool:
        if isinstance(mark, Mapping):
            return any(map(any_true, mark.values()))
        return any(map(any_true, mark)) if isinstance(mark, list) else bool(mark)

    return {name for name, mark in marks.items() if any_true(mark)} if marks else set()
