"""Read csv as text: nothing guesses at amounts or at a file's shape, and no line is lost unseen."""

import csv
import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa

from hub_costs.bills.table import quote
from pangeo_core.errors import BadInput

# What DuckDB's message says -> what to do about it.
_FIXES = (
    ("invalid unicode", "Convert it: {latin1} (if it is Latin-1)."),
    ("unterminated quote", "Close the quotation mark, or fetch the file again."),
    ("maximum line size", "A quotation mark may be open, or the file is not text. Correct it."),
)
# What a file starts with that is not text -> what it is, and what to do about it. The mark of
# UTF-32 begins with that of UTF-16, which may lack its own: then its zeros tell.
_NO_TEXT = {
    b"\xff\xfe\0\0": ("UTF-32, not UTF-8", "Convert it: {utf32}."),
    b"\0\0\xfe\xff": ("UTF-32, not UTF-8", "Convert it: {utf32}."),
    b"\xff\xfe": ("UTF-16, not UTF-8", "Convert it: {utf16}."),
    b"\xfe\xff": ("UTF-16, not UTF-8", "Convert it: {utf16}."),
    b"PK\x03\x04": ("a zip archive, whatever its name says", "Unpack it: unzip {file}."),
    b"\x1f\x8b": ("packed by gzip", "{unpack}."),
    b"PAR1": ("a parquet file", "Name it .parquet."),
}
_ENCODINGS = {
    "latin1": "LATIN1",
    "utf16": "UTF-16",
    "utf16le": "UTF-16LE",
    "utf16be": "UTF-16BE",
    "utf32": "UTF-32",
}
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_LONGEST_HEAD = 2**20


class BrokenLine(NamedTuple):
    """A line with too many or too few values."""

    source: str
    row: int
    reason: str
    content: str


def columns(connection: duckdb.DuckDBPyConnection, label: str) -> dict[str, str]:
    """Return the names in a file's first line, and what SQL calls their columns.

    Names may repeat, or differ only in case, as tag keys of AWS do; those in SQL do not.
    """
    if label.startswith("s3://"):
        first = connection.execute(
            f"SELECT line FROM read_csv({quote(label)}, auto_detect = false, header = false,"
            " delim = '\x01', quote = '', escape = '', columns = {'line': 'VARCHAR'}) LIMIT 1"
        ).fetchall()
        head = str(first[0][0] or "") if first else ""
    else:
        head = _first_line(label)
    names = next(csv.reader([head.lstrip("\ufeff")]), [])
    apart = [word for sign, word in _SEPARATORS.items() if head.count(sign) > len(names)]
    if apart:
        raise BadInput(
            f"{label} cannot be read: {apart[0]} separate its columns, not commas.",
            fix="Give the file as the provider wrote it, with commas.",
        )
    above = sum(bool(name.strip()) for name in names) < 2  # a title, a remark, `sep=,`, or nothing
    if above or len(set(names)) < len(names):
        raise BadInput(
            f"{label} cannot be read: its first line does not name its columns.",
            why=f"It says: {head.strip()[:200] or 'nothing'}.",
            fix="Remove the lines above the columns' names."
            if above
            else "Give the file as the provider wrote it, each column named once.",
        )
    return {name: f"c{number}" for number, name in enumerate(names)}


def _first_line(file: str) -> str:
    try:
        with gzip.open(file) if file.endswith(".gz") else Path(file).open("rb") as stream:
            start = stream.read(_LONGEST_HEAD)
    except (OSError, EOFError) as error:
        raise unreadable(file, error) from None
    known = [about for sign, about in _NO_TEXT.items() if start.startswith(sign)]
    if known:
        what, fix = known[0]
        raise BadInput(f"{file} is {what}.", fix=_command(fix, file))
    if b"\0" in start[:200]:
        order = "utf16be" if start[:1] == b"\0" else "utf16le"
        raise BadInput(
            f"{file} is UTF-16, not UTF-8.", fix=_command(f"Convert it: {{{order}}}.", file)
        )
    lines = start.splitlines()  # whatever their ends
    return lines[0].decode("utf-8", "replace") if lines else ""


