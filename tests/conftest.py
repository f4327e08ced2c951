"""What every test may use: the project, the command line as a process, its own state folder."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """Hear Ctrl-C, and let children hear it: a shell that puts the tests aside turns it off."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what is slow: quick files at the end keep both processes at work."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@dataclass(frozen=True)
class Ran:
    """What a finished process said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Ran]


@pytest.fixture(scope="session")
def project() -> Path:
    return PROJECT


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def cli(state: Path) -> Cli:
    """Run `pangeo-deploy` as a process, in the project, with a state folder of the test's own."""
    return cli_with(state)


def cli_with(state: Path) -> Cli:
    """Return what runs `pangeo-deploy` as a process, in the project, with this state folder."""

    def run(*arguments: str, cwd: Path = PROJECT, **environment: str) -> Ran:
        done = subprocess.run(
            command(*arguments),
            cwd=cwd,
            env={**os.environ, "PANGEO_DEPLOY_STATE": str(state), **environment},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=240,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


def command(*arguments: str) -> list[str]:
    """Return the command line as this interpreter would run it, wherever its scripts are."""
    return [sys.executable, "-c", "from pangeo_deploy.cli import main; main()", *arguments]
