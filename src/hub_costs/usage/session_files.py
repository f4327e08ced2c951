"""Read and write the sessions table as csv or parquet."""

import io
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from hub_costs.usage.sessions import COLUMNS, OPTIONAL, Sessions, check
from pangeo_core.errors import BadInput
from pangeo_core.files import write_whole

_APART = 60 * 10**9  # ns that two sources may differ in a start or an end: one scrape
_REPEATED = ("user", "hub", "kind", "node_type", "capacity", "server")  # few values, many rows


def read(
    paths: Path | Sequence[Path],
    *,
    window: tuple[pd.Timestamp, pd.Timestamp] | None = None,
    accounts: bool = False,
) -> Sessions:
    """Return the sessions of one or several csv or parquet files, checked as in `sessions.check`.

    `window` bounds the data where the files do not speak for themselves. Raises `BadInput` naming
    the file that is missing, unreadable, of another kind, or without a needed column.
    """
    files = [paths] if isinstance(paths, Path) else list(paths)
    if not files:
        raise BadInput("No sessions file was named.", fix="Pass a csv or parquet file.")
    sessions = _read(files, window, accounts)
    pa.default_memory_pool().release_unused()  # else arrow keeps the files' size for itself
    return sessions


def _read(
    files: list[Path], window: tuple[pd.Timestamp, pd.Timestamp] | None, accounts: bool
) -> Sessions:
    tables, broken = zip(*(_raw(Path(file)) for file in files), strict=True)
    refused = pd.concat(broken, ignore_index=True)
    if len(files) == 1:
        return check(
            tables[0], source=files[0].name, window=window, rejected=refused, accounts=accounts
        )
    origin = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
    whole = pd.concat([t.astype(object) for t in tables], ignore_index=True)
    again = _again(whole, origin)
    twice = whole[again].assign(source=[files[n].name for n in origin[again]], reason="twice")
    refused = pd.concat([refused, twice.reindex(columns=refused.columns)], ignore_index=True)
    names = ", ".join(file.name for file in files)
    return check(whole[~again], source=names, window=window, rejected=refused, accounts=accounts)


