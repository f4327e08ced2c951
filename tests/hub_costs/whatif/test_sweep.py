"""Many configurations, the frontier, and how many users a budget carries."""

from decimal import Decimal

import pytest
from distributed import Client, LocalCluster

from hub_costs.estimates import prices
from hub_costs.whatif import arrivals, what_if
from hub_costs.whatif.configurations import draw_people, grid, sweep, users_within
from pangeo_core.errors import BadInput
from tests.hub_costs.whatif.cases import config, sessions

PRICES = prices.read()
LOAD = sessions(*[(n * 997, n * 997 + 5000) for n in range(60)])
CHANGES = {"pools.users.scale_down_delay_seconds": [0, 3000], "network.nat": ["none", "single"]}


def test_a_grid_names_what_it_changes():
    names = [c.name for c in grid(config(), CHANGES)]
    assert names[1] == "users.scale_down_delay_seconds=0, network.nat=single"
    assert len(set(names)) == 4
    for path in ("pools.nobody.placeholders", "core.color", "colour"):
        with pytest.raises(BadInput):
            grid(config(), {path: [1]})
    with pytest.raises(BadInput, match="no configuration"):
        sweep(LOAD, [], PRICES)


@pytest.mark.slow
def test_a_dask_client_and_processes_give_what_one_process_gives():
    setups = grid(config(), CHANGES)
    alone = sweep(LOAD, setups, PRICES, workers=1)
    assert sweep(LOAD, setups, PRICES, workers=2).equals(alone)
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        assert sweep(LOAD, setups, PRICES, client=client).equals(alone)


def test_the_frontier_is_who_is_not_beaten_on_both():
    table = sweep(LOAD, grid(config(), CHANGES), PRICES, workers=1)
    for row in table.itertuples():
        beaten = (
            (table.usd_per_month <= row.usd_per_month)
            & (table.wait_p95_seconds <= row.wait_p95_seconds)
            & (
                (table.usd_per_month < row.usd_per_month)
                | (table.wait_p95_seconds < row.wait_p95_seconds)
            )
        ).any()
        assert row.frontier == (not beaten)
    assert table.frontier.any()
    assert not table.frontier.all()


def test_drawn_people_keep_their_sessions_and_more_people_add_to_fewer():
    load = arrivals.generate(arrivals.Group(days=7), seed=3)
    few, many = draw_people(load, 5, seed=1), draw_people(load, 9, seed=1)
    sizes = set(load.table.groupby("user", observed=True).size())
    assert set(many.table.groupby("user", observed=True).size()) <= sizes
    assert many.table.user.nunique() == 9
    kept = many.table[many.table.user.astype(str) < "drawn-000005"]
    assert kept.start.tolist() == few.table.start.tolist()


def test_a_larger_budget_carries_more_people_and_the_answer_keeps_the_limits():
    load = arrivals.generate(arrivals.Class(people=10, days=7), seed=1)
    setup = config().model_copy(update={"zones": 1})
    floor = what_if(load, setup, PRICES).floor_usd_per_month
    options = {"wait_seconds": 600, "resamples": 5, "workers": 1, "most": 300}
    small = users_within(load, setup, floor + 20, prices=PRICES, **options)
    large = users_within(load, setup, floor + 200, prices=PRICES, **options)
    assert small.low <= small.users <= small.high < large.low
    for seed in range(3):
        result = what_if(draw_people(load, small.low, seed), setup, PRICES)
        assert result.usd_per_month <= floor + 60
    nobody = users_within(load, setup, floor - 1, prices=PRICES, **options)
    assert nobody.users == 0
    impatient = users_within(
        load, setup, floor + 200, prices=PRICES, **{**options, "wait_seconds": 1}
    )
    assert impatient.users == 0
    assert users_within(load, setup, floor + 20, prices=PRICES, **options) == small
    with pytest.raises(BadInput):
        users_within(load, setup, Decimal(0), prices=PRICES)
