"""Parts of a hub in use are killed: what must survive does, and the rest comes back."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from hub_user import cells
from hub_user.user import User
from local_hub import control as hubs
from local_hub.fault_injection import FAULTS, Recovery, kill, until
from local_hub.supervisor import marked
from tests.local_hub.conftest import Rig, rigged

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shaken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, User]]:
    """A hub that only these tests break, and someone at work in it."""
    with rigged(tmp_path_factory.mktemp("faults")) as rig:
        user = rig.user("bob")
        user.start_server()
        yield rig, user


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_what_must_survive_a_kill_does(
    shaken: tuple[Rig, User], fault: Callable[..., Recovery]
) -> None:
    rig, user = shaken
    seen = fault(rig.place, user)
    assert seen.kept, seen
    assert seen.seconds >= 0


def test_the_storage_and_identity_come_back(shaken: tuple[Rig, User], tmp_path: Path) -> None:
    rig, user = shaken
    for part in ("storage", "identity"):
        kill(rig.place, part)
    cell = cells.with_values(cells.SCRATCH, other="users/jupyter-ann")

    def works() -> bool:
        with user.kernel() as kernel:
            return bool(kernel.result(cell)["back"] == "hello")

    until(works)


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