def relation(label: str, names: Mapping[str, str], *, keep_broken: bool = False) -> str:
    """Return SQL that reads a csv file as text.

    Lines with too many or too few values are passed over; with `keep_broken` they are stored for
    `broken_lines`.
    """
    named = ", ".join(f"{quote(name)}: 'VARCHAR'" for name in names.values())
    broken = "store_rejects = true, rejects_limit = 0" if keep_broken else "ignore_errors = true"
    return (
        f"read_csv({quote(label)}, auto_detect = false, columns = {{{named}}}, header = true,"
        " delim = ',', quote = '\"', escape = '\"', nullstr = ['NULL', ''],"
        f" {broken})"
    )


def broken_lines(
    connection: duckdb.DuckDBPyConnection, labels: Mapping[str, str]
) -> list[BrokenLine]:
    """Return the lines that the last read with `keep_broken` stored; `labels` name its files."""
    tables = {name for (name,) in connection.execute("SHOW TABLES").fetchall()}
    if "reject_errors" not in tables:
        return []
    rows = connection.execute(
        "SELECT DISTINCT ON (s.file_path, e.line) s.file_path, e.line, e.error_message, e.csv_line"
        " FROM reject_errors e JOIN reject_scans s USING (scan_id, file_id) ORDER BY 1, 2"
    ).fetchall()
    return [BrokenLine(labels.get(path, path), *line) for path, *line in rows]


def forget_broken_lines(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop what earlier reads have stored."""
    connection.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")


def as_table(lines: Sequence[BrokenLine]) -> pa.Table:
    """Return broken lines as a table like that of rejected rows, without amounts."""
    columns = list(zip(*lines, strict=True)) or [(), (), (), ()]
    schema = (pa.string(), pa.int64(), pa.string(), pa.string())
    return pa.table(
        {
            name: pa.array(values, kind)
            for name, values, kind in zip(BrokenLine._fields, columns, schema, strict=True)
        }
    )


def even_line_ends(file: str, copy: Path) -> bool:
    """Write a local csv with one kind of line end to `copy`; False where that is not its trouble.

    DuckDB's reader refuses a mix, such as two exports put together on different systems make. Its
    lenient mode reads one, and drops surplus values without a word.
    """
    if file.startswith("s3://"):
        return False
    ends: set[bytes] = set()
    try:
        with (
            gzip.open(file) if file.endswith(".gz") else Path(file).open("rb") as lines,
            copy.open("wb") as out,
        ):
            for line in lines:
                end = b"\r\n" if line.endswith(b"\r\n") else b"\n"
                ends.add(end)
                out.write(line.removesuffix(end) + b"\n")
    except (OSError, EOFError):  # cut off: the first error says it
        ends.clear()
    if len(ends) < 2:
        copy.unlink(missing_ok=True)
    return len(ends) == 2


def unreadable(label: str, error: Exception) -> BadInput:
    """Return the refusal of a file that DuckDB cannot read: where, why, and what to do."""
    lines = [line.strip() for line in str(error).strip().split("\n") if line.strip()]
    told = " ".join(lines[:3])
    cut = "It is cut off or not what its name says. Fetch it again."
    return BadInput(f"{label} cannot be read.", why=told, fix=way_out(str(error), label, cut))


def way_out(trouble: str, file: str, otherwise: str) -> str:
    """Return what to do about a file of which DuckDB says `trouble`."""
    known = (fix for sign, fix in _FIXES if sign in trouble.lower())
    return _command(next(known, otherwise), file)


def _command(fix: str, file: str) -> str:
    """Return `fix` with the commands in it that convert or unpack `file`."""
    packed = file.endswith(".gz")
    before, after = (f"gzip -dc {file} | ", "") if packed else ("", f" {file}")
    convert = {
        name: f"{before}iconv -f {encoding} -t UTF-8{after} > utf8.csv"
        for name, encoding in _ENCODINGS.items()
    }
    unpack = f"It is packed twice: gzip -dc {file} > once.csv.gz" if packed else "Name it .csv.gz"
    return fix.format(file=file, unpack=unpack, **convert)
