"""`bench report`: summarize the runs of one or several files, ours and published ones alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dask_bench import counts_gate, importer, run_cost, runs, scaling, statistics
from dask_bench.columns import PARAMETERS
from pangeo_core.origin import Origin

# The papers' aggregation: a median for each of these.
PAPERS = ["operation", "scheme", "chunk_mb", "nodes"]


@dataclass(frozen=True)
class Report:
    """Medians of all configurations, their scaling curves, and what limits them."""

    rows: int
    failed: int
    origins: tuple[str, ...]
    table: pd.DataFrame
    strong: pd.DataFrame
    weak: pd.DataFrame
    limits: pd.DataFrame
    costs: pd.DataFrame | None = None  # if rates were given
    price: str = ""  # whose, of what, when

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of `bench report`."""
        names = ["table", "strong", "weak", "limits"]
        tables: dict[str, Any] = {name: _records(getattr(self, name)) for name in names}
        if self.costs is not None:
            told = {"origin": str(Origin.MODELLED), "price": self.price}
            tables["costs"] = {**told, "table": _records(self.costs)}
        return {"rows": self.rows, "failed": self.failed, "origins": list(self.origins), **tables}


def load(paths: Path | Sequence[Path]) -> pd.DataFrame:
    """Return runs from run files (parquet) and published results (csv files, folders of them).

    They may come from several machines: `report` separates them, `compare` requires one.
    """
    named = [paths] if isinstance(paths, Path) else list(paths)
    ours = [path for path in named if path.suffix == ".parquet"]
    theirs = [path for path in named if path.suffix != ".parquet"]
    parts = [runs.read(ours, machines=True)] if ours else []
    parts += [importer.read(theirs)] if theirs or not named else []
    return pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]


def report(table: pd.DataFrame, rates: run_cost.Rates | None = None) -> Report:
    """Return the medians of a run table, with intervals, its scaling curves, and what limits runs.

    Runs are one configuration where machine and parameters agree: the papers' four columns come
    first, then those others in which this table's runs differ. Failed runs are counted
    separately. `roofline_ratio` is the median of `counts_gate.roofline_ratios`, null without numpy
    runs beside. With `rates`, also the modelled cost of the same runs on such nodes.
    """
    counted = table.assign(roofline_ratio=counts_gate.roofline_ratios(table))
    counted = counted[table.role != "warm-up"]
    others = [
        name
        for name in ("machine", *PARAMETERS)
        if name not in PAPERS and counted[name].nunique(dropna=False) > 1
    ]
    rows = []
    keys = [*PAPERS, *others, "fingerprint"]  # two machines may have the same name
    for key, group in counted.groupby(keys, dropna=False):
        good = group[~group.failed.astype(bool)]
        row = dict(zip(keys, key, strict=True))
        row.update(n=len(good), failed=int(group.failed.sum()))
        if len(good):
            median = statistics.median(good.seconds)
            row.update(median_seconds=median.value, low=median.low, high=median.high)
            row.update(roofline_ratio=good.roofline_ratio.median())
        rows.append(row)
    columns = [*PAPERS, "n", "median_seconds", "low", "high", "roofline_ratio", "failed"]
    columns += others
    return Report(
        len(table),
        int(table.failed.sum()),
        tuple(sorted(table.origin.unique())),
        pd.DataFrame(rows, columns=columns),
        scaling.curves(counted, "strong"),
        scaling.curves(counted, "weak"),
        scaling.limits(counted),
        None
        if rates is None
        else run_cost.medians(run_cost.priced(counted, rates), [*PAPERS, *others]),
        "" if rates is None else f"{rates.source}, {rates.date}",
    )


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    plain = table.astype(object).where(table.notna(), None)
    return [
        {
            name: value.item() if hasattr(value, "item") else value
            for name, value in row.items()
            if value is not None
        }
        for row in plain.to_dict("records")
    ]
