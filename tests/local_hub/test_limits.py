"""How many servers there are at once, and what the janitor sees of those that come and go."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hub_user import janitor
from hub_user.user import HubRefused, User
from local_hub.fault_injection import until
from pangeo_deploy.charts.values import settings
from tests.conftest import PROJECT
from tests.local_hub.stub_hub import StubHub, stub_hub

SHAPES = {"users": "r5.2xlarge", "dask": "m5.2xlarge"}
PEOPLE = [f"p{number:03}" for number in range(205)]  # JupyterHub's page is 200
LIMITS = {"servers": 3, "spawns_at_once": 2, "start_seconds": 60}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StubHub]:
    usual = settings(PROJECT, "staging")
    login = {**usual["login"], "teams": [], "users": PEOPLE}
    changed: dict[str, Any] = {**usual, "login": login, "limits": LIMITS}
    with stub_hub(tmp_path_factory.mktemp("stub"), changed) as running:
        yield running


def look_around(hub: StubHub, *clusters: janitor.Cluster, later: float = 0) -> janitor.Round:
    now = datetime.now(UTC) + timedelta(hours=later)
    price = lambda *_: Decimal(1)  # noqa: E731
    return janitor.make_round(hub.janitor, clusters, hub.settings, SHAPES, price, now=now)


def refusal(user: User, path: str = "server") -> HubRefused:
    with pytest.raises(HubRefused) as refused:
        user.ask("POST", f"/hub/api/users/{user.path}/{path}", json={})
    return refused.value


def state(user: User) -> tuple[bool, str]:
    (server,) = user.whoami()["servers"].values()
    return server["ready"], server["pending"] or ""


def test_so_many_servers_start_at_once_and_run_at_once(hub: StubHub) -> None:
    first, second, third, fourth = (hub.user(name) for name in PEOPLE[:4])
    hub.hold.touch()
    try:
        first.request_server({})
        second.request_server({})
        assert state(first) == (False, "spawn")
        assert refusal(third).status == 429  # two start already
        seen = look_around(hub)
        assert (seen.servers, seen.outstayed) == (2, ())
        first.request_server({})  # of one that starts already: no second one
        assert len(first.whoami()["servers"]) == 1
    finally:
        hub.hold.unlink()
    until(lambda: state(first)[0] and state(second)[0])
    third.start_server()
    assert refusal(fourth).status == 429  # three run already
    assert refusal(first).status == 400
    assert refusal(first, "servers/second").status == 400  # no server by another name
    hub.hold.touch()
    try:
        first.ask("DELETE", f"/hub/api/users/{first.path}/server")
        assert state(first) == (False, "stop")
        # One that is stopping is not stopped again, however old it is.
        seen = look_around(hub, later=24)
        assert {one.owner for one in seen.outstayed} == {second.name, third.name}
    finally:
        hub.hold.unlink()
    until(lambda: not first.whoami()["servers"])
    fourth.start_server()
    for user in (second, third, fourth):
        user.stop_server()


def test_the_janitor_sees_people_on_every_page(hub: StubHub) -> None:
    last = hub.user(PEOPLE[-1])
    last.start_server()
    theirs = janitor.Cluster("c", last.name, datetime.now(UTC), 1, 1, 1.0, lambda: None)
    known = janitor.everybody(hub.janitor)
    assert set(known) >= set(PEOPLE)
    assert known[last.name]["servers"]
    assert not [one for one in look_around(hub, theirs, later=2).outstayed if one.kind == "cluster"]
    last.stop_server()


def test_two_hundred_people_are_not_more_than_one_answer_holds(hub: StubHub) -> None:
    """The premise of the test above: without asking on, five people would be missing."""
    assert len(hub.janitor.ask("GET", "/hub/api/users").json()) < len(PEOPLE)


def test_a_server_that_starts_counts_for_its_owners_cluster(hub: StubHub) -> None:
    user = hub.user(PEOPLE[7])
    hub.hold.touch()
    try:
        user.request_server({})
        theirs = janitor.Cluster("c", user.name, datetime.now(UTC), 1, 1, 1.0, lambda: None)
        late = look_around(hub, theirs, later=3)
        assert not [one for one in late.outstayed if one.kind == "cluster"]
    finally:
        hub.hold.unlink()
    until(lambda: state(user)[0])
    user.stop_server()
