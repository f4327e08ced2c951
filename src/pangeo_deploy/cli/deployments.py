"""The verbs on a deployment: doctor, plan, apply, destroy, drift, sweep."""

import json as json_module
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from pangeo_deploy import doctor as checks
from pangeo_deploy.cli.console import reporting, show, table
from pangeo_deploy.cli.options import (
    ConfirmOption,
    EnvironmentArgument,
    JsonOption,
    TargetOption,
)
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets import target_of
from pangeo_deploy.terraform import lifecycle
from pangeo_deploy.terraform.sweep import Leftover, sweep

DRIFTED = LEFT = 3
MISSING = 2
LONGEST = 120  # characters of a value in a table; --json has it whole


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    for verb in (doctor, plan, apply, destroy, drift, sweep_command):
        app.command(name=verb.__name__.removesuffix("_command"))(verb)


def doctor(target: TargetOption = "rehearsal", json: JsonOption = False) -> None:
    """Say what this machine has, what is missing, and how to get it."""
    from pangeo_deploy.monthly_cost import list_price  # few verbs need it

    found = checks.examine(target, list_price)
    missing = [check for check in found if not check.ok and check.required]
    rows = [
        ("✓" if check.ok else ("✗" if check.required else "-"), check.name, check.detail, check.fix)
        for check in found
    ]
    show(
        {"ok": not missing, "target": target, "checks": [asdict(check) for check in found]},
        json,
        [table(f"This machine, for the target {target}", ("", "what", "found", "to do"), rows)],
    )
    if missing:
        raise typer.Exit(MISSING)


def plan(
    environment: EnvironmentArgument, target: TargetOption = "rehearsal", json: JsonOption = False
) -> None:
    """Ask Terraform what it would change, and save that plan for apply."""
    with reporting(f"Planning {environment}") as progress:
        result = lifecycle.plan(Deployment(environment, target), progress)
    floor, changed = _floor(environment, result.shown)
    order = ("delete", "replace", "update", "create")
    changes = sorted(result.changes, key=lambda one: (order.index(one.action), one.address))
    counts = ", ".join(f"{result.count(action)} to {action}" for action in order)
    human: list[Any] = [f"{environment} on {target}: {counts}."]
    if changes:
        kept = "  (kept, not emulated)"
        rows = [(one.action, one.address + kept * (not one.emulated)) for one in changes]
        human.insert(0, table(f"Plan for {environment}", ("action", "resource"), rows))
        human.append(
            f"Always on: {floor:.2f} USD a month at list prices, {changed:+.2f} by this plan; "
            f"line by line: pangeo-deploy cost estimate {environment}"
        )
        human.append(f"Saved as {result.file}\nApply it with: pangeo-deploy apply {environment}")
    money = {
        "floor_usd_per_month": format(floor, "f"),
        "floor_change_usd_per_month": format(changed, "f"),
    }
    show({**result.as_dict(), **money}, json, human)


def apply(
    environment: EnvironmentArgument,
    plan_file: Annotated[
        Path | None, typer.Argument(help="A saved plan; the environment's last one if not named.")
    ] = None,
    target: TargetOption = "rehearsal",
    json: JsonOption = False,
) -> None:
    """Apply the saved plan, and nothing else."""
    with reporting(f"Applying to {environment}") as progress:
        result = lifecycle.apply(Deployment(environment, target), plan_file, progress)
    show(result.as_dict(), json, [_done(environment, result)])


def destroy(
    environment: EnvironmentArgument,
    target: TargetOption = "rehearsal",
    confirm: ConfirmOption = "",
    keep_data: Annotated[
        bool,
        typer.Option("--keep-data/--no-keep-data", help="Leave homes and buckets where they are."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Remove everything the deployment made, and say what is left."""
    deployment = Deployment(environment, target)
    target_of(deployment).require_confirmation(confirm)
    with reporting(f"Destroying {environment}") as progress:
        result = lifecycle.destroy(
            deployment,
            keep_data=keep_data,
            progress=progress,
        )
    left = result.left or ()
    human = [_done(environment, result)]
    if result.kept:
        human += _leftovers(result.kept, "Kept, as asked for")
    show(result.as_dict(), json, [*human, *_leftovers(left)])
    if left:
        raise typer.Exit(LEFT)


def drift(
    environment: EnvironmentArgument, target: TargetOption = "rehearsal", json: JsonOption = False
) -> None:
    """Find what was changed behind Terraform's back; exit 3 if anything was."""
    with reporting(f"Comparing {environment} with its state") as progress:
        found = lifecycle.drift(Deployment(environment, target), progress)
    human: list[Any] = [f"{environment} is as Terraform left it."]
    if found:
        rows = [
            (one.address, one.attribute, _compact(one.expected), _compact(one.found))
            for one in found
        ]
        columns = ("resource", "attribute", "expected", "found")
        human = [table(f"Drift in {environment}", columns, rows)]
    show({"drifted": [asdict(one) for one in found]}, json, human)
    if found:
        raise typer.Exit(DRIFTED)


def sweep_command(
    environment: EnvironmentArgument, target: TargetOption = "rehearsal", json: JsonOption = False
) -> None:
    """Ask the account what carries the deployment's tags; exit 3 if anything does."""
    left = sweep(Deployment(environment, target))
    show({"left": [asdict(one) for one in left]}, json, _leftovers(left))
    if left:
        raise typer.Exit(LEFT)


def _compact(value: object) -> str:
    """Return a value as a table can show it: a JSON document on one line, and no novel."""
    if isinstance(value, str) and value[:1] in "[{":
        value = json_module.loads(value)
    text = value if isinstance(value, str) else json_module.dumps(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _floor(environment: str, shown: Mapping[str, Any]) -> tuple[Decimal, Decimal]:
    """Return the monthly price of what a plan leaves always on, and what the plan adds to it."""
    from pangeo_deploy.monthly_cost import change_of  # few verbs need it

    before, after = change_of(environment, shown)
    return after.floor, after.floor - before.floor


def _done(environment: str, result: lifecycle.Applied) -> str:
    counts = Counter(one.action for one in result.resources)
    told = ", ".join(f"{count} {action}d" for action, count in sorted(counts.items()))
    return f"{environment}: {told or 'nothing to do'} in {result.seconds:.1f} s."


def _leftovers(left: Iterable[Leftover], title: str = "Still carrying the tags") -> list[Any]:
    rows = [(one.type, one.id, one.usd_per_month or "not known") for one in left]
    if not rows:
        return ["Nothing else carries the deployment's tags."]
    return [table(title, ("type", "id", "USD a month"), rows)]
