"""Sessions from a real Prometheus with known history, and from ones that answer wrongly."""

import pandas as pd
import pytest

from hub_costs.usage.collect import container_use
from hub_costs.usage.collect.prometheus import collect
from pangeo_core.errors import BadInput, MissingPrerequisite
from tests.hub_costs.usage.collect.conftest import ZERO, History, free_port

HOUR = 3600


def at(seconds):
    return pd.Timestamp(ZERO + seconds, unit="s", tz="UTC")


def seconds(table, name):
    return [(moment - at(0)).total_seconds() for moment in table[name]]


@pytest.fixture
def history():
    loaded = History()
    loaded.add("up", 1, 0, 12 * HOUR, job="ksm")
    node = {
        "label_node_kubernetes_io_instance_type": "r5.xlarge",
        "label_karpenter_sh_capacity_type": "spot",
    }
    loaded.add("kube_node_labels", 1, 0, 12 * HOUR, node="n1", **node)
    return loaded


def test_a_session_is_as_long_as_it_was_and_not_as_often_as_it_was_sampled(prometheus, history):
    # Ten minutes, started 17 s after a sample and completed 23 s before one: eleven samples.
    history.pod("short", 1037, 1637, first=1080, last=1700)
    ids = {"namespace": "prod", "pod": "short", "uid": "short"}
    history.add("kube_pod_completion_time", ZERO + 1637, 1680, 1800, **ids)
    history.pod("deleted", 100, 5000, user="bob")
    gone = {"namespace": "prod", "pod": "deleted", "uid": "deleted"}
    history.add("kube_pod_deletion_timestamp", ZERO + 4990, 4980, 5000, **gone)
    got = collect(prometheus(history), at(0), at(12 * HOUR), chunk_hours=2)
    sessions = got.sessions()
    assert seconds(sessions.table, "start") == [100, 1037]
    assert seconds(sessions.table, "end") == [4990, 1637]
    first = sessions.table.iloc[1]
    assert (first.user, first.hub, first.kind) == ("ada", "prod", "notebook")
    assert (first.cpu_cores, first.memory_gib) == (0.5, 2.0)
    assert (first.node_type, first.capacity) == ("r5.xlarge", "spot")
    assert got.gaps.empty


def test_restarts_gaps_and_new_names_neither_cut_nor_double_a_session(prometheus):
    history = History()
    # Prometheus itself was down for an hour; kube-state-metrics came back as another instance, and
    # the pod under another name: still the pod with this uid.
    for start, end in ((0, 2 * HOUR), (3 * HOUR, 6 * HOUR)):
        history.add("up", 1, start, end, job="ksm")
    history.pod("jupyter-ada", 600, 9 * HOUR, last=2 * HOUR, uid="one")
    moved = {"instance": "ksm-2"}
    again = {"start": 600, "end": 9 * HOUR, "first": 3 * HOUR, "last": 5 * HOUR}
    history.pod("jupyter-ada---1", **again, uid="one", labels=moved)
    # The same name again later is another pod, and so is a worker.
    history.pod("jupyter-ada", 5 * HOUR + 300, 6 * HOUR, uid="two")
    history.pod("dask-1", 300, HOUR, component="dask-worker", uid="three")
    history.pod("proxy", 0, 6 * HOUR, component="proxy", user=None)
    got = collect(prometheus(history), at(0), at(6 * HOUR), chunk_hours=1.5)
    table = got.sessions().table
    assert table.kind.tolist() == ["dask-worker", "notebook", "notebook"]
    assert seconds(table, "start") == [300, 600, 5 * HOUR + 300]
    last_sample = 5 * HOUR - 60
    assert seconds(table, "end") == [HOUR - 60, last_sample, 6 * HOUR]  # the last still runs
    assert [seconds(got.gaps, "start"), seconds(got.gaps, "end")] == [[2 * HOUR - 60], [3 * HOUR]]
    assert got.gaps.source.tolist() == ["prometheus"]


