"""The replay and the arrival models against what others published."""

from decimal import Decimal

import numpy as np
import pytest

from findings import replay_validation
from hub_costs.estimates import prices, published_tables
from hub_costs.whatif import arrivals, parse, what_if
from pangeo_core.errors import BadInput

DAILY = published_tables.read("openscapes_daily_ec2")
PRICES = prices.read()


def on(instance_type, sessions, **pool):
    first = {"name": "users", "kinds": ["notebook", "binder"], "instance_types": [instance_type]}
    return what_if(sessions, parse({"pools": [{**first, **pool}]}), PRICES)


def test_the_always_on_parts_of_eleven_real_months_agree_within_two_percent():
    table = replay_validation.always_on(
        published_tables.read("openscapes_services_by_report"), DAILY, PRICES
    )
    together = table[table.part == "together"]
    assert len(together) == 11
    assert max(abs(together.percent)) <= Decimal(2)


def test_the_users_part_of_real_months_agrees_within_two_percent():
    table = replay_validation.users(DAILY, PRICES)
    assert len(table) == 7
    assert max(abs(table.percent)) <= Decimal(2)


@pytest.fixture(scope="module")
def hackweek():
    return on("m5.2xlarge", arrivals.generate(arrivals.Hackweek(), seed=1))


def nodes_at(result, hours):
    lives = result.runs[0].lives
    return [int(((lives["start"] <= h) & (lives["end"] > h)).sum()) for h in hours * 3_600_000]


def test_a_hackweek_of_2020_is_as_its_notes_say(hackweek):
    # Eighty people, four to a node of type 2xlarge, each served in less than five minutes.
    assert hackweek.runs[0].peak == 20
    assert hackweek.waits().max() < 300
    # "Common to wake up to 5-10 nodes running for over 12 hours".
    nights = nodes_at(hackweek, 24 * np.arange(1, 5) + 13)
    assert 5 <= np.mean(nights) <= 10


def test_a_group_has_the_published_numbers_of_active_users():
    days, weeks, month, hours = [], [], [], []
    for seed in range(12):
        load = arrivals.generate(arrivals.Group(days=28), seed=seed)
        day = (load.table.start - load.start).dt.days
        per = load.table.groupby(day).user.nunique()
        days.append(per.reindex(range(28), fill_value=0).mean())
        weeks.append(load.table[day < 7].user.nunique())
        month.append(load.table.user.nunique())
        hours.append(on("r5.xlarge", load).as_dict()["node_hours"]["users"] / 28)
    assert np.mean(days) == pytest.approx(20, rel=0.2)
    assert np.mean(weeks) == pytest.approx(33, rel=0.2)
    assert np.mean(month) == pytest.approx(49, rel=0.2)
    per_day = DAILY.groupby("date").hours.sum().astype(float)
    assert np.mean(hours) == pytest.approx((per_day - 24).mean(), rel=0.1)


def test_a_class_meets_and_a_binder_never_sleeps():
    load = arrivals.generate(arrivals.Class(), seed=2)
    peak = max(
        int(((load.table.start <= t) & (load.table.end > t)).sum()) for t in load.table.start
    )
    assert 45 <= peak <= 80
    visits = arrivals.generate(arrivals.Binder(days=7), seed=2)
    assert visits.table.user.is_unique
    assert 850 < len(visits.table) < 1150
    assert len(visits.table.start.dt.hour.unique()) == 24


def test_a_model_has_the_size_that_is_asked_for():
    for seed in range(3):
        load = arrivals.generate(arrivals.sized("group", 100), seed)
        assert load.table.user.nunique() == pytest.approx(100, rel=0.3)
    assert arrivals.sized("class", 30).people == 30
    assert arrivals.sized("binder", 10).launches_a_week == 70
    assert arrivals.sized("hackweek") == arrivals.Hackweek()
    with pytest.raises(BadInput, match="no model"):
        arrivals.sized("conference")


@pytest.mark.parametrize("name", sorted(arrivals.MODELS))
def test_every_model_is_seeded_and_every_parameter_has_an_origin(name):
    model = arrivals.MODELS[name]()
    one, two = arrivals.generate(model, 5), arrivals.generate(model, 5)
    assert one.table.equals(two.table)
    assert not one.table.start.equals(arrivals.generate(model, 6).table.start)
    assert all(row["origin"] for row in arrivals.origins(model))
    with pytest.raises(BadInput, match="mean_hours"):
        arrivals.generate(arrivals.MODELS[name](mean_hours=float("nan")), 1)
