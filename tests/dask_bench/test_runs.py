"""The run table: it comes back as it went in, and says why when it cannot."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from dask_bench import runs
from dask_bench.columns import COLUMNS, VERSION
from pangeo_core.errors import BadInput


def row(**values: Any) -> dict[str, Any]:
    return {
        "campaign": "c",
        "block": 0,
        "order": 0,
        "role": "run",
        "operation": "mean",
        "variant": "naive",
        "family": "compute",
        "dataset_mb": 250.0,
        "on": "local",
        "nodes": 1,
        "failed": False,
        "machine": "two cores",
        "fingerprint": "a",
        "origin": "measured",
        "source": "test",
        **values,
    }


def test_a_table_comes_back_as_it_went_in(tmp_path: Path) -> None:
    full = row(
        started=pd.Timestamp("2026-11-26T10:00:00", tz="UTC"),
        saturation=np.inf,
        seconds=1.5,
        tasks=12,
        result_ok=True,
        usd_full=Decimal("0.000000012345"),
    )
    table = runs.frame([full, row(order=1, failed=True, reason="disk full")])
    runs.write(table, tmp_path / "runs.parquet", plan={"seed": 1})
    back = runs.read(tmp_path / "runs.parquet")
    pd.testing.assert_frame_equal(back, table)
    assert back.usd_full[0] == Decimal("0.000000012345")
    assert np.isinf(back.saturation[0])
    assert pd.isna(back.tasks[1])
    assert runs.plan(tmp_path / "runs.parquet") == {"seed": 1}


def test_every_column_says_what_it_is() -> None:
    for name, column in COLUMNS.items():
        assert column.meaning, name
        assert column.unit or column.kind in ("text", "json", "yes-no", "integer"), name


def _newer(path: Path) -> None:
    table = pq.read_table(path)
    mark = json.dumps({"version": VERSION + 1, "plan": None})
    pq.write_table(table.replace_schema_metadata({runs.MARK: mark}), path)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _foreign(path: Path) -> None:
    pd.DataFrame({"runtime": [1.0]}).to_parquet(path)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_newer, f"schema version {VERSION + 1}"),
        (_cut, "cut short"),
        (_half, "cut short"),
        (_empty, "cut short"),
        (_foreign, "not a run file"),
        (Path.unlink, "No such file"),
    ],
)
def test_a_bad_file_is_refused_with_its_reason(tmp_path: Path, spoil: Any, says: str) -> None:
    path = tmp_path / "runs.parquet"
    runs.write(runs.frame([row()]), path)
    spoil(path)
    with pytest.raises(BadInput) as caught:
        runs.read(path)
    assert says in str(caught.value)
    assert str(path) in caught.value.what


def test_machines_are_never_mixed_in_silence(tmp_path: Path) -> None:
    for name in ("a", "b"):
        runs.write(runs.frame([row(fingerprint=name)]), tmp_path / f"{name}.parquet")
    both = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    with pytest.raises(BadInput, match="2 machines"):
        runs.read(both)
    assert len(runs.read(both, machines=True)) == 2


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"speed": 1}, "no column speed"),
        ({"operation": None}, "no operation"),
        ({"role": "walk"}, "no role walk"),
        ({"origin": "guessed"}, "no origin guessed"),
        ({"seconds": "long"}, "does not fit"),
    ],
)
def test_a_row_that_breaks_the_contract_is_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput) as caught:
        runs.frame([row(**values)])
    assert says in str(caught.value)
