"""A build that is stopped or killed: no process, no lock, no half a book."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from pangeo_core.errors import BadInput
from tests.proof_book.conftest import Project
from tests.proof_book.test_build import BUILD

pytestmark = pytest.mark.slow

ENDLESS = """
import os, subprocess, time
from pathlib import Path

child = subprocess.Popen(["sleep", "600"])
Path("../pids").write_text(f"{os.getpid()} {os.getppid()} {child.pid}")
time.sleep(600)
"""


@pytest.fixture
def building(built: Project) -> Iterator[subprocess.Popen[str]]:
    """A build at work on a notebook that never ends, and on one that does."""
    built.edit_cell("01-shape", 2, ENDLESS)
    built.write("data/amount.txt", "16")
    process = subprocess.Popen(
        [sys.executable, "-c", BUILD, str(built.path)], stderr=subprocess.PIPE, text=True
    )
    try:
        until(lambda: (built.path / "pids").exists() or process.poll() is not None)
        until(lambda: len(list((built.path / "_build" / "cache").glob("02-money-*"))) == 2)
        assert process.poll() is None
        yield process
    finally:
        process.kill()
        process.wait()


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for what must come; how long it takes is not what is tested."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def pids(project: Project) -> list[int]:
    return [int(pid) for pid in (project.path / "pids").read_text().split()]


def test_stopped_by_ctrl_c(built: Project, building: subprocess.Popen[str]) -> None:
    before = built.pages()
    with pytest.raises(BadInput, match="another build is at work"):
        built.build()
    building.send_signal(signal.SIGINT)
    assert "the build was stopped" in building.communicate()[1]
    assert building.returncode != 0
    # The kernel, its parent, and what the notebook itself had started.
    until(lambda: not any(alive(pid) for pid in pids(built)))
    assert built.pages() == before
    # The next build finds no lock, and the notebook that had ended is not executed again.
    built.edit_cell("01-shape", 2, "1")
    assert built.build().executed == ("01-shape",)
    assert "16" in (built.html / "index.html").read_text()


def test_killed_while_executing(built: Project, building: subprocess.Popen[str]) -> None:
    before = built.pages()
    kernel, worker, child = pids(built)
    building.kill()
    building.communicate()
    until(lambda: not alive(worker) and not alive(kernel))
    # A killed build cannot reach what a notebook started: that must see to itself.
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    assert built.pages() == before


def test_killed_while_rendering(built: Project) -> None:
    before = built.pages()
    built.edit("book/index.md", lambda text: text + "\nMore.\n")
    process = subprocess.Popen([sys.executable, "-c", BUILD, str(built.path)])
    pages = built.path / "_build" / "run" / "book" / "_build" / "html"
    until(lambda: (pages / "index.html").exists())
    process.kill()
    process.wait()
    assert built.pages() == before
    assert built.build().rendered
    assert "More." in (built.html / "index.html").read_text()
    assert not pages.exists()


def test_the_swap_is_whole_at_every_moment(tmp_path: Path) -> None:
    """A reader that looks all the time never finds half a book, or none."""
    from proof_book.page.render import _exchange

    html, fresh = tmp_path / "html", tmp_path / "fresh"
    for folder in (html, fresh):
        folder.mkdir()
        (folder / "page").write_text(folder.name)
    looks = subprocess.Popen(
        [sys.executable, "-c", LOOK, str(html)], stdout=subprocess.PIPE, text=True
    )
    assert looks.stdout is not None
    assert looks.stdout.readline() == "looking\n"
    for _ in range(2000):
        _exchange(fresh, html)
    (html / "stop").touch()
    assert looks.communicate(timeout=60)[0] == "whole\n"


LOOK = """
import sys
from pathlib import Path
html = Path(sys.argv[1])
print("looking", flush=True)
while not (html / "stop").exists():
    assert (html / "page").read_text() in ("html", "fresh")
print("whole")
"""
