"""A running hub's sessions: pods, the hub's log and its API, joined."""

import pandas as pd
import pytest

from hub_costs.usage.collect import Collected
from hub_costs.usage.collect.hub_records import from_log
from hub_costs.usage.collect.running import joined
from hub_costs.usage.homes import measure
from hub_costs.usage.session_files import read, read_gaps, write
from hub_costs.usage.sessions import check
from pangeo_core.errors import BadInput


def at(text):
    return pd.Timestamp(f"2024-07-01T{text}", tz="UTC")


def pod(user, start, end=None, kind="notebook", server="p"):
    row = {"user": user, "hub": "prod", "kind": kind, "start": start, "end": end}
    sizes = {"cpu_cores": 1.0, "memory_gib": 4.0, "node_type": "", "capacity": "on-demand"}
    return {**row, **sizes, "server": server, "requested": None, "cpu_used_cores": 0.5}


def pods(*rows):
    return Collected(pd.DataFrame(list(rows)), "prometheus", at("08:00"), at("18:00"))


def hub_log(tmp_path, *lines):
    path = tmp_path / "hub.log"
    path.write_text("".join(f"[I 2024-07-01 {line}\n" for line in lines))
    return from_log(path, cpu_cores=0, memory_gib=0).raw


START = "JupyterHub base:1144] User {} took {} seconds to start"
STOP = "JupyterHub base:1383] User {} server took 1.000 seconds to stop"


def test_the_log_says_when_and_the_pod_how_much(tmp_path):
    log = hub_log(
        tmp_path,
        "09:00:20.000 " + START.format("ada", "20.000"),
        "10:00:00.000 " + STOP.format("ada"),
        "11:00:30.000 " + START.format("ada", "30.000"),
    )
    seen = pods(
        pod("ada", at("09:00:02"), at("09:59:55"), server="one"),
        pod("ada", at("11:00:03"), server="two"),
        pod("ada", at("09:30:00"), at("10:30:00"), kind="dask-worker", server="w"),
    )
    users = [{"name": "ada", "servers": {"": {"last_activity": "2024-07-01T12:00:00Z"}}}]
    table = joined(seen, log, users).sessions().table.set_index("server")
    assert table.loc["one", "requested"] == at("09:00:00")
    assert (table.loc["one", "start"], table.loc["one", "end"]) == (at("09:00:20"), at("10:00"))
    assert (table.loc["two", "start"], table.loc["two", "end"]) == (at("11:00:30"), at("18:00"))
    assert table.loc["two", "last_activity"] == at("12:00")
    assert pd.isna(table.loc["one", "last_activity"])
    assert (table.loc["w", "start"], table.loc["w", "end"]) == (at("09:30"), at("10:30"))
    assert (table.cpu_used_cores == 0.5).all()


def test_a_server_that_no_sample_shows_is_counted_not_lost(tmp_path):
    log = hub_log(
        tmp_path,
        "07:00:00.000 " + START.format("old", "1.000"),  # over before the time that is asked for
        "07:10:00.000 " + STOP.format("old"),
        "09:00:01.000 " + START.format("ada", "1.000"),
        "09:00:03.000 " + STOP.format("ada"),
    )
    sessions = joined(pods(pod("bob", at("09:00"))), log).sessions()
    assert sessions.table.user.tolist() == ["bob"]
    assert sessions.rejected[["user", "reason"]].to_numpy().tolist() == [["ada", "bad-value"]]


def test_without_a_log_the_pods_are_what_is_known():
    table = joined(pods(pod("ada", at("09:00:02"), at("09:59:55")))).sessions().table
    assert table.start.tolist() == [at("09:00:02")]


