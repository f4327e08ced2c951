"""The regression gate: from outside, on run files, and the record of its rule."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dask_bench import compare, counts_gate, runs
from findings import published_benchmarks, regression_rule
from pangeo_core.errors import BadInput
from tests.conftest import PROJECT, Cli
from tests.dask_bench.samples import row, run_row, write

BEFORE = [10.1, 9.8, 10.4, 10.0, 9.9, 10.2, 10.3, 9.7, 10.6, 10.0]


def table(times: Sequence[float], campaign: str = "a", **columns: object) -> pd.DataFrame:
    rows = (
        run_row(campaign=campaign, block=n, order=n, seconds=t, **columns)
        for n, t in enumerate(times)
    )
    return runs.frame(rows)


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, pd.DataFrame], str]:
    def write_runs(name: str, made_up: pd.DataFrame) -> str:
        path = tmp_path / f"{name}.parquet"
        runs.write(made_up, path, durable=False)
        return str(path)

    return write_runs


def test_the_command_says_no_to_a_slowdown(cli: Cli, file: Callable) -> None:
    a = file("a", table(BEFORE))
    b = file("b", table([1.2 * one for one in BEFORE], "b"))
    slow = cli("bench", "compare", a, b, "--json")
    assert slow.code == 3, slow.err
    assert slow.json["verdict"] == "regression"
    assert slow.json["ratio"] == pytest.approx(1.2, abs=0.03)
    assert slow.json["low"] < 1.2 < slow.json["high"]
    assert slow.json["p"] <= 0.01


def test_a_speed_up_is_an_improvement() -> None:
    found = compare.compare(table([1.2 * one for one in BEFORE], "b"), table(BEFORE))
    assert found[0].verdict == compare.IMPROVEMENT


def test_the_command_reads_published_results(cli: Cli, tmp_path: Path) -> None:
    a, b = (
        write(tmp_path / "hal24" / day / f"compute_study_{day}_10-00-00.csv", rows)
        for day, rows in (
            ("2019-08-22", [row(one) for one in BEFORE]),
            ("2019-09-02", [row(one + 0.003) for one in BEFORE]),
        )
    )
    ran = cli("bench", "compare", str(a), str(b), "--json")
    assert (ran.code, ran.json["verdict"]) == (0, "no change")


def test_a_slowdown_below_the_margin_is_no_alarm() -> None:
    after = table([1.02 * one for one in BEFORE], "b")
    steady = table([10 + one / 100 for one in BEFORE])
    found = compare.compare(steady, after.assign(seconds=1.02 * steady.seconds))
    assert found[0].verdict == compare.NO_CHANGE
    assert found[0].low > 1  # it is there, and it is not looked for


def test_in_pairs_drift_does_not_hide_a_slowdown() -> None:
    drift = np.linspace(10, 30, 10)  # the machine gets slower all through the campaign
    before, after = table(drift), table(1.2 * drift, "b")
    assert compare.compare(before, after, paired=True)[0].verdict == compare.REGRESSION
    assert compare.compare(before, after)[0].verdict == compare.NO_CHANGE


def test_a_failed_run_takes_its_pair_along() -> None:
    before = table(BEFORE)
    after = table([1.2 * one for one in BEFORE], "b")
    after.loc[3, ["failed", "seconds"]] = [True, 99.0]
    found = compare.compare(before, after, paired=True)[0]
    assert (found.n, found.failed, found.ratio) == ((9, 9), (0, 1), pytest.approx(1.2))


def test_two_files_of_one_name_are_no_pairs_unless_that_is_said() -> None:
    found = compare.compare(table(BEFORE, "bench"), table(BEFORE[::-1], "bench"))[0]
    assert (found.paired, found.ratio) == (False, pytest.approx(1))


def test_too_few_runs_are_said_to_be_too_few() -> None:
    few = compare.compare(table(BEFORE[:2]), table([100.0] * 2, "b"))[0]
    assert (few.verdict, few.p) == (compare.TOO_FEW, None)
    assert few.ratio == pytest.approx(100 / np.median(BEFORE[:2]))
    enough = compare.compare(table(BEFORE[:5]), table([100.0] * 5, "b"))[0]
    assert enough.verdict == compare.REGRESSION


def test_a_configuration_that_now_fails_is_a_regression() -> None:
    failing = table(BEFORE, "b", failed=True, reason="the answer is wrong")
    assert compare.compare(table(BEFORE), failing)[0].verdict == compare.FAILS
    once = table(BEFORE)
    once.loc[0, "failed"] = True
    assert compare.compare(once, failing)[0].verdict == compare.FAILS
    assert compare.compare(once, once)[0].verdict == compare.NO_CHANGE


def test_one_slow_configuration_among_many_is_named_first() -> None:
    draw = np.random.default_rng(5)

    def campaign(name: str, slow: float) -> pd.DataFrame:
        return pd.concat(
            table(draw.lognormal(2, 0.05, 10) * (slow if n == 7 else 1), name, chunk_mb=float(n))
            for n in range(1, 21)
        )

    found = compare.compare(campaign("a", 1), campaign("b", 1.5))
    assert compare.verdict(found) == compare.REGRESSION
    assert found[0].configuration["chunk_mb"] == 7
    assert [one.verdict for one in found].count(compare.REGRESSION) == 1


def test_what_cannot_be_compared_is_refused(cli: Cli, file: Callable) -> None:
    with pytest.raises(BadInput, match="no configuration in common"):
        compare.compare(table(BEFORE), table(BEFORE, "b", chunk_mb=128.0))
    elsewhere = file("b", table(BEFORE, "b", machine="other", fingerprint="other"))
    here = file("a", table(BEFORE))
    ran = cli("bench", "compare", here, elsewhere, "--json")
    assert ran.code == 2
    assert "2 machines" in ran.json["error"]["what"]


@pytest.fixture(scope="module")
def recorded() -> pd.DataFrame:
    """The recorded campaign of 17 workloads in ten blocks."""
    return runs.read(PROJECT / "data" / "bench_xs.parquet")


def halves(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the even and the odd blocks of a campaign: runs in which nothing changed."""
    even = table.block % 2 == 0
    return table[even], table[~even]


