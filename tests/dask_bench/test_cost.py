"""What runs cost: by hand, to the last digit, and what must hold whatever the numbers."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_bench import run_cost, runs
from hub_costs.estimates import prices
from pangeo_core.errors import BadInput
from tests.conftest import Cli
from tests.dask_bench.samples import row, run_row, write

RATES = run_cost.Rates(
    node=Decimal("0.36"),
    scheduler=Decimal("0.18"),
    always=Decimal("0.10"),
    source="made up",
    date="2026-01-01",
    start_seconds=90.0,
    tail_seconds=10.0,
    stored_month=Decimal("0.000073"),
)
RUN = run_row(
    seconds=200.0, nodes=4, dataset_mb=1000.0, requests_read=10_000, requests_written=2_000
)
SPOT = "0.0415", "0.126"  # r5.large in data/prices.csv, spot and on demand


def test_a_run_costs_what_is_worked_out_by_hand() -> None:
    found = run_cost.run_cost(RUN, RATES)
    requests = Decimal("0.004") + Decimal("0.010")  # 10,000 GET and 2,000 PUT
    # Four nodes for 200 s are 800 node-seconds; with 90 s before and 10 s after, 4 x 300.
    assert found.billed_seconds == 1200
    assert found.marginal == Decimal("0.08") + requests
    # 300 s are 1/12 h: nodes 4 x 0.03, scheduler 0.015, control plane 0.1 / 12, and 1 GB stored
    # for 1/8760 of a month's 0.073.
    stored = Decimal("0.073") / 8760
    whole = Decimal("0.12") + Decimal("0.015") + Decimal("0.1") / 12 + requests + stored
    assert abs(found.full - whole) < Decimal("0.00000000001")


def test_an_interruption_takes_its_share_of_the_run_and_a_new_node() -> None:
    # 200 s on 4 nodes with 4.5 losses a node-hour: one loss is expected. What one node would have
    # to do again twice adds half of the run on four.
    found = run_cost.run_cost(RUN, replace(RATES, interruptions=4.5, penalty=2.0))
    assert found.billed_seconds == pytest.approx(4 * (90 + 300 + 10) + 90)


def test_a_terabyte_is_one_cluster_at_the_runs_rate() -> None:
    found = run_cost.terabyte_cost(RUN, RATES)
    assert found.billed_seconds == 4 * (90 + 200 * 1000 + 10)
    assert float(found.marginal) == pytest.approx(
        1000 * float(run_cost.run_cost(RUN, RATES).marginal)
    )


def test_a_run_without_cluster_or_requests_takes_one_node() -> None:
    alone = runs.frame([run_row(nodes=0, seconds=100.0)]).to_dict("records")[0]
    assert run_cost.run_cost(alone, RATES).marginal == Decimal("0.01")


seconds = st.floats(0, 1e6)
nodes = st.integers(1, 500)
shares = st.floats(0, 5)


@settings(deadline=None)
@given(seconds, st.floats(0, 1e5), nodes, shares, shares)
def test_more_time_or_nodes_never_cost_less(
    took: float, more: float, many: int, per_hour: float, penalty: float
) -> None:
    rates = replace(RATES, interruptions=per_hour, penalty=penalty)
    one = run_cost.run_cost({**RUN, "seconds": took, "nodes": many}, rates)
    longer = run_cost.run_cost({**RUN, "seconds": took + more, "nodes": many}, rates)
    larger = run_cost.run_cost({**RUN, "seconds": took, "nodes": many + 1}, rates)
    for other in (longer, larger):
        assert other.marginal >= one.marginal
        assert other.full >= one.full
        assert other.billed_seconds >= one.billed_seconds
    assert one.marginal <= one.full
    assert one.billed_seconds >= run_cost.SHORTEST_SECONDS * many
    assert run_cost.run_cost({**RUN, "seconds": took, "nodes": many}, RATES).full <= one.full


@settings(deadline=None)
@given(st.floats(0.001, 1e5), nodes)
def test_spot_without_interruptions_is_cheaper_by_the_price(took: float, many: int) -> None:
    demand, spot = (
        run_cost.rates(prices.read().get, "us-west-2", "r5.large", "r5.large", capacity)
        for capacity in ("on-demand", "spot")
    )
    assert (str(spot.node), str(demand.node)) == SPOT
    assert spot.scheduler == demand.node  # never on spot
    run = run_row(seconds=took, nodes=many)
    cheap, dear = (run_cost.run_cost(run, rates).marginal for rates in (spot, demand))
    assert float(cheap) == pytest.approx(float(dear) * float(spot.node / demand.node), abs=1e-11)


def life(**took: float) -> pd.DataFrame:
    rows = [
        run_row(operation="life", variant=name.replace("_", "-"), seconds=value, family="life")
        for name, value in took.items()
    ]
    for block in range(3):
        rows += [
            run_row(
                operation="lost-worker",
                variant=fate,
                seconds=value * (1 + block),
                block=block,
                nodes=2,
            )
            for fate, value in (("undisturbed", 2.0), ("killed", 3.0))
        ]
    return runs.frame(rows)


def test_start_tail_and_penalty_come_from_the_recorded_runs() -> None:
    recorded = life(to_all_workers=4.0, until_gone=1.5)
    rates = run_cost.lived(RATES, recorded, node_start=60.0)
    assert (rates.start_seconds, rates.tail_seconds) == (64.0, 1.5)
    rates = run_cost.interrupted(rates, recorded, "killed", 0.1)
    assert (rates.interruptions, rates.penalty) == (0.1, pytest.approx(0.5 * 2))  # on two workers


def test_what_cannot_be_priced_is_named() -> None:
    listed = prices.read()
    with pytest.raises(BadInput, match=r"no price for ec2-spot m6i\.large") as told:
        run_cost.rates(listed.get, "us-west-2", "m6i.large", "m6i.large", "spot")
    assert "r5.large" in told.value.why
    with pytest.raises(BadInput, match="capacity 'free'"):
        run_cost.rates(listed.get, "us-west-2", "m6i.large", "m6i.large", "free")
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(BadInput, match="penalty"):
            replace(RATES, penalty=wrong)
        with pytest.raises(BadInput, match="cannot be priced"):
            run_cost.run_cost({**RUN, "seconds": wrong}, RATES)
    with pytest.raises(BadInput, match="over 0 MB"):
        run_cost.terabyte_cost({**RUN, "dataset_mb": 0}, RATES)
    with pytest.raises(BadInput, match="until-gone"):
        run_cost.lived(RATES, life(to_all_workers=1.0))
    with pytest.raises(BadInput, match="drained"):
        run_cost.penalty(life(), "drained")


def test_a_run_that_never_ended_has_no_price() -> None:
    table = runs.frame([RUN, run_row(seconds=None, failed=True, reason="disk full", block=1)])
    found = run_cost.priced(table, RATES)
    assert found.usd_full.isna().tolist() == [False, True]
    assert run_cost.medians(found, ["operation"]).n.tolist() == [1]
    runs.frame(runs.rows(found[list(runs.COLUMNS)]))  # the columns are the run table's own


def test_the_command_prices_published_runs(cli: Cli, tmp_path: Path) -> None:
    day = tmp_path / "hal24" / "2019-09-02"
    file = write(day / "compute_study_2019-09-02_10-00-00.csv", [row(36.0, num_nodes=10)])
    ran = cli("bench", "report", str(file), "--instance", "m6i.large", "--json")
    assert ran.code == 0, ran.err
    found = ran.json["costs"]
    assert found["origin"] == "modelled"
    assert "m6i.large on-demand" in found["price"]
    only = found["table"][0]
    assert only["usd_marginal"] == pytest.approx(0.0096)  # a tenth of a node's hour, 0.096
    assert only["billed_seconds"] == 600  # a minute at least, each
    alone = cli("bench", "report", str(file), "--instance", "r5.large", "--interruptions", "1")
    assert (alone.code, "--life" in alone.err) == (2, True)
