"""How many servers of a profile fit a node: no room left unused, and no pod left pending."""

from decimal import Decimal
from typing import Any

from hub_costs.machines import Machine, Room, room

MAX_PODS = 58  # of the 2xlarge shapes of the pools, by their network interfaces


def free(node: dict[str, Any]) -> Room:
    """Return what a node (`cpu` cores, `memory_gib` as AWS prints it) has for servers."""
    return room(Machine(node["cpu"], Decimal(node["memory_gib"]), MAX_PODS))


def fits(profile: dict[str, Any]) -> int:
    """Return how many servers of the profile fit a node of the kind it is sized for."""
    left = free(profile["node"])
    return int(
        min(
            left.cpu // Decimal(str(profile["cpu_guarantee"])),
            left.memory_mib // profile["memory_guarantee_mib"],
        )
    )
