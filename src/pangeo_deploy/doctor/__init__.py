"""What the project needs, what of it is there, and how to get the rest."""

from pangeo_core.units import PriceOf
from pangeo_deploy.deployment import TargetName
from pangeo_deploy.doctor.local_machine import machine
from pangeo_deploy.targets import named
from pangeo_deploy.targets.check import Check

__all__ = ["Check", "examine"]


def examine(target: TargetName, price: PriceOf) -> list[Check]:
    """Return a finding for everything the target needs. Changes nothing; asks AWS only for `aws`.

    `price(service, item)` gives list prices in USD, for what it costs to stay as it is.
    """
    return [*machine(), *named(target).doctor_checks(price)]
