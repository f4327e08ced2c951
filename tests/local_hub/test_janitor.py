"""What outstays is found, priced and ended; what is wanted is left alone."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

from hub_user import cells, janitor
from hub_user.cells import with_values
from hub_user.user import HubRefused, User
from local_hub import dask_clusters
from local_hub.fault_injection import clusters, until
from pangeo_core.errors import CheckFailed, PangeoDeployError
from pangeo_deploy.charts.values import complete, settings
from pangeo_deploy.targets import kubernetes_clusters
from tests.conftest import PROJECT, Ran
from tests.local_hub.conftest import Rig

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
SETTINGS = settings(PROJECT, "prod")
SHAPES = {"users": "r5.2xlarge", "dask": "m5.2xlarge"}
PRICES = {"r5.2xlarge": Decimal("0.504"), "m5.2xlarge": Decimal("0.384")}


def price(service: str, item: str) -> Decimal | None:
    assert service == "ec2"
    return PRICES.get(item)


class Hub:
    """A hub's answers, and what it was asked to end."""

    page_size = 2  # JupyterHub's is 200, and cannot be asked away

    def __init__(
        self,
        now: datetime = NOW,
        away: dict[str, float] | None = None,
        **servers: tuple[float, float],
    ) -> None:
        self.deleted: list[str] = []
        self.people: list[dict[str, Any]] = [
            {"name": name, "servers": {"": self.server(now, *hours)}}
            for name, hours in servers.items()
        ]
        for name, hours in (away or {}).items():  # hours since they were last seen, without server
            seen = (now - timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
            self.people.append({"name": name, "servers": {}, "last_activity": seen})

    def page(self, path: str) -> dict[str, Any]:
        """Answer as JupyterHub 5 does to `Accept: application/jupyterhub-pagination+json`."""
        offset = int(path.partition("offset=")[2])
        after = offset + self.page_size
        following = {"offset": after} if after < len(self.people) else None
        pagination = {"total": len(self.people), "next": following}
        return {"items": self.people[offset:after], "_pagination": pagination}

    @staticmethod
    def server(now: datetime, old: float, idle: float) -> dict[str, Any]:
        def ago(hours: float) -> str:
            return (now - timedelta(hours=hours)).isoformat().replace("+00:00", "Z")

        return {"started": ago(old), "last_activity": ago(idle), "user_options": {}}

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None) -> Any:
        if method == "DELETE":
            self.deleted.append(path)
            return None
        return type("Answer", (), {"json": lambda _: self.page(path)})()


def cluster(owner: str, hours: float, end: Callable[[], None] = lambda: None) -> janitor.Cluster:
    return janitor.Cluster(f"of-{owner}", owner, NOW - timedelta(hours=hours), 4, 1, 4.0, end)


def round_of(hub: Hub, *found: janitor.Cluster, clean: bool = False) -> janitor.Round:
    return janitor.make_round(hub, found, SETTINGS, SHAPES, price, clean, NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "idle", "reason"),
    [(2, 0.5, None), (11, 0.1, None), (13, 0.1, "13.0 h old"), (5, 2, "idle for 2.0 h")],
)
def test_a_server_past_its_age_or_idle_is_found(
    old: float, idle: float, reason: str | None
) -> None:
    found = round_of(Hub(ann=(old, idle))).outstayed
    assert [one.reason.startswith(reason or "-") for one in found] == ([True] if reason else [])
    # An eighth of an r5.2xlarge.
    assert [one.usd_per_hour for one in found] == (["0.0630"] if reason else [])


def test_a_cluster_needs_an_owner_who_is_there() -> None:
    hub = Hub(ann=(1, 0), away={"bob": 2, "cleo": 0.1})
    seen = round_of(hub, *(cluster(name, 3) for name in ("ann", "bob", "cleo", "gone")))
    assert (seen.servers, seen.clusters, seen.ok) == (1, 4, False)
    assert [(one.owner, one.reason) for one in seen.outstayed] == [
        ("bob", "bob has had no server for 2.0 h"),  # cleo restarts hers, or works from elsewhere
        ("gone", "gone is not a user of the hub"),
    ]
    # Four workers of an eighth of an m5.2xlarge.
    assert seen.outstayed[0].usd_per_hour == "0.1920"
    young = round_of(hub, cluster("bob", 0.5), cluster("gone", 0.1))
    assert young.outstayed == ()


def test_a_cluster_of_a_launch_ends_with_it() -> None:
    """At once, whether its owner has an ordinary server by then, or none."""
    hub = Hub(ann=(1, 0), bob=(1, 0), away={"cleo": 0.1})
    hub.people[0]["servers"][""]["user_options"] = {"image": "binder/example:1"}
    made = [replace(cluster(name, 0.05), launched=True) for name in ("ann", "bob", "cleo")]
    seen = round_of(hub, *made)
    assert [one.owner for one in seen.outstayed] == ["bob", "cleo"]
    assert "launched from Binder" in seen.outstayed[0].reason


