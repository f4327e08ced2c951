"""The life of a deployment: plan, apply of exactly that plan, drift, destroy."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pangeo_core.errors import BadInput, TerraformFailed
from pangeo_core.progress import Progress, silent
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.terraform import protection, saved_plan
from pangeo_deploy.terraform.effects import settle
from pangeo_deploy.terraform.engine import Message, told
from pangeo_deploy.terraform.messages import report, seconds_between
from pangeo_deploy.terraform.plans import Drifted, Plan, changes, drifted
from pangeo_deploy.terraform.protection import DATA_KINDS, holds_no_data, is_data
from pangeo_deploy.terraform.sweep import Leftover, sweep_account
from pangeo_deploy.terraform.workspace import Workspace, open_workspace, sources_digest

__all__ = ["apply", "destroy", "drift", "plan", "show"]

Goes = Callable[[str], bool]  # whether the resource of an address is removed


@dataclass(frozen=True)
class Done:
    """One resource that an apply or destroy changed, and how long it took."""

    address: str
    action: str
    seconds: float


@dataclass(frozen=True)
class Applied:
    """What an apply or destroy did; a destroy also says what was `kept`, and what is `left`."""

    seconds: float
    resources: tuple[Done, ...]
    left: tuple[Leftover, ...] | None = None
    kept: tuple[Leftover, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of `pangeo-deploy apply --json` or `destroy --json`."""
        result: dict[str, Any] = {
            "seconds": round(self.seconds, 3),
            "resources": [asdict(one) for one in self.resources],
        }
        if self.left is not None:
            result["left"] = [asdict(one) for one in self.left]
            result["kept"] = [asdict(one) for one in self.kept]
        return result


def plan(deployment: Deployment, progress: Progress = silent) -> Plan:
    """Ask Terraform what it would do, and save the plan for `apply`.

    Raises `TerraformFailed` with Terraform's diagnostics, `BadInput` for a tfvars file that sets
    a variable which does not exist.
    """
    with open_workspace(deployment, progress) as workspace:
        file = workspace.plan_file
        saved_plan.forget(file)
        sources = sources_digest(deployment)
        shown = _planned(workspace, file, progress)
        result = _plan_of(workspace, file, shown)
        saved_plan.save(result, sources)
        return result


def _plan_of(workspace: Workspace, file: Path, shown: Mapping[str, Any]) -> Plan:
    deployment = workspace.deployment
    found = changes(shown, workspace.cloud.kept_types)
    return Plan(deployment.environment, deployment.target, file, found, shown)


def _planned(
    workspace: Workspace, file: Path, progress: Progress, *arguments: str
) -> Mapping[str, Any]:
    """Run `terraform plan` into `file` and return `terraform show -json` of it."""
    undeclared: list[str] = []

    def take(message: Message) -> None:
        report(message, progress)
        diagnostic = message.get("diagnostic", {})
        if diagnostic.get("summary") == "Value for undeclared variable":
            undeclared.append(told(diagnostic))

    variables = workspace.variables
    workspace.terraform.stream(
        "plan",
        "-input=false",
        "-lock=false",  # the plan role may not write a lock; applying checks the plan's age anyway
        "-json",
        f"-var-file={variables}",
        f"-out={file}",
        *arguments,
        on_message=take,
    )
    file.chmod(0o600)  # a plan holds every value, secrets too
    if undeclared:
        file.unlink()
        raise BadInput(
            f"terraform/environments/{variables.name} sets a variable that does not exist.",
            why="\n".join(undeclared),
            fix="Correct the name; terraform/variables.tf declares them all.",
        )
    shown: Mapping[str, Any] = json.loads(workspace.terraform.read("show", "-json", str(file)))
    return shown


def show(deployment: Deployment, progress: Progress = silent) -> Mapping[str, Any]:
    """Return `terraform show -json` of a fresh plan; the saved plan stays as it is."""
    with open_workspace(deployment, progress) as workspace:
        return _shown_once(workspace, progress)


def _shown_once(workspace: Workspace, progress: Progress, *arguments: str) -> Mapping[str, Any]:
    file = workspace.deployment.folder / "shown.tfplan"
    try:
        return _planned(workspace, file, progress, *arguments)
    finally:
        file.unlink(missing_ok=True)


def apply(
    deployment: Deployment,
    plan_file: Path | None = None,
    progress: Progress = silent,
    confirm: str = "",
) -> Applied:
    """Apply the saved plan: this environment's last one, or `plan_file` if named.

    Refuses with `BadInput` a plan that is missing, altered, or no longer matches the files or the
    state it was made from; and one that removes what cannot be made again (homes, buckets, keys,
    the cluster) unless `confirm` is the environment's name.
    """
    with open_workspace(deployment, progress) as workspace:
        file = plan_file.resolve() if plan_file else workspace.plan_file
        record = saved_plan.check(deployment, file, named=plan_file is not None)
        saved_plan.require_confirmed_removals(deployment, record, confirm)
        with workspace.changing():
            try:
                applied = _apply(workspace, file, progress)
            except TerraformFailed:
                with suppress(TerraformFailed):  # what went wrong first is what is to be said
                    settle(workspace)
                raise
            saved_plan.forget(file)
            settle(workspace)
        return applied


