"""The verbs for a deployment that sleeps between seasons: hibernate, wake."""

from functools import partial

from pangeo_deploy.cli.console import reporting, show
from pangeo_deploy.cli.options import ConfirmOption, EnvironmentArgument, JsonOption, TargetOption
from pangeo_deploy.deployment import DEFAULT_TARGET, Deployment


def hibernate(
    environment: EnvironmentArgument,
    target: TargetOption = DEFAULT_TARGET,
    confirm: ConfirmOption = "",
    json: JsonOption = False,
) -> None:
    """Remove cluster, nodes and load balancer; keep homes, users, tokens, images and names."""
    from pangeo_deploy.targets import target_of
    from pangeo_deploy.terraform import lifecycle, seasons

    deployment = Deployment(environment, target)
    there = target_of(deployment)
    there.require_confirmation(confirm)
    with reporting(f"Putting {environment} to sleep") as progress:
        if seasons.is_awake(deployment):
            there.save_hub()
            there.remove_charts()
        done = lifecycle.destroy(deployment, only=seasons.sleeps_without, progress=progress)
    show(
        done.as_dict(),
        json,
        [
            f"{environment} sleeps: {len(done.resources)} resources are gone, homes and the hub's "
            f"database stay. Wake it with: pangeo-deploy wake {environment}"
        ],
    )


def wake(
    environment: EnvironmentArgument,
    target: TargetOption = DEFAULT_TARGET,
    json: JsonOption = False,
) -> None:
    """Bring back what hibernate removed, and the hub with its users. Can be run again."""
    from hub_user.smoke import smoke
    from pangeo_deploy.targets import target_of
    from pangeo_deploy.terraform import lifecycle, seasons

    deployment = Deployment(environment, target)
    there = target_of(deployment)
    with reporting(f"Waking {environment}") as progress:
        plan = lifecycle.plan(deployment, progress)
        seasons.require_creations(plan.changes, environment)
        if plan.does_something:
            lifecycle.apply(deployment, progress=progress)
        result = there.deploy_charts(
            lambda: smoke(there.entrance(), progress=progress).ok,
            progress,
            partial(lifecycle.outputs, deployment),
        )
    show(result.as_dict(), json, [f"{environment} is awake."])
