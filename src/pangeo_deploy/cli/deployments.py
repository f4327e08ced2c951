"""The verbs on a deployment: doctor, plan, apply, destroy, drift, sweep, terraform."""

from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pangeo_core.errors import Interrupted, PangeoDeployError
from pangeo_deploy.cli.console import reporting, show, show_error, table
from pangeo_deploy.cli.options import (
    ConfirmOption,
    EnvironmentArgument,
    JsonOption,
    TargetOption,
)
from pangeo_deploy.deployment import DEFAULT_TARGET, Deployment, environments, find_project

if TYPE_CHECKING:
    from pangeo_deploy.terraform.lifecycle import Applied
    from pangeo_deploy.terraform.sweep import Leftover

DRIFTED = LEFT = 3
MISSING = 2
CHANGES = 2  # as Terraform's users know it


def doctor(target: TargetOption = DEFAULT_TARGET, json: JsonOption = False) -> None:
    """Check what this machine has, what is missing, and how to get it."""
    from pangeo_deploy import doctor as checks
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
    environment: EnvironmentArgument,
    target: TargetOption = DEFAULT_TARGET,
    detailed_exitcode: Annotated[
        bool,
        typer.Option(
            "--detailed-exitcode",
            help="As Terraform's: exit 0 for no changes, 1 for an error, 2 for changes.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show what Terraform would change, value by value, and save the plan for `apply`."""
    from pangeo_deploy.cli import plan_table
    from pangeo_deploy.monthly_cost import change_of
    from pangeo_deploy.terraform import lifecycle, seasons

    try:
        with reporting(f"Planning {environment}") as progress:
            result = lifecycle.plan(Deployment(environment, target), progress)
        before, after = change_of(environment, result.shown)
    except PangeoDeployError as error:
        if not detailed_exitcode or isinstance(error, Interrupted):
            raise
        show_error(error, json)
        raise typer.Exit(1) from None
    floor, change = after.floor, after.floor - before.floor
    money = {
        "floor_usd_per_month": format(floor, "f"),
        "floor_change_usd_per_month": format(change, "f"),
        "asleep_usd_per_month": seasons.asleep_usd(after),
        "minutes_to_wake": seasons.MINUTES_TO_WAKE,
    }
    human = plan_table.of(result)
    if result.does_something:
        human += [
            f"Always on: {floor:.2f} USD a month at list prices, {change:+.2f} by this plan; "
            f"line by line: pangeo-deploy cost estimate {environment}",
            f"Asleep: {money['asleep_usd_per_month']} USD a month, and about "
            f"{seasons.MINUTES_TO_WAKE} minutes to wake (pangeo-deploy hibernate {environment}).",
            f"Saved as {result.file}\nApply it with: {_again('apply', environment, target)}",
        ]
    show({**result.as_dict(), **money}, json, human)
    if detailed_exitcode and result.does_something:
        raise typer.Exit(CHANGES)


def apply(
    environment: EnvironmentArgument,
    plan_file: Annotated[
        Path | None, typer.Argument(help="A saved plan (default: the environment's last one).")
    ] = None,
    target: TargetOption = DEFAULT_TARGET,
    confirm: Annotated[
        str,
        typer.Option(
            help="The environment's name again; needed where the plan removes homes, buckets, "
            "keys or the cluster.",
            metavar="NAME",
        ),
    ] = "",
    json: JsonOption = False,
) -> None:
    """Apply the saved plan, and nothing else."""
    from pangeo_deploy.terraform import lifecycle

    with reporting(f"Applying to {environment}") as progress:
        result = lifecycle.apply(Deployment(environment, target), plan_file, progress, confirm)
    show(result.as_dict(), json, [_done(environment, result)])


def terraform(
    environment: EnvironmentArgument,
    arguments: Annotated[
        list[str], typer.Argument(help="Terraform's own arguments, after `--`.", metavar="-- ARGS")
    ],
    target: TargetOption = DEFAULT_TARGET,
) -> None:
    """Run any other Terraform command in the environment's workspace, with its variables.

    For example: `terraform staging -- state list`, `import ADDRESS ID`, `force-unlock ID`.
    """
    from pangeo_deploy.terraform.any_command import command

    deployment = Deployment(environment, target)
    with ExitStack() as stack:
        with reporting(f"Opening {environment}") as progress:
            call = stack.enter_context(command(deployment, arguments, progress))
        code = call()
    raise typer.Exit(code)


def destroy(
    environment: EnvironmentArgument,
    target: TargetOption = DEFAULT_TARGET,
    confirm: ConfirmOption = "",
    keep_data: Annotated[
        bool,
        typer.Option("--keep-data/--no-keep-data", help="Keep homes and buckets."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Remove everything the deployment created, and report what is left."""
    from pangeo_deploy.targets import target_of
    from pangeo_deploy.terraform import lifecycle

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
    environment: EnvironmentArgument,
    target: TargetOption = DEFAULT_TARGET,
    json: JsonOption = False,
) -> None:
    """Find what was changed behind Terraform's back; exit 3 if anything was."""
    from pangeo_deploy.terraform import lifecycle
    from pangeo_deploy.terraform.attributes import compact

    with reporting(f"Comparing {environment} with its state") as progress:
        found = lifecycle.drift(Deployment(environment, target), progress)
    human: list[Any] = [f"{environment} is as Terraform left it."]
    if found:
        rows = [
            (
                one.address,
                one.attribute,
                compact(one.expected),
                compact(one.found),
            )
            for one in found
        ]
        columns = ("resource", "attribute", "expected", "found")
        human = [table(f"Drift in {environment}", columns, rows)]
    show({"drifted": [asdict(one) for one in found]}, json, human)
    if found:
        raise typer.Exit(DRIFTED)


def sweep(
    environment: EnvironmentArgument,
    target: TargetOption = DEFAULT_TARGET,
    json: JsonOption = False,
) -> None:
    """List what in the account carries the deployment's tags; exit 3 if anything does."""
    from pangeo_deploy.terraform import sweep as account

    left = account.sweep(Deployment(environment, target))
    show({"left": [asdict(one) for one in left]}, json, _leftovers(left))
    if left:
        raise typer.Exit(LEFT)


def reset(target: TargetOption = DEFAULT_TARGET, json: JsonOption = False) -> None:
    """Remove the rehearsal of this checkout: its account, states, plans, hubs and homes."""
    from pangeo_deploy.targets import target_of

    project = find_project()
    with reporting("Resetting the rehearsal"):
        deployment = Deployment(environments(project)[0], target, project)
        folder = target_of(deployment).reset()
    show({"removed": str(folder)}, json, [f"Removed: {folder}"])


def _again(verb: str, environment: str, target: str) -> str:
    """Return the command that goes on from here; the default target is left out."""
    where = "" if target == DEFAULT_TARGET else f" --target {target}"
    return f"pangeo-deploy {verb} {environment}{where}"


def _done(environment: str, result: "Applied") -> str:
    counts = Counter(one.action for one in result.resources)
    told = ", ".join(f"{count} {action}d" for action, count in sorted(counts.items()))
    return f"{environment}: {told or 'nothing to do'} in {result.seconds:.1f} s."


def _leftovers(left: Iterable["Leftover"], title: str = "Still carrying the tags") -> list[Any]:
    rows = [(one.type, one.id, one.usd_per_month or "not known") for one in left]
    if not rows:
        return ["Nothing else carries the deployment's tags."]
    return [table(title, ("type", "id", "USD a month"), rows)]
