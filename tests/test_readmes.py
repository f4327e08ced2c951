"""Each package has a short README: its purpose, its names, and an example that runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from proof_book.identity.code_graph import packages, source_folder

PACKAGES = packages(source_folder())
PAGE_LINES = 120
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_readme_is_short_and_its_example_runs(name: str, tmp_path: Path) -> None:
    text = (PACKAGES[name] / "README.md").read_text()
    assert text.startswith(f"# {name}\n")
    assert len(text.splitlines()) <= PAGE_LINES
    examples = EXAMPLE.findall(text)
    assert examples, "an example that a reader can paste"
    for example in examples:
        done = subprocess.run(
            [sys.executable, "-c", example],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
