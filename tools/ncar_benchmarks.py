"""Write the tables on NCAR's published benchmarks under data/, from a clone of their repository.

Clone pangeo-data/benchmarking (Apache-2.0; its results are 760 csv files, not ours to commit), then

    python tools/ncar_benchmarks.py benchmarking/results data

writes medians and efficiencies of the two scaling figures, what a drop by label did to one of them,
and how rules for regressions do on the repeats.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from dask_bench import importer, scaling
from findings import regression_rule
from pangeo_core.files import write_whole

CITATION = (
    "# Source: pangeo-data/benchmarking (Apache-2.0), results/{folders}; Odaka et al. 2019,\n"
    "# doi 10.1007/978-3-030-44728-1_12. Computed by tools/ncar_benchmarks.py.\n"
)
STRONG_MB = 20480.0  # the size of their strong scaling figure
WEAK_MB = [64.0, 128.0, 256.0, 512.0]  # the chunks of their weak scaling figure
MOST_NODES = 16  # both figures end there
WORKLOADS = (1, 2, 6, 17, 50, 100)  # that one comparison may have
POINT = ["operation", "scheme", "chunk_mb", "nodes"]
# What the notebooks read: `dd.read_csv('../results/...')`.
READ = {
    "hal24": "hal24/2019-0*/*.csv",
    "cheyenne": "chey*/2019-09*/*.csv",
    "clean-cheyenne": "clean-cheyenne/2019-09*/*.csv",
}


def main(results: Path, out: Path) -> None:
    """Write all tables."""
    hal = importer.read(sorted(results.glob(READ["hal24"])))
    _write(_strong(hal), out / "ncar_strong.csv", "hal24: one 24-core node, one thread each")
    _write(_weak(hal), out / "ncar_weak.csv", "hal24: one 24-core node, one thread each")
    labels = pd.concat([_labels(results, name) for name in ("cheyenne", "clean-cheyenne")])
    _write(labels, out / "ncar_labels.csv", "cheyenne and clean-cheyenne, 2019-09")
    # The originals: the clean copies are sorted by time taken, which makes any two halves differ.
    other = importer.read(sorted(results.glob("cheyenne/*/*.csv")))
    _write(_rules(hal, other), out / "ncar_rules.csv", "hal24 and cheyenne, repeats")
    _write(_command(hal), out / "ncar_command.csv", "hal24, repeats")


def _strong(runs: pd.DataFrame) -> pd.DataFrame:
    curves = scaling.curves(runs, "strong")
    return _rounded(curves[curves.dataset_mb == STRONG_MB])


def _weak(runs: pd.DataFrame) -> pd.DataFrame:
    curves = scaling.curves(runs, "weak")
    return _rounded(curves[curves.chunk_mb.isin(WEAK_MB)])


def _rounded(curves: pd.DataFrame) -> pd.DataFrame:
    digits = {"seconds": 4, "ratio": 4, "efficiency": 4, "low": 4, "high": 4}
    return curves.drop(columns=["machine", "variant"]).round(digits)


def _labels(results: Path, name: str) -> pd.DataFrame:
    """Return each point of the weak scaling figure, with all rows and with what a drop left.

    The notebooks concatenate files without a new index and say
    `df.drop(df.index[df.num_nodes > 16])`: that drops every row that shares a label.
    """
    parts = []
    for file in sorted(results.glob(READ[name])):
        raw = pd.read_csv(file)
        values = {
            "operation": raw.operation,
            "scheme": raw.chunking_scheme,
            "chunk_mb": [float(size.removesuffix("MB")) for size in raw.chunk_size],
            "nodes": raw.num_nodes,
            "seconds": raw.runtime,
        }
        parts.append(pd.DataFrame(values))
    listed = pd.concat(parts)  # the index begins at 0 for each file, as theirs
    listed = listed[listed.chunk_mb.isin(WEAK_MB)]
    kept = listed.drop(listed.index[listed.nodes > MOST_NODES])
    right = listed[listed.nodes <= MOST_NODES]
    named = {"rows": ("seconds", "size"), "median": ("seconds", "median")}
    all_rows, left = (table.groupby(POINT).agg(**named).round(6) for table in (right, kept))
    joined = all_rows.add_suffix("_all").join(left.add_suffix("_left"))
    joined["rows_left"] = joined.rows_left.fillna(0).astype(int)
    return joined.reset_index().assign(files=name)[["files", *POINT, *joined.columns]]


def _rules(runs: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return what rules do on ten runs against the next ten, and on ten pairs of neighbours.

    The test for pairs was chosen on the even half of HAL's configurations; its odd half and
    Cheyenne had no part in that.
    """
    series = regression_rule.repeats(runs)
    cut = regression_rule.halves(series)
    back = [(after, before) for before, after in cut]
    turns = _turns(series)
    judges = {
        "ten pairs": turns,
        "ten pairs, the half that chose": _turns(series[::2]),
        "ten pairs, the half that judges": _turns(series[1::2]),
        "ten pairs, Cheyenne": _turns(regression_rule.repeats(other)),
    }
    other_cut = regression_rule.halves(regression_rule.repeats(other))
    orders = {
        "ten, then ten": cut,
        "the same, backwards": back,
        "ten, then ten, Cheyenne": other_cut,
        "the same, backwards, Cheyenne": [(after, before) for before, after in other_cut],
    }
    rows = [
        _row(name, design, rule, pairs)
        for design, pairs in orders.items()
        for name, rule in regression_rule.RULES.items()
    ]
    for design, pairs in judges.items():
        rows += [
            _row(name, design, rule, pairs) for name, rule in regression_rule.PAIRED_RULES.items()
        ]
    for margin in (0.0, 0.02, 0.03, 0.05, 0.1):
        for level in (0.005, 0.01, 0.025, 0.05):
            rule = regression_rule.rule_of(margin, level)
            name = f"margin {100 * margin:g} %, level {level:g}"
            rows.append(_row(name, "ten, then ten", rule, cut))
            rule = regression_rule.rule_of(margin, level, paired=True)
            rows.append(_row(name, "ten pairs", rule, turns))
    return pd.DataFrame(rows)


def _command(runs: pd.DataFrame) -> pd.DataFrame:
    """Return what the whole command does as a function of how many workloads it compares.

    Its two levels were chosen on the even half of HAL's configurations; the odd half judges.
    """
    series = regression_rule.repeats(runs)
    rows = []
    for half, part in (("chose", series[::2]), ("judges", series[1::2])):
        for backwards in (False, True):
            for many in WORKLOADS:
                tried = regression_rule.command(part, many, backwards=backwards)
                order = "backwards" if backwards else "forwards"
                rows.append({"half": half, "order": order, **vars(tried)})
    return pd.DataFrame(rows).round(4)


def _turns(series: list[Any]) -> list[Any]:
    return [pair for seed in range(10) for pair in regression_rule.turns(series, seed)]


def _row(name: str, design: str, rule: regression_rule.Rule, cut: Iterable[Any]) -> dict[str, Any]:
    tried = regression_rule.tried(rule, cut)
    return {"rule": name, "design": design, **vars(tried)}


def _write(table: pd.DataFrame, path: Path, folders: str) -> None:
    text = table.to_csv(index=False, lineterminator="\n")
    write_whole(path, CITATION.format(folders=folders) + text)
    print(f"{path}: {len(table)} rows")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
