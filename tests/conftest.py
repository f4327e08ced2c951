"""What every test may use: the project, the command line as a process, its own state folder."""

import json
import os
import shutil
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


# What a test may be skipped for: a program of the operating system that is not there.
MISSING = "is not installed"
_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note each skip for another reason than a missing program; with xdist, where all are heard."""
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if report.skipped and not hasattr(report, "wasxfail") and MISSING not in reason:
        _skipped.append(f"{report.nodeid}: {reason}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail in CI when a test was skipped that could have run: a proof that is left out is none."""
    if _skipped and os.environ.get("CI") == "true" and not hasattr(session.config, "workerinput"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was skipped without the excuse of a missing program."""
    for line in _skipped:
        terminalreporter.write_line(f"SKIPPED WITHOUT A MISSING PROGRAM {line}", red=True)


def needs(program: str) -> pytest.MarkDecorator:
    """Return the mark of a test that needs a program of the operating system."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} {MISSING}")


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
