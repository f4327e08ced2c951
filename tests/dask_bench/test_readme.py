"""The example of the package's README runs as it is printed."""

import re
from pathlib import Path

import dask_bench

README = Path(dask_bench.__file__).parent / "README.md"


def test_the_example_runs_and_public_names_are_there() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(example, str(README), "exec"), names)
    runs = names["runs"]
    assert not runs.failed.any()  # type: ignore[attr-defined]
    assert all(getattr(dask_bench, name) is not None for name in dask_bench.__all__)
