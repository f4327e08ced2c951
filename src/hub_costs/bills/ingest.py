"""Make one table of a bill's files.

The files are grouped into deliveries (`deliveries`); each is staged by itself, its formats mapped
and the rows that cannot be read marked (`staging`). Of several deliveries of a month one is chosen
(`selection`), split rows are matched with their instances (`splits`), and months that the table has
from older deliveries are replaced (`replaced_months`). Everything is written beside the table and
moved into place at the end.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pyarrow.parquet as pq

from hub_costs.bills import (
    bill_files,
    deliveries,
    replaced_months,
    report,
    selection,
    splits,
    staging,
)
from hub_costs.bills import table as bill
from hub_costs.bills.report import Ingested
from hub_costs.bills.staging import REJECTED, Part
from hub_costs.bills.table import name_of, quote
from pangeo_core.errors import BadInput, CheckFailed
from pangeo_core.progress import Event, Progress, silent


def ingest(
    paths: Sequence[str | Path],
    out: Path,
    *,
    strict: bool = False,
    progress: Progress = silent,
    memory: str = "2GB",
    client: Any = None,
) -> Ingested:
    """Read the bill in `paths` into `out`/bill.parquet and return what happened.

    A month in `paths` replaces the same month of a table that is there already, unless the table's
    was delivered later. Rows that cannot be read go to `out`/rejected.parquet with their file, row
    and reason. `client` is the S3 client for `s3://` paths.

    Raises `BadInput` naming file and column where a file as a whole is wrong, where currencies are
    mixed, or where two deliveries of a month cannot be compared. With `strict` it raises
    `CheckFailed`, and changes nothing, where a month falls or something could not be read.
    """
    listing = bill_files.find(paths, client)
    out.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(out)
    work = Path(tempfile.mkdtemp(prefix=f".ingest-{os.getpid()}-", dir=out))
    try:
        with _connection(memory, work, listing.sources, client) as connection:
            grouping = deliveries.group(listing)
            table = out / "bill.parquet"
            alone = len(grouping.read) == 1 and not table.is_file()
            parts = []
            for number, delivery in enumerate(grouping.read):
                progress(Event(delivery.label, "start"))
                # One delivery may be the table as it is; several are written once more.
                options = bill.WRITE if alone else "FORMAT parquet"
                parts.append(staging.stage(connection, delivery, work, number, options))
                progress(Event(delivery.label, "done"))
            result = _merge(connection, parts, table, work)
            notes, warnings = report.of_files(connection, listing, grouping)
            result.notes[:0], result.warnings[:0] = notes, warnings
            if strict and result.problems:
                raise CheckFailed(
                    f"The bill was not taken over: {result.problems[0]}",
                    why=" ".join(result.problems[1:]),
                    fix="Correct it, or ingest without --strict. Nothing was changed.",
                )
            _move_into_place(work, result)
            return result
    except duckdb.Error as error:
        raise BadInput(
            "The bill could not be read.",
            why=str(error).strip(),
            fix="Check the files' integrity, the free disk space and memory; nothing was changed.",
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _remove_abandoned(out: Path) -> None:
    """Remove what an ingest that was killed has left; one that still runs keeps its own."""
    for left in out.glob(".ingest-*"):
        if not psutil.pid_exists(int(left.name.split("-")[1])):
            shutil.rmtree(left, ignore_errors=True)


def _move_into_place(work: Path, result: Ingested) -> None:
    (work / "bill.parquet").replace(result.table)
    rejects = result.table.with_name("rejected.parquet")
    if result.rejects:
        (work / "rejected.parquet").replace(rejects)
    else:
        rejects.unlink(missing_ok=True)


@contextlib.contextmanager
def _connection(
    memory: str, work: Path, sources: Sequence[bill_files.Source], client: Any
) -> Iterator[duckdb.DuckDBPyConnection]:
    with bill.connect(memory, work / "spill") as connection:
        if any(source.location.startswith("s3://") for source in sources):
            connection.register_filesystem(bill_files.filesystem(client))
        yield connection


def _merge(
    connection: duckdb.DuckDBPyConnection, parts: Sequence[Part], table: Path, work: Path
) -> Ingested:
    """Write the table to `work` and return what happened."""
    found = selection.shares(connection, parts)
    superseded, warnings = selection.choose(connection, parts, found)
    gone = [old.share for old in superseded]
    left = [share for share in found if share not in gone]
    changes = replaced_months.changes(connection, table, left) if table.is_file() else []
    stale = [change for change in changes if not change.replaces]
    dropped = gone + [
        share
        for share in left
        for change in stale
        if (share.month, share.provider) == (change.share.month, change.share.provider)
    ]
    connection.execute(f"CREATE VIEW chosen AS {_chosen(parts, dropped)}")
    matched, orphans = splits.match(connection, "chosen", work)
    kept = _kept(table, changes) if table.is_file() else None
    rejected, cost = _rejects(connection, parts, orphans, work / "rejected.parquet")
    currency = _one_currency(connection, matched, kept, work / "rejected.parquet")
    tags = {tag for part in parts for tag in part.tags}
    if kept:
        tags |= set(bill.tags(table))
    if len(parts) == 1 and not (kept or rejected or orphans or dropped):
        parts[0].file.replace(work / "bill.parquet")
    else:
        _write(connection, matched, kept, sorted(tags), work / "bill.parquet")
    return report.result(
        connection, table, work, currency, (rejected, cost), superseded, changes, warnings
    )


def _chosen(parts: Sequence[Part], dropped: Sequence[selection.Share]) -> str:
    """Return SQL for the staged rows of the deliveries that speak."""
    queries = []
    for number, part in enumerate(parts):
        where = [f"\"x_View\" <> '{REJECTED}'"]
        where += [
            f"NOT (\"BillingPeriodStart\" = DATE '{share.month}'"
            f" AND coalesce(\"ProviderName\", '') = {quote(share.provider)})"
            for share in dropped
            if share.part == number
        ]
        queries.append(
            f"SELECT * FROM read_parquet({quote(str(part.file))}) WHERE {' AND '.join(where)}"
        )
    return " UNION ALL BY NAME ".join(queries)


def _kept(table: Path, changes: Sequence[replaced_months.Change]) -> str:
    """Return SQL for the rows of the table that are not replaced."""
    replaced = [f"({change.where})" for change in changes if change.replaces]
    where = f" WHERE NOT ({' OR '.join(replaced)})" if replaced else ""
    return f"(SELECT * FROM {bill.every_row(table)}{where})"


def _one_currency(
    connection: duckdb.DuckDBPyConnection, matched: str, kept: str | None, rejects: Path
) -> str:
    columns = 'SELECT "BillingCurrency" AS currency, "x_Source" AS source FROM'
    both = f"{columns} {matched}" + (f" UNION ALL {columns} {kept}" if kept else "")
    found = connection.execute(
        f"SELECT currency, count(*), min(source) FROM ({both}) GROUP BY 1 ORDER BY 2 DESC"
    ).fetchall()
    if not found:
        raise BadInput(
            "No row of the bill can be read.",
            why=report.reasons(connection, rejects),
            fix=report.remedy(connection, rejects) or "Correct the files, or fetch them again.",
        )
    if len(found) > 1:
        each = ", ".join(f"{c} ({n} rows, such as in {f})" for c, n, f in found)
        raise BadInput(
            "The bill mixes currencies.",
            why=each,
            fix="Ingest each currency into a folder of its own; amounts are never converted.",
        )
    return str(found[0][0])


def _write(
    connection: duckdb.DuckDBPyConnection,
    matched: str,
    kept: str | None,
    tags: Sequence[str],
    file: Path,
) -> None:
    names = ", ".join(name_of(name) for name in (*bill.COLUMNS, *tags))
    # A tag that no file of this run has is still a column of the table.
    blank = ", ".join(f"CAST(NULL AS VARCHAR) AS {name_of(tag)}" for tag in tags)
    query = f"SELECT * FROM {matched}"
    if tags:
        query += f" UNION ALL BY NAME (SELECT {blank} LIMIT 0)"
    if kept:
        query += f" UNION ALL BY NAME SELECT * FROM {kept}"
    connection.execute(f"COPY (SELECT {names} FROM ({query})) TO {quote(str(file))} ({bill.WRITE})")


def _rejects(
    connection: duckdb.DuckDBPyConnection,
    parts: Sequence[Part],
    orphans: Path | None,
    file: Path,
) -> tuple[int, Decimal]:
    """Write all rows that are not in the table; return how many, and the cost that they say."""
    files = [orphans] if orphans and pq.read_metadata(orphans).num_rows else []
    for part in parts:
        marked = connection.execute(
            f"SELECT 1 FROM read_parquet({quote(str(part.file))})"
            f" WHERE \"x_View\" = '{REJECTED}' LIMIT 1"
        ).fetchall()
        if marked or part.broken:
            files.append(part.file.with_name(f"rejects-{part.file.name}"))
            staging.write_rejects(connection, part, files[-1])
    if not files:
        return 0, Decimal(0)
    names = ", ".join(quote(str(name)) for name in files)
    read = f"read_parquet([{names}], union_by_name = true)"
    connection.execute(f"COPY (SELECT * FROM {read}) TO {quote(str(file))} (FORMAT parquet)")
    count, cost = connection.execute(
        f"SELECT count(*), coalesce(sum(cost), 0) FROM {read}"
    ).fetchall()[0]
    return int(count), Decimal(cost)


@contextlib.contextmanager
def opened(
    paths: Sequence[str | Path], *, progress: Progress = silent, client: Any = None
) -> Iterator[tuple[Path, list[str]]]:
    """Give the bill in `paths` as a table, and what there is to say of it, for a `with` block.

    One path may be the table that `ingest` wrote, or its folder; anything else is a provider's bill
    and is ingested into a folder that goes away after the block.
    """
    if len(paths) == 1 and (table := bill.table_at(Path(paths[0]))):
        yield table, []
        return
    with tempfile.TemporaryDirectory(prefix="pangeo-bill-") as folder:
        result = ingest(paths, Path(folder), progress=progress, client=client)
        yield result.table, [*result.notes, *result.warnings]
