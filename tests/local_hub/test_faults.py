"""Parts of a hub in use are killed: what must survive does, and the rest comes back."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from hub_user.binder_launch import LaunchRefused, launch
from hub_user.user import HubRefused, User
from local_hub import control as hubs
from local_hub import hub_status
from local_hub.fault_injection import FAULTS, kill, until
from local_hub.parts import parts
from local_hub.supervisor import marked
from tests.local_hub.conftest import Rig, rigged

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shaken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, User]]:
    """A hub that only these tests break, and someone at work in it."""
    with rigged(tmp_path_factory.mktemp("faults"), binder=True) as rig:
        user = rig.user("bob")
        user.start_server()
        yield rig, user


@pytest.mark.parametrize("killed", FAULTS)
def test_what_must_survive_a_kill_does(shaken: tuple[Rig, User], killed: str) -> None:
    rig, user = shaken
    started_by_people = ("worker", "scheduler", "server")
    if killed not in (
        *started_by_people,
        *(one["name"] for one in hub_status.recorded_parts(rig.folder)),
    ):
        pytest.skip(f"this hub has no {killed}: the program is not installed")
    seen = FAULTS[killed](rig.place, user)
    assert seen.kept, seen
    assert seen.seconds >= 0


def test_every_part_is_killed(shaken: tuple[Rig, User]) -> None:
    rig, _ = shaken
    assert {part.name for part in parts(rig.state)} <= set(FAULTS)


def test_a_launch_is_one_after_a_restart_of_the_hub(shaken: tuple[Rig, User]) -> None:
    """What it is must not be forgotten: it decides about credentials (jupyterhub#3772)."""
    rig, _ = shaken
    guest = rig.user("learner-01")
    launch(guest, hub_status.repository(rig.place, "example"))
    with guest.kernel() as kernel:
        kernel.run("kept = 42")
        token = kernel.result(
            "import os, json; print(json.dumps(os.environ['JUPYTERHUB_API_TOKEN']))"
        )
        before = guest.whoami()["servers"][""]["user_options"]
        kill(rig.place, "hub")
        until(lambda: bool(guest.whoami()["servers"]))
        assert guest.whoami()["servers"][""]["user_options"] == before
        assert kernel.result("import json; print(json.dumps(kept))") == 42
    with pytest.raises(HubRefused) as refused:
        until_answered(lambda: User(rig.url, guest.name, token).ask("GET", CREDENTIALS))
    assert refused.value.status == 403
    guest.stop_server()
    assert_own(guest)


def test_a_launch_that_fails_leaves_nothing_in_ones_own_server(shaken: tuple[Rig, User]) -> None:
    rig, _ = shaken
    guest = rig.user("learner-01")
    with pytest.raises(LaunchRefused):
        launch(guest, hub_status.repository(rig.place, "broken"))
    for options in ({"image": "rehearsal/none:1", "repo_url": "x"}, {"image": "evil/miner:1"}):
        with pytest.raises(HubRefused):
            guest.start_server(options)
    guest.start_server({})
    assert_own(guest, started=True)


CREDENTIALS = "/services/identity/credentials"
OWN = """
import json, os
told = [os.environ.get(name, "") for name in ("PANGEO_SCRATCH", "BINDER_REPO_URL")]
told.append("AWS_CONTAINER_CREDENTIALS_FULL_URI" in os.environ)
print(json.dumps([*told, os.path.basename(os.getcwd())]))
"""


def assert_own(guest: User, started: bool = False) -> None:
    """Assert that the next server is the person's own, and stop it."""
    if not started:
        guest.start_server({})
    with guest.kernel() as kernel:
        scratch, repository, credentials, home = kernel.result(OWN)
    assert scratch.endswith(f"users/jupyter-{guest.name}")
    assert (repository, credentials, home) == ("", True, guest.name)
    guest.stop_server()


def until_answered(action: Callable[[], object]) -> None:
    """Do it until the answer is not that of a service which is waiting for the hub."""

    def answered() -> bool:
        try:
            action()
        except HubRefused as refused:
            return 400 <= refused.status < 500
        return True

    until(answered)
    action()


def test_a_locked_database_is_waited_for(shaken: tuple[Rig, User]) -> None:
    """A backup or a shell holds it: work goes on, and the hub does when it is released."""
    rig, user = shaken
    with user.kernel() as kernel, ThreadPoolExecutor(1) as pool:
        kernel.run("kept = 42")
        database = sqlite3.connect(rig.folder / "hub.sqlite", isolation_level=None)
        database.execute("begin exclusive")
        try:
            waiting = pool.submit(rig.user, "learner-02")  # a log-in writes
            assert kernel.result("import json; print(json.dumps(kept))") == 42
        finally:
            database.execute("rollback")
            database.close()
        refused = waiting.exception()
        # It waited, or, on a slow machine, as long as SQLite does and no longer.
        assert refused is None or getattr(refused, "status", None) in (0, 500), refused
    until(lambda: rig.user("learner-02").whoami()["name"] == "learner-02")
    assert user.whoami()["servers"]


def test_what_a_killed_hub_had_started_is_found_and_ended(
    shaken: tuple[Rig, User],
) -> None:
    rig, _ = shaken  # the last test of this hub: it ends it

    def cullers() -> list[psutil.Process]:
        mine = marked(rig.folder)
        return [one for one in mine if "jupyterhub_idle_culler" in one.cmdline()]

    until(lambda: bool(cullers()))
    orphans = cullers()
    kill(rig.place, "hub")
    until(lambda: rig.user("ann").whoami()["name"] == "ann")
    hubs.down(rig.place)
    assert not [one for one in orphans if one.is_running()]
    assert marked(rig.folder) == []