def test_homes_are_what_their_files_hold(tmp_path):
    (tmp_path / "ada" / "work").mkdir(parents=True)
    (tmp_path / "bob").mkdir()
    (tmp_path / "ada" / "work" / "data").write_bytes(b"x" * 2**20)
    (tmp_path / "ada" / "loop").symlink_to(tmp_path)
    (tmp_path / "note").write_text("no home")
    homes = measure(tmp_path)
    assert homes.user.tolist() == ["ada", "bob"]
    assert homes.gib.tolist() == [pytest.approx(2**-10, abs=1e-5), 0]


@pytest.mark.parametrize("text", ["start,end\n1,2\n", "start,end,source\nx,2024-07-02,p\n", ""])
def test_gaps_that_cannot_be_read_are_named(tmp_path, text):
    path = tmp_path / "gaps.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match="gaps"):
        read_gaps(path)


def test_gaps_are_read_again_and_one_that_ends_too_soon_is_refused(tmp_path):
    path = tmp_path / "gaps.csv"
    path.write_text("start,end,source\n2024-07-01,2024-07-02,p\n")
    assert (read_gaps(path).end - read_gaps(path).start).tolist() == [pd.Timedelta(days=1)]
    path.write_text("start,end,source\n2024-07-03,2024-07-02,p\n")
    with pytest.raises(BadInput, match="before it starts"):
        read_gaps(path)


def test_on_aws_prometheus_and_a_time_must_be_named(tmp_path):
    from pangeo_deploy.collect_usage import gather
    from pangeo_deploy.deployment import Deployment
    from pangeo_deploy.targets import NotOnThisTarget

    aws = Deployment("prod", "aws", state=tmp_path)
    with pytest.raises(NotOnThisTarget, match="Prometheus") as caught:
        gather(aws, tmp_path / "out")
    assert "port-forward" in caught.value.fix
    with pytest.raises(BadInput, match="Missing start"):
        gather(aws, tmp_path / "out", prometheus="http://127.0.0.1:1")
    with pytest.raises(BadInput, match="no time"):
        gather(aws, tmp_path / "out", prometheus="http://127.0.0.1:1", start="yesterday-ish")


DIED = "JupyterHub base:1323] User {} server stopped, with exit code: -9"
GONE = "JupyterHub app:3082] {} appears to have stopped while the Hub was down"


def hours(sessions):
    length = sessions.table.end - sessions.table.start
    return [round(x, 4) for x in (length / pd.Timedelta(hours=1)).tolist()]


def test_a_killed_server_ends_when_it_died(tmp_path):
    """Killed at 10:15:12; its user comes back at 16:00. The old code told six hours."""
    lines = (
        "10:00:10.000 " + START.format("ann", "10.000"),
        "10:15:20.000 " + DIED.format("ann"),
        "16:00:10.000 " + START.format("ann", "10.000"),
        "16:30:00.000 " + STOP.format("ann"),
    )
    seen = pods(
        pod("ann", at("10:00:05"), at("10:15:12"), server="u1"),
        pod("ann", at("16:00:05"), at("16:29:57"), server="u2"),
    )
    log = hub_log(tmp_path, *lines)
    assert log.ended.tolist() == ["died", "stopped"]
    first, second = joined(seen, log).sessions().table.end
    assert (first, second) == (at("10:15:12"), at("16:30")), "the pod's, and the hub's stop"
    alone = from_log(tmp_path / "hub.log", cpu_cores=1, memory_gib=1).sessions()
    assert hours(alone) == [round((15 * 60 + 10) / 3600, 4), round((29 * 60 + 50) / 3600, 4)]


@pytest.mark.parametrize("line", [GONE.format("ann"), None])
def test_an_end_that_was_inferred_never_beats_a_sample(tmp_path, line):
    lines = ["10:00:10.000 " + START.format("ann", "10.000")]
    lines += [f"15:00:00.000 {line}"] if line else []
    lines += ["16:00:10.000 " + START.format("ann", "10.000")]
    seen = pods(pod("ann", at("10:00:05"), at("10:15:12")), pod("ann", at("16:00:05")))
    log = hub_log(tmp_path, *lines)
    assert log.ended.tolist()[0] == "inferred"
    assert joined(seen, log).sessions().table.end.tolist() == [at("10:15:12"), at("18:00")]


