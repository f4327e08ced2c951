"""One hub for all tests that only use it, and a way to have one's own."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from hub_user.user import User, log_in
from local_hub import control as hubs
from local_hub import hub_state, hub_status
from local_hub.definition import HubDefinition, HubPlace
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets.rehearsal import hub_definition, hub_place
from tests.conftest import PROJECT, Ran, command


@dataclass(frozen=True)
class Rig:
    """A running hub and what tests do with it."""

    deployment: Deployment
    state: hub_state.HubState

    @property
    def place(self) -> HubPlace:
        return hub_place(self.deployment)

    @property
    def url(self) -> str:
        return self.state.public_url

    @property
    def folder(self) -> Path:
        return self.state.folder

    def user(self, name: str, seconds: int = 3600) -> User:
        return log_in(self.url, name, hub_status.password(self.place, name), seconds)

    def cli(self, *arguments: str) -> Ran:
        state = str(self.deployment.state)
        done = subprocess.run(
            command(*arguments),
            cwd=PROJECT,
            env={**os.environ, "PANGEO_DEPLOY_STATE": state},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=240,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def part(self, name: str) -> psutil.Process:
        pids = {one.name: one.pid for one in hubs.status(self.place).parts}
        return psutil.Process(pids[name])

    def logs(self) -> str:
        files = [*self.folder.glob("logs/*.log"), *self.folder.glob("dask/**/*.log")]
        return "\n".join(file.read_text(errors="replace") for file in files)


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A hub with Binder for the whole session, where a repository runs once at a time.

    Tests that break a hub have one of their own.
    """
    hub = rigged(tmp_path_factory.mktemp("hub"), binder=True)
    usual = hub.definition.settings
    limited = {**usual, "binder": {**usual["binder"], "launches_per_repository": 1}}
    hub.definition = replace(hub.definition, settings=limited)
    with hub as made:
        yield made


@pytest.fixture
def own_rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        yield made


class rigged:  # noqa: N801 - used as a statement
    """`with rigged(folder) as rig`: a hub that is gone afterwards, whatever happened to it."""

    def __init__(self, folder: Path, binder: bool = False) -> None:
        self.deployment = Deployment("staging", project=PROJECT, state=folder)
        self.definition: HubDefinition = hub_definition(self.deployment)
        self.binder = binder

    def __enter__(self) -> Rig:
        hub = hubs.up(self.definition, bound=True, binder=self.binder)
        assert hub.ok
        return Rig(self.deployment, hub_state.load(self.definition.folder))

    def __exit__(self, *_error: object) -> None:
        hubs.down(self.definition)


@pytest.fixture(scope="session")
def ann(rig: Rig) -> User:
    """A person whose server runs for the whole session: tests share it and leave it running."""
    user = rig.user("ann")
    user.start_server()
    return user
