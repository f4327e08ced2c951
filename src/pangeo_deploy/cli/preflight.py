"""The verb that joins Terraform's plan with the charts."""

from functools import partial

import typer

from pangeo_deploy.cli.console import reporting, show, table
from pangeo_deploy.cli.options import EnvironmentArgument, JsonOption, TargetOption
from pangeo_deploy.deployment import DEFAULT_TARGET, Deployment

CHECK_FAILED = 3


def preflight(
    environment: EnvironmentArgument,
    target: TargetOption = DEFAULT_TARGET,
    json: JsonOption = False,
) -> None:
    """Compare what the charts need with what Terraform plans; exit 3 if something is missing."""
    from pangeo_deploy.preflight import preflight as join
    from pangeo_deploy.targets import target_of
    from pangeo_deploy.terraform.lifecycle import show as show_plan

    deployment = Deployment(environment, target)
    real = target_of(deployment).for_real
    with reporting(f"Joining plan and charts of {environment}") as progress:
        found = join(deployment, partial(show_plan, deployment, progress), real)
    summary = f"{environment}: {found.rules} rules, {len(found.findings)} findings."
    human: list[object] = [summary, *(f"Not looked at: {one}" for one in found.skipped)]
    if found.findings:
        rows = [(one.rule, one.where, one.message, one.fix) for one in found.findings]
        human.insert(0, table("To correct", ("rule", "where", "what", "way out"), rows))
    show(found.as_dict(), json, human)
    if not found.ok:
        raise typer.Exit(CHECK_FAILED)