def slowed(table: pd.DataFrame, operation: str, factor: float) -> pd.DataFrame:
    rows = (table.operation == operation) & (table.variant == "better") & (table.scheme == "time")
    return table.assign(seconds=table.seconds.where(~rows, factor * table.seconds))


def test_one_slow_workload_among_seventeen_is_never_no_change(recorded: pd.DataFrame) -> None:
    before, after = halves(recorded)
    found = compare.compare(before, slowed(after, "climatology-month", 10))
    assert len(found) == 17
    assert compare.verdict(found) in compare.SAYS_NO
    assert [one.configuration["operation"] for one in compare.to_measure_again(found)] == [
        "climatology-month"
    ]


def test_what_is_flagged_is_confirmed_or_cleared_by_a_second_measurement(
    recorded: pd.DataFrame,
) -> None:
    before, after = halves(recorded)
    slow = slowed(after, "climatology-month", 1.5)
    in_turns = recorded, slowed(recorded, "climatology-month", 1.5)
    found = compare.compare(before, slow, again=in_turns)
    assert found[0].verdict == compare.REGRESSION
    assert found[0].p_again is not None
    assert [one.verdict for one in found].count(compare.REGRESSION) == 1
    cleared = compare.compare(before, slow, again=(recorded, recorded))
    assert compare.verdict(cleared) == compare.NO_CHANGE


