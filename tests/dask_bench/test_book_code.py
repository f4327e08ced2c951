"""The two formulations that the benchmarks chapter prints give the same anomaly."""

import re

import numpy as np
import pandas as pd
import xarray as xr

from tests.conftest import PROJECT


def test_the_printed_formulations_agree() -> None:
    text = (PROJECT / "book" / "benchmarks.md").read_text()
    usual, better = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[:2]
    draw = np.random.default_rng(1)
    when = pd.date_range("2001-01-01", periods=730)
    values = draw.normal(size=(730, 4, 6)).astype("f4")
    dataset = xr.Dataset({"v0": (("time", "lat", "lon"), values)}, {"time": when})
    dataset = dataset.chunk(time=-1, lat=2, lon=3)
    found = []
    for code in (usual, better):
        names = {"ds": dataset, "np": np}
        exec(code, names)
        found.append(names["anomaly"].compute())
    assert abs(found[0]).max() > 1
    np.testing.assert_allclose(found[0], found[1].transpose(*found[0].dims), atol=1e-5)
