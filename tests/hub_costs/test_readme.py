"""The example of the package's README runs as it is printed."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "src" / "hub_costs" / "README.md"


def test_the_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    exec(compile(example, str(README), "exec"), {})
