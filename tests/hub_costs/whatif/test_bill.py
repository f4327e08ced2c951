"""What a replay costs: worked out by hand from the price table."""

import json
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_costs.estimates import prices
from hub_costs.usage.concurrency import hourly
from hub_costs.whatif import parse, what_if
from hub_costs.whatif.replay_cost import floor
from pangeo_core.errors import BadInput
from tests.hub_costs.whatif.cases import sessions

PRICES = prices.read()
DAY = 86_400


def setup(**changes):
    pool = {
        "name": "users",
        "kinds": ["notebook", "binder", "dask-scheduler", "dask-worker"],
        "node_start_seconds": 100,
        "image_pull_seconds": 20,
        "pod_start_seconds": 5,
        "scale_down_delay_seconds": 50,
        "disk_gib": 0,
        "daemon_cpu_cores": 0,
        **changes.pop("pool", {}),
    }
    base = {"network": {"nat": "none", "load_balancers": 0}, "core": {"disk_gib": 0}}
    return parse({**base, **changes, "pools": [pool]})


def usd(lines, part, floor=None):
    return sum(x.usd for x in lines if x.part == part and floor in (None, x.floor))


def test_the_floor_is_what_is_there_without_users():
    config = parse(
        {
            "zones": 3,
            "network": {"nat": "per_zone", "nat_gib_per_month": 10, "load_balancer": "classic"},
            "homes": {"gib": 1000, "infrequent_share": 0.75},
            "other_usd_per_month": "1.23",
        }
    )
    lines = floor(config, PRICES)
    assert usd(lines, "control plane") == Decimal("73.00")  # 0.10 x 730
    assert usd(lines, "core nodes") == Decimal("183.96") + Decimal("6.40")  # r5.xlarge, 80 GiB gp3
    # three gateways 98.55, 10 GiB 0.45, five addresses 18.25, one classic balancer 18.25
    assert usd(lines, "network") == Decimal("135.50")
    assert usd(lines, "homes") == Decimal("75.00") + Decimal("18.75")
    assert usd(lines, "other") == Decimal("1.23")
    extended = floor(parse({"support": "extended"}), PRICES)
    assert usd(extended, "control plane") == Decimal("438.00")


def test_users_nodes_are_hours_times_price_scaled_to_a_month():
    # Ten days of data; one node of 125 + 3600 + 50 s, one third of a month later.
    result = what_if(sessions((0, 3600), window=(0, 10 * DAY)), setup(), PRICES)
    hours = Decimal(3775) / 3600 * 730 / 240
    assert result.as_dict()["node_hours"] == {"users": round(3775 / 3600, 3)}
    expected = (hours * Decimal("0.252")).quantize(Decimal("0.01"))
    assert usd(result.lines, "users nodes") == expected
    address = (hours * Decimal("0.005")).quantize(Decimal("0.01"))
    assert usd(result.lines, "network", floor=False) == address


def test_spot_nodes_cost_the_spot_price_or_the_share_named():
    load = sessions((0, 36_000), window=(0, DAY))
    on_demand = usd(what_if(load, setup(), PRICES).lines, "users nodes")
    spot = usd(what_if(load, setup(pool={"spot_share": 1}), PRICES).lines, "users nodes")
    third = {"spot_share": 1, "spot_price_share": 0.3}
    named = usd(what_if(load, setup(pool=third), PRICES).lines, "users nodes")
    assert spot / on_demand == pytest.approx(
        Decimal("0.0866") / Decimal("0.252"), rel=Decimal("0.001")
    )
    assert named / on_demand == pytest.approx(Decimal("0.3"), rel=Decimal("0.001"))


