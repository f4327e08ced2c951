"""Sessions from JupyterHub's API and log, Dask-Gateway's database and BinderHub's events."""

import asyncio
import json
import sqlite3

import pandas as pd
import pytest

from hub_costs.usage.collect import binder_events, gateway_database, hub_records
from pangeo_core.errors import BadInput

SIZE = {"cpu_cores": 1.0, "memory_gib": 4.0}


def at(text):
    return pd.Timestamp(f"2024-07-01T{text}", tz="UTC")


def user(name, started, active=None, server=""):
    return {"name": name, "servers": {server: {"started": started, "last_activity": active}}}


def test_a_server_in_many_snapshots_is_one_session():
    ada = ("ada", "2024-07-01T09:00:00Z")
    shots = [
        (at("10:00"), [user(*ada, "2024-07-01T09:50:00Z"), {"name": "eve", "servers": {}}]),
        (at("11:00"), [user(*ada, "2024-07-01T10:20:00Z"), user("bob", "2024-07-01T10:30:00Z")]),
        (at("12:00"), [user("bob", "2024-07-01T10:30:00Z"), user("ada", "2024-07-01T11:40:00Z")]),
    ]
    sessions = hub_records.from_snapshots(shots, **SIZE).sessions()
    rows = sessions.table[["user", "start", "end"]].astype(str).to_numpy().tolist()
    assert rows == [
        ["ada", "2024-07-01 09:00:00+00:00", "2024-07-01 11:00:00+00:00"],
        ["bob", "2024-07-01 10:30:00+00:00", "2024-07-01 12:00:00+00:00"],  # still runs
        ["ada", "2024-07-01 11:40:00+00:00", "2024-07-01 12:00:00+00:00"],
    ]
    assert sessions.table.last_activity.iloc[0] == at("10:20")
    with pytest.raises(BadInput, match="no snapshot"):
        hub_records.from_snapshots([], **SIZE)


def test_all_pages_of_users_are_read_and_a_refusal_does_not_show_the_token(service):
    def pages(path):
        offset = int(path.split("offset=")[1].split("&")[0])
        after = {"offset": offset + 1} if offset < 2 else None
        return 200, {"items": [{"name": f"u{offset}"}], "_pagination": {"next": after}}

    users = hub_records.snapshot(f"{service(pages)}/hub/api", "secret-token")
    assert [one["name"] for one in users] == ["u0", "u1", "u2"]
    refusing = service(lambda path: (403, {"message": "Action is not authorized"}))
    with pytest.raises(BadInput, match="403") as caught:
        hub_records.snapshot(refusing, "secret-token")
    assert "secret-token" not in str(caught.value)


LOG = """\
[I 2024-07-01 09:00:12.345 JupyterHub base:1144] User ada took 12.345 seconds to start
[I 2024-07-01 09:00:13.000 JupyterHub log:192] 302 GET /hub/spawn-pending/ada -> /user/ada/
[I 2024-07-01 09:30:00.000 JupyterHub base:1144] User ada:second took 5.000 seconds to start
[I 2024-07-01 09:45:00.000 JupyterHub base:1383] User old server took 0.500 seconds to stop
[I 2024-07-01 10:00:00.000 JupyterHub base:1383] User ada server took 1.000 seconds to stop
[I 2024-07-01 11:00:05.000 JupyterHub base:1144] User bob took 5.000 seconds to start
[I 2024-07-01 12:00:05.000 JupyterHub base:1144] User bob took 5.000 seconds to start
"""


def test_a_log_tells_starts_stops_and_waits(tmp_path):
    path = tmp_path / "hub.log"
    path.write_text(LOG + "[I 2024-07-01 13:00:00.000 JupyterHub base:1383] "
                    "User bob server took 1.000 seconds to stop\n")  # fmt: skip
    table = hub_records.from_log(path, **SIZE).sessions().table
    rows = {(r.user, r.start.strftime("%H:%M:%S")): r for r in table.itertuples()}
    assert rows[("ada", "09:00:12")].end == at("10:00")
    assert rows[("ada", "09:00:12")].requested == at("09:00:00")
    assert rows[("ada", "09:30:00")].end == at("13:00")  # never stopped: runs on
    assert rows[("old", "09:00:12")].end == at("09:45")  # ran before the log began
    assert rows[("bob", "11:00:05")].end == at("12:00")  # the hub restarted in between
    assert len(table) == 5
    (tmp_path / "empty.log").write_text("nothing\n")
    for wrong in ("empty.log", "none.log"):
        with pytest.raises(BadInput, match=wrong):
            hub_records.from_log(tmp_path / wrong, **SIZE)