def _apply(workspace: Workspace, file: Path, progress: Progress) -> Applied:
    started: dict[str, str] = {}
    done: list[Done] = []

    def take(message: Message) -> None:
        report(message, progress)
        hook = message.get("hook", {})
        address = hook.get("resource", {}).get("addr", "")
        if message.get("type") == "apply_start":
            started[address] = message["@timestamp"]
        elif message.get("type") == "apply_complete" and hook.get("action") != "read":
            seconds = seconds_between(started[address], message["@timestamp"])
            done.append(Done(address, hook["action"], seconds))

    clock = time.monotonic()
    try:
        workspace.terraform.stream("apply", "-input=false", "-json", str(file), on_message=take)
    except TerraformFailed as error:
        if "plan is stale" in error.why:
            raise BadInput(
                f"The state of {workspace.deployment.environment} changed after the plan was made.",
                why=error.why,
                fix=f"Run: pangeo-deploy plan {workspace.deployment.environment}",
            ) from error
        raise
    return Applied(time.monotonic() - clock, tuple(done))


def destroy(
    deployment: Deployment,
    *,
    keep_data: bool = False,
    only: Goes | None = None,
    progress: Progress = silent,
) -> Applied:
    """Remove everything the deployment made, then ask the account what still belongs to it.

    With `keep_data`, homes and buckets stay, in the account and in the state: a later plan and
    apply builds the rest around them. With `only`, just the addresses that it chooses go, and what
    depends on them.
    """
    with open_workspace(deployment, progress) as workspace:
        protection.require_unprotected(deployment, workspace.state)
        goes = only or (holds_no_data if keep_data else None)
        targets = _targets(workspace, goes) if goes else []
        if only and not targets:
            return Applied(0.0, ())  # without targets, Terraform would destroy everything
        arguments = ["-destroy", *targets]
        # In a file of its own, gone at the end: no later `apply` can take it for the saved plan.
        file = deployment.folder / "destroy.tfplan"
        try:
            shown = _planned(workspace, file, progress, *arguments)
            found = _plan_of(workspace, file, shown).changes
            if goes and (lost := [one.address for one in found if is_data(one.type)]):
                raise BadInput(
                    "The data cannot be kept: removing the rest would remove it too.",
                    why=", ".join(lost),
                    fix="Nothing was changed. Let no data depend on what is removed.",
                )
            saved_plan.forget(workspace.plan_file)  # made for what will not be there
            with workspace.changing():
                applied = _apply(workspace, file, progress)
        finally:
            file.unlink(missing_ok=True)
        left = sweep_account(workspace.cloud, deployment)
        kept = tuple(one for one in left if only or (keep_data and one.type in DATA_KINDS))
        rest = tuple(one for one in left if one not in kept)
        return Applied(applied.seconds, applied.resources, rest, kept)


def plan_destroy(
    deployment: Deployment, *, keep_data: bool = False, progress: Progress = silent
) -> Plan:
    """Return what `destroy` would remove now. Nothing is saved, and nothing changed."""
    with open_workspace(deployment, progress) as workspace:
        arguments = ["-destroy", *(_targets(workspace, holds_no_data) if keep_data else ())]
        shown = _shown_once(workspace, progress, *arguments)
        return _plan_of(workspace, workspace.plan_file, shown)


def _targets(workspace: Workspace, goes: Goes) -> list[str]:
    """Return the arguments that have Terraform remove what goes of the state, and nothing else."""
    addresses = workspace.terraform.read("state", "list").split("\n")
    return [f"-target={address}" for address in addresses if address and goes(address)]


def drift(deployment: Deployment, progress: Progress = silent) -> tuple[Drifted, ...]:
    """Return every attribute that is no longer as Terraform left it. Changes nothing."""
    with open_workspace(deployment, progress) as workspace:
        if not workspace.state.get("resources"):
            return ()  # nothing was applied; Terraform would fail on outputs of what is not there
        return drifted(_shown_once(workspace, progress, "-refresh-only"))


def recorded(deployment: Deployment) -> Mapping[str, Any]:
    """Return the state as Terraform keeps it, empty before the first apply."""
    with open_workspace(deployment) as workspace:
        return workspace.state


def outputs(deployment: Deployment) -> dict[str, Any]:
    """Return the root module's outputs, empty before the first apply."""
    with open_workspace(deployment) as workspace:
        shown = json.loads(workspace.terraform.read("output", "-json"))
    return {name: output["value"] for name, output in shown.items() if not output["sensitive"]}