def test_what_was_not_compared_is_a_verdict(recorded: pd.DataFrame) -> None:
    a = recorded
    without = a[a.operation != "anomaly"]
    found = compare.compare(a, without)
    assert compare.verdict(found) == compare.MISSING
    assert {one.configuration["operation"] for one in found if one.verdict == compare.MISSING} == {
        "anomaly"
    }
    assert compare.verdict(compare.compare(without, a)) == compare.NO_CHANGE

    lazy = a.dask_config.notna()
    set_ = a.dask_config.str.replace("}", ', "x": 1}', regex=False)
    other = a.assign(dask_config=set_, seconds=a.seconds.where(~lazy, 5 * a.seconds))
    found = compare.compare(a, other)
    assert compare.verdict(found) == compare.CHANGED
    assert sum(one.verdict == compare.CHANGED for one in found) == 11
    assert "dask_config" in str(found[0].reason)


@pytest.mark.parametrize("what", ["tasks", "bytes_read", "memory_added_mb"])
def test_growth_is_a_verdict_also_without_more_seconds(recorded: pd.DataFrame, what: str) -> None:
    a = recorded.assign(memory_added_mb=100.0 + recorded.seconds)
    found = compare.compare(a, a.assign(**{what: a[what] * 3}))
    assert compare.verdict(found) == compare.GREW
    assert what in str(found[0].reason)


def test_a_run_that_lost_a_worker_is_in_no_comparison() -> None:
    before = table(BEFORE)
    hit = table([*BEFORE[:9], 99.0], "b")
    hit.loc[9, "lost_workers"] = 1
    found = compare.compare(before, hit)[0]
    assert (found.n, found.failed) == ((10, 9), (0, 0))


@pytest.mark.parametrize("name", ["bench_xs", "bench_repeats"])
def test_campaigns_in_which_nothing_changed_raise_no_alarm(name: str) -> None:
    # The recorded campaigns: a machine of its own, and the same code in every block.
    whole = runs.read(PROJECT / "data" / f"{name}.parquet")
    for size in (5, 10):
        blocks = sorted(whole.block.unique())
        for at in range(0, len(blocks) - 2 * size + 1, 4):
            parts = [whole[whole.block.isin(blocks[low : low + size])] for low in (at, at + size)]
            for a, b in (parts, parts[::-1]):
                assert not counts_gate.gate(a, b).says_no
                assert compare.verdict(compare.compare(a, b)) != compare.GREW


def test_the_command_has_the_power_and_the_false_alarms_that_it_states() -> None:
    stated = published_benchmarks.read("ncar_command")
    judged = stated[(stated.half == "judges") & (stated.workloads == 17)]
    assert set(judged.order) == {"forwards", "backwards"}
    assert (judged.again_found >= 0.7).all()
    assert (judged.again_false <= 0.05).all()


COUNTED = {"tasks": 100, "bytes_read": 1000, "requests_read": 10, "memory_added_mb": 500.0}


@pytest.mark.parametrize(
    ("changed", "grown"),
    [
        ({}, []),
        ({"seconds": 99.0}, []),  # no second is looked at
        ({"tasks": 101}, ["tasks"]),
        ({"requests_read": 11}, ["requests_read"]),
        ({"bytes_read": 1009}, []),
        ({"bytes_read": 1011}, ["bytes_read"]),
    ],
)
def test_the_gate_for_ci_looks_at_counts(changed: dict, grown: list[str]) -> None:
    before, after = (
        runs.frame([run_row(**COUNTED)]),
        runs.frame([run_row(**{**COUNTED, **changed})]),
    )
    gate = counts_gate.gate(before, after)
    assert (gate.compared, gate.too_few) == (len(COUNTED) - 1, 1)  # one run says little of memory
    assert [one.what for one in gate.grown] == grown


def test_the_gate_says_what_it_did_not_see(cli: Cli, file: Callable) -> None:
    both = pd.concat(
        [runs.frame([run_row(**COUNTED)]), runs.frame([run_row(scheme="s", **COUNTED)])]
    )
    failing = both.assign(failed=both.scheme == "s")
    ran = cli("bench", "compare", file("a", both), file("b", failing), "--counts", "--json")
    assert ran.code == 3
    assert ran.json["verdict"] == "missing"
    assert [one["scheme"] for one in ran.json["missing"]] == ["s"]


