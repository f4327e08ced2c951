"""Campaigns on workers that have no package of ours and share no folder with the client."""

import importlib.util
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import pytest
from distributed import Client, LocalCluster

from dask_bench import data_place
from dask_bench.campaign import start
from dask_bench.campaign_plan import MOST_TASKS, affordable
from dask_bench.catalogue import CORE, WORKLOADS
from dask_bench.cluster import TRIES, Cluster, Shape
from dask_bench.fields import Field
from dask_bench.sent_code import send_code
from dask_bench.tiers import TIERS
from dask_bench.workload import Scene
from dask_bench.zarr_store import Layout, open_dataset, prepare
from emulated_aws import counted_s3
from pangeo_core.errors import BadInput, MissingPrerequisite
from pangeo_deploy import bench_request
from pangeo_deploy.bench_request import Request
from pangeo_deploy.gateway_cluster import require_limits
from tests.conftest import PROJECT

# Run by Python at its start: our own folders leave the path, as in an image without our package.
WITHOUT_US = f"""
import sys
sys.path[:] = [path for path in sys.path if not path.startswith({str(PROJECT / "src")!r})]
"""


class Fixed:
    def scale(self, n: int) -> None:
        pass


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with counted_s3.serve("bench") as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        yield "s3://bench/data"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Any]:
    """Give a way to open a scheduler and a worker in an environment that lacks our package."""
    home = tmp_path / "elsewhere"
    home.mkdir()
    (home / "sitecustomize.py").write_text(WITHOUT_US)
    started: list[subprocess.Popen[bytes]] = []

    @contextmanager
    def opened() -> Iterator[Any]:
        file = tmp_path / "scheduler.json"
        for arguments in (
            ("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"),
            ("worker", "--no-nanny", "--no-dashboard", "--local-directory", str(home)),
        ):
            command = (sys.executable, "-m", "dask", *arguments, "--scheduler-file", str(file))
            environment = {"PYTHONPATH": str(home), "PATH": "/usr/bin:/bin", "HOME": str(home)}
            started.append(
                subprocess.Popen(command, cwd=home, env=environment, stderr=subprocess.DEVNULL)
            )
        with closing(Client(scheduler_file=str(file), set_as_default=False)) as client:
            yield client, Fixed()

    yield opened
    for one in started:
        one.kill()
        one.wait()


def test_a_campaign_without_our_package_and_without_a_shared_folder(
    elsewhere: Any, bucket: str, tmp_path: Path
) -> None:
    @contextmanager
    def opened() -> Iterator[Any]:
        with elsewhere() as (client, cluster):
            client.wait_for_workers(1)
            assert set(client.run(importlib.util.find_spec, "dask_bench").values()) == {None}
            send_code(client)
            yield client, cluster

    cluster = Cluster(
        "gateway", Shape(1), opened, accept=lambda client: data_place.require_seen(client, bucket)
    )
    names = ("area-mean:numpy:time", "area-mean:streamed:time", "read:chunk-1", "write:chunk-1")
    request = Request(
        names, tmp_path / "runs.parquet", folder=tmp_path / "here", data=bucket,
        grid=(1, 16, 24), chunk_mb=0.1, least=1, most=1,
    )  # fmt: skip
    asked = bench_request.prepare(request)
    found = start(**asked | {"cluster": cluster}).go()
    assert not found.failed.any(), found.reason.dropna().tolist()
    assert found.result_ok.all()
    assert set(found.place) == {"s3"}
    assert (found[found.operation != "write"].bytes_read > 0).all()
    assert not list((tmp_path / "here").rglob("*.zarr"))