@pytest.mark.parametrize("missing", ["pending", "started"])
def test_a_server_that_comes_or_goes_is_left_to_the_hub(missing: str) -> None:
    hub = Hub(ann=(13, 13))
    server = hub.people[0]["servers"][""]
    server |= {"pending": "stop"} if missing == "pending" else {"started": None}
    assert round_of(hub).outstayed == ()


def test_every_page_of_the_hubs_answer_is_read() -> None:
    hub = Hub(**{f"p{number:03}": (1, 0) for number in range(205)})
    hub.page_size = 200
    seen = round_of(hub, *(cluster(f"p{number:03}", 1) for number in range(205)))
    assert (seen.servers, seen.outstayed) == (205, ())


def test_nothing_is_stopped_if_the_hub_does_not_tell_of_everybody() -> None:
    hub = Hub(ann=(13, 0), bob=(1, 0), cleo=(1, 0))
    whole = hub.page

    def without_the_last(path: str) -> dict[str, Any]:
        page = whole(path)
        return {**page, "items": [one for one in page["items"] if one["name"] != "cleo"]}

    hub.page = without_the_last  # type: ignore[method-assign]
    ended: list[str] = []
    with pytest.raises(CheckFailed, match="all of its users"):
        round_of(hub, cluster("cleo", 3, lambda: ended.append("cleo")), clean=True)
    assert (ended, hub.deleted) == ([], [])


def test_a_cluster_that_vanished_does_not_end_the_round() -> None:
    def vanished() -> None:
        raise HubRefused("Gone", status=404)

    def stuck() -> None:
        raise PangeoDeployError("The gateway does not answer.")

    ended: list[str] = []
    found = [
        cluster("gone", 1, vanished),
        cluster("stuck", 1, stuck),
        cluster("last", 1, lambda: ended.append("last")),
    ]
    seen = round_of(Hub(ann=(1, 0)), *found, clean=True)
    assert [one.ended for one in seen.outstayed] == [True, False, True]
    assert ended == ["last"]
    assert "not stopped: The gateway does not answer." in seen.outstayed[1].reason
    assert not seen.ok


def test_cleaning_ends_what_is_reported_and_nothing_else() -> None:
    ended: list[str] = []
    hub = Hub(ann=(13, 0), bob=(1, 0))
    found = [
        cluster("bob", 1, lambda: ended.append("bob")),
        cluster("eve", 1, lambda: ended.append("eve")),
    ]
    assert not round_of(hub, *found).ok
    assert (ended, hub.deleted) == ([], [])
    seen = round_of(hub, *found, clean=True)
    assert seen.ok
    assert ended == ["eve"]
    assert hub.deleted == ["/hub/api/users/ann/server"]


def test_a_price_that_is_not_known_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(PRICES, "m5.2xlarge")
    assert round_of(Hub(), cluster("bob", 1)).outstayed[0].usd_per_hour is None


def test_an_orphaned_cluster_of_a_real_gateway_is_ended(rig: Rig, ann: User) -> None:
    with ann.kernel() as kernel:
        name = kernel.result(with_values(cells.NEW_CLUSTER, wanted={}))["name"]
        found = {one.name: one for one in dask_clusters.clusters(rig.folder)}
        assert found[name].owner == "ann"
        assert found[name].memory_gib == SETTINGS["dask"]["worker_memory_gib"]
        hub = User(rig.url, "janitor", rig.state.secrets["janitor"])
        soon = datetime.now(UTC) + timedelta(minutes=30)
        seen = janitor.make_round(hub, [found[name]], SETTINGS, SHAPES, price, now=soon)
        assert seen.outstayed == ()  # ann's server runs
        late = datetime.now(UTC) + timedelta(hours=13)
        seen = janitor.make_round(hub, [found[name]], SETTINGS, SHAPES, price, now=late)
        assert {one.kind for one in seen.outstayed} == {"cluster", "server"}
        found[name].end()
        until(lambda: name not in clusters(ann))