def test_workers_have_the_gateways_times_and_short_ones_are_counted():
    seen = pods(
        pod("ann", at("10:00:04"), at("10:10:00"), kind="dask-scheduler", server="s"),
        pod("ann", at("10:01:03"), at("10:09:57"), kind="dask-worker", server="w1"),
    )
    known = [
        ("dask-scheduler", "10:00:00", "10:10:02"),
        ("dask-worker", "10:01:00", "10:10:01"),
        ("dask-worker", "10:02:00", "10:02:09"),  # between two scrapes
    ]
    gateway = pd.DataFrame(
        [pod("ann", at(a), at(b), kind=kind) | {"cpu_cores": 9.0} for kind, a, b in known]
    )
    table = joined(seen, gateway=gateway).sessions().table
    rows = table[["kind", "start", "end"]].astype(object).to_numpy().tolist()
    assert rows == [[kind, at(a), at(b)] for kind, a, b in known]
    assert set(table.cpu_cores) == {1.0}, "the size that pods of the kind have"


def test_a_log_in_a_named_zone_is_right_on_both_sides_of_a_change_of_clocks(tmp_path):
    def starts(day, *times):
        path = tmp_path / "hub.log"
        lines = (f"[I {day} {time} {START.format('ann', '10.000')}\n" for time in times)
        path.write_text("".join(lines))
        raw = from_log(path, cpu_cores=1, memory_gib=1, zone="America/New_York").raw
        return [moment.strftime("%H:%M") for moment in raw.start]

    assert starts("2026-10-31", "10:00:10.000") == ["14:00"], "summer time"
    assert starts("2026-11-02", "10:00:10.000") == ["15:00"], "winter time"
    # 1 November: the clock shows half past one twice
    twice = starts("2026-11-01", "00:30:00.000", "01:30:00.000", "01:10:00.000", "02:30:00.000")
    assert twice == ["04:30", "05:30", "06:10", "07:30"]


def test_a_log_without_servers_is_no_error_after_a_restart(tmp_path):
    from pangeo_deploy.collect_usage import _log_of

    fresh = tmp_path / "hub.log"
    fresh.write_text("[I 2024-07-01 09:00:00.000 JupyterHub app:1] JupyterHub is now running\n")
    assert _log_of(fresh, None) is None
    with pytest.raises(BadInput, match="cannot be read"):
        _log_of(tmp_path / "none.log", None)


def test_the_same_sessions_from_two_sources_are_counted_once(tmp_path):
    rows = [
        pod("ann", at("09:00"), at("10:00"), server="uid-1"),
        pod("ann", at("09:10"), at("09:40"), kind="dask-worker", server="w1"),
        pod("ann", at("09:10"), at("09:40"), kind="dask-worker", server="w2"),
        pod("bob", at("09:00"), at("10:00"), server="uid-2"),
    ]
    write(check(pd.DataFrame(rows)), tmp_path / "a.csv")
    again = pd.DataFrame(rows)
    again["hub"], again["server"] = "hub", ["", "c", "c", ""]
    again["start"] += pd.Timedelta(seconds=-2)
    write(check(again), tmp_path / "b.csv")
    more = pd.DataFrame([pod("ann", at("09:10"), at("09:40"), kind="dask-worker", server="w3")] * 3)
    write(check(more), tmp_path / "c.csv")
    one = read(tmp_path / "a.csv")
    both = read([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert len(both.table) == len(one.table) == 4
    assert both.as_dict()["rejected_by_reason"] == {"twice": 4}
    three = read([tmp_path / name for name in ("a.csv", "b.csv", "c.csv")])
    assert (three.table.kind == "dask-worker").sum() == 3, "one of three was in neither"
