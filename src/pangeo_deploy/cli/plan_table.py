"""A plan as a person reads it: what changes, value by value, and why something is replaced."""

from collections.abc import Sequence
from typing import Any

from pangeo_deploy.cli.console import table
from pangeo_deploy.terraform.attributes import AttributeChange, compact
from pangeo_deploy.terraform.plans import ORDER, Change, OutputChange, Plan


def of(plan: Plan) -> list[Any]:
    """Return the tables and sentences that show a plan."""
    parts: list[Any] = []
    changes = sorted(plan.changes, key=lambda one: (ORDER.index(one.action), one.address))
    if changes:
        rows = [(one.action, _described(one)) for one in changes]
        parts.append(table(f"Plan for {plan.environment}", ("action", "resource"), rows))
    if details := [row for one in changes for row in _rows(one.address, one.attributes)]:
        columns = ("resource", "attribute", "before", "after")
        parts.append(table("What changes inside", columns, details))
    # Of a first plan nothing is known yet, and a change of resources changes what they put out.
    if loud := [one for one in plan.outputs if one.action != "create" or not changes]:
        outputs = [row for one in loud for row in _output_rows(one)]
        parts.append(table("Outputs", ("output", "", "before", "after"), outputs))
    shown = [action for action in ORDER if action in ORDER[:2] or plan.count(action)]
    shown += [action for action in ("update", "create") if action not in shown]
    counts = ", ".join(f"{plan.count(action)} to {action}" for action in ORDER if action in shown)
    return [*parts, f"{plan.environment} on {plan.target}: {counts}."]


def _described(change: Change) -> str:
    notes = [
        f"from {change.moved_from}" if change.moved_from else "",
        f"import of {change.import_id}" if change.import_id else "",
        change.reason,
        "" if change.emulated else "kept, not emulated",
    ]
    told = "; ".join(note for note in notes if note)
    return f"{change.address}  ({told})" if told else change.address


def _rows(address: str, changes: Sequence[AttributeChange]) -> list[tuple[str, ...]]:
    return [
        (
            address,
            f"{one.attribute}  (forces replacement)" if one.replaces else one.attribute,
            compact(one.before),
            compact(one.after),
        )
        for one in changes
    ]


def _output_rows(output: OutputChange) -> list[tuple[str, ...]]:
    return [
        (output.name, one.attribute, compact(one.before), compact(one.after))
        for one in output.attributes
    ]
