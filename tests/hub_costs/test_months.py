from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_costs.months import Interval, Month
from pangeo_core.errors import BadInput

months = st.builds(Month, st.integers(1, 9997), st.integers(1, 12))
moments = st.datetimes(max_value=datetime(9997, 12, 31), timezones=st.just(UTC))


@given(months)
def test_a_month_ends_where_the_next_one_starts(month):
    interval = month.interval()
    assert interval.end == month.next().interval().start
    assert interval.end - interval.start == timedelta(days=month.length)
    assert interval.end not in interval
    assert interval.end - timedelta(microseconds=1) in interval
    assert Month.parse(str(month)) == month


@given(moments)
def test_every_moment_is_in_exactly_one_month(moment):
    month = Month.of(moment)
    assert moment in month.interval()
    assert moment not in month.next().interval()


@given(months)
def test_a_months_days_include_its_last(month):
    days = list(month.interval().days())
    assert len(days) == month.length
    assert days[-1] == date(month.year, month.number, month.length)


def test_leap_day_and_zone_at_the_months_edge():
    assert Month(2024, 2).length == 29
    assert Month(2100, 2).length == 28
    west = timezone(timedelta(hours=-8))
    assert Month.of(datetime(2024, 1, 31, 20, tzinfo=west)) == Month(2024, 2)


@given(moments, moments, moments, moments)
def test_overlap_is_what_both_hold(a, b, c, d):
    if a == b or c == d:
        return
    one, other = Interval(*sorted((a, b))), Interval(*sorted((c, d)))
    both = one.overlap(other)
    assert both == other.overlap(one)
    for moment in (a, b, c, d):
        assert (both is not None and moment in both) == (moment in one and moment in other)


@pytest.mark.parametrize("text", ["2024", "2024-13", "2024-00", "24-01", "2024-1", "2024-07-31"])
def test_what_is_not_a_month_is_refused(text):
    with pytest.raises(BadInput):
        Month.parse(text)


def test_an_interval_without_zone_or_length_is_refused():
    start = datetime(2024, 1, 1, tzinfo=UTC)
    with pytest.raises(BadInput, match="empty"):
        Interval(start, start)
    with pytest.raises(BadInput, match="zone"):
        Interval(start.replace(tzinfo=None), start)
