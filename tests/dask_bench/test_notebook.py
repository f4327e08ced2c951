"""The notebook declares what it reads, so that the book executes it anew when that changes."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_declared_inputs_are_the_files_that_the_notebook_reads() -> None:
    notebook = json.loads((ROOT / "notebooks" / "03-benchmarks.ipynb").read_text())
    declared = set(notebook["metadata"]["pangeo_deploy"]["inputs"])
    assert all((ROOT / path).is_file() for path in declared)
    code = "".join("".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code")
    said = ROOT / "notebooks" / "results" / "03-benchmarks.yaml"
    code += said.read_text()
    files = (ROOT / "data").glob("*.*")
    named = {f"data/{file.name}" for file in files if re.search(rf"\b{file.stem}[.\"]", code)}
    made = {f"data/bench_{kind}.parquet" for kind in ("strong", "weak")}  # read in a loop
    assert declared == named | made | {"data/prices.csv", said.relative_to(ROOT).as_posix()}