def test_waits_are_from_created_to_ready_and_use_is_each_pods_own(prometheus, history):
    # Two servers of one name: 1.5 cores and 1 GiB in the first, then 0.25 and 3 in the second.
    for uid, start, end, cores, gib in (("one", 600, 3600, 1.5, 1), ("two", 4200, 7200, 0.25, 3)):
        history.pod("jupyter-ada", start, end, uid=uid)
        ids = {"namespace": "prod", "pod": "jupyter-ada", "uid": uid}
        history.add("kube_pod_created", ZERO + start - 90, start, end, **ids)
        history.add("kube_pod_status_ready_time", ZERO + start + 30, start + 60, end, **ids)
        history.used("jupyter-ada", start, end, cores, gib)
    history.pod("jupyter-bob", 600, 1200, user="bob")
    got = collect(prometheus(history), at(0), at(3 * HOUR), chunk_hours=0.4)
    table = got.sessions().table
    ada = table[table.user == "ada"]
    assert ((ada.start - ada.requested).dt.total_seconds() == 120).all()
    assert seconds(ada, "start") == [630, 4230]
    assert ada.cpu_used_cores.tolist() == pytest.approx([1.5, 0.25])
    assert ada.memory_used_gib.tolist() == pytest.approx([1, 3])
    bob = table[table.user == "bob"].iloc[0]
    assert pd.isna(bob.requested)
    assert pd.isna(bob.cpu_used_cores)


def test_a_counter_that_was_reset_loses_nothing_and_a_gap_is_not_filled():
    stretches = container_use.Stretches()
    values = [(0, "0"), (60, "30"), (120, "10"), (1000, "500"), (1060, "NaN"), (1120, "530")]
    begin, end, amounts = stretches.of(container_use.CPU, {"pod": "a"}, values)
    assert (amounts.tolist(), (end - begin).tolist()) == ([30, 10, 30], [60, 60, 120])
    *_, later = stretches.of(container_use.CPU, {"pod": "a"}, [(1180, "540")])
    assert later.tolist() == [10]  # from the chunk before
    assert stretches.of(container_use.CPU, {"pod": "b"}, [])[0].size == 0


def test_a_pod_without_a_user_or_a_start_is_counted_not_lost(prometheus, history):
    history.pod("nobody", 600, 1200, user=None)
    history.pod("nan", 600, 1200, user="nan-start", value="NaN")
    history.pod("good", 600, 1200)
    sessions = collect(prometheus(history), at(0), at(2 * HOUR)).sessions()
    assert sessions.table.user.tolist() == ["ada"]
    assert sessions.as_dict()["rejected_by_reason"] == {"bad-time": 1, "no-user": 1}


def test_too_many_points_are_asked_for_in_smaller_chunks_or_named(prometheus, history):
    for number in range(10):
        history.pod(f"p{number}", 60, 6 * HOUR, user=f"u{number}")
    url = prometheus(history, "--query.max-samples=3000")
    got = collect(url, at(0), at(6 * HOUR), chunk_hours=6)
    assert sorted(got.sessions().table.user) == [f"u{n}" for n in range(10)]


def test_what_stays_too_large_is_named(service):
    url = service(lambda path: (422, {"status": "error", "error": "query: too many samples"}))
    with pytest.raises(BadInput, match="too large") as caught:
        collect(url, at(0), at(300))
    assert "max-samples" in caught.value.fix


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (200, "<html>log in</html>", "not JSON"),
        (200, {"status": "success", "data": {"result": []}, "warnings": ["no store"]}, "in part"),
        (200, {"status": "success", "isPartial": True, "data": {"result": []}}, "in part"),
        (200, {"status": "success"}, "in part"),
        (400, {"status": "error", "error": "bad_data"}, "refused"),
        (403, {"message": "forbidden"}, "refused"),
        (200, ["x"], "refused"),
    ],
)
def test_an_answer_that_cannot_be_trusted_is_refused_by_name(service, status, body, says):
    with pytest.raises(BadInput, match=says) as caught:
        collect(service(lambda path: (status, body)), at(0), at(300))
    assert caught.value.fix


def test_no_answer_is_named():
    with pytest.raises(MissingPrerequisite, match="does not answer"):
        collect(f"http://127.0.0.1:{free_port()}", at(0), at(300), timeout=2)
    with pytest.raises(BadInput, match="empty"):
        collect("http://127.0.0.1:1", at(300), at(0))
