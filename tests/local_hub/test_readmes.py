"""The examples of the packages' pages run."""

import re

import pytest

from tests.conftest import PROJECT


@pytest.mark.parametrize("package", ["hub_user", "local_hub"])
def test_the_example_of_a_readme_runs(package: str) -> None:
    page = (PROJECT / "src" / package / "README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(example, {})
