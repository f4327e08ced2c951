"""The definition of a local hub: plain values, which the caller fills from its charts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class HubPlace:
    """A hub's environment and folder: enough to inspect and to stop it."""

    environment: str
    folder: Path


@dataclass(frozen=True)
class HubDefinition(HubPlace):
    """The settings and code that a hub is started from.

    `settings` are the values that hub and gateway get as PANGEO_SETTINGS, `code` is the folder of
    the Python files that the charts mount (hub.py, gateway.py, binder.py), `alert_groups` are
    groups of Prometheus rules.
    """

    settings: Mapping[str, Any]
    code: Path
    alert_groups: Sequence[Mapping[str, Any]] = ()
