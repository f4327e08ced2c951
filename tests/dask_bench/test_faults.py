"""Faults, each real: processes are killed and stopped, disks are full, data is missing."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pandas as pd
import psutil
import pytest
import zarr
from distributed import Client, get_worker, wait

from dask_bench import measure, runs, zarr_store
from dask_bench.campaign import Campaign, start
from dask_bench.campaign_plan import configurations
from dask_bench.cluster import Cluster, Shape, local
from dask_bench.fields import Field
from dask_bench.workload import Scene, Workload
from dask_bench.zarr_store import Layout
from pangeo_core.errors import BadInput
from pangeo_deploy.bench_request import Request, prepare
from tests.conftest import PROJECT, command

GRID = (1, 16, 24)
SMALL = ("--grid", "1", "16", "24", "--chunk-mb", "0.1")
NO_OP = "no-op-map-1000:saturation-1.1"
CLUSTER = "area-mean:better:time"  # what must still work after a fault
ALONE = "memory-copy:numpy:time"


def campaign(
    folder: Path, *workloads: str, cluster: Cluster | None = None, **more: Any
) -> Campaign:
    """Return a campaign of one block on small data."""
    request: dict[str, Any] = {"grid": GRID, "chunk_mb": 0.1, "least": 1, "most": 1, **more}
    out = folder / "runs.parquet"
    asked = prepare(Request(workloads, out, folder=folder / "data", **request))
    asked["plan"] = replace(asked["plan"], twice=())
    if cluster is not None:
        asked["cluster"] = cluster
    return start(**asked)


def counted(found: pd.DataFrame) -> pd.DataFrame:
    return found[found.role == "run"].set_index("operation")


def once_under_way(cluster: Cluster, do: Callable[[], Any], after: float = 0.5) -> None:
    """Do something a moment after the cluster's workers have come."""

    def watch() -> None:
        while not cluster.workers:
            time.sleep(0.01)
        time.sleep(after)
        do()

    threading.Thread(target=watch, daemon=True).start()


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[tuple[Cluster, list[subprocess.Popen[bytes]]]]:
    """Give a cluster whose scheduler is a process of its own, and a list of all processes."""
    started: list[subprocess.Popen[bytes]] = []

    class Fixed:
        def scale(self, n: int) -> None:
            assert n == 1

    @contextmanager
    def opened() -> Iterator[Any]:
        file = tmp_path / f"scheduler-{len(started)}.json"
        for arguments in (
            ("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"),
            ("worker", "--no-nanny", "--no-dashboard", "--local-directory", str(tmp_path)),
        ):
            command = (sys.executable, "-m", "dask", *arguments, "--scheduler-file", str(file))
            started.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        with closing(Client(scheduler_file=str(file), set_as_default=False)) as client:
            yield client, Fixed()

    yield Cluster("processes", Shape(1), opened), started
    for one in started:
        one.kill()
        one.wait()


def test_the_scheduler_dies(
    apart: tuple[Cluster, list[subprocess.Popen[bytes]]], tmp_path: Path
) -> None:
    cluster, started = apart
    once_under_way(cluster, lambda: started[0].kill(), after=0.1)
    first, second = runs.rows(campaign(tmp_path, NO_OP, cluster=cluster).go())
    assert first["reason"].startswith("The scheduler died or cannot be reached."), first["reason"]
    assert not second["failed"]  # on a new cluster
    assert len(started) == 4


@pytest.mark.slow
def test_a_worker_that_stands_still_ends_with_its_run(tmp_path: Path) -> None:
    cluster = local(Shape(1))

    made = campaign(tmp_path, CLUSTER, cluster=cluster, longest=4.0)
    made.checking = 1.0

    def stop() -> None:
        made.plan = replace(made.plan, longest=300.0)  # the next run may take its time
        for process in cluster.client.run(os.getpid).values():
            os.kill(process, signal.SIGSTOP)

    once_under_way(cluster, stop, after=0.0)
    failed = [row["reason"] for row in runs.rows(made.go()) if row["failed"]]
    assert len(failed) == 1  # the other run had a new cluster
    assert failed[0].startswith("The run took longer than 4 s, and its cluster does not answer.")


def test_every_family_has_a_limit(tmp_path: Path) -> None:
    names = (NO_OP, "round-trip", "life:adaptive", "raw-write", "climatology-month:naive:time")
    cluster = local(Shape(1, processes=False))
    found = campaign(tmp_path, *names, cluster=cluster, longest=0.01).go()
    assert found.groupby("operation").failed.all().all()
    assert (found.reason.str.startswith("The run took longer than 0.01 s")).all()


def test_no_worker_arrives(tmp_path: Path) -> None:
    with dask.config.set({"distributed.worker.preload": ["no_such_module_anywhere"]}):
        cluster = local(Shape(1), patience=2.0)
        found = counted(campaign(tmp_path, CLUSTER, ALONE, cluster=cluster).go())
    assert found.reason["area-mean"].startswith("0 of 1 workers are there after 2 s.")
    assert not found.failed["memory-copy"]


def test_data_without_a_value_is_never_right(tmp_path: Path) -> None:
    names = ("area-mean", "time-mean:naive", "climatology-month:better", "read", "read-4-at-once")
    cluster = local(Shape(2, processes=False))
    made = campaign(tmp_path, *names, "select-point", cluster=cluster)
    for one in configurations(made.plan):
        path = zarr_store.prepare(one.layout(made.plan), tmp_path / "data")
        for values in zarr_store.open_arrays(path):
            zarr.open_array(path / values.name.strip("/"), mode="r+")[:] = np.nan
    found = made.go()
    assert found.failed.all(), found[~found.failed][["operation", "variant"]]
    strange = found[~found.reason.str.startswith("The answer is wrong")]
    assert strange.empty, strange[["operation", "variant", "scheme", "reason"]].to_dict()
    computed = found[found.family == "compute"]
    assert computed.reason.str.contains("NaN", regex=False).all()


