"""The scheduled checks of one deployment, each ending in a notice."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime

from pangeo_core.progress import Progress, silent
from pangeo_core.units import HOURS_PER_MONTH
from pangeo_deploy.delivery import notices
from pangeo_deploy.delivery.notices import Notice
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.monthly_cost import list_price
from pangeo_deploy.targets import connect, target_of
from pangeo_deploy.terraform import lifecycle
from pangeo_deploy.terraform.plans import changes
from pangeo_deploy.terraform.sweep import sweep_account

# Kinds that a running cluster makes and takes away: nodes, their disks, load balancers.
LIVING = {
    "elasticloadbalancing:listener",
    "elasticloadbalancing:loadbalancer",
    "elasticloadbalancing:targetgroup",
    "instance",
    "launch-template",
    "network-interface",
    "security-group",
    "volume",
}


def drift(deployment: Deployment, progress: Progress = silent) -> Notice:
    """Compare the account with the state."""
    return notices.drifted(deployment.environment, lifecycle.drift(deployment, progress))


def undeployed(deployment: Deployment, progress: Progress = silent) -> Notice:
    """Compare main with the account, beside what drifted; nothing before the first deployment."""
    if not lifecycle.recorded(deployment).get("resources"):
        return notices.undeployed(deployment.environment, ())
    shown = lifecycle.show(deployment, progress)
    drifted = {resource["address"] for resource in shown.get("resource_drift", ())}
    left = [each for each in changes(shown, frozenset()) if each.address not in drifted]
    return notices.undeployed(deployment.environment, left)


def sweep(deployment: Deployment, progress: Progress = silent) -> Notice:
    """Look for what carries the deployment's tags and is not in its state."""
    state = json.dumps(lifecycle.recorded(deployment))
    with connect(deployment) as cloud:
        left = sweep_account(cloud, deployment)
    unknown = [one for one in left if f'"{one.id}"' not in state]
    orphans = [one for one in unknown if one.type not in LIVING]
    return notices.swept(deployment.environment, orphans, len(unknown) - len(orphans))


def support(
    deployment: Deployment,
    progress: Progress = silent,
    today: date | None = None,
) -> Notice:
    """Look how long the cluster's Kubernetes keeps the standard price."""
    cluster = lifecycle.outputs(deployment).get("cluster")
    if not cluster:
        title = f"{deployment.environment} has no cluster"
        return Notice(f"support {deployment.environment}", True, title, "")
    prices = [list_price("eks", item) for item in ("cluster-hour", "extended-cluster-hour")]
    standard, extended = prices
    more = None
    if standard is not None and extended is not None:
        more = (extended - standard) * HOURS_PER_MONTH
    return notices.support_ends(
        deployment.environment,
        str(cluster["version"]),
        date.fromisoformat(str(cluster["end_of_standard_support"])),
        today or datetime.now(UTC).date(),
        None if more is None else f"{more:.0f}",
    )


def janitor(deployment: Deployment, progress: Progress = silent) -> Notice:
    """Look for servers and clusters that should have ended; ends none."""
    from hub_user.janitor import make_round
    from pangeo_deploy.charts.values import load, settings

    project, environment = deployment.project, deployment.environment
    pools = load(project, "support", environment)["pools"]
    shapes = {name: pool["shapes"][0] for name, pool in pools.items()}
    service, clusters = target_of(deployment).janitor()
    seen = make_round(service, clusters, settings(project, environment), shapes, list_price)
    return notices.outstayed(environment, seen)


CHECKS: Mapping[str, Callable[[Deployment, Progress], Notice]] = {
    "drift": drift,
    "janitor": janitor,
    "support": support,
    "sweep": sweep,
    "undeployed": undeployed,
}