def test_a_savings_plan_pays_the_commitment_and_covers_by_the_hour():
    load = sessions((0, 7200), window=(0, 4 * 3600))  # a node runs in hours 0, 1 and a little of 2
    plan = {"usd_per_hour": "0.30", "discount": "0.25"}  # covers 0.40 USD of on-demand use
    plain = what_if(load, setup(), PRICES)
    saved = what_if(load, setup(savings_plan=plan), PRICES)
    assert saved.floor_usd_per_month - plain.floor_usd_per_month == Decimal("219.00") - Decimal(
        "183.96"
    )  # 0.30 x 730, less the core node that it covers
    # 0.40 - 0.252 = 0.148 USD is left each hour; use is 0.252, 0.252 and 175 s of it.
    covered = Decimal("0.148") * 2 + Decimal("0.252") * 175 / 3600
    line = next(x for x in saved.lines if x.item == "covers users' nodes")
    assert line.usd == -(covered * 730 / 4).quantize(Decimal("0.01"))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-(10**6), 10**8), st.integers(0, 10**8)), max_size=20))
def test_hours_split_time_exactly(parts):
    start = np.array([a for a, _ in parts], np.int64)
    end = np.array([a + b for a, b in parts], np.int64)
    per_hour = hourly(start, end, 80)
    assert per_hour.sum() == (end - start).sum()
    for hour in (1, 7, 40):
        low, high = hour * 3_600_000, (hour + 1) * 3_600_000
        expected = np.maximum(0, np.minimum(end, high) - np.maximum(start, low)).sum()
        assert per_hour[hour] == expected


def test_lines_floor_and_total_agree_to_the_cent_and_json_is_plain():
    load = sessions(*[(n * 100, n * 100 + 7000) for n in range(40)], window=(0, DAY))
    result = what_if(load, setup(homes={"gib": 333}), PRICES).as_dict()
    assert json.loads(json.dumps(result)) == result
    total = sum(Decimal(line["usd_per_month"]) for line in result["lines"])
    assert total == Decimal(result["usd_per_month"])
    always = sum(Decimal(x["usd_per_month"]) for x in result["lines"] if x["floor"])
    assert always == Decimal(result["floor_usd_per_month"])
    floors = [line["floor"] for line in result["lines"]]
    assert floors == sorted(floors, reverse=True)  # the floor comes first
    assert result["origin"] == "modelled"


def test_an_instance_type_without_a_price_is_named():
    few = replace(PRICES, rows={k: v for k, v in PRICES.rows.items() if k[1] != "m5.large"})
    with pytest.raises(BadInput, match=r"no price for ec2 m5\.large") as caught:
        what_if(sessions((0, 10)), setup(pool={"instance_types": ["m5.large"]}), few)
    assert "price file" in caught.value.fix
    spot = {"instance_types": ["r5.2xlarge"], "spot_share": 1}
    with pytest.raises(BadInput, match=r"no spot price for r5\.2xlarge") as caught:
        what_if(sessions((0, 10)), setup(pool=spot), PRICES)
    assert "spot_price_share" in caught.value.fix


def test_what_does_not_fit_is_named_and_counted_not_dropped():
    load = sessions((0, 100), (0, 100, {"memory_gib": 999.0, "user": "ada"}))
    result = what_if(load, setup(), PRICES).as_dict()
    assert (result["sessions"], result["too_big"], result["serves_the_load"]) == (2, 1, False)
    (problem,) = result["problems"]
    assert "ada" in problem
    assert "999 GiB" in problem
    with pytest.raises(BadInput, match="cannot run a single one of 1"):
        what_if(sessions((0, 100), memory_gib=999.0), setup(), PRICES)


def test_a_configuration_that_cannot_serve_the_load_says_so():
    load = sessions(*[(n, n + 50_000) for n in range(60)])
    result = what_if(load, setup(zones=1, pool={"max_nodes_per_zone": 2}), PRICES).as_dict()
    assert not result["serves_the_load"]
    assert result["gave_up"] == 56
    assert result["wait_p95_seconds"] == 3600
    assert "cannot serve the load: 56 of 60" in result["problems"][0]


def test_people_wait_not_workers():
    worker = {"kind": "dask-worker", "cpu_cores": 3.0}
    load = sessions((0, 9000), *[(n, n + 1, worker) for n in range(50)], (500, 9000))
    result = what_if(load, setup(), PRICES)
    assert sorted(result.waits()) == [5, 125]
