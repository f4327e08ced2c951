"""What `make` says to somebody with an old Python, and that CI runs the commands of the README."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

OLD = """#!/bin/sh
# Speaks as Python 3.9 does; everything else that a Makefile could ask is refused.
case "$*" in
  "--version") echo "Python 3.9.2" ;;
  *) exit 1 ;;
esac
"""


@pytest.fixture
def clone(project: Path, tmp_path: Path) -> Path:
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "tools"):
        source, target = project / name, tmp_path / name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    return tmp_path


@pytest.mark.parametrize("goal", ["book", "test", "check"])
def test_an_old_python_is_named_with_the_way_out(clone: Path, goal: str) -> None:
    old = clone / "python3.9"
    old.write_text(OLD)
    old.chmod(0o755)
    done = subprocess.run(
        ["make", goal, f"PYTHON={old}"],
        cwd=clone, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "needs Python 3.11 or newer" in done.stderr
    assert "3.9.2" in done.stderr
    assert f"make PYTHON=python3.12 {goal}" in done.stderr
    assert not (clone / ".venv").exists()


def test_ci_runs_the_commands_of_the_readme(project: Path) -> None:
    script = (project / ".ci/run").read_text()
    readme = (project / "README.md").read_text()
    for goal in ("check", "test", "cluster-test", "book"):
        assert f"make {goal}" in readme
        assert goal in script
    assert os.access(project / ".ci/run", os.X_OK)
