"""What a drop by label does to the rows of other files, and how it is shown."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from findings import published_benchmarks
from pangeo_core.errors import MissingPrerequisite
from tests.dask_bench.samples import row, write


@pytest.fixture(scope="module")
def tool(request: pytest.FixtureRequest) -> ModuleType:
    path = Path(__file__).parents[2] / "tools" / "ncar_benchmarks.py"
    spec = importlib.util.spec_from_file_location("ncar_benchmarks", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_drop_by_label_takes_rows_of_other_files_along(tool: ModuleType, tmp_path: Path) -> None:
    day = tmp_path / "cheyenne" / "2019-09-07"
    few = [row(1.0), row(2.0, num_nodes=2), row(3.0, num_nodes=2)]
    many = [row(9.0, num_nodes=32), row(8.0, num_nodes=32), row(4.0, num_nodes=2)]
    write(day / "a.csv", few)
    write(day / "b.csv", many)  # its labels 0 and 1 are those of the first two rows of a.csv
    points = tool._labels(tmp_path, "cheyenne").set_index("nodes")
    assert list(points.rows_all) == [1, 3]
    assert list(points.rows_left) == [0, 2]
    assert points.median_all[2] == 3.0
    assert points.median_left[2] == 3.5
    assert pd.isna(points.median_left[1])


def test_a_point_is_compared_with_the_one_that_all_rows_give() -> None:
    points = pd.DataFrame(
        {
            "operation": "anomaly",
            "scheme": "auto",
            "chunk_mb": 64.0,
            "nodes": [1, 2, 4],
            "median_all": [1.0, 1.2, 1.5],
            "median_left": [1.0, 1.8, float("nan")],
        }
    )
    found = published_benchmarks.label_error(points)
    assert found.change.iloc[0] == 0
    assert found.change.iloc[1] == pytest.approx(0.5)
    assert pd.isna(found.change.iloc[2])


def test_the_published_tables_are_those_that_the_report_cites() -> None:
    strong = published_benchmarks.read("ncar_strong").set_index(["operation", "scheme", "workers"])
    auto = strong.loc["climatology", "auto"]
    assert (round(auto.seconds[1], 1), round(auto.seconds[16], 2)) == (32.8, 2.85)
    assert round(strong.efficiency["anomaly", "spatial", 16], 2) == 0.15
    with pytest.raises(MissingPrerequisite, match="none"):
        published_benchmarks.read("none")