def test_the_gate_for_ci_looks_at_time_beside_numpy(cli: Cli, file: Callable) -> None:
    def session(seconds: float, numpy: float) -> pd.DataFrame:
        jitter = np.linspace(0.99, 1.01, 5)
        return pd.concat([table(seconds * jitter), table([numpy] * 5, variant="numpy")])

    quiet = file("quiet", session(3.0, 1.0))
    busy = file("busy", session(30.0, 10.0))  # ten times slower, and so is numpy
    worse = file("worse", session(40.0, 10.0))
    assert not counts_gate.gate(runs.read(Path(quiet)), runs.read(Path(busy))).says_no
    ran = cli("bench", "compare", quiet, worse, "--counts", "--json")
    assert ran.code == 3
    assert [one["what"] for one in ran.json["grown"]] == ["roofline_ratio"]
    assert ran.json["grown"][0]["after"] == pytest.approx(4, rel=0.02)


def test_nothing_counted_is_no_answer() -> None:
    with pytest.raises(BadInput, match="nothing to compare"):
        counts_gate.gate(table(BEFORE), table(BEFORE, "b"))


def test_rules_are_tried_on_repeats_in_the_order_of_time() -> None:
    draw = np.random.default_rng(11)
    steady = [draw.lognormal(1, 0.04, 24) for _ in range(40)]
    table_of_all = pd.concat(table(one, scheme=f"s{n}") for n, one in enumerate(steady))
    series = regression_rule.repeats(table_of_all)
    assert sorted(map(list, series)) == sorted(map(list, steady))
    rule = regression_rule.RULES["bench compare, one workload"]
    tried = regression_rule.tried(rule, regression_rule.halves(series))
    assert (tried.comparisons, tried.false_alarms, tried.found) == (40, 0, 40)
    pairs = regression_rule.turns(series, seed=0)
    for (before, after), one in zip(pairs, series, strict=True):
        assert sorted([*before, *after]) == sorted(one[:20])
    drifting = [np.concatenate([np.linspace(1, 1.01, 10), np.linspace(1.3, 1.31, 10)])]
    assert regression_rule.tried(rule, regression_rule.halves(drifting)).false_alarms == 1


def test_more_pairs_find_more_and_the_fewest_that_do_are_named() -> None:
    noisy = np.random.default_rng(4).lognormal(0, 0.15, (2, 40))
    rule = regression_rule.PAIRED_RULES["bench compare, pairs"]
    both = noisy[0], noisy[1]
    found = [regression_rule.power(rule, both, n) for n in (6, 12, 40)]
    assert found == sorted(found)
    assert found[0] < 0.95 < found[-1]
    needed = regression_rule.pairs_needed(rule, both, 0.95, (6, 12, 24, 40))
    assert needed in (12, 24, 40)
    assert regression_rule.pairs_needed(rule, both, 1.01, (6,)) is None
    wild = noisy[0], noisy[0] * np.where(np.arange(40) % 6 == 0, 0.01, 1.2)
    few = wild[0][:10], wild[1][:10]
    assert rule(*few)
    assert not regression_rule.signed_rank(*few)  # two wild pairs of ten blind it


def test_the_rules_of_others_do_what_their_code_does() -> None:
    flat = np.full(10, 10.0) + np.linspace(-0.1, 0.1, 10)
    assert regression_rule.asv(flat, 1.6 * flat)
    assert not regression_rule.asv(flat, 1.4 * flat)
    assert regression_rule.coiled(flat, flat + 1.5)
    assert not regression_rule.coiled(flat, flat + 0.9)  # less than a second is never reported
    assert not regression_rule.coiled(flat, np.concatenate([[10.0], flat[1:] + 5]))
