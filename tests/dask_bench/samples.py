"""Made-up runs, and result files in the two column sets of pangeo-data/benchmarking."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

OLD = [
    "chunk_size",
    "chunking_scheme",
    "dataset_size",
    "machine",
    "num_nodes",
    "operation",
    "runtime",
    "worker_per_node",
]
NEW = [
    "operation",
    "chunk_size",
    "chunk_per_worker",
    "dataset_size",
    "worker_per_node",
    "threads_per_worker",
    "num_nodes",
    "chunking_scheme",
    "machine",
    "maxmemory_per_node",
    "maxcore_per_node",
    "spil",
    "runtime",
]


def row(runtime: float, **other: Any) -> dict[str, Any]:
    usual = {
        "operation": "anomaly",
        "chunk_size": "64MB",
        "chunk_per_worker": 10,
        "dataset_size": "640.95 MB",
        "worker_per_node": 1,
        "threads_per_worker": 1,
        "num_nodes": 1,
        "chunking_scheme": "temporal",
        "machine": "hal24",
        "maxmemory_per_node": "128gb",
        "maxcore_per_node": 24,
        "spil": False,
        "runtime": runtime,
    }
    return {**usual, **other}


def write(path: Path, rows: Sequence[dict[str, Any]], columns: Sequence[str] = NEW) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(list(rows)).reindex(columns=list(columns)).to_csv(path, index=False)
    return path


def run_row(**columns: Any) -> dict[str, Any]:
    """Return a row of the run table."""
    usual = {
        "campaign": "made-up",
        "block": 0,
        "order": 0,
        "role": "run",
        "operation": "climatology",
        "variant": "naive",
        "family": "compute",
        "scheme": "temporal",
        "chunk_mb": 64.0,
        "dataset_mb": 1280.0,
        "on": "cluster",
        "nodes": 1,
        "machine": "made-up",
        "fingerprint": "made-up",
        "origin": "sample",
        "source": "a test",
        "failed": False,
        "seconds": 1.0,
    }
    return {**usual, **columns}
