"""What the project needs, what of it is there, and how to get the rest."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from pangeo_deploy.deployment import Target, find_project
from pangeo_deploy.doctor.cloud import cloud
from pangeo_deploy.doctor.finding import Check
from pangeo_deploy.doctor.local_machine import machine
from pangeo_deploy.identity import open_session

__all__ = ["Check", "examine"]


def examine(target: Target, price: Callable[[str, str], Decimal | None]) -> list[Check]:
    """Return a finding for everything the target needs. Changes nothing; asks AWS only for `aws`.

    `price(service, item)` gives list prices in USD, for what it costs to stay as it is.
    """
    found = list(machine())
    if target == "aws":
        found += cloud(open_session, find_project(), datetime.now(UTC).date(), price)
    return found
