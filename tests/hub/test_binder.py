"""Launches from a real BinderHub: what it lets run, how much of it, and what it refuses."""

import json
from collections.abc import Iterator

import pytest
import requests

from pangeo_deploy.deployment import Deployment
from pangeo_deploy.errors import BadInput, MissingPrerequisite
from pangeo_deploy.hub import binder, cells
from pangeo_deploy.hub.binder import Launch, LaunchRefused, launch
from pangeo_deploy.hub.user import HubRefused, User
from pangeo_deploy.rehearsal import hub as hubs
from pangeo_deploy.rehearsal import hub_state
from tests.conftest import PROJECT
from tests.hub.conftest import Rig, rigged


@pytest.fixture(scope="module")
def one_each(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A hub where a repository runs once at a time."""
    with pytest.MonkeyPatch.context() as patch:
        usual = hubs.settings(PROJECT, "staging")
        limited = {**usual, "binder": {**usual["binder"], "launches_per_repository": 1}}
        patch.setattr(hubs, "settings", lambda *_: limited)
        with rigged(tmp_path_factory.mktemp("binder"), binder=True) as rig:
            yield rig


@pytest.fixture(scope="module")
def bobs(one_each: Rig) -> tuple[User, Launch]:
    """What Bob has launched, after a file of his own was put into his home."""
    bob = one_each.user("bob")
    home = one_each.folder / "homes" / "bob"
    home.mkdir(parents=True)
    (home / "own.txt").write_text("mine")
    return bob, launch(bob, repository(one_each, "example"))


def repository(rig: Rig, name: str) -> str:
    return hubs.repository(rig.deployment, name)


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
    one_each: Rig, bobs: tuple[User, Launch]
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
    assert seen["repository"].startswith(one_each.state.url("repositories"))
    assert (seen["scratch"], seen["credentials"]) == ("", "NoCredentialsError")
    with pytest.raises(HubRefused) as denied:  # nor by asking where its SDK was not told to
        User(one_each.url, "bob", token).ask("GET", "/services/identity/credentials")
    assert denied.value.status == 403


def test_a_person_has_one_server(one_each: Rig, bobs: tuple[User, Launch]) -> None:
    bob, _ = bobs
    assert "already has a running server" in refused(bob, repository(one_each, "second")).why


def test_a_repository_runs_as_often_as_its_limit(one_each: Rig, bobs: tuple[User, Launch]) -> None:
    other = one_each.user("learner-01")
    assert "Too many users running" in refused(other, repository(one_each, "example")).why


def test_what_is_banned_is_not_launched(one_each: Rig) -> None:
    user = one_each.user("ann")
    banned = f"{repository(one_each, 'example')}?xmrig"
    for spec in (repository(one_each, "miner"), "gh/somebody/xmrig/main", banned.replace("?", "-")):
        assert "disabled" in refused(user, spec).why
    assert not list((one_each.folder / "images").glob("*miner*"))


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("git/http%3A%2F%2F127.0.0.1%3A9%2Fnone/" + "0" * 40, "unable to access"),
        ("nowhere/a/b/c", "No provider found"),
        ("gh/only-an-owner", "spec"),
    ],
)
def test_what_does_not_exist_is_not_launched(one_each: Rig, spec: str, why: str) -> None:
    assert why in refused(one_each.user("ann"), spec).why.replace("Spec", "spec")


def test_a_commit_that_does_not_exist_is_not_launched(one_each: Rig) -> None:
    spec, _, _ = repository(one_each, "example").rpartition("/")
    assert "not a tree" in refused(one_each.user("ann"), f"{spec}/{'1' * 40}").why


def test_what_cannot_be_built_is_not_launched_and_leaves_no_image(one_each: Rig) -> None:
    seen = refused(one_each.user("ann"), repository(one_each, "broken"))
    assert seen.phase == "building"
    assert "environment.yml" in seen.why
    assert not list((one_each.folder / "images").glob("*broken*/*"))


@pytest.mark.parametrize("token", ["", "0" * 32])
def test_a_launch_needs_a_login(one_each: Rig, token: str) -> None:
    with pytest.raises((LaunchRefused, HubRefused)) as seen:
        launch(User(one_each.url, "ann", token), repository(one_each, "example"))
    assert "log-in" in seen.value.what or "403" in seen.value.what


@pytest.mark.parametrize(
    "image", ["quay.io/evil/miner:1", "rehearsal/../homes/bob:1", "rehearsal/x:1 --privileged", ""]
)
def test_an_image_that_binder_did_not_make_is_refused(one_each: Rig, image: str) -> None:
    user = one_each.user("ann")
    with pytest.raises(HubRefused) as seen:
        user.start_server({"image": image, "repo_url": "x"})
    assert "no such image" in seen.value.why
    assert not user.whoami()["servers"]


def test_binders_metrics_are_scraped(one_each: Rig, bobs: tuple[User, Launch]) -> None:
    address = f"{one_each.state.url('binder')}/services/binder/metrics"
    token = {"Authorization": f"token {one_each.state.secrets['prometheus']}"}
    text = requests.get(address, headers=token, timeout=10).text
    assert "binderhub_launch_count_total{" in text
    scraped = json.loads((one_each.folder / "prometheus.json").read_bytes())["scrape_configs"]
    assert [one["job_name"] for one in scraped] == ["hub", "binder"]


def test_no_secret_is_in_binders_log(one_each: Rig, bobs: tuple[User, Launch]) -> None:
    log = hubs.log_tail(one_each.deployment, "binder", 10_000)
    assert "bob" in log or "launching" in log.lower()
    assert not [one for one in (*one_each.state.secrets.values(), bobs[0].token) if one in log]


def test_a_hub_without_binder_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    deployment = Deployment("staging", project=PROJECT, state=tmp_path_factory.mktemp("none"))
    with pytest.raises(BadInput, match="no Binder"):
        hubs.repository(deployment)


def test_without_binderhub_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPrerequisite, match="binderhub and repo2docker"):
        hubs.require_binderhub()


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
        binder.launch(user, "gh/a/b/c")
    assert (seen.value.phase, seen.value.why) == ("building", "half")
