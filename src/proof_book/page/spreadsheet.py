"""Csv files that a spreadsheet opens as text and numbers, never as formulas.

A tag or an owner's name comes from whoever could set it. A cell that starts with one of `STARTS`
is a formula to a spreadsheet; an apostrophe before it makes it text, as OWASP advises ("CSV
Injection"). Numbers stay numbers, negative ones too. Pages show the cell as it was.
"""

import csv
import io
import re

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
_NUMBER = re.compile(r"[+-]?[\d.,]+([eE][+-]?\d+)?( ?%)?")
_MARKED = re.compile(r"'+[=+\-@\t\r\n]")


def inert(text: str) -> str:
    """Return csv `text` with an apostrophe before each cell that would be a formula."""
    rows = list(csv.reader(io.StringIO(text, newline="")))
    safe = [[_inert(cell) for cell in row] for row in rows]
    if safe == rows:
        return text
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(safe)
    return out.getvalue()


def shown(cell: str) -> str:
    """Return a cell of `inert` text as it was before."""
    return cell[1:] if _MARKED.match(cell) else cell


def _inert(cell: str) -> str:
    harmless = _NUMBER.fullmatch(cell) or not (cell.startswith(STARTS) or _MARKED.match(cell))
    return cell if harmless else f"'{cell}"
