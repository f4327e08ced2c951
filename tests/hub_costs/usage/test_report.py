"""The usage report: numbers worked out by hand, and nobody's name in what is published."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest

from hub_costs.usage import check, report
from hub_costs.usage.concurrency import most_at_once
from hub_costs.usage.pseudonyms import Pseudonyms
from pangeo_core.errors import BadInput

# Ada: two hours on 1 July with half an hour idle; over midnight on 31 July. Bob: one hour.
# Eve: two Dask workers of two cores for three hours in August.
ROWS = [
    ("ada", "notebook", "2024-07-01T09:00", "2024-07-01T11:00", "2024-07-01T10:30", 1.0, 8.0),
    ("bob", "notebook", "2024-07-01T10:00", "2024-07-01T11:00", "2024-07-01T11:00", 1.0, 8.0),
    ("ada", "notebook", "2024-07-31T23:00", "2024-08-01T01:00", None, 1.0, 8.0),
    ("eve", "dask-worker", "2024-08-02T00:00", "2024-08-02T03:00", None, 2.0, 4.0),
    ("eve", "dask-worker", "2024-08-02T00:00", "2024-08-02T03:00", None, 2.0, 4.0),
]


@pytest.fixture
def sessions():
    names = ["user", "kind", "start", "end", "last_activity", "cpu_cores", "memory_gib"]
    frame = pd.DataFrame(ROWS, columns=names)
    frame["hub"], frame["node_type"], frame["capacity"] = "hub", "", "on-demand"
    frame["requested"] = ["2024-07-01T08:58:00", "2024-07-01T09:59:40", None, None, None]
    frame["memory_used_gib"] = [2.0, None, None, 1.0, 3.0]
    return check(frame)


def test_active_users_by_day_week_and_month(sessions):
    active = report(sessions).active
    counts = {(r.period, str(r.start.date())): r.users for r in active.itertuples()}
    assert counts[("day", "2024-07-01")] == 2
    assert counts[("day", "2024-07-31")] == counts[("day", "2024-08-01")] == 1  # over midnight
    assert counts[("week", "2024-07-29")] == 2
    assert counts[("month", "2024-07-01")] == 2
    assert counts[("month", "2024-08-01")] == 2


def test_numbers_by_hand(sessions):
    result = report(sessions).as_dict()
    assert result["concurrent_peak"] == 2
    assert result["spawn_median_seconds"] == 70  # of 120 and 20 s
    assert result["spawns_measured"] == 2
    assert result["idle_share"] == pytest.approx(0.5 / 3, abs=1e-4)
    (worker,) = (row for row in result["asked"] if row["kind"] == "dask-worker")
    assert worker["core_hours_asked"] == 12
    assert worker["core_hours_used"] is None
    assert worker["gib_hours_used"] == 12  # (1 + 3) GiB x 3 h
    assert worker["gib_used_share"] == 0.5
    lengths = {row["kind"]: row for row in result["lengths"]}
    assert lengths["notebook"]["hours"] == 5
    assert lengths["notebook"]["median"] == 2
    assert json.loads(json.dumps(result)) == result


def test_concurrent_servers_are_integrated_not_sampled(sessions):
    hours = report(sessions).concurrent.set_index("hour").servers
    assert hours.iloc[:3].tolist() == [1, 2, 0]
    total = (sessions.table.end - sessions.table.start)[sessions.table.kind == "notebook"].sum()
    assert hours.sum() == pytest.approx(total / pd.Timedelta(hours=1))


def test_growth_and_cohorts(sessions):
    result = report(sessions)
    assert result.growth.to_dict("records") == [
        {"month": "2024-07", "users": 2, "new": 2, "returning": 0},
        {"month": "2024-08", "users": 2, "new": 1, "returning": 1},
    ]
    july = result.cohorts[result.cohorts.cohort == "2024-07"]
    assert july.users.tolist() == [2, 1]


def test_dask_hours_homes_and_quota(sessions):
    homes = pd.DataFrame({"user": ["ada", "bob"], "gib": [5, 50.5]})
    result = report(sessions, homes=homes, quota_gib=50, published=False)
    assert result.dask.to_dict("records") == [
        {"user": "eve", "worker_hours": 6.0, "core_hours": 12.0}
    ]
    assert result.homes.user.tolist() == ["bob", "ada"]
    assert result.homes.over_quota.tolist() == [True, False]
    for wrong in ({"user": ["ada"]}, {"user": ["ada"], "gib": [-1]}, {"user": ["a"], "gib": ["x"]}):
        with pytest.raises(BadInput, match="home directories"):
            report(sessions, homes=pd.DataFrame(wrong))


def test_gaps_are_reported(sessions):
    times = {"start": [sessions.start], "end": [sessions.start + pd.Timedelta(hours=5)]}
    result = report(sessions, gaps=pd.DataFrame({**times, "source": ["prometheus"]}))
    assert result.as_dict()["gap_hours"] == 5
    assert result.as_dict()["gaps"][0]["source"] == "prometheus"


def test_nobody_is_named_in_a_published_report_and_the_operator_sees_names(sessions):
    homes = pd.DataFrame({"user": ["ada", "bob", "eve"], "gib": [1, 2, 3]})
    one, two = (report(sessions, homes=homes) for _ in range(2))
    text = json.dumps(one.as_dict())
    assert not any(f'"{name}"' in text for name in ("ada", "bob", "eve"))
    eve = one.dask.user.iloc[0]
    assert eve == one.homes.user.iloc[0]  # stable within a report
    assert eve != two.dask.user.iloc[0]  # but not from one to the next
    assert '"eve"' in json.dumps(report(sessions, homes=homes, published=False).as_dict())


def test_the_key_is_neither_shown_nor_stored():
    names = Pseudonyms()
    with pytest.raises(TypeError, match="never stored"):
        pickle.dumps(names)
    assert repr(names) == "Pseudonyms()"
    assert not hasattr(names, "__dict__")


def test_who_leaves_as_another_comes_is_not_there_at_once():
    assert most_at_once(np.array([0, 10]), np.array([10, 20])) == 1
    assert most_at_once(np.array([0, 9]), np.array([10, 20])) == 2