class Kubernetes(BaseHTTPRequestHandler):
    """An API server with three clusters, which writes down what it was asked to change.

    It answers for a hub, too, where Ann has a young server and another person an old one.
    """

    asked: ClassVar[list[tuple[str, str, Any]]] = []
    owners = ("ann", "gone", "ended")
    status = 200  # of a change

    def do_GET(self) -> None:
        if self.path.startswith("/hub/"):
            self.answer(Hub(datetime.now(UTC), ann=(1, 0), gone=(13, 0)).page(self.path))
            return
        hours_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        items = [
            {
                "metadata": {"name": f"of-{owner}", "creationTimestamp": hours_ago},
                "spec": {"username": owner, "active": owner != "ended"},
            }
            for owner in self.owners
        ]
        self.answer({"items": items})

    def do_PATCH(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.path, self.headers["Authorization"], body))
        self.answer({}, self.status)

    def do_DELETE(self) -> None:
        self.asked.append((self.path, self.headers["Authorization"], None))
        self.answer({})

    def answer(self, body: Any, status: int = 200) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def kubernetes() -> Iterator[str]:
    Kubernetes.asked.clear()
    with HTTPServer(("127.0.0.1", 0), Kubernetes) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def cronjob(rig: Rig, kubernetes: str, folder: Path, **other: str) -> Ran:
    """Run what the chart's CronJob runs, as its ConfigMap lays it out."""
    code = complete(PROJECT, "pangeo", "prod")["janitor"]["code"]
    for name, text in code.items():
        (folder / name).write_text(text)
    for name, text in (("token", "pods-own"), ("namespace", "pangeo")):
        (folder / name).write_text(text)
    environment = {
        "HUB_API": f"{rig.url}/hub/api",
        "JANITOR_TOKEN": rig.state.secrets["janitor"],
        "KUBERNETES_API": kubernetes,
        "IDENTITY": str(folder),
        "CULLING": json.dumps(SETTINGS["culling"]),
        **other,
    }
    command = [sys.executable, "-I", "-c", RUN, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return Ran(done.returncode, done.stdout, done.stderr)


# As `python3 /etc/janitor/janitor.py`, without this interpreter's packages: none is in the image.
RUN = "import sys, runpy; sys.path[:] = [p for p in sys.path if 'site-packages' not in p]; " + (
    "sys.path.insert(0, sys.argv[1]); runpy.run_path(sys.argv[1] + '/janitor.py')"
)


def test_the_cronjob_ends_a_cluster_without_an_owner_and_no_other(
    rig: Rig, ann: User, kubernetes: str, tmp_path: Path
) -> None:
    ran = cronjob(rig, kubernetes, tmp_path)
    assert ran.code == 0, ran.err
    told = ran.json
    assert (told["cluster"], told["why"]) == ("of-gone", "gone is not a user of the hub")
    ((path, authorization, body),) = Kubernetes.asked
    assert path.endswith("/namespaces/pangeo/daskclusters/of-gone")
    assert (authorization, body) == ("Bearer pods-own", {"spec": {"active": False}})
    assert ann.whoami()["servers"]


@pytest.mark.parametrize(("status", "code"), [(404, 0), (409, 1)])
def test_the_cronjob_goes_on_after_a_cluster_that_it_cannot_end(
    rig: Rig,
    kubernetes: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    code: int,
) -> None:
    monkeypatch.setattr(Kubernetes, "status", status)
    monkeypatch.setattr(Kubernetes, "owners", ("nobody",))
    ran = cronjob(rig, kubernetes, tmp_path, HUB_API=f"{kubernetes}/hub/api")
    assert ran.code == code, ran.err
    assert [path.rpartition("/")[2] for path, *_ in Kubernetes.asked] == ["of-nobody", "server"]


def test_the_cronjob_ends_a_server_past_its_age(rig: Rig, kubernetes: str, tmp_path: Path) -> None:
    # A hub with old servers: the clusters of those who have one may stay.
    ran = cronjob(rig, kubernetes, tmp_path, HUB_API=f"{kubernetes}/hub/api")
    assert ran.code == 0, ran.err
    assert "13.0 h old" in ran.json["why"]
    ((path, authorization, _),) = Kubernetes.asked
    assert path == "/hub/api/users/gone/server"
    assert authorization == f"token {rig.state.secrets['janitor']}"


@pytest.mark.parametrize("broken", ["JANITOR_TOKEN", "KUBERNETES_API"])
def test_a_cronjob_that_is_refused_fails_and_shows_no_token(
    rig: Rig, kubernetes: str, tmp_path: Path, broken: str
) -> None:
    wrong = {"JANITOR_TOKEN": "0" * 32, "KUBERNETES_API": "http://127.0.0.1:9"}[broken]
    ran = cronjob(rig, kubernetes, tmp_path, **{broken: wrong})
    assert ran.code != 0
    assert rig.state.secrets["janitor"] not in ran.out + ran.err
    assert Kubernetes.asked == []


def test_clusters_on_kubernetes_are_read_as_the_gateway_writes_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resource = {
        "metadata": {"name": "c1", "creationTimestamp": "2026-11-01T09:00:00Z"},
        "spec": {
            "username": "ann",
            "replicas": 3,
            "config": {"worker_cores": 2, "worker_memory": 8 * 2**30},
        },
    }
    gone = {**resource, "status": {"completionTime": "2026-11-01T10:00:00Z"}}
    calls: list[tuple[str, ...]] = []

    def kubectl(*words: str) -> str:
        calls.append(words)
        return json.dumps({"items": [resource, gone]})

    monkeypatch.setattr(kubernetes_clusters, "kubectl", kubectl)
    (found,) = kubernetes_clusters.clusters("pangeo")
    assert (found.owner, found.workers, found.cores, found.memory_gib) == ("ann", 3, 2.0, 8.0)
    assert found.started == NOW - timedelta(hours=3)
    found.end()
    assert calls[-1][:3] == ("patch", kubernetes_clusters.KIND, "c1")


def test_a_hub_without_a_gateway_has_no_clusters(tmp_path: Path) -> None:
    assert dask_clusters.clusters(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
