"""Wrong answers on purpose: each mutation of a right one fails its run."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from distributed import wait

from dask_bench import expected_answers, measure, zarr_store
from dask_bench.catalogue import WORKLOADS
from dask_bench.cluster import Cluster, Shape, local
from dask_bench.fields import Field
from dask_bench.workload import Scene, Workload
from dask_bench.zarr_store import Layout

# Peer to peer needs a cluster; the rest is right or wrong without one.
COMPUTED = [
    name for name, one in WORKLOADS.items() if one.family == "compute" and one.variant != "p2p"
]
LAYOUT = Layout(Field(1, 16, 24), "time", 0.1)
BLOCK = 3


def scene_of(workload: Workload, folder: Path, **more: Any) -> Scene:
    layout = workload.layout_for(LAYOUT)
    path = zarr_store.prepare(layout, folder)
    dataset = zarr_store.open_dataset(path)
    return Scene(layout, path, folder, dataset, threads=2, draw=BLOCK, **more)


def zeroed(answer: np.ndarray, seen: list[int]) -> None:
    """Leave nothing but the rows that are looked at one by one."""
    for row in set(range(len(answer))) - set(seen):
        answer[row] = 0


def row_lost(answer: np.ndarray, seen: list[int]) -> None:
    """Lose one row that is not looked at."""
    answer[min(set(range(1, len(answer) - 1)) - set(seen))] = np.nan


def one_off(answer: np.ndarray, seen: list[int]) -> None:
    """Change one element that is not looked at."""
    answer[min(set(range(1, len(answer) - 1)) - set(seen))].flat[1:2] += 5


def swapped(answer: np.ndarray, seen: list[int]) -> None:
    """Swap two rows that are not looked at."""
    one, two = sorted(set(range(len(answer))) - set(seen))[-2:]
    answer[[one, two]] = answer[[two, one]]


@pytest.mark.parametrize("name", COMPUTED)
def test_every_computation_is_right_and_every_mutation_of_it_is_wrong(
    name: str, tmp_path: Path
) -> None:
    workload = WORKLOADS[name]
    scene = scene_of(workload, tmp_path)
    answer = expected_answers.ANSWERS[str(workload.answer)]
    result = workload.run(scene)
    if isinstance(result, xr.DataArray):
        result = result.transpose(*answer.dims).to_numpy()
    result = np.asarray(result).astype("f8")
    known = expected_answers.known(answer, scene.layout, BLOCK)
    verdict = expected_answers.check(answer, known, result, scene.layout)
    assert verdict.ok, verdict
    assert verdict.share == 1
    seen = [row for row, _ in known.rows]
    for mutate in (zeroed, row_lost, one_off, *((swapped,) if answer.exact else ())):
        if answer.dims == ("time",) and mutate is one_off:
            continue  # a day is one element: it is zeroed and lost above
        wrong = np.moveaxis(result.copy(), answer.axis, 0)
        if len(seen) >= len(wrong) - 2:
            continue
        mutate(wrong, seen)
        wrong = np.moveaxis(wrong, 0, answer.axis)
        assert not expected_answers.check(answer, known, wrong, scene.layout).ok, mutate


def test_other_rows_are_looked_at_in_each_block() -> None:
    answer = expected_answers.ANSWERS["time-mean"]
    rows = {
        tuple(row for row, _ in expected_answers.known(answer, LAYOUT, block).rows)
        for block in range(8)
    }
    assert len(rows) > 1


def test_rows_at_the_edges_of_chunks_are_looked_at_where_chunks_meet() -> None:
    layout = Layout(Field(1, 64, 48), "space", 0.3)
    known = expected_answers.known(expected_answers.ANSWERS["roughness"], layout)
    edges = range(layout.chunks[1], 64, layout.chunks[1])
    assert edges
    for edge in edges:
        assert {edge - 1, edge} <= {row for row, _ in known.rows}


def test_data_too_large_to_compute_beforehand_says_what_share_is_checked() -> None:
    answer = expected_answers.ANSWERS["time-mean"]
    layout = Layout(Field(20, 5400, 6336))  # tier m
    rows = expected_answers._places(answer, layout, 0)
    known = expected_answers.Known(tuple((row, np.zeros(6336)) for row in rows))
    result = np.broadcast_to(np.float32(0), (5400, 6336))
    verdict = expected_answers.check(answer, known, result, layout)
    assert verdict.share == len(rows) / 5400


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    cluster = local(Shape(2, processes=False))
    yield cluster
    cluster.close()


def measured(
    name: str, folder: Path, cluster: Cluster, run: Callable[[Scene], Any] | None = None
) -> dict[str, Any]:
    workload = WORKLOADS[name]
    if run is not None:
        workload = replace(workload, run=run)
    client = cluster.ready(1) if workload.needs_cluster else None
    scene = scene_of(workload, folder, client=client, cluster=cluster)
    known = None
    if workload.answer is not None:
        answer = expected_answers.ANSWERS[workload.answer]
        known = expected_answers.known(answer, scene.layout, BLOCK)
    return measure.run(workload, scene, known, longest=60)


def test_neighbours_that_are_not_fetched_are_seen(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What map_overlap did when it lost its halo: each chunk sees its own edge again.
    def alone(blocks: Any, _depth: Any, _boundary: Any) -> Any:
        return blocks.map_blocks(
            lambda values: np.pad(values, ((0, 0), (1, 1), (1, 1)), mode="edge"),
            chunks=(blocks.chunks[0], *(tuple(n + 2 for n in axis) for axis in blocks.chunks[1:])),
        )

    monkeypatch.setattr(da.overlap, "overlap", alone)
    assert measured("roughness:better:space", tmp_path, cluster)["failed"]


@pytest.mark.parametrize("name", ["read:chunk-1:time", "read:numpy:time"])
def test_a_reader_that_asks_the_formula_is_seen(
    name: str, tmp_path: Path, cluster: Cluster
) -> None:
    from dask_bench import checksums

    def cheat(scene: Scene) -> Any:
        unit = scene.layout.shards or scene.layout.chunks
        right = checksums.expected(scene.layout.field, unit, scene.draw)
        return xr.DataArray(da.from_array(right)) if scene.client else right

    columns = measured(name, tmp_path, cluster, cheat)
    assert columns["failed"]
    assert "of" in columns["reason"]
    assert "stored bytes: the answer came from elsewhere." in columns["reason"]
    assert not measured(name, tmp_path, cluster)["failed"]


def test_a_reader_that_gets_one_value_wrong_is_seen(tmp_path: Path, cluster: Cluster) -> None:
    name = "read:chunk-1:time"
    scene = scene_of(WORKLOADS[name], tmp_path)
    import zarr

    store = zarr.open_array(scene.path / "v0", mode="r+")
    store[100, 7, 11] += 1
    assert measured(name, tmp_path, cluster)["reason"] == "The answer is wrong."


@pytest.mark.parametrize("name", ["write:chunk-1:time", "write:shard-64:time"])
def test_a_writer_that_leaves_days_wrong_is_seen(
    name: str, tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As shards that Dask's chunks cut are left (dask/dask#12583): some days, and no error.
    assert not measured(name, tmp_path, cluster)["failed"]
    write = zarr_store.write

    def cut(layout: Layout, dataset: xr.Dataset, path: Path) -> Any:
        return write(layout, dataset.where(dataset.time.dt.dayofyear != 300, 0), path)

    monkeypatch.setattr(zarr_store, "write", cut)
    assert measured(name, tmp_path, cluster)["reason"] == "The answer is wrong."


def test_a_run_whose_answer_was_there_already_is_seen(tmp_path: Path, cluster: Cluster) -> None:
    name = "time-mean:better:time"
    client = cluster.ready(1)
    scene = scene_of(WORKLOADS[name], tmp_path, client=client, cluster=cluster)
    with client.as_current():
        kept = client.persist(WORKLOADS[name].run(scene))
        wait(kept)
    columns = measured(name, tmp_path, cluster)
    assert columns["failed"]
    assert columns["reason"].startswith("No task ran")
    assert columns[measure.UNSETTLED]
    del kept
