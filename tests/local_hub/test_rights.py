"""Who may do what to whom: operators, people who leave, and what is removed with them."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from hub_user.user import HubRefused, User, visitor
from local_hub import hub_state, hub_status
from local_hub.fault_injection import until
from tests.local_hub.conftest import Rig, rigged

pytestmark = pytest.mark.slow

CLUSTERS = "/services/dask-gateway/api/v1/clusters/"
CHECKED_SECONDS = 1
IMAGES = [{"slug": "ml", "name": "Machine learning", "image": "quay.io/pangeo/ml-notebook:2026.08"}]


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A hub that asks at every other moment whether somebody is still in the team."""
    hub = rigged(tmp_path_factory.mktemp("rights"))
    usual = hub.definition.settings
    login = {**usual["login"], "check_again_seconds": CHECKED_SECONDS}
    limits = {**usual["dask"], "clusters_per_person": 2, "clusters_at_once": 3}
    changed = {"login": login, "dask": limits, "software": {"images": IMAGES, "other": ""}}
    hub.definition = replace(hub.definition, settings={**usual, **changed})
    with hub as made:
        yield made


def status_of(action: Callable[[], object]) -> int:
    with pytest.raises(HubRefused) as refused:
        action()
    return refused.value.status


def test_an_operator_sees_and_stops_servers_and_reads_nothing(strict: Rig) -> None:
    ann, olga = strict.user("ann"), strict.user("olga")
    ann.start_server()
    anns = ann.origin("/user/ann/")
    seen = {one["name"]: one for one in olga.ask("GET", "/hub/api/users").json()}
    assert seen["ann"]["servers"]
    assert not olga.whoami().get("admin")
    tried = {
        "files": lambda: olga.ask("GET", f"{anns}/user/ann/api/contents"),
        "a kernel": lambda: olga.ask("POST", f"{anns}/user/ann/api/kernels", json={}),
        "a token": lambda: olga.ask("POST", "/hub/api/users/ann/tokens", json={}),
        "tokens": lambda: olga.ask("GET", "/hub/api/users/ann/tokens"),
        "a server": lambda: olga.ask("POST", "/hub/api/users/bob/server"),
        "a new user": lambda: olga.ask("POST", "/hub/api/users/mallory"),
        "a user's end": lambda: olga.ask("DELETE", "/hub/api/users/ann"),
        "rights": lambda: olga.ask("PATCH", "/hub/api/users/olga", json={"admin": True}),
        "groups": lambda: olga.ask("POST", "/hub/api/groups/x"),
        "the proxy": lambda: olga.ask("GET", "/hub/api/proxy"),
        "the hub's end": lambda: olga.ask("POST", "/hub/api/shutdown"),
    }
    assert {what: status_of(action) for what, action in tried.items()}.items() <= {
        (what, status) for what in tried for status in (403, 404)
    }
    olga.ask("DELETE", "/hub/api/users/ann/server")
    until(lambda: not ann.whoami()["servers"])


def browser_of(rig: Rig, name: str) -> requests.Session:
    """Return a session with the cookies of somebody who has logged in at the hub's page."""
    session = requests.Session()
    session.trust_env = False
    session.get(f"{rig.url}/hub/login")
    form = {
        "username": name,
        "password": hub_status.password(rig.place, name),
        "_xsrf": session.cookies.get("_xsrf", path="/hub/"),
    }
    answer = session.post(f"{rig.url}/hub/login", data=form, allow_redirects=False)
    assert answer.status_code == 302
    return session


def test_the_smoke_tests_service_is_one_user_and_nobody_else(strict: Rig) -> None:
    token = strict.state.secrets["smoke"]
    guest = visitor(strict.url, token)
    assert guest.whoami()["name"] == "smoke-test"
    assert visitor(strict.url, token).name == guest.name  # who is there already is no obstacle
    time.sleep(CHECKED_SECONDS)  # nobody can ask whether it is still in the team
    guest.start_server()
    guest.stop_server()
    service = User(strict.url, "", token)
    tried = {
        "another's token": lambda: service.ask("POST", "/hub/api/users/ann/tokens", json={}),
        "another user": lambda: service.ask("POST", "/hub/api/users/mallory"),
        "another's server": lambda: service.ask("POST", "/hub/api/users/ann/server"),
        "another's end": lambda: service.ask("DELETE", "/hub/api/users/ann"),
        "somebody with a role": lambda: service.ask("PATCH", "/hub/api/users/ann", json={}),
        "the hub's end": lambda: service.ask("POST", "/hub/api/shutdown"),
    }
    answers = {name: status_of(action) for name, action in tried.items()}
    assert set(answers.values()) <= {403, 404}, answers
    assert [one["name"] for one in service.ask("GET", "/hub/api/users").json()] in (
        [],
        [guest.name],
    )
    assert status_of(lambda: strict.user("smoke-test")) == 403  # nobody logs in as it


def test_a_token_that_may_be_nobody_is_refused_as_a_visitor(strict: Rig) -> None:
    with pytest.raises(HubRefused, match="may be nobody"):
        visitor(strict.url, strict.state.secrets["prometheus"])


