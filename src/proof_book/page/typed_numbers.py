"""Numbers typed by hand in prose where a notebook computes them: they would not follow a change.

The rule is narrow, so that it can be strict: a text of the book that holds, outside code, links and
roles, exactly what a published number shows (`412.50 USD`, `14.6 %`, with or without the space) is
refused. Numbers without a unit count from four digits on: small bare numerals mean too many things.
A number of one or two significant digits (`15 %`, `400 MB`) counts only in a section that shows a
result of the same notebook: elsewhere it equals by chance, whenever something is recorded anew.
A number that is somebody else's after all is written as {typed}`14.6 %`.
"""

import re
from bisect import bisect
from collections.abc import Iterable, Iterator
from pathlib import Path

from pangeo_core.errors import BadInput
from proof_book.page import executed_results
from proof_book.page.executed_results import Result

PLAIN_DIGITS = 4
OWN_DIGITS = 3  # significant ones, from which on a number is one of its own
# What is not prose: fences, roles and their text, code, addresses, comments.
_APART = re.compile(
    r"^(?P<fence>`{3,}|:{3,}).*?^(?P=fence)"
    r"|\{[\w:-]+\}`[^`]*`|`[^`]*`|\]\([^)]*\)|https?://\S+|<!--.*?-->|^%.*?$",
    re.MULTILINE | re.DOTALL,
)
_FENCED_CODE = re.compile(r"^`{3,}")


def refuse(pages: Iterable[Path], found: Iterable[Result]) -> None:
    """Raise `BadInput` that names each typed number, its page and line, and what to write."""
    numbers = [one for one in found if one.kind == "number" and _counts(one.text)]
    told = [line for page in sorted(pages) for line in typed(page, numbers)]
    if told:
        raise BadInput(
            f"{len(told)} numbers are typed by hand that a notebook computes",
            why="\n".join(told),
            fix="Use the role named, or {typed}`...` where it is another's number after all.",
        )


def typed(page: Path, numbers: Iterable[Result]) -> Iterator[str]:
    """Yield what is typed on `page` and equal to one of the `numbers`."""
    text = page.read_text()
    prose = _prose(text)
    starts = [0, *(match.start() for match in re.finditer(r"^#+ ", prose, re.MULTILINE))]
    shown = [
        executed_results.uses(text[a:b]) for a, b in zip(starts, [*starts[1:], None], strict=True)
    ]
    for one in numbers:
        for match in re.finditer(_pattern(one.text), prose):
            section = bisect(starts, match.start()) - 1
            if _significant(one.text) < OWN_DIGITS and one.notebook not in shown[section]:
                continue
            line = prose.count("\n", 0, match.start()) + 1
            yield (
                f"{page.parent.name}/{page.name}:{line}: {' '.join(match.group().split())} is "
                f"{one.key}: write {{value}}`{one.key}`"
            )


def _prose(text: str) -> str:
    """Return `text` with what is not prose blanked out, line by line as it was."""
    return _APART.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def _counts(text: str) -> bool:
    digits = sum(letter.isdigit() for letter in text)
    return digits >= PLAIN_DIGITS or (digits > 0 and not re.fullmatch(r"[\d.,\s]+", text))


def _significant(text: str) -> int:
    """Return how many digits of a number's text say something: not the zeros around them."""
    number = re.sub(r"[^\d.]", "", text)
    digits = number.replace(".", "").lstrip("0")
    return len(digits if "." in number.strip(".") else digits.rstrip("0"))


def _pattern(text: str) -> str:
    # Between a number and its unit there may be any space, or none.
    parts = [re.escape(part) for part in re.findall(r"[\d.,]+|[^\d\s.,]+", text)]
    return r"(?<![\w.,])" + r"\s*".join(parts) + r"(?![\w]|[.,]\d)"
