"""Make one table of a bill's files.

Each file is staged on its own: recognised by its columns, mapped by `formats`, rows that cannot be
read set aside. The staged rows are then joined: lines that several files hold count once, split
rows are matched with the instance that they are parts of, and months that were there already are
replaced. Everything is written beside the table and moved into place at the end.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import psutil

from hub_costs.bills import bill_files, staging
from hub_costs.bills import table as bill
from hub_costs.bills.merge import Ingested, merge
from pangeo_core.errors import BadInput
from pangeo_core.progress import Event, Progress, silent


def ingest(
    paths: Sequence[str | Path],
    out: Path,
    *,
    progress: Progress = silent,
    memory: str = "2GB",
    client: Any = None,
) -> Ingested:
    """Read the bill in `paths` into `out`/bill.parquet and return what happened.

    A month in `paths` replaces the same month of a table that is there already. Rows that cannot be
    read go to `out`/rejected.parquet with their file, row and reason. `client` is the S3 client for
    `s3://` paths. Raises `BadInput` naming file and column where a file as a whole is wrong, where
    currencies are mixed, or where one month comes in two formats.
    """
    files = bill_files.find(paths, client)
    out.mkdir(parents=True, exist_ok=True)
    _clear(out)
    work = Path(tempfile.mkdtemp(prefix=f".ingest-{os.getpid()}-", dir=out))
    try:
        with _connection(memory, work, files, client) as connection:
            parts = []
            for number, group in enumerate(_groups(files)):
                progress(Event(group[0].location, "start"))
                parts.append(staging.stage(connection, group, work, number))
                progress(Event(group[0].location, "done", f"{parts[-1].rows} rows"))
            return merge(connection, parts, work, out)
    except duckdb.Error as error:
        raise BadInput(
            "The bill could not be read.",
            why=str(error).strip(),
            fix="Check the files' integrity, the free disk space and memory; nothing was changed.",
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _clear(out: Path) -> None:
    """Remove what an ingest that was killed has left; one that still runs keeps its own."""
    for left in out.glob(".ingest-*"):
        if not psutil.pid_exists(int(left.name.split("-")[1])):
            shutil.rmtree(left, ignore_errors=True)


def _groups(files: list[bill_files.Source]) -> Iterator[list[bill_files.Source]]:
    """Yield what is staged together: each table by itself, all JSON pages as one."""
    yield from ([file] for file in files if file.kind != "json")
    if pages := [file for file in files if file.kind == "json"]:
        yield pages


@contextlib.contextmanager
def _connection(
    memory: str, work: Path, files: list[bill_files.Source], client: Any
) -> Iterator[duckdb.DuckDBPyConnection]:
    with bill.connect(memory, work / "spill") as connection:
        if any(file.location.startswith("s3://") for file in files):
            connection.register_filesystem(bill_files.filesystem(client))
        yield connection


@contextlib.contextmanager
def opened(
    paths: Sequence[str | Path], *, progress: Progress = silent, client: Any = None
) -> Iterator[tuple[Path, list[str]]]:
    """Give the bill in `paths` as a table, and what there is to say of it, for a `with` block.

    One path may be the table that `ingest` wrote, or its folder; anything else is a bill of AWS and
    is ingested into a folder that goes away after the block.
    """
    if len(paths) == 1 and (table := bill.table_at(Path(paths[0]))):
        yield table, []
        return
    with tempfile.TemporaryDirectory(prefix="pangeo-bill-") as folder:
        made = ingest(paths, Path(folder), progress=progress, client=client)
        notes = list(made.warnings)
        if made.rejected:
            notes.append(
                f"{made.rejected} rows of the bill cannot be read: `cost ingest` keeps them."
            )
        yield made.table, notes