def _again(whole: pd.DataFrame, origin: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return which rows an earlier file has already: the same person, kind, start and end.

    Sources differ by a sample in what they saw and in how they name hub and server, so starts and
    ends may be a minute apart. Each row stands for one of another file only.
    """
    start, end = (
        pd.to_datetime(whole[name], utc=True, format="ISO8601", errors="coerce").astype("int64")
        for name in ("start", "end")
    )
    again = np.zeros(len(whole), bool)
    for _, places in whole.groupby(["user", "kind"], observed=True).indices.items():
        kept: list[tuple[int, int]] = []  # start and row, in order of time
        taken: set[tuple[int, int]] = set()  # a kept row, and the file that showed it again
        for n in sorted(places, key=lambda n: (origin[n], start[n])):
            low = bisect_left(kept, (start[n] - _APART, -1))
            high = bisect_right(kept, (start[n] + _APART, len(whole)))
            for _, k in kept[low:high]:
                other = origin[k] != origin[n] and (k, origin[n]) not in taken
                if other and abs(end[k] - end[n]) <= _APART:
                    taken.add((k, origin[n]))
                    again[n] = True
                    break
            else:
                insort(kept, (start[n], n))
    return again


def read_gaps(path: Path) -> pd.DataFrame:
    """Return the times without data in a csv file with start, end and source.

    Raises `BadInput` where it is none, or a gap ends before it starts.
    """
    try:
        table = pd.read_csv(path, dtype=str)
        for name in ("start", "end"):
            table[name] = pd.to_datetime(table[name], utc=True, format="ISO8601")
        right = bool((table["end"] > table["start"]).all())
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(
            f"The gaps in {path.name} cannot be read.",
            why=str(error),
            fix="Pass the gaps.csv that `usage collect` wrote.",
        ) from None
    if not right:
        raise BadInput(f"A gap in {path.name} ends before it starts.", fix="Correct it.")
    return table


def write(sessions: Sessions | pd.DataFrame, path: Path) -> None:
    """Write the table to `path` (.csv or .parquet), whole or not at all."""
    table = sessions.table if isinstance(sessions, Sessions) else sessions
    table = table[[*COLUMNS, *(name for name in OPTIONAL if name in table.columns)]]
    if path.suffix == ".parquet":
        sink = io.BytesIO()
        arrow = pa.Table.from_pandas(table, preserve_index=False)
        pa.parquet.write_table(arrow.replace_schema_metadata(None), sink, compression="zstd")
        write_whole(path, sink.getvalue())
    elif path.suffix == ".csv":
        text = table.copy()
        for name in text.columns:
            if pd.api.types.is_datetime64_any_dtype(text[name]):
                text[name] = text[name].dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
                text[name] = text[name].str.replace(r"(\.\d{3})\d*Z$", r"\1Z", regex=True)
        write_whole(path, text.to_csv(index=False, lineterminator="\n"))
    else:
        raise _bad(path, "has neither the ending .csv nor .parquet", "Name it so.")


def _raw(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the file's table as it is, with line numbers, and its broken lines."""
    if not path.is_file():
        raise BadInput(f"There is no sessions file {path}.", fix="Check the path.")
    try:
        if path.suffix == ".parquet":
            names = pa.parquet.read_schema(path).names
            _check_columns(path, names)
            wanted = [name for name in names if name in (*COLUMNS, *OPTIONAL)]
            table = pa.parquet.read_table(path, columns=wanted, read_dictionary=list(_REPEATED))
            return table.to_pandas(split_blocks=True, self_destruct=True), _broken(path, [])
        if path.suffix == ".csv":
            return _csv(path)
    except UnicodeDecodeError as error:
        raise _bad(path, "is not UTF-8", "Write it again as UTF-8.", str(error)) from None
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
        why = str(error).splitlines()[0]
        raise _bad(path, "cannot be read", "Write it again, as csv or parquet.", why) from None
    raise _bad(path, "has neither the ending .csv nor .parquet", "Name it by what it is.")


def _csv(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    lines: list[tuple[int, str]] = []

    def skip(row: pa.csv.InvalidRow) -> str:
        lines.append((int(row.number), str(row.text)))
        return "skip"

    text = {name: pa.string() for name in (*COLUMNS, *OPTIONAL)}
    text |= {name: pa.dictionary(pa.int32(), pa.string()) for name in _REPEATED}
    table = pa.csv.read_csv(
        path,
        # One thread: only so are the numbers of broken lines known.
        read_options=pa.csv.ReadOptions(use_threads=False, encoding="utf8"),
        parse_options=pa.csv.ParseOptions(invalid_row_handler=skip),
        convert_options=pa.csv.ConvertOptions(
            column_types=text, null_values=[""], strings_can_be_null=True
        ),
    )
    _check_columns(path, table.column_names)
    unknown = [name for name in table.column_names if name not in text]
    table = table.drop_columns(unknown)
    gone = [number for number, _ in lines]
    rows = np.setdiff1d(np.arange(2, len(table) + len(gone) + 2), gone, assume_unique=True)
    frame = table.to_pandas(split_blocks=True, self_destruct=True)
    frame["row"] = rows
    return frame, _broken(path, lines)


def _check_columns(path: Path, names: Sequence[str]) -> None:
    """Raise `BadInput` where a needed column is missing, or a known one is there twice."""
    twice = [name for name in (*COLUMNS, *OPTIONAL) if names.count(name) > 1]
    if twice:
        raise _bad(path, f"has more than one column {', '.join(twice)}", "Leave one of each.")
    if missing := [name for name in COLUMNS if name not in names]:
        raise _bad(
            path,
            f"has no column {', '.join(missing)}",
            f"Give it the columns {', '.join(COLUMNS)}, with commas between them.",
            f"It has: {', '.join(map(repr, names)) or 'none'}.",
        )


def _broken(path: Path, lines: list[tuple[int, str]]) -> pd.DataFrame:
    frame = pd.DataFrame(lines, columns=["row", "user"])
    frame["source"], frame["reason"] = path.name, "broken"
    return frame.reindex(columns=["source", "row", "reason", *COLUMNS], fill_value="")


def _bad(path: Path, what: str, fix: str, why: str = "") -> BadInput:
    return BadInput(f"The sessions file {path.name} {what}.", why=why, fix=fix)
