"""The run table in a parquet file: written as a whole, checked when it is read.

The columns are in `dask_bench.columns`. In pandas, texts are strings, integers and yes-no
are nullable, numbers are float64, times are UTC timestamps, money is `Decimal`.
"""

import io
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dask_bench import journal
from dask_bench.columns import COLUMNS, PARAMETERS, ROLES, VERSION, Kind
from pangeo_core.errors import BadInput, MissingPrerequisite
from pangeo_core.files import write_whole
from pangeo_core.origin import Origin

MARK = b"pangeo_deploy.runs"  # in the file's metadata: {"version": ..., "plan": ...}

_ARROW: Mapping[Kind, pa.DataType] = {
    "text": pa.string(),
    "json": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "yes-no": pa.bool_(),
    "time": pa.timestamp("us", tz="UTC"),
    "money": pa.decimal128(38, 12),
}
_PANDAS = {
    pa.string(): pd.StringDtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


def schema() -> pa.Schema:
    """Return the table's Arrow schema, units and meanings in each field's metadata."""
    return pa.schema(
        pa.field(
            name,
            _ARROW[column.kind],
            nullable=not column.required,
            metadata={"unit": column.unit, "meaning": column.meaning},
        )
        for name, column in COLUMNS.items()
    )


def frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return `rows` (column -> value; a missing column is null) as a checked table.

    Raises `BadInput` for an unknown column, and for a required one that is null.
    """
    listed = list(rows)
    if unknown := sorted({name for row in listed for name in row} - set(COLUMNS)):
        raise BadInput(f"The run table has no column {', '.join(unknown)}.")
    try:
        table = pa.Table.from_pylist(listed, schema=schema())
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise BadInput("A value does not fit the run table.", why=str(error)) from error
    return _checked(table, "These runs")


def write(
    table: pd.DataFrame,
    path: Path,
    *,
    plan: Mapping[str, Any] | None = None,
    durable: bool = True,
) -> None:
    """Write runs to `path`, completely or not at all, with the campaign's `plan`."""
    arrow = pa.Table.from_pandas(
        table.reindex(columns=list(COLUMNS)), schema=schema(), preserve_index=False
    )
    _checked(arrow, "These runs")
    mark = json.dumps({"version": VERSION, "plan": plan}, sort_keys=True)
    sink = io.BytesIO()
    arrow = arrow.replace_schema_metadata({MARK: mark})
    pq.write_table(arrow, sink, compression="zstd")
    write_whole(path, sink.getvalue(), durable=durable)


def finish(rows: Sequence[Mapping[str, Any]], out: Path, plan: Mapping[str, Any]) -> None:
    """Write the run file at the end of a campaign, and remove its journal.

    If the disk is full, the runs go to a temporary folder; `MissingPrerequisite` says where, and
    how to continue.
    """
    if (error := _refused(rows, out, plan)) is None:
        journal.end(out)
        return
    from dask_bench.faults import explain  # imports distributed, which readers do not need

    fix = "Its older runs are whole, the last ones are lost. Free the disk."
    try:
        other = Path(tempfile.mkdtemp(prefix="pangeo-deploy-bench-")) / out.name
        if _refused(rows, other, plan) is None:
            fix = (
                f"All {len(rows)} runs are in {other}. Free the disk, move that file to the run "
                "file's place, and give the same command again."
            )
    except OSError:  # no temporary folder either
        pass
    raise MissingPrerequisite(
        f"The run file {out} cannot be written.", why=explain(error), fix=fix
    ) from error


def _refused(
    rows: Sequence[Mapping[str, Any]], out: Path, plan: Mapping[str, Any]
) -> OSError | None:
    """Write the run file, if there are runs; return the error if it cannot be written."""
    try:
        if rows:
            write(frame(rows), out, plan=plan, durable=False)
    except OSError as error:
        return error
    return None


def read(paths: Path | Sequence[Path], *, machines: bool = False) -> pd.DataFrame:
    """Return the runs of one or several files as one table.

    Raises `BadInput` for a file that is missing, truncated, no run table or of a newer schema, and
    for runs of several machines unless `machines` permits them.
    """
    files = [paths] if isinstance(paths, Path) else list(paths)
    if not files:
        raise BadInput("No run file was named.", fix="Pass a parquet file that bench run wrote.")
    parts = [_checked(_load(file)[0], file.name) for file in files]
    table = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    if not machines:
        require_one_machine(table)
    return table


def plan(path: Path) -> dict[str, Any]:
    """Return the plan of the campaign in `path`; empty if the file has none."""
    return _load(path)[1].get("plan") or {}


def rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return runs as plain rows, as `frame` takes them, with None for null."""
    arrow = pa.Table.from_pandas(table, schema=schema(), preserve_index=False)
    found: list[dict[str, Any]] = arrow.to_pylist()
    return found


Key = tuple[Any, ...]  # the values of `PARAMETERS`, None for null

# Configurations that agree in these match; if only the rest differs, settings changed.
IDENTITY = ("operation", "variant", "scheme", "nodes", "dataset_mb", "chunk_mb", "tier", "grid")


def good(table: pd.DataFrame) -> pd.DataFrame:
    """Return the runs that medians and comparisons rest on.

    No warm-ups, no failed runs, and none that lost a worker by accident: such a run is right, but
    its time is not typical.
    """
    accident = (table.lost_workers.fillna(0) > 0) & (table.family != "life")
    return table[(table.role != "warm-up") & ~table.failed.astype(bool) & ~accident]


def timed(table: pd.DataFrame) -> pd.Series:
    """Return the seconds of each run, null where `good` leaves it out."""
    return table.seconds.where(table.index.isin(good(table).index))


def configurations(table: pd.DataFrame) -> pd.Series:
    """Return each row's parameters as a tuple in the order of `PARAMETERS`, None for null.

    Tuples with None can be compared between tables, which NaN cannot. The index is 0, 1, ...
    """
    plain = table[list(PARAMETERS)].astype(object)
    return pd.Series(list(plain.where(plain.notna(), None).itertuples(index=False, name=None)))


def by_configuration(table: pd.DataFrame) -> dict[Key, pd.DataFrame]:
    """Return the runs of each configuration, warm-ups left out, in the order of the table."""
    counted = table[table.role != "warm-up"].reset_index(drop=True)
    keys = configurations(counted)
    by_position = keys.groupby(keys, sort=False).indices
    return {key: counted.iloc[rows] for key, rows in by_position.items()}


def known(key: Key) -> dict[str, Any]:
    """Return the parameters of a configuration by name, without those that are null."""
    named = zip(PARAMETERS, key, strict=True)
    return {
        name: value.item() if hasattr(value, "item") else value
        for name, value in named
        if value is not None
    }


def arms(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the runs of A and of B in a file of `bench ab`, pair by pair.

    Raises `BadInput` if the file does not have two arms.
    """
    if set(table.arm.dropna().unique()) != {"a", "b"}:
        raise BadInput(
            "This file does not hold the runs of two environments.",
            fix="Give a file that bench ab wrote, or the two files of two bench runs.",
        )
    counted = table[table.role != "warm-up"].sort_values(["block", "order"], kind="stable")
    keys = list(counted[list(IDENTITY)].astype(object).itertuples(index=False, name=None))
    counted = counted.assign(_key=[str(key) for key in keys])
    complete = counted.groupby(["_key", "block"]).arm.transform("nunique") == 2
    a, b = (counted[complete & (counted.arm == arm)] for arm in ("a", "b"))
    # Intended differences, such as a Dask setting, must not prevent a match.
    settings = [name for name in PARAMETERS if name not in IDENTITY]
    of_a = a.drop_duplicates("_key").set_index("_key")
    for name in settings:
        b = b.assign(**{name: of_a[name].reindex(b._key).array})
    return a.drop(columns="_key"), b.drop(columns="_key")


def identity(configuration: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the configuration's identity, regardless of the settings it ran under."""
    return tuple(configuration.get(name) for name in IDENTITY)


def require_one_machine(table: pd.DataFrame) -> None:
    """Refuse runs of several machines: their times cannot be compared."""
    seen = table.drop_duplicates("fingerprint")
    if len(seen) > 1:
        raise BadInput(
            f"These runs come from {len(seen)} machines.",
            why="; ".join(f"{row.machine} ({row.fingerprint})" for row in seen.itertuples()),
            fix="Give the runs of one machine, or say that several are meant (--machines).",
        )


def _load(path: Path) -> tuple[pa.Table, dict[str, Any]]:
    fix = "Give a run file that bench run or bench import wrote."
    begun, more = journal.read(path)
    if begun is not None and not path.exists():
        return pa.Table.from_pylist(more, schema=schema()), {"version": VERSION, "plan": begun}
    try:
        table = pq.read_table(io.BytesIO(path.read_bytes()))
    except OSError as error:
        raise BadInput(f"{path} cannot be read.", why=str(error), fix=fix) from error
    except pa.ArrowInvalid as error:
        why = f"It is cut short or no parquet file: {error}"
        raise BadInput(f"{path} cannot be read.", why=why, fix=fix) from error
    try:
        mark = json.loads((table.schema.metadata or {})[MARK])
        version = int(mark["version"])
    except (KeyError, ValueError, TypeError):
        raise BadInput(
            f"{path} is not a run file.", why="It has no schema version.", fix=fix
        ) from None
    if version > VERSION:
        raise BadInput(
            f"{path} has schema version {version}; this version reads up to {VERSION}.",
            fix="Use a newer pangeo-deploy.",
        )
    # A file of this version from an earlier commit may lack columns added later.
    for name, column in COLUMNS.items():
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(len(table), _ARROW[column.kind]))
    table = table.select(list(COLUMNS)).cast(schema())
    if begun is not None:
        there = set(table.column("order").to_pylist())  # written, but killed before that was told
        more = [row for row in more if row["order"] not in there]
        table = pa.concat_tables([table, pa.Table.from_pylist(more, schema=schema())])
        mark = {**mark, "plan": begun}
    return table, mark


def _checked(table: pa.Table, what: str) -> pd.DataFrame:
    for name, column in COLUMNS.items():
        if column.required and table.column(name).null_count:
            raise BadInput(f"{what}: a run has no {name}.", why=column.meaning)
    for name, allowed in (("role", ROLES), ("origin", tuple(Origin))):
        if wrong := sorted(set(table.column(name).to_pylist()) - {str(value) for value in allowed}):
            raise BadInput(f"{what}: there is no {name} {', '.join(wrong)}.")
    return table.to_pandas(types_mapper=_PANDAS.get)
