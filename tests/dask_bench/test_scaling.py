"""Curves, efficiency, the law and what limits a run, on times made from a known law."""

import pandas as pd
import pytest

from dask_bench import runs, scaling
from pangeo_core.errors import BadInput
from tests.dask_bench.samples import run_row

NODES = (1, 2, 4, 8, 16)


def strong(times: dict[int, float], **other: object) -> pd.DataFrame:
    noise = (0.99, 1.0, 1.01)
    return runs.frame(
        run_row(nodes=n, seconds=t * factor, **other) for n, t in times.items() for factor in noise
    )


def test_strong_scaling_has_the_efficiency_of_its_times() -> None:
    curve = scaling.curves(strong({n: 2 + 30 / n for n in NODES}), "strong")
    assert list(curve.workers) == list(NODES)
    assert curve.efficiency.iloc[0] == 1
    assert curve.efficiency.iloc[-1] == pytest.approx(32 / (16 * (2 + 30 / 16)))
    inside = (curve.low <= curve.efficiency) & (curve.efficiency <= curve.high)
    assert inside.all()


def test_weak_scaling_compares_with_the_fewest_workers() -> None:
    table = pd.concat(
        [strong({n: 1 + 0.1 * n}, dataset_mb=640.0 * n, chunks_per_worker=10) for n in NODES]
    )
    curve = scaling.curves(table, "weak")
    assert curve.ratio.iloc[-1] == pytest.approx(2.6 / 1.1)
    assert curve.efficiency.iloc[-1] == pytest.approx(1.1 / 2.6)
    assert scaling.curves(table, "strong").empty  # no two points with the same data


def test_chunks_that_had_to_fit_grown_data_still_lie_on_one_curve() -> None:
    parts = [strong({n: 1.0}, dataset_mb=250.0 * n, chunk_mb=16.0 - n) for n in (1, 2)]
    other = strong({2: 1.0}, dataset_mb=500.0, chunk_mb=32.0)
    curve = scaling.curves(pd.concat([*parts, other]), "weak")
    assert list(curve.workers) == [1, 2]
    assert set(curve.chunk_mb) == {15.0}


def test_threads_and_processes_count_as_workers() -> None:
    table = runs.frame(
        run_row(workers_per_node=w, threads=t, seconds=8 / (w * t)) for w, t in ((1, 1), (1, 2))
    )
    assert list(scaling.curves(table, "strong").workers) == [1, 2]


def test_failed_runs_and_warm_ups_are_on_no_curve() -> None:
    good = strong({1: 8, 2: 4})
    bad = runs.frame([run_row(nodes=4, failed=True), run_row(nodes=8, role="warm-up")])
    assert list(scaling.curves(pd.concat([good, bad]), "strong").workers) == [1, 2]


def test_the_law_finds_its_terms_and_leaves_no_residual() -> None:
    times = [3 + 40 / n + 0.05 * n for n in NODES]
    law = scaling.law(NODES, times, "strong")
    assert law.seconds == pytest.approx({"fixed": 3, "divided": 40, "per_worker": 0.05})
    assert law.worst == pytest.approx(0, abs=1e-9)


def test_the_law_shows_what_it_does_not_describe() -> None:
    times = [40.0, 20.0, 10.0, 5.0, 9.0]  # a jump that no term has
    law = scaling.law(NODES, times, "strong")
    assert law.worst > 0.1
    assert all(value >= 0 for value in law.seconds.values())


def test_a_law_needs_more_points_than_terms() -> None:
    with pytest.raises(BadInput, match="3 points"):
        scaling.law(NODES[:3], [3.0, 2.0, 1.0], "strong")


@pytest.mark.parametrize(
    ("spent", "limit"),
    [
        ({"busy_seconds": 3.6}, "computing"),
        ({"busy_seconds": 1.0, "transfer_seconds": 2.8}, "network"),
        ({"busy_seconds": 1.0, "disk_seconds": 2.8}, "disk"),
        ({"busy_seconds": 0.4}, "waiting"),
        ({"busy_seconds": 0.4, "graph_seconds": 1.7}, "client"),
        ({"busy_seconds": 3.6, "spill_mb": 100.0}, "memory"),
    ],
)
def test_what_limits_a_run_is_where_its_threads_spend_their_time(spent: dict, limit: str) -> None:
    table = runs.frame([run_row(seconds=2.0, workers_per_node=1, threads=2, **spent)])
    found = scaling.limits(table).iloc[0]
    assert found.limit == limit
    assert found[[*scaling.SHARES, "client", "waiting"]].sum() == pytest.approx(1)
