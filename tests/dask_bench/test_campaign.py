"""Campaigns, from outside: the command line as a process, a real cluster, real kills."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dask_bench import journal, runs, zarr_store
from dask_bench.campaign import start
from dask_bench.tiers import TIERS
from dask_bench.zarr_store import Layout
from pangeo_core.errors import BadInput
from pangeo_core.progress import Event
from pangeo_deploy.bench_request import Request, prepare
from tests.conftest import PROJECT, Cli, Ran, command

GRID = ("--grid", "1", "16", "24", "--chunk-mb", "0.1")
ALONE = ("area-mean:numpy:time", "time-mean:numpy", "read:numpy:time", "memory-copy")  # no cluster
Bench = Callable[..., Ran]


@pytest.fixture
def bench(cli: Cli, tmp_path: Path) -> Bench:
    def run(*arguments: str, out: str = "runs.parquet") -> Ran:
        return cli(
            *("bench", "run", *arguments, *GRID, "--json"),
            *("--out", str(tmp_path / out), "--folder", str(tmp_path / "data")),
        )

    return run


def table(folder: Path) -> pd.DataFrame:
    return runs.read(folder / "runs.parquet")


def test_a_campaign_on_a_real_cluster(bench: Bench, tmp_path: Path) -> None:
    names = ["area-mean:better:time", "climatology-month:better:space", "lost-worker:killed"]
    ran = bench(*names, "memory-copy", "--blocks", "2", "--most", "2", "--threads", "1")
    assert ran.code == 0, ran.err
    assert ran.json == {"runs": str(tmp_path / "runs.parquet"), "rows": 16, "failed": 0}
    seen = table(tmp_path)
    assert seen.order.tolist() == list(range(16))
    assert seen.role.value_counts().to_dict() == {"run": 8, "warm-up": 4, "aa": 4}
    counted = seen[seen.role == "run"]
    for _, block in counted.groupby("block"):
        assert sorted(block.operation) == sorted(
            name.split(":")[0] for name in [*names, "memory-copy"]
        )
    # The parts of a lazy run are its whole, and what the workers saw is there.
    lazy = counted[counted.operation == "area-mean"]
    parts = lazy[
        [f"{part}_seconds" for part in ("graph", "submit", "first_task", "compute", "gather")]
    ]
    assert parts.sum(axis=1).to_numpy() == pytest.approx(lazy.seconds.to_numpy())
    assert (lazy.tasks > 0).all()
    assert lazy.graph_mb.between(0.0001, 1).all()
    assert (lazy.bytes_read > 0).all()
    assert (lazy.memory_peak_mb >= lazy.memory_mean_mb).all()
    assert counted[counted.operation != "memory-copy"].result_ok.all()
    killed = counted[counted.operation == "lost-worker"]
    assert (killed.lost_workers >= 1).all()
    assert json.loads(seen.versions[0])["distributed"]
    assert seen.commit.notna().all()


def test_a_wrong_answer_is_a_failed_run(bench: Bench, tmp_path: Path) -> None:
    layout = Layout(replace(TIERS["xs"].field, years=1, lat=16, lon=24), "time", 0.1)
    path = zarr_store.prepare(layout, tmp_path / "data")
    chunks = path / "v0" / "c"
    (chunks / "1" / "0" / "0").write_bytes((chunks / "0" / "0" / "0").read_bytes())
    ran = bench(*ALONE, "--blocks", "1", "--most", "1")
    assert ran.code == 3
    failed = table(tmp_path).query("failed and role == 'run'")
    assert sorted(failed.operation) == ["area-mean", "read", "time-mean"]
    assert set(failed.reason) == {"The answer is wrong."}
    computed = failed[failed.family == "compute"]
    assert (abs(computed.got - computed.expected) > computed.tolerance).all()


def test_an_interrupted_campaign_goes_on_where_it_stopped(bench: Bench, tmp_path: Path) -> None:
    out = tmp_path / "runs.parquet"
    arguments = (*ALONE, "--blocks", "400", "--most", "400")
    process = subprocess.Popen(
        command(
            *("bench", "run", *arguments, *GRID, "--json"),
            *("--out", str(out), "--folder", str(tmp_path / "data")),
        ),
        cwd=PROJECT,
        env={**os.environ, "PANGEO_DEPLOY_STATE": str(tmp_path / "state")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    lines = journal.path_of(out)
    while (
        not (lines.is_file() and lines.read_bytes().count(b"\n") > 9)
        and process.poll() is None
        and time.monotonic() < until
    ):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()
    done = lines.read_bytes().count(b"\n") - 1  # the first line is the plan
    with lines.open("ab") as file:
        file.write(b'{"run": {"campaign": "ru')  # as a kill in the middle of a write leaves it
    before = table(tmp_path)
    assert len(before) == done > 8  # every run that was done
    blocks = int(before.block.max()) + 2

    ran = bench(*ALONE, "--blocks", str(blocks), "--most", str(blocks))
    assert ran.code == 0, ran.err
    after = table(tmp_path)
    pd.testing.assert_frame_equal(after[: len(before)], before)
    counted = after[after.role == "run"]
    key = ["block", "operation", "variant", "scheme"]
    assert not counted.duplicated(key).any()
    assert len(counted) == blocks * counted.groupby(key[1:]).ngroups

    asked = prepare(Request(ALONE, out, grid=(1, 16, 24), chunk_mb=0.1, least=blocks, most=blocks))
    with pytest.raises(BadInput, match="another campaign") as refused:
        start(**asked | {"plan": replace(asked["plan"], seed=1)})
    assert refused.value.why == "Its plan has another seed."
    with pytest.raises(BadInput, match="another machine"):
        start(**asked | {"common": {**asked["common"], "fingerprint": "elsewhere"}})
    assert len(start(**asked).rows) == len(after)


def test_a_run_file_is_extended_by_more_blocks_and_workloads(bench: Bench, tmp_path: Path) -> None:
    assert bench(*ALONE[:2], "--blocks", "1", "--most", "1").code == 0
    first = table(tmp_path)
    assert bench(*ALONE, "--blocks", "2", "--most", "2").code == 0
    both = table(tmp_path)
    pd.testing.assert_frame_equal(both[: len(first)], first)
    assert set(both[both.role == "run"].block) == {0, 1}
    assert set(first.operation) < set(both.operation)
    assert not journal.path_of(tmp_path / "runs.parquet").exists()


def test_minutes_end_a_campaign_after_a_whole_block(bench: Bench, tmp_path: Path) -> None:
    ran = bench(*ALONE, "--minutes", "0")
    assert ran.code == 0, ran.err
    counted = table(tmp_path).query("role == 'run'")
    assert set(counted.block) == {0}
    assert len(counted) >= len(ALONE)


def test_medians_are_told_after_each_block_and_settled_ones_leave_their_time_to_others(
    tmp_path: Path,
) -> None:
    told: list[Event] = []
    request = Request(
        ("memory-copy", "memory-sum"), tmp_path / "runs.parquet", folder=tmp_path,
        grid=(1, 16, 24), chunk_mb=0.1, least=4, most=12,
    )  # fmt: skip
    campaign = start(**prepare(request), progress=told.append)

    def measured(one: Any, block: int, _role: str) -> dict[str, Any]:
        steady = one.workload.operation == "memory-sum"
        seconds = 1.0 + (0.001 if steady else 1.0) * (block % 3)
        return {**campaign._parameters(one.workload, request_layout, 0), "failed": False,
                "seconds": seconds}  # fmt: skip

    request_layout = campaign.plan.layout
    campaign.measured = measured  # type: ignore[method-assign]
    found = campaign.go()
    counts = found[found.role == "run"].groupby("operation").size()
    assert counts["memory-copy"] == 12
    assert counts["memory-sum"] < 12
    lines = [event.message for event in told if event.state == "info"]
    assert any("after 1 blocks" in line for line in lines)
    assert any(" to " in line for line in lines)


def test_what_there_is_not_is_refused(bench: Bench) -> None:
    refused = bench("meanest")
    assert refused.code == 2
    assert "no workload or set 'meanest'" in refused.json["error"]["what"]
    request = Request(("core",), Path("runs.parquet"))
    with pytest.raises(BadInput, match="no tier 'xxl'"):
        prepare(replace(request, tier="xxl"))
    with pytest.raises(BadInput, match="in fours"):
        prepare(replace(request, grid=(1, 10, 24)))
