"""Launches from a real BinderHub: what it lets run, how much of it, and what it refuses."""

import json
from collections.abc import Iterator

import pytest
import requests

from hub_user import binder_launch, cells
from hub_user.binder_launch import Launch, LaunchRefused, launch
from hub_user.user import HubRefused, User
from local_hub import control as hubs
from local_hub import hub_state, parts
from local_hub.definition import HubPlace
from pangeo_core.errors import BadInput, MissingPrerequisite
from tests.local_hub.conftest import Rig


@pytest.fixture(scope="module")
def bobs(rig: Rig) -> Iterator[tuple[User, Launch]]:
    """What Bob has launched, after a file of his own was put into his home."""
    bob = rig.user("bob")
    home = rig.folder / "homes" / "bob"
    home.mkdir(parents=True, exist_ok=True)
    (home / "own.txt").write_text("mine")
    yield bob, launch(bob, repository(rig, "example"))
    bob.stop_server()


def repository(rig: Rig, name: str) -> str:
    return hubs.repository(rig.place, name)


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
    banned = f"{repository(rig, 'example')}?xmrig"
    for spec in (repository(rig, "miner"), "gh/somebody/xmrig/main", banned.replace("?", "-")):
        assert "disabled" in refused(user, spec).why
    assert not list((rig.folder / "images").glob("*miner*"))


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
    assert "no such image" in seen.value.why
    assert not user.whoami()["servers"]


def test_binders_metrics_are_scraped(rig: Rig, bobs: tuple[User, Launch]) -> None:
    address = f"{rig.state.url('binder')}/services/binder/metrics"
    token = {"Authorization": f"token {rig.state.secrets['prometheus']}"}
    text = requests.get(address, headers=token, timeout=10).text
    assert "binderhub_launch_count_total{" in text
    scraped = json.loads((rig.folder / "prometheus.json").read_bytes())["scrape_configs"]
    assert [one["job_name"] for one in scraped] == ["hub", "pods", "binder"]


def test_no_secret_is_in_binders_log(rig: Rig, bobs: tuple[User, Launch]) -> None:
    log = hubs.log_tail(rig.place, "binder", 10_000)
    assert "bob" in log or "launching" in log.lower()
    assert not [one for one in (*rig.state.secrets.values(), bobs[0].token) if one in log]


def test_a_hub_without_binder_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    nowhere = HubPlace("staging", tmp_path_factory.mktemp("none"))
    with pytest.raises(BadInput, match="no Binder"):
        hubs.repository(nowhere)


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