_ballast: list[bytearray] = []  # memory of a worker that nothing can put on disk


def _fill(share: float) -> None:
    """Hold so much memory that this worker's process uses `share` of its limit."""
    worker = get_worker()
    wanted = int(share * worker.memory_manager.memory_limit) - psutil.Process().memory_info().rss
    _ballast.append(bytearray(b"x") * max(0, wanted))


def test_a_worker_over_its_memory_limit_spills_and_fails_the_run(tmp_path: Path) -> None:
    # The nanny may not kill the worker first: what is looked at is one that is paused for ever.
    with dask.config.set({"distributed.worker.memory.terminate": False}):
        made = campaign(tmp_path, "anomaly:better", memory_limit_mb=600)
        client = made.cluster.ready(1)
    try:
        # More data than Dask's `target` share of the limit goes to disk when it is put there,
        # however busy the machine is; then what cannot go to disk pauses the worker.
        kept = client.map(np.ones, [5_000_000 + number for number in range(10)])  # 400 MB
        with client.as_current():
            wait(kept)
        client.submit(_fill, 0.9).result()
        (name,) = client.scheduler_info(n_workers=-1)["workers"]
        while client.scheduler_info(n_workers=-1)["workers"][name]["status"] != "paused":
            time.sleep(0.05)
        (one,) = configurations(made.plan)
        layout = one.layout(made.plan)
        path = zarr_store.prepare(layout, tmp_path / "data")
        dataset = zarr_store.open_dataset(path)
        scene = Scene(layout, path, tmp_path, dataset, 1, client, made.cluster)
        columns = measure.run(one.workload, scene, None, longest=1.0)
    finally:
        made.cluster.close()
    assert columns["failed"]
    assert "1 of 1 workers are paused: their memory limit is too small." in columns["reason"]
    assert columns["spill_mb"] > 1


def test_a_task_that_kills_its_workers_is_named(tmp_path: Path) -> None:
    deadly = Workload(
        "dies", "", "compute", lambda scene: scene.client.submit(os._exit, 9).result()
    )
    layout = Layout(Field(*GRID))
    path = zarr_store.prepare(layout, tmp_path)
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        cluster = local(Shape(1, memory_limit_mb=1000))
        client = cluster.ready(1)
    scene = Scene(layout, path, tmp_path, zarr_store.open_dataset(path), 1, client, cluster)
    columns = measure.run(deadly, scene, None, longest=30.0)
    cluster.close()
    assert columns["failed"]
    assert columns["reason"].startswith("Worker after worker was killed at the same task;")
    assert "KilledWorker" in columns["reason"]
    assert columns["reason"].endswith("lost on the way: 1, each with a memory limit of 1000 MB.")
    assert columns["lost_workers"] == 1


def test_a_campaign_does_not_go_on_with_a_run_file_that_is_cut_short(tmp_path: Path) -> None:
    made = campaign(tmp_path, ALONE)
    made.go()
    cut = made.out.read_bytes()[:-100]
    made.out.write_bytes(cut)
    with pytest.raises(BadInput, match="cut short"):
        campaign(tmp_path, ALONE)
    assert made.out.read_bytes() == cut


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Give a way to run a command that finds an own disk of 8 MB at `tmp_path`/disk."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def run(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
        script = f'mount -t tmpfs -o size=8m none "$0" && {before or "true"} && exec "$@"'
        return subprocess.run(
            ["unshare", "-rm", "bash", "-c", script, str(disk), *arguments],
            cwd=PROJECT,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )

    if run("true").returncode:
        pytest.skip("Disks cannot be mounted here, not even in a namespace of one's own.")
    return run


def bench(*workloads: str, out: Path, folder: Path) -> list[str]:
    return command(
        *("bench", "run", *workloads, *SMALL, "--blocks", "1", "--most", "1", "--json"),
        *("--out", str(out), "--folder", str(folder)),
    )


def test_a_full_disk_is_a_failed_row_and_the_campaign_goes_on(
    tiny_disk: Callable[..., Any], tmp_path: Path
) -> None:
    out = tmp_path / "runs.parquet"
    ran = tiny_disk(*bench("raw-write", ALONE, out=out, folder=tmp_path / "disk"))
    assert ran.returncode == 3, ran.stderr
    found = counted(runs.read(out))
    assert found.reason["raw-write"].startswith("The disk is full.")
    assert not found.failed["memory-copy"]


def test_a_run_file_on_a_full_disk_loses_no_run(
    tiny_disk: Callable[..., Any], tmp_path: Path
) -> None:
    out = tmp_path / "disk" / "runs.parquet"
    ran = tiny_disk(
        *bench(ALONE, "memory-sum", out=out, folder=tmp_path / "data"),
        before='(dd if=/dev/zero of="$0/filler" bs=4k status=none || true)',
    )
    assert ran.returncode == 2, ran.stderr
    told = json.loads(ran.stdout)["error"]
    assert told["what"] == f"The run file {out} cannot be written."
    assert told["why"].startswith("The disk is full.")
    (kept,) = tmp_path.glob("pangeo-deploy-bench-*/runs.parquet")
    assert str(kept) in told["fix"]
    assert len(runs.read(kept)) == 5  # one of them A against A
