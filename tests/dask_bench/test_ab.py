"""Two environments in turns, from outside: the command, its processes, its files."""

from pathlib import Path

import pandas as pd
import pytest

from dask_bench import compare, journal, runs
from dask_bench.interleaved import parse
from pangeo_core.errors import BadInput
from tests.conftest import PROJECT, Cli
from tests.dask_bench.samples import run_row

WORKLOAD = "area-mean:better:time"
SETTING = "distributed.scheduler.worker-saturation=inf"


def test_two_settings_are_measured_in_turns(cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "ab.parquet"
    ran = cli(
        *("bench", "ab", WORKLOAD, "--b", SETTING, "--blocks", "3", "--confirm", "0", "--json"),
        *("--grid", "1", "16", "24", "--chunk-mb", "0.1", "--threads", "1"),
        *("--out", str(out), "--folder", str(tmp_path / "data")),
    )
    assert ran.code == 3, ran.err  # three pairs cannot tell a slowdown from chance
    assert ran.json["verdict"] == compare.TOO_FEW
    found = runs.read(out)
    assert not found.failed.any(), found.reason.dropna().tolist()
    counted = found[found.role == "run"]
    for _, block in counted.groupby("block"):
        assert sorted(block.arm) == ["a", "b"]
    assert counted.groupby("arm").saturation.first().to_dict() == {"a": 1.1, "b": float("inf")}
    assert not journal.path_of(out).exists()
    a, b = runs.arms(found)
    assert len(a) == len(b) == 3
    assert ran.json["configurations"][0]["paired"]


def test_an_environment_is_a_python_a_checkout_or_a_setting(tmp_path: Path) -> None:
    python = tmp_path / "env" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    arm = parse("b", [str(tmp_path / "env"), str(PROJECT), "array.rechunk.method=tasks"])
    assert arm.python == python
    assert arm.source == PROJECT / "src"
    assert arm.environment()["DASK_ARRAY__RECHUNK__METHOD"] == "tasks"
    assert arm.environment()["PYTHONPATH"] == str(PROJECT / "src")
    with pytest.raises(BadInput, match="is not an environment"):
        parse("b", [str(tmp_path)])


def test_only_blocks_that_both_arms_finished_are_compared() -> None:
    rows = [run_row(arm=arm, block=n, order=2 * n + (arm == "b")) for n in range(3) for arm in "ab"]
    cut = runs.frame(rows[:-1])  # interrupted between the two
    a, b = runs.arms(cut)
    assert list(a.block) == list(b.block) == [0, 1]
    with pytest.raises(BadInput, match="two environments"):
        runs.arms(pd.DataFrame(cut[cut.arm == "a"]))
