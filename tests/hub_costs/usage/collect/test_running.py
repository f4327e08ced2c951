"""A running hub's sessions: pods, the hub's log and its API, joined."""

import pandas as pd
import pytest

from hub_costs.usage.collect import Collected
from hub_costs.usage.collect.hub_records import from_log
from hub_costs.usage.collect.running import joined
from hub_costs.usage.homes import measure
from hub_costs.usage.session_files import read_gaps
from pangeo_core.errors import BadInput, MissingPrerequisite


def at(text):
    return pd.Timestamp(f"2024-07-01T{text}", tz="UTC")


def pod(user, start, end=None, kind="notebook", server="p"):
    row = {"user": user, "hub": "prod", "kind": kind, "start": start, "end": end}
    sizes = {"cpu_cores": 1.0, "memory_gib": 4.0, "node_type": "", "capacity": "on-demand"}
    return {**row, **sizes, "server": server, "requested": None, "cpu_used_cores": 0.5}


def pods(*rows):
    return Collected(pd.DataFrame(list(rows)), "prometheus", at("08:00"), at("18:00"))


def told(tmp_path, *lines):
    path = tmp_path / "hub.log"
    path.write_text("".join(f"[I 2024-07-01 {line}\n" for line in lines))
    return from_log(path, cpu_cores=0, memory_gib=0).raw


START = "JupyterHub base:1144] User {} took {} seconds to start"
STOP = "JupyterHub base:1383] User {} server took 1.000 seconds to stop"


def test_the_log_says_when_and_the_pod_how_much(tmp_path):
    log = told(
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
    log = told(
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

    aws = Deployment("prod", "aws", state=tmp_path)
    with pytest.raises(MissingPrerequisite, match="Prometheus") as caught:
        gather(aws, tmp_path / "out")
    assert "port-forward" in caught.value.fix
    with pytest.raises(BadInput, match="Since when"):
        gather(aws, tmp_path / "out", prometheus="http://127.0.0.1:1")
    with pytest.raises(BadInput, match="no time"):
        gather(aws, tmp_path / "out", prometheus="http://127.0.0.1:1", start="yesterday-ish")
