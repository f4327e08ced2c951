"""Benchmarks that can be believed: workloads, how they are measured, and what the runs say.

See README.md beside this file. The names below are imported when they are asked for: workers get
this package too, and need little of it.
"""

import importlib
from typing import Any

_HOME = {
    "Campaign": "campaign",
    "Cluster": "cluster",
    "Interleaved": "ab",
    "Layout": "zarr_store",
    "Plan": "campaign_plan",
    "Shape": "cluster",
    "TIERS": "tiers",
    "WORKLOADS": "catalogue",
    "local": "cluster",
    "read": "runs",
    "report": "bench_report",
    "start": "campaign",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    """Return a public name from the module that holds it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
