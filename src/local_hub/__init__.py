"""JupyterHub, Dask-Gateway and BinderHub as processes of one machine."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_hub.control import Ended, Hub, HubNotReady, PartStatus, down, running, status, up
    from local_hub.definition import HubDefinition, HubPlace

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


def __getattr__(name: str) -> object:
    """Import a name when it is asked for: each part is a process that needs few of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "definition" if name in ("HubDefinition", "HubPlace") else "control"
    return getattr(import_module(f"{__name__}.{home}"), name)
