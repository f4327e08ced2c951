"""Launches from a real BinderHub: what it lets run, how much of it, and what it refuses."""

import http.client
import json
import shutil
from collections.abc import Iterator
from urllib.parse import quote

import pytest
import requests

from hub_user import binder_launch, cells
from hub_user.binder_launch import Launch, LaunchRefused, launch
from hub_user.user import HubRefused, User
from local_hub import hub_state, hub_status, parts
from local_hub.definition import HubPlace
from local_hub.fault_injection import until
from pangeo_core.errors import BadInput, MissingPrerequisite
from tests.local_hub.conftest import Rig


@pytest.fixture(scope="module")
def bobs(rig: Rig) -> Iterator[tuple[User, Launch]]:
    """What Bob has launched, after a file of his own was put into his home."""
    bob = rig.user("bob")
    home = rig.folder / "homes" / "bob"
    home.mkdir(parents=True, exist_ok=True)
    (home / "own.txt").write_text("mine")
    shutil.rmtree(rig.folder / "images", ignore_errors=True)  # another test may have built it
    yield bob, launch(bob, repository(rig, "example"))
    bob.stop_server()


def repository(rig: Rig, name: str) -> str:
    return hub_status.repository(rig.place, name)


def refused(user: User, spec: str) -> LaunchRefused:
    """Return the refusal of a launch that must leave nothing behind."""
    before = user.whoami()["servers"]
    with pytest.raises(LaunchRefused) as seen:
        launch(user, spec)
    assert user.whoami()["servers"].keys() == before.keys()
    return seen.value


def test_a_launch_goes_through_binderhubs_phases(bobs: tuple[User, Launch]) -> None:
    _, seen = bobs
    assert seen.image.startswith(hub_state.IMAGES)
    assert seen.url.endswith("/user/bob/")
    (server,) = bobs[0].whoami()["servers"].values()
    assert "--launch.localhost" in server["url"]  # an origin that no server of Bob's own has
    assert [one for one in seen.phases if one in ("waiting", "built", "launching", "ready")] == [
        "waiting",
        "built",
        "launching",
        "ready",
    ]


def test_a_launched_server_has_the_repository_and_nothing_of_its_user(
    rig: Rig, bobs: tuple[User, Launch]
) -> None:
    bob, _ = bobs
    with bob.kernel() as kernel:
        seen = kernel.result(cells.LAUNCHED)
        assert kernel.run("import answer; print(answer.answer())").strip() == "42"
        token = kernel.result(
            "import os, json; print(json.dumps(os.environ['JUPYTERHUB_API_TOKEN']))"
        )
    assert "answer.py" in seen["files"]
    assert "own.txt" not in seen["files"]
    assert seen["repository"].startswith(rig.state.url("repositories"))
    assert (seen["scratch"], seen["credentials"]) == ("", "NoCredentialsError")
    with pytest.raises(HubRefused) as denied:  # nor by asking where its SDK was not told to
        User(rig.url, "bob", token).ask("GET", "/services/identity/credentials")
    assert denied.value.status == 403


def test_a_person_has_one_server(rig: Rig, bobs: tuple[User, Launch]) -> None:
    bob, _ = bobs
    assert "already has a running server" in refused(bob, repository(rig, "second")).why


def test_a_repository_runs_as_often_as_its_limit(rig: Rig, bobs: tuple[User, Launch]) -> None:
    other = rig.user("learner-01")
    assert "Too many users running" in refused(other, repository(rig, "example")).why


def test_what_is_banned_is_not_launched(rig: Rig) -> None:
    user = rig.user("ann")
    for spec in (repository(rig, "miner"), "gh/somebody/xmrig/main"):
        assert "disabled" in refused(user, spec).why
    assert not list((rig.folder / "images").glob("*miner*"))


def sent_as_written(rig: Rig, user: User, spec: str) -> str:
    """Return BinderHub's last word on a launch whose path is sent as it is: libraries decode it."""
    connection = http.client.HTTPConnection("127.0.0.1", rig.state.ports["binder"], timeout=60)
    headers = {"Authorization": f"token {user.token}", "Accept": "text/event-stream"}
    connection.request("GET", f"/services/binder/build/{spec}", headers=headers)
    lines = connection.getresponse().read().splitlines()
    connection.close()
    return str(json.loads([line for line in lines if line.startswith(b"data:")][-1][5:])["phase"])


@pytest.mark.parametrize("spelling", ["miner", "%6diner", "%256diner", "MINER", "%25256diner"])
def test_no_spelling_of_what_is_banned_is_launched(rig: Rig, spelling: str) -> None:
    spec = repository(rig, "miner").replace("miner", spelling)
    user = rig.user("learner-08")
    assert sent_as_written(rig, user, spec) == "failed"
    assert not user.whoami()["servers"]


@pytest.mark.parametrize(
    "address", ["file:///srv/private", "ext::sh -c id", "git@host:a/b", "../x"]
)
def test_only_the_allowed_protocols_are_cloned(rig: Rig, address: str) -> None:
    spec = f"git/{quote(address, safe='')}/{'0' * 40}"
    seen = refused(rig.user("learner-08"), spec)
    assert "disabled" in seen.why  # before anything is fetched
    assert "fetching" not in seen.phase


GATEWAY = "/services/dask-gateway/api/v1/clusters/"


