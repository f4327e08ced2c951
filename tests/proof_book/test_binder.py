"""What Binder makes of the repository: repo2docker's own reading of it, without Docker."""

import subprocess
import sys
from pathlib import Path

import pytest

from proof_book.run.processes import FIXED


@pytest.fixture(scope="module")
def dockerfile(project: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "repo2docker", "--no-build", "--debug", "."],
        cwd=project, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_repo2docker_takes_environment_and_post_build(dockerfile: str) -> None:
    assert "Building conda environment for python=3.11" in dockerfile
    packages = dockerfile.index(" src/environment.yml ")
    assert "RUN chmod +x postBuild\nRUN ./postBuild" in dockerfile
    # The packages come before the sources, so that a change of these keeps the layer of those.
    assert packages < dockerfile.index(" src/ ")


def test_a_server_on_binder_has_what_the_memory_was_measured_with(
    dockerfile: str, project: Path
) -> None:
    assert 'R2D_ENTRYPOINT="${REPO_DIR}/start"' in dockerfile
    names = ("GOMEMLIMIT", "MALLOC_ARENA_MAX")
    said = subprocess.run(
        [project / "start", "printenv", *names], capture_output=True, text=True, check=True
    ).stdout.split()
    assert said == [FIXED[name] for name in names]


def test_the_pins_agree_with_one_another() -> None:
    """What is installed here is the lock: every package's own requirements hold in it."""
    uv = Path(sys.executable).with_name("uv")
    assert uv.exists(), "`make test` puts uv into the environment"
    done = subprocess.run(
        [str(uv), "pip", "check", "--python", sys.executable],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
