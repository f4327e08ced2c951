"""The data: the formula in its own words, and the same bits however it is cut."""

from dataclasses import replace
from pathlib import Path

import dask
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from dask_bench import zarr_store
from dask_bench.fields import Field, days
from dask_bench.tiers import NCAR, SCHEMES, TIERS, chunk_shape
from dask_bench.zarr_store import Layout

SMALL = Field(years=1, lat=8, lon=12, seed=3)
WHOLE = SMALL[:]


def splitmix64(seed: int, index: int) -> float:
    """Return the noise of one element, in plain integers as its paper has it."""
    mask = 2**64 - 1
    z = (seed + (index + 1) * 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    z ^= z >> 31
    return (z >> 11) * 2.0**-53 - 0.5


@settings(deadline=None)
@given(t=some.integers(0, 364), y=some.integers(0, 7), x=some.integers(0, 11))
def test_a_value_is_what_the_formula_says(t: int, y: int, x: int) -> None:
    lat = np.deg2rad(-90 + 180 / 8 * (y + 0.5))
    season = np.sin(2 * np.pi * (t + 1) / 365.2425)
    noise = splitmix64(3, (t * 8 + y) * 12 + x)
    value = 15 + 12 * np.cos(lat) + 4 * np.cos(lat) * season + 0.01 * t / 365.2425 + noise
    assert WHOLE[t, y, x] == np.float32(value)


@given(
    chunks=some.tuples(some.integers(1, 400), some.integers(1, 8), some.integers(1, 12)),
    workers=some.integers(1, 4),
)
@settings(max_examples=15, deadline=None)
def test_any_chunking_gives_the_same_bits(chunks: tuple[int, int, int], workers: int) -> None:
    chunks = (max(chunks[0], 40), *chunks[1:])  # a few hundred tasks at most
    lazy = SMALL.dataset(chunks).v0.data
    with dask.config.set(scheduler="threads", num_workers=workers):
        assert np.array_equal(lazy.compute(), WHOLE)


@settings(max_examples=50, deadline=None)
@given(data=some.data())
def test_any_part_is_a_part_of_the_whole(data: some.DataObject) -> None:
    index = tuple(
        data.draw(some.one_of(some.integers(0, size - 1), some.slices(size).filter(_forward)))
        for size in SMALL.shape
    )
    assert np.array_equal(SMALL[index], WHOLE[index])


def _forward(one: slice) -> bool:
    return one.step is None or one.step > 0


def test_noise_is_uniform_and_seeds_differ() -> None:
    field = replace(SMALL, lat=40, lon=40)
    noise = field[:].astype("f8") - field.smooth()[:, :, None]
    n = noise.size
    assert abs(noise.mean()) < 5 / np.sqrt(12 * n)
    assert abs(noise.var() - 1 / 12) < 5 * np.sqrt(1 / 180 / n)
    assert not np.array_equal(field[0], replace(field, seed=4)[0])


def test_sizes_are_what_the_tiers_say() -> None:
    gigabytes = {name: tier.field.nbytes / 1e9 for name, tier in TIERS.items()}
    assert gigabytes == pytest.approx({"xs": 0.25, "s": 10, "m": 1000, "l": 10000}, rel=0.02)
    assert NCAR.label == "f8[365,320,384]"
    assert len(days(4)) == 1461


@settings(deadline=None)
@given(
    megabytes=some.floats(0.001, 1),
    scheme=some.sampled_from(SCHEMES),
)
def test_chunks_cover_the_data_and_are_about_as_large_as_asked(
    megabytes: float, scheme: str
) -> None:
    field = Field(years=1, lat=40, lon=60)
    shape = chunk_shape(field, scheme, megabytes)  # type: ignore[arg-type]
    assert all(1 <= chunk <= size for chunk, size in zip(shape, field.shape, strict=True))
    whole = {"time": (1, 2), "space": (0,), "box": ()}[scheme]
    assert all(shape[axis] == field.shape[axis] for axis in whole)


def test_a_store_holds_the_data_in_the_layout_asked_for(tmp_path: Path) -> None:
    for layout in (
        Layout(SMALL, "time", chunk_mb=0.02),
        Layout(SMALL, "space", chunk_mb=0.02, codec="lz4"),
        Layout(SMALL, "time", chunk_mb=0.005, shard_mb=0.05, codec="none", variables=2),
    ):
        opened = zarr_store.open_dataset(zarr_store.prepare(layout, tmp_path))
        assert opened.v0.encoding["chunks"] == layout.chunks
        assert opened.v0.encoding["shards"] == layout.shards
        assert np.array_equal(opened.v0.to_numpy(), WHOLE)
    assert np.array_equal(opened.v1.to_numpy(), replace(SMALL, seed=4)[:])