def test_the_log_lines_are_those_of_the_jupyterhub_that_is_installed():
    from jupyterhub.handlers import base as handlers

    source = open(handlers.__file__).read()  # noqa: PTH123, SIM115
    assert '"User %s took %.3f seconds to start"' in source
    assert '"User %s server took %.3f seconds to stop"' in source


def test_clusters_and_workers_come_from_the_gateways_own_database(tmp_path):
    db_base = pytest.importorskip("dask_gateway_server.backends.db_base")
    path = tmp_path / "gateway.sqlite"
    key = db_base._normalize_encrypt_key("0" * 32)
    zero = 1_720_000_000_000

    async def write():  # the gateway's own code, which needs a running loop
        manager = db_base.DataManager(url=f"sqlite:///{path}", encrypt_keys=[key])
        cluster = manager.create_cluster("ada", {}, {})
        workers = [manager.create_worker(cluster) for _ in range(2)]
        for worker, stop in zip(workers, (zero + 3_600_000, None), strict=True):
            manager.update_worker(worker, start_time=zero + 60_000, stop_time=stop)
        manager.update_cluster(cluster, start_time=zero, stop_time=zero + 7_200_000)
        manager.db.dispose()

    asyncio.run(write())
    table = gateway_database.collect(path, worker_cores=2, worker_memory_gib=8).sessions().table
    assert table.kind.tolist() == ["dask-scheduler", "dask-worker", "dask-worker"]
    assert set(table.user) == {"ada"}
    hours = ((table.end - table.start) / pd.Timedelta(minutes=1)).tolist()
    assert sorted(hours) == [59, 119, 120]  # a worker without a stop ends with its cluster
    (tmp_path / "other.sqlite").write_bytes(b"not a database")
    for wrong in ("other.sqlite", "none.sqlite"):
        with pytest.raises(BadInput, match=wrong.replace(".", r"\.")):
            gateway_database.collect(tmp_path / wrong, worker_cores=1, worker_memory_gib=1)


def event(**changes):
    base = {"timestamp": "2024-07-01T10:00:00+00:00", "schema": binder_events.SCHEMA, "version": 5}
    more = {"provider": "GitHub", "spec": "a/b/main", "status": "success", "origin": "ovh"}
    return json.dumps({**base, **more, **changes})


def test_launches_are_sessions_and_missing_days_are_gaps(tmp_path):
    lines = [event(), event(status="failure"), "{broken", event(schema="other"), event()]
    first, third = tmp_path / "events-2024-07-01.jsonl", tmp_path / "events-2024-07-03.jsonl"
    first.write_text("\n".join(lines))
    third.write_text(event(timestamp="2024-07-03T23:59:00+00:00") + "\n")
    got = binder_events.collect([first, third], hours=0.5)
    sessions = got.sessions()
    assert len(sessions.table) == 3
    assert sessions.table.user.is_unique
    assert sessions.as_dict()["rejected_by_reason"] == {"bad-time": 2}
    assert sessions.table.end.max() == pd.Timestamp("2024-07-04T00:29", tz="UTC")
    assert [str(day.date()) for day in got.gaps.start] == ["2024-07-02"]
    with pytest.raises(BadInput, match="which day"):
        binder_events.collect([tmp_path / "launches.jsonl"])
    with pytest.raises(BadInput, match="cannot be read"):
        binder_events.collect([tmp_path / "events-2024-07-09.jsonl"])


