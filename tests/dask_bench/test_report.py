"""`bench report`: the papers' aggregation, computed by pandas on the same csv files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dask_bench import bench_report, runs
from tests.conftest import Cli
from tests.dask_bench.samples import row, run_row, write

KEYS = ["operation", "chunking_scheme", "chunk_size", "num_nodes"]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    draw = np.random.default_rng(1)
    rows = [
        row(
            float(draw.lognormal(nodes**0.2, 0.1)),
            operation=operation,
            chunking_scheme=scheme,
            num_nodes=nodes,
            dataset_size=f"{640 * nodes} MB",
        )
        for operation in ("climatology", "anomaly")
        for scheme in ("auto", "temporal")
        for nodes in (1, 2, 4)
        for _ in range(7)
    ]
    day = tmp_path / "hal24" / "2019-09-02"
    write(day / "compute_study_2019-09-02_10-00-00.csv", rows[:40])
    write(day / "compute_study_2019-09-02_11-00-00.csv", rows)  # with the first file's rows again
    return day


def test_medians_are_those_of_the_papers(cli: Cli, results: Path) -> None:
    ran = cli("bench", "report", str(results), "--json")
    assert ran.code == 0, ran.err
    files = [pd.read_csv(file) for file in sorted(results.glob("*.csv"))]
    clean = pd.concat(files).drop_duplicates()
    expected = clean.groupby(KEYS).runtime.agg(["size", "median"])
    assert ran.json["rows"] == len(clean)
    assert len(ran.json["table"]) == len(expected)
    for line in ran.json["table"]:
        key = (line["operation"], line["scheme"], f"{line['chunk_mb']:g}MB", line["nodes"])
        assert line["n"] == expected.loc[key, "size"]
        assert line["median_seconds"] == pytest.approx(expected.loc[key, "median"])
        assert line["low"] <= line["median_seconds"] <= line["high"]
    assert ran.json["origins"] == ["published"]
    ratios = clean.groupby(KEYS).runtime.median()
    weak = {(w["operation"], w["scheme"], w["workers"]): w["ratio"] for w in ran.json["weak"]}
    base = ratios["anomaly", "auto", "64MB", 1]
    assert weak["anomaly", "auto", 4] == pytest.approx(ratios["anomaly", "auto", "64MB", 4] / base)


def test_failed_runs_and_warm_ups_are_in_no_median() -> None:
    rows = [
        run_row(seconds=1.0),
        run_row(seconds=3.0, block=1),
        run_row(seconds=99.0, role="warm-up"),
        run_row(seconds=None, failed=True, reason="no worker came", block=2),
    ]
    found = bench_report.report(runs.frame(rows))
    line = found.as_dict()["table"][0]
    assert (line["n"], line["median_seconds"], line["failed"]) == (2, 2.0, 1)
    assert (found.rows, found.failed) == (4, 1)


def test_machines_variants_and_sizes_are_kept_apart() -> None:
    rows = [
        run_row(),
        run_row(machine="other", fingerprint="other"),
        run_row(fingerprint="a machine of the same name"),
        run_row(variant="better"),
        run_row(dataset_mb=2560.0),
    ]
    assert len(bench_report.report(runs.frame(rows)).table) == 5


def test_our_runs_and_published_ones_stand_in_one_report(results: Path, tmp_path: Path) -> None:
    ours = tmp_path / "ours.parquet"
    runs.write(runs.frame([run_row(origin="measured")]), ours, durable=False)
    found = bench_report.report(bench_report.load([ours, results]))
    assert found.origins == ("measured", "published")
    assert set(found.table.machine) == {"made-up", "hal24"}


def test_the_command_prints_tables_for_people(cli: Cli, results: Path) -> None:
    ran = cli("bench", "report", str(results))
    assert ran.code == 0
    for words in ("84 runs (published), 0 failed", "Weak scaling", "climatology"):
        assert words in ran.out