def test_a_launched_server_has_no_way_to_dask_or_binder(
    rig: Rig, bobs: tuple[User, Launch]
) -> None:
    bob, _ = bobs
    with bob.kernel() as kernel:
        token, dask = kernel.result(
            "import os, json; print(json.dumps([os.environ['JUPYTERHUB_API_TOKEN'],"
            "[name for name in os.environ if name.startswith('DASK_GATEWAY__')]]))"
        )
    stranger = User(rig.url, "bob", token)
    assert not [one for one in stranger.whoami()["scopes"] if one.startswith("access:services")]
    assert dask == []
    for method in ("GET", "POST"):
        with pytest.raises(HubRefused) as denied:
            stranger.ask(method, GATEWAY, scheme="jupyterhub", json={})
        assert denied.value.status in (401, 403)
    with pytest.raises((LaunchRefused, HubRefused)):
        launch(stranger, repository(rig, "second"))


def test_only_binder_starts_an_image_and_the_next_start_is_ones_own(rig: Rig) -> None:
    user = rig.user("learner-07")
    home = rig.folder / "homes" / user.name
    home.mkdir(parents=True, exist_ok=True)
    (home / "own.txt").write_text("mine")
    seen = launch(user, repository(rig, "second"))
    user.stop_server()
    with pytest.raises(HubRefused, match=r"did not start|403") as refusal:
        user.start_server({"image": seen.image, "repo_url": "https://trusted.example/nice"})
    assert "Only Binder" in refusal.value.why
    user.ask("POST", f"/hub/api/users/{user.path}/server")  # without a word, as Start My Server
    until(lambda: user.whoami()["servers"][""]["ready"])
    (server,) = user.whoami()["servers"].values()
    assert server["user_options"] == {}
    assert server["url"].startswith("http://learner-07.localhost:")
    with user.kernel() as kernel:
        assert kernel.run("print(open('own.txt').read())").strip() == "mine"
    user.stop_server()


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("git/http%3A%2F%2F127.0.0.1%3A9%2Fnone/" + "0" * 40, "unable to access"),
        ("nowhere/a/b/c", "No provider found"),
        ("gh/only-an-owner", "spec"),
    ],
)
def test_what_does_not_exist_is_not_launched(rig: Rig, spec: str, why: str) -> None:
    assert why in refused(rig.user("ann"), spec).why.replace("Spec", "spec")


def test_a_commit_that_does_not_exist_is_not_launched(rig: Rig) -> None:
    spec, _, _ = repository(rig, "example").rpartition("/")
    assert "not a tree" in refused(rig.user("ann"), f"{spec}/{'1' * 40}").why


def test_what_cannot_be_built_is_not_launched_and_leaves_no_image(rig: Rig) -> None:
    seen = refused(rig.user("ann"), repository(rig, "broken"))
    assert seen.phase == "building"
    assert "environment.yml" in seen.why
    assert not list((rig.folder / "images").glob("*broken*/*"))


@pytest.mark.parametrize("token", ["", "0" * 32])
def test_a_launch_needs_a_login(rig: Rig, token: str) -> None:
    with pytest.raises((LaunchRefused, HubRefused)) as seen:
        launch(User(rig.url, "ann", token), repository(rig, "example"))
    assert "log-in" in seen.value.what or "403" in seen.value.what


@pytest.mark.parametrize(
    "image",
    [
        "quay.io/evil/miner:1",
        "rehearsal/../homes/bob:1",
        "rehearsal/..:..",
        "rehearsal/none:1",
        "rehearsal/x:1 --privileged",
        "",
    ],
)
def test_an_image_that_binder_did_not_make_is_refused(rig: Rig, image: str) -> None:
    user = rig.user("learner-09")  # without a server: ann may have one of another test
    with pytest.raises(HubRefused) as seen:
        user.start_server({"image": image, "repo_url": "x"})
    assert "Only Binder" in seen.value.why
    assert not user.whoami()["servers"]


def test_binders_metrics_are_scraped(rig: Rig, bobs: tuple[User, Launch]) -> None:
    address = f"{rig.state.url('binder')}/services/binder/metrics"
    token = {"Authorization": f"token {rig.state.secrets['prometheus']}"}
    text = requests.get(address, headers=token, timeout=10).text
    assert "binderhub_launch_count_total{" in text
    scraped = json.loads((rig.folder / "prometheus.json").read_bytes())["scrape_configs"]
    assert [one["job_name"] for one in scraped] == ["hub", "pods", "binder"]


def test_no_secret_is_in_binders_log(rig: Rig, bobs: tuple[User, Launch]) -> None:
    log = hub_status.log_tail(rig.place, "binder", 10_000)
    assert "bob" in log or "launching" in log.lower()
    assert not [one for one in (*rig.state.secrets.values(), bobs[0].token) if one in log]


def test_a_hub_without_binder_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    nowhere = HubPlace("staging", tmp_path_factory.mktemp("none"))
    with pytest.raises(BadInput, match="without BinderHub"):
        hub_status.repository(nowhere)


def test_without_binderhub_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPrerequisite, match="binderhub and repo2docker"):
        parts.require_binderhub()


def test_a_stream_that_breaks_off_is_no_launch() -> None:
    class Broken:
        status_code = 200

        def iter_lines(self) -> Iterator[bytes]:
            yield b": keepalive"
            yield b'data: {"phase": "building", "message": "half"}'
            raise requests.ConnectionError

        def __enter__(self) -> "Broken":
            return self

        def __exit__(self, *_: object) -> None: ...

    user = type("User", (), {"ask": lambda *_, **__: Broken()})()
    with pytest.raises(LaunchRefused, match="was not launched") as seen:
        binder_launch.launch(user, "gh/a/b/c")
    assert (seen.value.phase, seen.value.why) == ("building", "half")
