"""Benchmarks that can be trusted: workloads, their measurement, and the analysis of runs.

See README.md beside this file. The names below are imported on first use: workers get this package
too, and need little of it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dask_bench.ab import Interleaved
    from dask_bench.bench_report import report
    from dask_bench.campaign import Campaign, start
    from dask_bench.campaign_plan import Plan
    from dask_bench.catalogue import WORKLOADS
    from dask_bench.cluster import Cluster, Shape, local
    from dask_bench.runs import read
    from dask_bench.tiers import TIERS
    from dask_bench.zarr_store import Layout

__all__ = [
    "TIERS",
    "WORKLOADS",
    "Campaign",
    "Cluster",
    "Interleaved",
    "Layout",
    "Plan",
    "Shape",
    "local",
    "read",
    "report",
    "start",
]

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


def __getattr__(name: str) -> Any:
    """Return a public name from the module that holds it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
