"""Read the small, cited tables of published numbers in `data/`."""

import csv
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_costs import data_files
from hub_costs.months import Month
from pangeo_core.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

Reader = Callable[[str], Any]


def text(value: str) -> str:
    """Return `value` if there is one."""
    if not value.strip():
        raise ValueError("is empty")
    return value


def month(value: str) -> str:
    """Return `value` if it is a month written as YYYY-MM."""
    try:
        return str(Month.parse(value))
    except BadInput as error:
        raise ValueError(error.what) from None


def money(value: str) -> Decimal:
    """Return an exact amount; exponents, NaN and thousands separators are refused."""
    if not re.fullmatch(r"-?\d+(\.\d+)?", value):
        raise ValueError("is not a plain decimal number")
    try:
        return Decimal(value)
    except InvalidOperation:  # more digits than the context holds
        raise ValueError("is not a number that can be held exactly") from None


# Each table's columns, in order, and how each is read.
TABLES: Mapping[str, Mapping[str, Reader]] = {
    "openscapes_services_by_report": {
        "report": month,
        "month": month,
        "service": text,
        "usd": money,
    },
    "openscapes_totals_by_report": {"report": month, "month": month, "usd": money},
    "openscapes_daily_ec2": {
        "date": date.fromisoformat,
        "instance_type": text,
        "usd": money,
        "hours": money,
    },
    "coefficients": {"item": text, "unit": text, "value": money, "as_of": text, "source": text},
    "openscapes_reports": {
        "report": month,
        "usd_per_step": money,
        "rendered": datetime.fromisoformat,
    },
}


def read(name: str, folder: Path | None = None) -> "pd.DataFrame":
    """Return the table `name` of `TABLES`, every value checked.

    `folder` is where it lies; without it, the nearest `data` folder above the current one that has
    the table. Raises `MissingPrerequisite` where there is none, `BadInput` naming file and line
    where a value, a column or a row is wrong.
    """
    import pandas as pd  # half a second that who only looks for a file, or for a price, can save

    path = folder / f"{name}.csv" if folder else data_files.find(f"{name}.csv")
    columns = TABLES[name]
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise _bad(path, 1, "cannot be read", str(error)) from None
    if lines[-1]:
        raise _bad(path, len(lines), "is cut off", "The last line has no end.")
    rows: list[list[Any]] = []
    key = None
    for number, line in enumerate(lines[:-1], start=1):
        if line.startswith("#"):
            continue
        fields = next(csv.reader([line]), [])
        if key is None:
            key = fields
            if fields != list(columns):
                raise _bad(path, number, "has other columns", f"Expected {', '.join(columns)}.")
        elif len(fields) != len(columns):
            why = f"{len(fields)} values where there should be {len(columns)}."
            raise _bad(path, number, "has a broken row", why)
        else:
            rows.append(_row(path, number, fields, columns))
    if not rows:
        raise _bad(path, len(lines), "has no rows", "")
    return pd.DataFrame(rows, columns=list(columns), dtype=object)


def _row(path: Path, number: int, fields: list[str], columns: Mapping[str, Reader]) -> list[Any]:
    values = []
    for (column, reader), field in zip(columns.items(), fields, strict=True):
        try:
            values.append(reader(field))
        except ValueError as error:
            raise _bad(path, number, f"has a bad {column} {field!r}", str(error)) from None
    return values


def _bad(path: Path, line: int, what: str, why: str) -> BadInput:
    return BadInput(
        f"{path.name}, line {line}: the table {what}.",
        why=why,
        fix="Restore the file from version control (git checkout -- data), or correct the line.",
    )
