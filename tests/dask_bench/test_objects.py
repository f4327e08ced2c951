"""The object store of the benchmarks: what arrives at the server is what the layout says."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dask_bench import runs, zarr_store
from dask_bench.campaign import start
from dask_bench.catalogue import WORKLOADS, choose
from dask_bench.object_bucket import Bucket
from dask_bench.object_workloads import MOST_MB, RANGE_BYTES
from dask_bench.storage_workloads import POINTS
from dask_bench.tiers import TIERS
from dask_bench.workload import Outcome, Scene
from dask_bench.zarr_store import Layout
from emulated_aws import counted_s3
from pangeo_deploy.bench_request import Request, prepare

BASE = Layout(replace(TIERS["xs"].field, years=1, lat=24, lon=32))
METADATA = 2  # zarr.json of the group and of the array
ICECHUNK = 8  # at most: references, snapshot, manifest, and what is not there


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    made = Bucket(server=counted_s3.serve).ready()
    yield made
    made.close()


@pytest.fixture
def do(bucket: Bucket, tmp_path: Path) -> Callable[[str], tuple[Layout, Outcome]]:
    def run(name: str) -> tuple[Layout, Outcome]:
        one: Any = WORKLOADS[name]
        layout = one.layout_for(BASE)
        path = zarr_store.prepare(layout, tmp_path)
        scene = Scene(layout, path, tmp_path, zarr_store.open_dataset(path), 2, bucket=bucket)
        if one.before:
            one.before(scene)
        bucket.counts(anew=True)
        return layout, one.run(scene)

    return run


def parts(layout: Layout) -> list[int]:
    """Return the number of chunks along each dimension."""
    return [-(-size // step) for size, step in zip(layout.field.shape, layout.chunks, strict=True)]


def test_every_chunk_is_one_request(do: Any) -> None:
    layout, wrote = do("s3-write-4-at-once:obstore:time")
    _, read = do("s3-read-4-at-once:obstore:time")
    assert wrote.ok
    assert read.ok
    assert math.prod(parts(layout)) > 10
    # Zarr writes the group once more, in case it is not there, when it makes the array.
    assert wrote.columns["requests_written"] == math.prod(parts(layout)) + METADATA + 1
    assert read.columns["requests_read"] == math.prod(parts(layout)) + METADATA
    assert read.columns["requests_written"] == 0
    assert 0 < wrote.columns["bytes_written"] - read.columns["bytes_read"] < 100


def test_icechunk_asks_for_a_few_more(do: Any) -> None:
    layout, wrote = do("s3-write-16-at-once:icechunk:time")
    _, read = do("s3-read-16-at-once:icechunk:time")
    _, disk = do("read:icechunk:time")
    assert wrote.ok
    assert read.ok
    assert disk.ok
    many = math.prod(parts(layout))
    assert many < wrote.columns["requests_written"] <= many + ICECHUNK
    assert many < read.columns["requests_read"] <= many + ICECHUNK
    # On disk in chunks of their own size; the same bytes within the metadata.
    assert disk.columns["bytes_read"] == pytest.approx(read.columns["bytes_read"], rel=0.1)


def test_a_selection_asks_for_the_chunks_it_touches(do: Any) -> None:
    layout, point = do("s3-select-point:obstore:box")
    _, flat = do("s3-select-map:obstore:box")
    _, box = do("s3-select-box:icechunk:box")
    t, y, x = parts(layout)
    assert point.ok
    assert flat.ok
    assert box.ok
    assert point.columns["requests_read"] == POINTS * t + METADATA
    assert flat.columns["requests_read"] == POINTS * y * x + METADATA
    assert box.columns["requests_read"] < t * y * x


@pytest.mark.parametrize("at_once", [1, 16])
def test_ranges_are_read_so_many_at_once(at_once: int, do: Any, bucket: Bucket) -> None:
    layout, found = do(f"s3-ranged-read:{at_once}-at-once:time")
    assert found.ok
    assert found.columns["requests_read"] == -(-layout.nbytes // RANGE_BYTES)
    assert found.columns["bytes_read"] == layout.nbytes
    _, read = do(f"s3-read-{at_once}-at-once:obstore:time")
    assert read.ok
    most = bucket.counts()["most_at_once"]
    assert most == 1 if at_once == 1 else 1 < most <= at_once


def test_netcdf_is_read_by_its_chunks(do: Any) -> None:
    layout, found = do("read:netcdf:time")
    assert found.ok
    assert found.columns["requests_read"] == math.prod(parts(layout))
    assert 0 < found.columns["bytes_read"] < layout.nbytes


def test_a_campaign_serves_its_own_bucket(tmp_path: Path) -> None:
    request = Request(
        ("s3-read-4-at-once", "s3-write-4-at-once:obstore"),
        tmp_path / "runs.parquet",
        folder=tmp_path / "data",
        least=1,
        most=1,
        grid=(1, 24, 32),
    )
    made = start(**prepare(request))
    found = made.go()
    assert not found.failed.any(), found.reason.tolist()
    assert set(found.place) == {"s3-emulated"}
    assert set(found.client) == {"obstore", "icechunk"}
    assert (found.concurrency == 4).all()
    assert (found.requests_read > 0).all()
    assert made.bucket.address == ""
    assert len(runs.read(tmp_path / "runs.parquet")) == 7  # one of them A against A


def test_they_are_a_set_of_their_own() -> None:
    chosen = choose(("s3-emulated",))
    assert {one.family for one in chosen} == {"storage", "roofline"}
    assert all(one.name.startswith("s3-") and one.needs_bucket for one in chosen)
    assert not any(one.needs_bucket for one in choose(("core",)))


def test_the_data_stays_small_whatever_the_tier() -> None:
    one = WORKLOADS["s3-read-1-at-once:obstore:time"]
    for tier in TIERS.values():
        layout = one.layout_for(Layout(tier.field))
        assert 0.8 * MOST_MB < layout.nbytes / 1e6 <= MOST_MB
        assert 40 <= math.prod(parts(layout)) <= 80
    assert one.layout_for(BASE).field == BASE.field  # it is smaller already
