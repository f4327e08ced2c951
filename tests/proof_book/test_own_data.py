"""Notebook 04 with a file of one's own: a made-up file is never called measured."""

import json
from pathlib import Path
from typing import Any

import pytest

from hub_costs.whatif import arrivals
from tests.conftest import PROJECT


def run(**parameters: str) -> dict[str, Any]:
    """Run the parameters and the loading cell of the notebook; return its names."""
    notebook = json.loads((PROJECT / "notebooks" / "04-usage.ipynb").read_text())
    code = {cell["id"]: "".join(cell["source"]) for cell in notebook["cells"]}
    names: dict[str, Any] = {}
    exec(code["parameters"], names)
    names.update(parameters)
    exec(code["load"], names)
    return names


def test_a_file_is_a_sample_unless_its_owner_says_that_a_hub_measured_it(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    model = arrivals.Class(people=5, days=7)
    arrivals.generate(model, 1).table.astype(object).to_csv(file, index=False)
    assert run(sessions_file=str(file))["origin"] == "sample"
    assert run(sessions_file=str(file), sessions_origin="measured")["origin"] == "measured"
    with pytest.raises(ValueError, match="sessions_origin"):
        run(sessions_file=str(file), sessions_origin="published")


def test_without_a_file_it_is_modelled() -> None:
    assert run()["origin"] == "modelled"
