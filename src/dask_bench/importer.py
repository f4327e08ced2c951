"""Read NCAR's published benchmark results (pangeo-data/benchmarking) as a run table.

Their files repeat runs: a file of a campaign starts with the rows of the files before it, and the
folders `clean-*` contain the same runs again, sorted. A run is read where it is first listed, and
that order is the order in time. A time has 17 digits: two rows that agree in all columns are the
same run.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from dask.utils import parse_bytes

from dask_bench import runs
from pangeo_core.errors import BadInput
from pangeo_core.origin import Origin

CITATION = "pangeo-data/benchmarking (Apache-2.0)"
# Every published file has these; later ones have more, in another order.
REQUIRED = (
    "operation",
    "chunk_size",
    "chunking_scheme",
    "dataset_size",
    "machine",
    "num_nodes",
    "worker_per_node",
    "runtime",
)
# Their columns, ours, and how a value is read.
TEXT, COUNT, MEGABYTES, YES_NO = "text", "count", "megabytes", "yes-no"
COLUMNS = {
    "operation": ("operation", TEXT),
    "chunking_scheme": ("scheme", TEXT),
    "chunk_size": ("chunk_mb", MEGABYTES),
    "chunk_per_worker": ("chunks_per_worker", COUNT),
    "dataset_size": ("dataset_mb", MEGABYTES),
    "num_nodes": ("nodes", COUNT),
    "worker_per_node": ("workers_per_node", COUNT),
    "threads_per_worker": ("threads", COUNT),
    "spil": ("spill", YES_NO),
    "machine": ("machine", TEXT),
    "maxcore_per_node": ("node_cores", COUNT),
    "maxmemory_per_node": ("node_memory_mb", MEGABYTES),
    "io_format": ("store", TEXT),  # the input and output study of 2020 has these two
    "filesystem": ("place", TEXT),
    "runtime": ("seconds", "seconds"),
}
CONFIGURATION = [mine for mine, _ in COLUMNS.values() if mine != "seconds"]
_STAMP = re.compile(r"(\d{4}-\d{2}-\d{2})(?:_(\d{2})-?(\d{2})[-.](\d{2}))?")


def read(paths: Path | Sequence[Path]) -> pd.DataFrame:
    """Return the runs in csv files and folders of them as one run table, in the order of time.

    Neither the order of `paths` nor naming a file twice changes the result. Raises `BadInput`
    naming the file and line of an invalid value.
    """
    named = [paths] if isinstance(paths, Path) else list(paths)
    files = sorted(set(_files(named)), key=_when)
    if not files:
        raise BadInput("No csv file of benchmark results was found.", why=f"In: {_list(named)}")
    texts = pd.concat([_rows(file) for file in files], ignore_index=True)
    texts = texts.drop_duplicates([name for name in COLUMNS if name in texts], ignore_index=True)
    values = {
        mine: _column(texts, name, kind) if name in texts else None
        for name, (mine, kind) in COLUMNS.items()
    }
    listed = pd.DataFrame({"campaign": texts.campaign, **values})
    return _as_runs(listed.drop_duplicates([*CONFIGURATION, "seconds"], ignore_index=True))


def _as_runs(once: pd.DataFrame) -> pd.DataFrame:
    whole = ["campaign", *CONFIGURATION]
    table = once.assign(
        block=once.groupby(whole, dropna=False, sort=False).cumcount(),
        order=once.groupby("campaign", sort=False).cumcount(),
        role="run",
        variant="published",
        family=["storage" if file.endswith("file") else "compute" for file in once.operation],
        on="cluster",
        fingerprint="published: " + once.machine,
        origin=str(Origin.PUBLISHED),
        source=CITATION + ", " + once.campaign,
        failed=False,
    )
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return runs.frame(rows)


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from (file.resolve() for file in path.rglob("*.csv"))
        elif path.is_file():
            yield path.resolve()
        else:
            raise BadInput(f"{path} is not there.", fix="Name a csv file or a folder of them.")


def _when(file: Path) -> tuple[object, ...]:
    """Return the sort key of files: their time; originals before their sorted copies."""
    found = _STAMP.search(file.name)
    copy = any(part.startswith("clean-") for part in file.parts)
    return (found.groups("") if found else ("",), copy, file.as_posix())


def _rows(file: Path) -> pd.DataFrame:
    try:
        raw = pd.read_csv(file, dtype=str, skipinitialspace=True)
    except (OSError, ValueError) as error:
        raise BadInput(f"{file} cannot be read as csv.", why=str(error)) from error
    if missing := [name for name in REQUIRED if name not in raw.columns]:
        raise BadInput(
            f"{file} is not a benchmark result: it has no column {', '.join(missing)}.",
            fix="Give csv files of pangeo-data/benchmarking, or a parquet file of bench run.",
        )
    day = file.parent
    own = raw[[name for name in COLUMNS if name in raw.columns]]
    return own.assign(campaign=f"{day.parent.name}/{day.name}", file=str(file), row=raw.index)


def _column(table: pd.DataFrame, name: str, kind: str) -> pd.Series:
    texts = table[name]
    if name in REQUIRED and texts.isna().any():
        raise _wrong(table.loc[texts.isna().idxmax()], name)
    if kind == TEXT:
        return texts.str.strip()
    values = {text: _value(text, kind) for text in texts.dropna().unique()}
    for text, value in values.items():
        if value is None:
            raise _wrong(table.loc[(texts == text).idxmax()], name)
    return texts.map(values)


def _value(text: str, kind: str) -> float | int | bool | None:
    """Return the value of `text`, or None if it is invalid."""
    if kind == YES_NO:
        return {"true": True, "false": False}.get(text.strip().lower())
    try:
        value = parse_bytes(text) / 1e6 if kind == MEGABYTES else float(text)
    except ValueError:
        return None
    if not 0 < value < float("inf") or (kind == COUNT and value != int(value)):
        return None
    return int(value) if kind == COUNT else value


def _wrong(row: pd.Series, name: str) -> BadInput:
    return BadInput(
        f"{row.file}, line {row.row + 2}: {name} is {row[name]!r}.",
        why="Sizes are such as `64.00 MB`, counts and seconds are positive numbers.",
        fix="Mend the line or leave it out.",
    )


def _list(paths: Sequence[Path]) -> str:
    return ", ".join(str(path) for path in paths)
