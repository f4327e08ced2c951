"""NCAR's published results become runs: once each, in the order of time, as numbers."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_bench import importer, runs
from pangeo_core.errors import BadInput
from tests.conftest import Cli
from tests.dask_bench.samples import OLD, row, write

FIRST, SECOND = "compute_study_2019-09-02_0959.46_.csv", "compute_study_2019-09-02_10-14-01.csv"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files of one campaign, the second starting with the first's rows; and a sorted copy."""
    day = tmp_path / "results" / "hal24" / "2019-09-02"
    first = [row(3.5), row(1.25, operation="climatology")]
    second = [*first, row(3.25), row(2.0, num_nodes=2, dataset_size="1.28 GB")]
    write(day / FIRST, first)
    write(day / SECOND, second)
    copy = tmp_path / "results" / "clean-hal24" / "2019-09-02"
    write(copy / FIRST, sorted(first, key=str))
    write(copy / SECOND, sorted(second, key=lambda one: one["runtime"]))
    return tmp_path / "results"


def test_each_run_is_kept_once_where_it_was_first_listed(folder: Path) -> None:
    table = importer.read(folder)
    assert list(table.seconds) == [3.5, 1.25, 3.25, 2.0]
    assert list(table.order) == [0, 1, 2, 3]
    assert list(table.block) == [0, 0, 1, 0]  # the second run of the first configuration
    assert set(table.campaign) == {"hal24/2019-09-02"}


def test_values_are_numbers_and_their_origin_is_said(folder: Path) -> None:
    last = importer.read(folder).iloc[-1]
    assert (last.dataset_mb, last.chunk_mb, last.node_memory_mb) == (1280.0, 64.0, 128000.0)
    assert (last.nodes, last.workers_per_node, last.threads) == (2, 1, 1)
    assert not last.spill
    assert last.origin == "published"
    assert "pangeo-data/benchmarking" in last.source


def test_the_old_columns_are_read_too(tmp_path: Path) -> None:
    day = tmp_path / "cheyenne" / "2019-05-22"
    rows = [row(0.07, machine="cheyenne", chunk_size="8 MB", dataset_size="8.85 MB")]
    found = importer.read(write(day / "compute_study_2019-05-22.csv", rows, OLD)).iloc[0]
    assert (found.chunk_mb, found.dataset_mb, found.seconds) == (8.0, 8.85, 0.07)
    assert found[["threads", "node_cores", "chunks_per_worker"]].isna().all()


@settings(max_examples=25, deadline=None)
@given(
    times=st.lists(st.floats(0.01, 1e3), min_size=1, max_size=12, unique=True),
    cuts=st.lists(st.integers(0, 12), max_size=3),
    pick=st.randoms(use_true_random=False),
)
def test_neither_order_nor_repetition_of_files_matters(
    tmp_path_factory: pytest.TempPathFactory, times: list[float], cuts: list[int], pick: object
) -> None:
    folder = tmp_path_factory.mktemp("results") / "hal24" / "2019-09-02"
    rows = [row(time) for time in times]
    ends = [*sorted({min(cut, len(rows)) for cut in cuts} - {0}), len(rows)]
    files = [
        write(folder / f"compute_study_2019-09-02_{10 + n}-00-00.csv", rows[:end])
        for n, end in enumerate(ends)
    ]
    once = importer.read(files[-1])
    shuffled = [*files, *files]
    pick.shuffle(shuffled)  # type: ignore[attr-defined]
    assert importer.read(shuffled).equals(once)
    assert list(once.seconds) == times


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"runtime": "fast"}, "line 3: runtime is 'fast'"),
        ({"runtime": -1.0}, "line 3: runtime is '-1.0'"),
        ({"chunk_size": "64 boxes"}, "line 3: chunk_size"),
        ({"num_nodes": 1.5}, "line 3: num_nodes"),
        ({"operation": None}, "line 3: operation"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(tmp_path: Path, wrong: dict, named: str) -> None:
    file = write(tmp_path / "hal24" / "day" / FIRST, [row(1.0), {**row(2.0), **wrong}])
    with pytest.raises(BadInput, match=named):
        importer.read(file)


def test_other_csv_files_and_missing_ones_are_refused(cli: Cli, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("user,gib\nann,5\n")
    out = tmp_path / "runs.parquet"
    ran = cli("bench", "import", str(other), "--out", str(out), "--json")
    assert ran.code == 2
    assert "has no column operation" in ran.json["error"]["what"]
    assert not out.exists()
    for nothing in (tmp_path / "none", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(BadInput):
            importer.read(nothing)


def test_the_command_writes_a_run_file(cli: Cli, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs.parquet"
    ran = cli("bench", "import", str(folder), "--out", str(out), "--json")
    assert ran.code == 0, ran.err
    assert ran.json["rows"] == 4
    assert runs.read(out).equals(importer.read(folder))
