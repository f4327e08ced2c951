"""The plan that the verbs of `cost` price."""

from collections.abc import Mapping
from typing import Any

from pangeo_deploy.cli.console import reporting
from pangeo_deploy.deployment import Deployment, TargetName


def plan_of(environment: str, target: TargetName) -> Mapping[str, Any]:
    """Return `terraform show -json` of a fresh plan that changes nothing that is saved."""
    from pangeo_deploy.terraform import lifecycle

    with reporting(f"Planning {environment}") as progress:
        return lifecycle.show(Deployment(environment, target), progress)
