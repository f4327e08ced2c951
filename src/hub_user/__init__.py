"""Act as a user of a hub, and keep it tidy: the smoke test and the janitor."""

from hub_user.binder_launch import Launch, LaunchRefused, launch
from hub_user.janitor import Cluster, make_round
from hub_user.kernel import CellFailed, Kernel
from hub_user.removal import Removed, remove_user
from hub_user.user import Entrance, HubRefused, User, log_in

__all__ = [
    "CellFailed",
    "Cluster",
    "Entrance",
    "HubRefused",
    "Kernel",
    "Launch",
    "LaunchRefused",
    "Removed",
    "User",
    "launch",
    "log_in",
    "make_round",
    "remove_user",
]
