"""Looking ahead and looking for what is out of line, on series whose truth is known."""

import random
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hub_costs.bills import daily_cost
from hub_costs.budgeting.anomalies import anomalies
from hub_costs.budgeting.forecast import backtest, forecast, month_end
from hub_costs.months import Month
from pangeo_core.errors import BadInput

START = date(2024, 1, 1)  # a Monday


def made_up_days(days, noise=0.0, seed=1, weekend=0.5, level=20.0):
    chance = random.Random(seed)
    values = []
    for n in range(days):
        usd = level * (weekend if n % 7 >= 5 else 1.0) * (1 + chance.gauss(0, noise))
        values.append(Decimal(f"{max(usd, 0.01):.2f}"))
    return values


def as_daily(values):
    return daily_cost.Daily(START, tuple(values))


def test_a_regular_week_is_carried_on_exactly():
    told = forecast(as_daily(made_up_days(84)), 30)
    expected = made_up_days(84 + 30)[84:]
    assert [day.date for day in told.days] == [START + timedelta(days=84 + n) for n in range(30)]
    for day, usd in zip(told.days, expected, strict=True):
        assert abs(day.mean - usd) <= usd / 20
        assert day.low <= day.mean <= day.high
    assert abs(told.total.mean - sum(expected)) <= sum(expected) / 50


@pytest.mark.parametrize("noise", [0.05, 0.2])
def test_intervals_hold_about_as_often_as_they_say(noise):
    held = []
    for seed in range(4):
        values = made_up_days(150, noise, seed)
        told = forecast(as_daily(values[:120]), 30, level=0.8)
        held += [
            day.low <= usd <= day.high for day, usd in zip(told.days, values[120:], strict=True)
        ]
    assert 0.7 <= sum(held) / len(held) <= 0.97


def test_a_backtest_knows_only_the_past():
    values = made_up_days(120)
    changed = [*values[:100], *[usd * 3 for usd in values[100:]]]
    first = START + timedelta(days=70)

    def told(series):
        return [r.forecast for r in backtest(as_daily(series), first=first) if r.method == "ours"]

    assert told(values)[0] == told(changed)[0]
    methods = {record.method for record in backtest(as_daily(values), first=first, horizon=7)}
    assert methods == {"ours", "last 7 days", "last 30 days"}


def test_forecast_json_is_decimal_text():
    told = forecast(as_daily(made_up_days(60)), 3).as_dict()
    assert set(told["total"]) == {"mean", "low", "high"}
    assert set(told["days"][0]) == {"date", "mean", "low", "high"}
    assert Decimal(told["days"][0]["mean"]) > 0


@pytest.mark.parametrize(("days", "horizon", "level"), [(20, 30, 0.8), (60, 0, 0.8), (60, 30, 1.5)])
def test_too_little_or_meaningless_is_refused(days, horizon, level):
    with pytest.raises(BadInput):
        forecast(as_daily(made_up_days(days)), horizon, level)


def test_zero_and_negative_days_do_not_stop_it():
    values = [Decimal(0), Decimal(-3), *made_up_days(80)]
    assert forecast(as_daily(values), 7).total.mean > 0


def test_a_spike_and_a_step_are_found_and_told_apart():
    values = made_up_days(120, noise=0.05)
    values[70] *= 4
    values[100:] = [usd * 2 for usd in values[100:]]
    found = {a.date: a for a in anomalies(as_daily(values), rate=0.002)}
    spike, step = START + timedelta(days=70), START + timedelta(days=100)
    assert found[spike].kind == "spike"
    assert found[step].kind == "step"
    assert found[spike].usd == values[70]


def test_what_changed_is_named():
    values = made_up_days(80, noise=0.03)
    efs = [Decimal(2)] * 80
    values[60] += 40
    efs[60] += 40
    parts = {
        "Amazon Elastic File System": efs,
        "rest": [v - e for v, e in zip(values, efs, strict=True)],
    }
    (found,) = [a for a in anomalies(as_daily(values), parts=parts) if a.usd == values[60]]
    assert found.parts[0] == ("Amazon Elastic File System", Decimal("40.00"))


