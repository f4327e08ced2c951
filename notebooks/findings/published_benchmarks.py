"""What others published about the same kind of work, as small cited tables, read critically."""

from pathlib import Path

import pandas as pd

from pangeo_core.errors import MissingPrerequisite
from pangeo_deploy.deployment import find_project

CURVE = ["operation", "scheme", "chunk_mb"]


def read(name: str, folder: Path | None = None) -> pd.DataFrame:
    """Return the table `data/<name>.csv`; lines that start with `#` are its citation."""
    path = (folder or find_project() / "data") / f"{name}.csv"
    if not path.is_file():
        raise MissingPrerequisite(
            f"{path} is not there.", fix="Clone the repository with its data."
        )
    return pd.read_csv(path, comment="#")


def label_error(points: pd.DataFrame) -> pd.DataFrame:
    """Return the points of a weak scaling figure with and without rows that were dropped by label.

    `points` has, for each operation, scheme, chunk and number of nodes, the median of all rows
    (`median_all`) and of those left (`median_left`, null where none was). The figure shows medians
    over the median on one node: `ratio_all` and `ratio_left`, and `change` = left / all - 1.
    """
    base = points[points.nodes == 1].set_index(CURVE)[["median_all", "median_left"]]
    found = points.join(base.add_suffix("_base"), on=CURVE)
    found["ratio_all"] = found.median_all / found.median_all_base
    found["ratio_left"] = found.median_left / found.median_left_base
    found["change"] = found.ratio_left / found.ratio_all - 1
    return found.drop(columns=["median_all_base", "median_left_base"])
