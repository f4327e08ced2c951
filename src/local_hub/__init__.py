"""JupyterHub, Dask-Gateway and BinderHub as processes of one machine."""

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
