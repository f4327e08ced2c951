"""JupyterHub, Dask-Gateway and BinderHub as processes of one machine."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_hub.control import Ended, HubNotReady, down, running, status, up
    from local_hub.definition import HubDefinition, HubPlace
    from local_hub.hub_status import Hub, PartStatus

__all__ = [
    "Ended",
    "Hub",
    "HubDefinition",
    "HubNotReady",
    "HubPlace",
    "PartStatus",
    "down",
    "running",
    "status",
    "up",
]
_HOMES = {
    "Hub": "hub_status",
    "HubDefinition": "definition",
    "HubPlace": "definition",
    "PartStatus": "hub_status",
}


def __getattr__(name: str) -> object:
    """Import a name when it is first used: each part is a process that needs few of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES.get(name, "control")
    return getattr(import_module(f"{__name__}.{home}"), name)
