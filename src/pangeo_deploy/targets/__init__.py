"""The targets: `target_of(deployment)` returns the object that reaches a deployment's target.

Nothing outside this package compares a target's name.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from pangeo_core.errors import BadInput
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets.protocol import (
    AwsClient,
    Cloud,
    GatewayAccess,
    KnownTypes,
    MonthlyBill,
    NotOnThisTarget,
    Target,
    UsageRecords,
)

__all__ = [
    "AwsClient",
    "Cloud",
    "GatewayAccess",
    "KnownTypes",
    "MonthlyBill",
    "NotOnThisTarget",
    "Target",
    "UsageRecords",
    "connect",
    "named",
    "target_of",
]


def _rehearsal() -> type[Target]:
    from pangeo_deploy.targets.rehearsal import Rehearsal

    return Rehearsal


def _aws() -> type[Target]:
    from pangeo_deploy.targets.aws import Aws

    return Aws


def _kubernetes() -> type[Target]:
    from pangeo_deploy.targets.kubernetes import Kubernetes

    return Kubernetes


# Imported on first use: each needs libraries that the others do not.
_CLASSES: Mapping[str, Callable[[], type[Target]]] = {
    "rehearsal": _rehearsal,
    "kubernetes": _kubernetes,
    "aws": _aws,
}


def named(name: str) -> type[Target]:
    """Return the class of the target of this name. Raises `BadInput` for an unknown name."""
    if name not in _CLASSES:
        raise BadInput(f"There is no target {name!r}.", fix=f"Use one of: {', '.join(_CLASSES)}.")
    return _CLASSES[name]()


def target_of(deployment: Deployment) -> Target:
    """Return the deployment's target."""
    return named(deployment.target)(deployment)


def connect(deployment: Deployment) -> AbstractContextManager[Cloud]:
    """Open the deployment's AWS account for the time of the `with` block."""
    return target_of(deployment).connect()
