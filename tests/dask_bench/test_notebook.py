"""The notebook declares what it reads, so that the book executes it anew when that changes."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_declared_inputs_are_the_files_that_the_notebook_reads() -> None:
    notebook = json.loads((ROOT / "notebooks" / "03-benchmarks.ipynb").read_text())
    declared = set(notebook["metadata"]["pangeo_deploy"]["inputs"])
    assert all((ROOT / path).is_file() for path in declared)
    code = "".join("".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code")
    named = {f"data/{file.name}" for file in (ROOT / "data").glob("*.*") if file.stem in code}
    made = {f"data/bench_{kind}.parquet" for kind in ("strong", "weak")}  # read in a loop
    assert declared == named | made | {"data/prices.csv"}