def test_records_of_a_hub_without_prometheus_become_one_table(cli, tmp_path):
    log, launches, out = (tmp_path / name for name in ("hub.log", "events-2024-07-01.jsonl", "out"))
    log.write_text(LOG)
    launches.write_text("\n".join([event(), event()]))
    nothing = cli("usage", "import", "--out", str(out), "--json")
    assert nothing.code == 2
    assert "--log" in nothing.json["error"]["fix"]
    assert not out.exists()

    records = ("--log", str(log), "--events", str(launches), "--memory-gib", "4")
    ran = cli("usage", "import", "--out", str(out), *records, "--json")
    assert ran.code == 0, ran.err
    table = pd.read_csv(out / "sessions.csv")
    assert table.kind.value_counts().to_dict() == {"notebook": 5, "binder": 2}
    assert set(table[table.kind == "notebook"].memory_gib) == {4.0}
    report = cli("usage", "report", "--sessions", str(out / "sessions.csv"), "--json")
    assert report.code == 0, report.err


@pytest.mark.parametrize(
    "line",
    [
        "[I 2024-13-45 09:00:00.000 JupyterHub base:1144] User eve took 1.0 seconds to start",
        "[I 2024-07-01 25:61:61.000 JupyterHub base:1144] User eve took 1.0 seconds to start",
        "[I 0000-00-00 00:00:00.000 JupyterHub base:1144] User eve took 1.0 seconds to start",
        "[I 0001-01-01 00:00:00.000 JupyterHub base:1144] User eve took 1.0 seconds to start",
        "[I 2024-07-01 09:00:00.000 JupyterHub base:1144] User eve took 1.2.3 seconds to start",
        "[I 2024-07-01 09:00:00.000 JupyterHub base:1144] User eve took 99999999 seconds to start",
        "[I 2024-07-01 09:00:00.000 JupyterHub base:1144] User  took 1.0 seconds to start",
        "\x00\x1b[31m\ufffd",
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/New_York"])
def test_a_line_that_is_broken_does_not_end_the_reading_of_a_log(tmp_path, line, zone):
    path = tmp_path / "hub.log"
    path.write_text(f"{line}\n{LOG}{line}\n")
    sessions = hub_records.from_log(path, **SIZE, zone=zone)
    users = set(sessions.raw.user)
    assert {"ada", "old"} <= users
    assert "eve" not in users or line.startswith("[I 0001")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "/etc/passwd"])
def test_a_time_zone_that_there_is_not_is_named(tmp_path, zone):
    path = tmp_path / "hub.log"
    path.write_text(LOG)
    with pytest.raises(BadInput, match="time zone"):
        hub_records.from_log(path, **SIZE, zone=zone)


def test_a_log_is_imported_in_its_own_zone(tmp_path):
    from pangeo_deploy.collect_usage import bring

    path = tmp_path / "hub.log"
    path.write_text(LOG)
    starts = [
        bring(tmp_path / zone.replace("/", "-"), log=path, zone=zone).sessions.table.start.max()
        for zone in ("UTC", "America/New_York")
    ]
    assert starts[1] - starts[0] == pd.Timedelta(hours=4)


@pytest.mark.parametrize("time", ["10000000000000000000", "'soon'", "-99999999999999999", "null"])
def test_a_gateways_time_that_is_none_is_counted_not_raised(tmp_path, time):
    path = tmp_path / "gateway.sqlite"
    database = sqlite3.connect(path)
    database.executescript(
        "create table clusters (id, username, name, start_time, stop_time);"
        "create table workers (cluster_id, name, start_time, stop_time);"
        f"insert into clusters values (1, 'ada', 'c', {time}, null);"
    )
    database.commit()
    size = {"worker_cores": 1, "worker_memory_gib": 4}
    with pytest.raises(BadInput, match="started"):
        gateway_database.collect(path, **size)
    database.execute("insert into clusters values (2, 'bob', 'd', 1719824400000, 1719828000000)")
    database.commit()
    database.close()
    sessions = gateway_database.collect(path, **size).sessions()
    assert sessions.table.user.tolist() == ["bob"]
    assert len(sessions.rejected) == 1