@pytest.mark.parametrize(
    ("noise", "weekend"), [(0.0, 1.0), (0.02, 1.0), (0.1, 1.0), (0.05, 0.5), (0.1, 0.5)]
)
def test_ordinary_days_are_called_about_as_seldom_as_asked(noise, weekend):
    called = days = 0
    for seed in range(10):
        called += len(anomalies(as_daily(made_up_days(200, noise, seed, weekend)), rate=0.01))
        days += 200 - 14
    assert called / days <= 0.025


def test_a_decline_that_ends_is_no_event():
    """Falling by eight dollars a day, then 528.00 for two months: the old code called 53 days."""
    values = [Decimal(1000 - 8 * n) for n in range(60)] + [Decimal(528)] * 60
    assert anomalies(as_daily(values)) == []


def test_a_step_is_one_event_and_its_level_is_learnt():
    values = made_up_days(120, noise=0.03, weekend=1.0)
    values[70:] = [usd * Decimal("1.3") for usd in values[70:]]
    (found,) = anomalies(as_daily(values))
    assert (found.date, found.kind) == (START + timedelta(days=70), "step")


def test_the_third_week_is_judged():
    values = made_up_days(30, noise=0.02, weekend=1.0)
    values[15] *= 3
    (found,) = anomalies(as_daily(values))
    assert found.date == START + timedelta(days=15)
    with pytest.raises(BadInput, match="Not enough history"):
        anomalies(as_daily(values[:14]))


def test_the_events_of_a_published_series_are_found():
    """mybinder.org's cost rose from 101 to 236 USD, and from 133 to 279 USD, on these days."""
    daily = daily_cost.read(Path(__file__).parents[2] / "data" / "mybinder_daily.csv")
    kinds = {str(event.date): event.kind for event in anomalies(daily)}
    assert kinds["2018-01-18"] == kinds["2018-02-20"] == "step"
    assert len(kinds) < len(daily.usd) / 10


def test_the_forecast_holds_what_it_promises_on_months_that_did_not_choose_it():
    daily = daily_cost.read(Path(__file__).parents[2] / "data" / "mybinder_daily.csv")
    records = backtest(daily, first=date(2018, 12, 1))
    ours, month = ([r for r in records if r.method == m] for m in ("ours", "last 30 days"))

    def mean(values):
        values = list(values)
        return sum(values) / len(values)

    assert mean(r.error for r in ours) < 0.09
    assert mean(r.error for r in ours) < mean(r.error for r in month) - 0.01
    assert 0.75 <= mean(r.days_held for r in ours) <= 0.85
    assert 0.75 <= mean(r.low <= r.actual <= r.high for r in ours) <= 0.85


def test_a_month_that_has_not_begun_is_forecast_whole():
    values = made_up_days(88, noise=0.05)  # to 28 March
    ahead = month_end(as_daily(values), month=Month(2024, 4))
    assert (ahead.so_far, ahead.days_left) == (0, 30)
    assert ahead.low <= ahead.mean <= ahead.high
    whole = forecast(as_daily(values), 33)
    assert ahead.mean == sum(day.mean for day in whole.days[3:])


def write(path, text):
    path.write_text(text)
    return path


def test_a_daily_csv_is_read_in_any_order_and_small_gaps_are_filled(tmp_path):
    lines = [f"{START + timedelta(days=n)},{n}.5" for n in range(50) if n != 20]
    read = daily_cost.read(
        write(tmp_path / "d.csv", "date,usd\n" + "\n".join(reversed(lines)) + "\n")
    )
    assert read.usd[20] == Decimal("20.5")
    assert read.filled == (START + timedelta(days=20),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "daily cost"),
        ("day,cost\n2024-01-01,1\n", "daily cost"),
        ("date,usd\n2024-13-01,1\n", "line 2"),
        ("date,usd\n2024-01-01,x\n", "line 2"),
        ("date,usd\n2024-01-01,1\n2024-01-01,1\n", "line 3"),
        ("date,usd\n2024-01-01,1\n2024-03-01,1\n", "missing"),
        ("date,usd\n", "no day"),
    ],
)
def test_a_wrong_daily_csv_is_refused(tmp_path, text, says):
    with pytest.raises(BadInput, match=says):
        daily_cost.read(write(tmp_path / "d.csv", text))
