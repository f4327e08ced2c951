"""Save and restore the hub's database by the code that the charts run."""

import runpy
import shutil
from pathlib import Path
from typing import Any

from local_hub.hub_state import HubState

FOLDER = ".hub-backup"  # in the homes, as in the charts


def save(hub: HubState) -> Path:
    """Save the database of a hub, running or not, and return the copy."""
    return Path(_code(hub)["save"](hub.folder / "hub.sqlite", _copies(hub)))


def restore(hub: HubState) -> None:
    """Restore a saved database, once: after a plain stop, a hub starts without one."""
    copies = _copies(hub)
    if copies.is_dir():
        _code(hub)["restore"](hub.folder / "hub.sqlite", copies)
        shutil.rmtree(copies)


def _copies(hub: HubState) -> Path:
    return hub.folder / "homes" / FOLDER


def _code(hub: HubState) -> dict[str, Any]:
    return runpy.run_path(str(hub.code / "hub_backup.py"))
