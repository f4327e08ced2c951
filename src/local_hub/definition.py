"""What a local hub is: plain values that the caller fills from wherever its charts come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class HubPlace:
    """Where a hub keeps everything; enough to look at it, and to stop it."""

    environment: str
    folder: Path


@dataclass(frozen=True)
class HubDefinition(HubPlace):
    """What a hub is started from.

    `settings` are the values that hub and gateway get as PANGEO_SETTINGS, `code` is the folder of
    the Python that the charts mount (hub.py, gateway.py, binder.py), `alert_groups` are Prometheus'
    groups of rules.
    """

    settings: Mapping[str, Any]
    code: Path
    alert_groups: Sequence[Mapping[str, Any]] = ()
