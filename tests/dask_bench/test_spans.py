"""Streaming several stored chunks in a task: every value once, whatever the layout."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_bench import expected_answers, streamed, zarr_store
from dask_bench.tiers import TIERS
from dask_bench.workload import Scene
from dask_bench.zarr_store import Layout

SMALL = replace(TIERS["xs"].field, years=1, lat=16, lon=24)
AXES = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 5)), min_size=3, max_size=3)


@settings(deadline=None)
@given(AXES, st.integers(1, 9))
def test_the_boxes_hold_every_value_once_and_no_more_chunks_than_asked(
    axes: list[tuple[int, int]], many: int
) -> None:
    shape = tuple(length for length, _ in axes)
    stored = tuple(min(chunk, length) for length, chunk in axes)
    plan = streamed.spans(shape, stored, many)
    seen = np.zeros(shape, int)
    for place in np.ndindex(*(len(axis) for axis in plan.chunks)):
        box = plan.box(place)
        assert all(one.stop - one.start == plan.chunks[axis][at] for axis, (at, one) in
                   enumerate(zip(place, box, strict=True)))  # fmt: skip
        pieces = list(plan.pieces(box))
        assert len(pieces) <= many
        for piece in pieces:
            seen[piece] += 1
            inside = zip(piece, stored, strict=True)
            assert all(one.start // chunk == (one.stop - 1) // chunk for one, chunk in inside)
    assert (seen == 1).all()
    assert tuple(map(sum, plan.chunks)) == shape
    assert math.prod(plan.size) >= math.prod(stored)


@pytest.mark.parametrize("scheme", ["time", "space", "box"])
@pytest.mark.parametrize("more", [{}, {"shard_mb": 0.2}, {"chunk_mb": 0.03}], ids=str)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_sums_are_right_whatever_the_layout(
    tmp_path: Path, scheme: Any, more: dict[str, Any], dtype: Any
) -> None:
    layout = Layout(replace(SMALL, dtype=dtype), scheme, **{"chunk_mb": 0.1, **more})
    path = zarr_store.prepare(layout, tmp_path)
    scene = Scene(layout, path, tmp_path, zarr_store.open_dataset(path), threads=2)
    for name, run in (
        ("area-mean", streamed.area_mean),
        ("time-mean", streamed.time_mean),
        ("climatology-month", streamed.climatology("month")),
    ):
        answer = expected_answers.ANSWERS[name]
        verdict = expected_answers.check(
            answer, expected_answers.known(answer, layout), run(scene), layout
        )
        assert verdict.ok, (name, verdict)
