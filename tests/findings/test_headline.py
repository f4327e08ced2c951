"""The reports' error, found again in bills where it was put on purpose."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from findings import headline, published_floor
from hub_costs.estimates import published_tables
from hub_costs.months import Month

DATA = Path(__file__).parents[2] / "data"
MONTHS = ["2024-01", "2024-02", "2024-03"]


def reports_of(per_day, days_lost):
    """Reports that lose the last `days_lost` days of their own month, for known costs a day."""
    rows = []
    for report in MONTHS:
        for name in MONTHS[: MONTHS.index(report) + 1]:
            days = Month.parse(name).length - (days_lost if name == report else 0)
            rows += [
                {"report": report, "month": name, "service": service, "usd": usd * days}
                for service, usd in per_day.items()
            ]
    return pd.DataFrame(rows)


PER_DAY = {headline.EKS: headline.EKS_USD_PER_DAY, "EC2 - Other": Decimal("3.2")}
STEPS = pd.DataFrame({"report": MONTHS, "usd_per_step": [Decimal("0.1")] * 3})


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_days_put_missing_are_found(lost):
    services = reports_of(PER_DAY, lost)
    gaps = headline.missing_by_service(services, STEPS)
    assert {round(days, 12) for days in gaps.days} == {lost}
    assert list(headline.clock(services, STEPS).short) == [lost] * 3
    totals = services.groupby(["report", "month"], as_index=False).usd.sum()
    found = headline.shortfall(totals)
    assert list(found.month) == MONTHS[:2], "the last month has no later report"
    for row in found.itertuples():
        assert row.percent == pytest.approx(lost * row.one_day_percent)
        assert row.revised == 0


def test_a_month_that_keeps_changing_shows_as_revised():
    totals = pd.DataFrame(
        [("2024-01", "2024-01", 97), ("2024-02", "2024-01", 100), ("2024-03", "2024-01", 103)],
        columns=["report", "month", "usd"],
    )
    totals["usd"] = totals.usd.map(Decimal)
    row = headline.shortfall(totals).iloc[0]
    assert (row.percent, row.revised, row.reports) == (3, 3, 2)


def test_a_daily_chart_that_stops_early_is_seen():
    daily = pd.DataFrame(
        {"date": [date(2024, 1, day) for day in range(1, 31)], "usd": [Decimal(5)] * 30}
    )
    services = reports_of({headline.COMPUTE: Decimal(5)}, 1)
    row = headline.daily_chart(daily, services).iloc[0]
    assert (row.last_day, row.length, row.chart, row.bar) == (30, 31, 150, 150)


cents = st.decimals(0, 2000, places=2, allow_nan=False)


@given(
    st.lists(st.tuples(st.sampled_from([*published_floor.RULES, "Unheard of"]), cents), min_size=1),
    st.decimals(0, 100, places=3),
    st.booleans(),
)
def test_the_groups_always_sum_to_the_bill(lines, core, complete):
    bill = pd.DataFrame(lines, columns=["service", "usd"]).assign(month="2024-02")
    bill["complete"] = complete
    parts = published_floor.split(bill, core)
    assert sum(parts.usd) == sum(bill.usd)
    assert min(parts.usd) >= 0
    assert list(parts.group) == list(published_floor.GROUPS)


def test_other_is_never_mixed_between_reports():
    """A service named in one report and lumped into Other by the next counts once."""
    services = pd.DataFrame(
        [
            ("2024-01", "2024-01", "AWS DataSync", "9"),
            ("2024-01", "2024-01", "Other", "1"),
            ("2024-02", "2024-01", "Other", "10"),
        ],
        columns=["report", "month", "service", "usd"],
    )
    services["usd"] = services.usd.map(Decimal)
    bill = published_floor.latest(services)
    assert sum(bill.usd) == 10
    assert bill.complete.all()


def test_every_published_service_has_a_rule():
    services = published_tables.read("openscapes_services_by_report", DATA)
    assert set(services.service) <= set(published_floor.RULES)


def test_latest_bars_add_to_the_published_totals():
    bill = published_floor.latest(published_tables.read("openscapes_services_by_report", DATA))
    totals = published_tables.read("openscapes_totals_by_report", DATA)
    for name, usd in bill.groupby("month").usd.sum().items():
        newest = totals[totals.month == name].sort_values("report").usd.iloc[-1]
        assert abs(usd - newest) < Decimal("0.6")