def test_who_leaves_the_team_is_out_at_the_next_check(strict: Rig) -> None:
    bob, browser = strict.user("bob"), browser_of(strict, "bob")
    home = f"{strict.url}/hub/home"
    assert browser.get(home, allow_redirects=False).status_code == 200
    team = strict.folder / hub_state.TEAM
    usual = json.loads(team.read_bytes())
    team.write_text(json.dumps([name for name in usual if name != "bob"]))
    try:
        time.sleep(CHECKED_SECONDS + 0.1)
        tried = {
            "the hub by token": lambda: bob.whoami(),
            "a new token": lambda: bob.ask("POST", "/hub/api/users/bob/tokens", json={}),
            "a server": lambda: bob.ask("POST", "/hub/api/users/bob/server"),
            "a cluster": lambda: bob.ask("POST", CLUSTERS, scheme="jupyterhub", json={}),
            "the log-in": lambda: strict.user("bob"),
        }
        statuses = {what: status_of(action) for what, action in tried.items()}
        # The gateway answers 500 when the hub does not say whose a token is.
        assert statuses.pop("a cluster") in (401, 403, 500)
        assert set(statuses.values()) <= {400, 403}, statuses
        answer = browser.get(home, allow_redirects=False)
        assert answer.status_code == 302
        assert "/hub/login" in answer.headers["Location"]
    finally:
        team.write_text(json.dumps(usual))


def test_tokens_have_an_age(strict: Rig) -> None:
    ann = strict.user("ann")
    made = ann.ask("POST", "/hub/api/users/ann/tokens", json={"note": "laptop"})
    assert made.json()["expires_at"]
    days = strict.state.settings["login"]["token_days"]
    too_long = {"note": "for ever", "expires_in": (days + 1) * 86400}
    assert status_of(lambda: ann.ask("POST", "/hub/api/users/ann/tokens", json=too_long)) == 400


def test_a_person_and_the_hub_have_so_many_clusters(strict: Rig) -> None:
    ann, bob = strict.user("ann"), strict.user("bob")

    def make(user: User) -> str:
        body = {"cluster_options": {}}
        return str(user.ask("POST", CLUSTERS, scheme="jupyterhub", json=body).json()["name"])

    made = [(ann, make(ann)), (ann, make(ann))]
    try:
        with pytest.raises(HubRefused) as hers:
            make(ann)
        made.append((bob, make(bob)))
        with pytest.raises(HubRefused) as everybodys:
            make(bob)
        assert (hers.value.status, everybodys.value.status) == (422, 422)
    finally:
        for user, name in made:
            user.ask("DELETE", CLUSTERS + name, scheme="jupyterhub")
    until(lambda: not ann.ask("GET", CLUSTERS, scheme="jupyterhub").json())
    again = make(ann)
    ann.ask("DELETE", CLUSTERS + again, scheme="jupyterhub")


@pytest.mark.parametrize("memory", ["NaN", "Infinity"])
def test_memory_that_is_no_number_is_refused(strict: Rig, memory: str) -> None:
    body = f'{{"cluster_options": {{"worker_memory": {memory}}}}}'
    ann = strict.user("ann")
    asked = lambda: ann.ask("POST", CLUSTERS, scheme="jupyterhub", data=body)  # noqa: E731
    assert status_of(asked) == 422


def test_removing_somebody_ends_all_that_is_theirs(strict: Rig) -> None:
    learner = strict.user("learner-01")
    learner.start_server()
    learner.ask("POST", CLUSTERS, scheme="jupyterhub", json={"cluster_options": {}})
    home = Path(strict.folder) / "homes" / "learner-01"
    home.mkdir(parents=True, exist_ok=True)
    (home / "kept.txt").write_text("mine")
    browser = browser_of(strict, "learner-01")
    removed = strict.cli("hub", "remove", "staging", "learner-01", "--json")
    assert removed.code == 0, removed.err
    assert removed.json["server"] is True
    assert len(removed.json["clusters"]) == 1
    assert status_of(learner.whoami) == 403
    assert browser.get(f"{strict.url}/hub/home", allow_redirects=False).status_code == 302
    again = strict.user("learner-01")  # the team still has them: nothing is theirs but the home
    assert not again.whoami()["servers"]
    until(lambda: not again.ask("GET", CLUSTERS, scheme="jupyterhub").json())
    assert (home / "kept.txt").exists()


@pytest.mark.parametrize(
    ("name", "what"), [("nobody", "does not know nobody"), ("../ann", "does not know ../ann")]
)
def test_removing_somebody_unknown_says_so(strict: Rig, name: str, what: str) -> None:
    refused = strict.cli("hub", "remove", "staging", name, "--json")
    assert refused.code == 2
    assert what in refused.json["error"]["what"]


def test_a_person_chooses_size_and_software(strict: Rig) -> None:
    learner, browser = strict.user("learner-03"), browser_of(strict, "learner-03")
    page = browser.get(f"{strict.url}/hub/spawn").text
    large = strict.state.settings["profiles"][1]["slug"]
    assert f'name="profile-option-{large}--software"' in page
    assert "Machine learning" in page
    learner.start_server({"profile": large, "software": "ml"})  # what the form stands for
    (server,) = learner.whoami()["servers"].values()
    assert server["user_options"] == {"profile": large, "software": "ml"}
    with learner.kernel() as kernel:
        told = kernel.run("import os; print(os.environ['JUPYTER_IMAGE_SPEC'])").strip()
    assert told == IMAGES[0]["image"]
    learner.stop_server()
    with pytest.raises(HubRefused) as refused:
        learner.start_server({"profile": large, "software": "evil/miner:1"})
    assert "no such software" in refused.value.why