def test_workers_that_do_not_see_the_data_are_named_before_the_campaign(tmp_path: Path) -> None:
    class Blind:
        def run(self, _see: Any, _place: Any, _name: str) -> dict[str, str]:
            return {"tls://10.0.0.1:1": "it is not there"}

    with pytest.raises(MissingPrerequisite, match="1 of 1 workers do not see") as refused:
        data_place.require_seen(Blind(), tmp_path)
    assert "scratch bucket" in refused.value.fix
    assert not list(tmp_path.iterdir())  # nothing is left behind

    @contextmanager
    def opened() -> Iterator[Any]:
        with (
            LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            yield client, Fixed()

    def refuse(_client: Any) -> None:
        data_place.require_seen(Blind(), tmp_path)

    request = Request(("area-mean:better:time",), tmp_path / "r.parquet", folder=tmp_path)
    asked = bench_request.prepare(request)
    with pytest.raises(MissingPrerequisite, match="do not see"):
        start(**asked | {"cluster": Cluster("gateway", Shape(1), opened, accept=refuse)}).go()
    assert not (tmp_path / "r.parquet").exists()


def test_the_hubs_bucket_is_where_a_gateways_data_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANGEO_SCRATCH", "s3://scratch/users/ann")
    request = Request(("core",), Path("runs.parquet"), on="gateway")
    place = bench_request._place(request, Path("here"))
    assert place == "s3://scratch/users/ann/dask_bench"
    assert bench_request._place(replace(request, on="local"), Path("here")) == Path("here")


LIMITS = {
    "worker_cores_max": 4, "worker_memory_gib_max": 16, "cluster_max_workers": 40,
    "cluster_max_cores": 80, "cluster_max_memory_gib": 320,
}  # fmt: skip


@pytest.mark.parametrize(("tier", "fits"), [("xs", True), ("s", True), ("m", True), ("l", False)])
def test_a_tier_fits_the_charts_limits_or_is_refused_with_them(tier: str, fits: bool) -> None:
    size = TIERS[tier]
    shape = Shape(size.threads, size.memory_limit_mb)
    if fits:
        require_limits(LIMITS, shape, size.workers)
        return
    with pytest.raises(BadInput, match="more than this hub allows") as refused:
        require_limits(LIMITS, shape, size.workers)
    assert "512 asked, 80 allowed (cluster_max_cores)" in refused.value.why


@pytest.mark.parametrize("tier", TIERS)
def test_no_core_workload_sends_more_tasks_than_a_client_survives(
    tier: str, tmp_path: Path
) -> None:
    asked = bench_request.prepare(Request(("core",), tmp_path / "runs.parquet", tier=tier))
    chosen = affordable(asked["plan"])
    assert len(chosen) >= len(CORE) - 1
    assert all(one.tasks(asked["plan"].layout) <= MOST_TASKS for one in chosen)
    named = replace(asked["plan"], workloads=("anomaly:naive:space",))
    assert len(affordable(named)) == 1  # who names it gets it


def test_workloads_have_as_few_tasks_as_they_say(tmp_path: Path) -> None:
    base = Layout(Field(2, 64, 96), chunk_mb=0.2)
    for name in CORE:
        workload = WORKLOADS[name]
        if not workload.needs_cluster:
            continue
        layout = workload.layout_for(base)
        path = prepare(layout, tmp_path)
        lazy = workload.run(Scene(layout, path, tmp_path, open_dataset(path), threads=2))
        (sent,) = dask.optimize(lazy)
        assert len(sent.__dask_graph__()) <= workload.tasks(base), name


def test_a_cluster_with_fewer_workers_than_asked_for_is_used_and_recorded(tmp_path: Path) -> None:
    @contextmanager
    def opened() -> Iterator[Any]:
        with (
            LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            yield client, Fixed()

    request = Request(
        ("area-mean:better:time",), tmp_path / "runs.parquet", folder=tmp_path,
        grid=(1, 16, 24), chunk_mb=0.1, least=1, most=1, workers=(2,),
    )  # fmt: skip
    asked = bench_request.prepare(request)
    asked["cluster"] = Cluster("partly", Shape(1, processes=False), opened, patience=1.0)
    found = start(**asked).go()
    assert not found.failed.any(), found.reason.dropna().tolist()
    assert (set(found.nodes), set(found.nodes_asked)) == ({1}, {2})
    assert len(start(**asked).go()) == len(found)  # nothing is left to do


def test_a_cluster_that_never_comes_is_not_waited_for_again_and_again() -> None:
    tries = []

    @contextmanager
    def opened() -> Iterator[Any]:
        tries.append(time.monotonic())
        with (
            LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            yield client, Fixed()

    cluster = Cluster("never", Shape(1), opened, patience=0.1)
    for _ in range(TRIES + 3):
        with pytest.raises(MissingPrerequisite, match="0 of 1 workers"):
            cluster.ready(1)
    assert len(tries) == TRIES
