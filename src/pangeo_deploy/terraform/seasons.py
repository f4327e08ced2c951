"""What a deployment sleeps without: the parts that cost while nobody works, and hold nothing."""

from collections.abc import Iterable

from hub_costs.estimates.estimate import Estimate
from pangeo_core.errors import BadInput
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.terraform import protection
from pangeo_deploy.terraform.plans import Change
from pangeo_deploy.terraform.protection import type_in
from pangeo_deploy.terraform.workspace import open_workspace

__all__ = ["MINUTES_TO_WAKE", "asleep_usd", "is_awake", "require_creations", "sleeps_without"]

# The cluster with all in it, the core nodes, the ways out of private networks. What depends on
# these (an association, a policy that names the cluster) goes along and comes back.
GOES = ("aws_eks_", "aws_launch_template", "aws_nat_gateway", "aws_eip")
INTERFACES = "aws_vpc_endpoint.interface"
CHARTS = "helm: "  # how an estimate names what the charts order
# AWS' own words: a control plane takes about ten minutes, then come nodes, add-ons and charts.
MINUTES_TO_WAKE = 30


def sleeps_without(address: str) -> bool:
    """Tell whether a resource goes when the deployment is put to sleep."""
    return type_in(address).startswith(GOES) or INTERFACES in address


def is_awake(deployment: Deployment) -> bool:
    """Tell whether the deployment has a cluster.

    Raises `BadInput` if AWS would refuse to remove it, before anything else is changed.
    """
    with open_workspace(deployment) as workspace:
        protection.require_unprotected(deployment, workspace.state)
        found = workspace.state.get("resources") or ()
        return any(one["type"] == "aws_eks_cluster" for one in found)


def asleep_usd(estimate: Estimate) -> str:
    """Return what is paid a month while the deployment sleeps, in USD.

    What the charts order goes with them. Homes are billed by what is in them, so that they are in
    no floor: `cost estimate` shows them as use.
    """
    stays = (
        line.usd_per_month
        for line in estimate.lines
        if line.kind == "floor"
        and not line.address.startswith(CHARTS)
        and not sleeps_without(line.address)
    )
    return format(sum(stays, start=estimate.floor * 0), ".2f")


def require_creations(changes: Iterable[Change], environment: str) -> None:
    """Refuse a plan that does more than bring back what sleeps: that a person must see first."""
    more = [one.address for one in changes if one.action in ("delete", "replace")]
    if more:
        raise BadInput(
            f"Waking {environment} would remove or replace {len(more)} resources.",
            why=", ".join(more[:10]),
            fix=f"Read the plan (pangeo-deploy plan {environment}), apply it, and wake it again.",
        )
