"""The result objects and their one mime type: the contract between a notebook and the book."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pangeo_core.errors import BadInput
from pangeo_core.origin import RESULT, Origin

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_FIELD = re.compile(r"\{[^{}]*\}")
_PATH = re.compile(r"\S*(/\S*|\\\S*|\.(svg|png|pdf|jpe?g|csv|ipynb))", re.IGNORECASE)


@dataclass(frozen=True)
class Result:
    """What every result carries: a name unique in its notebook, its origin and its sources."""

    name: str
    origin: Origin
    sources: tuple[str, ...]

    def content(self) -> dict[str, Any]:
        """Return the JSON under `RESULT`."""
        return {"name": self.name, "origin": str(self.origin), "sources": list(self.sources)}

    def fallback(self) -> dict[str, str]:
        """Return what a viewer that does not know `RESULT` shows, by mime type."""
        raise NotImplementedError

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {RESULT: self.content(), **self.fallback()}


@dataclass(frozen=True)
class Figure(Result):
    """A drawing in a light and a dark variant (SVG text) with the numbers it shows (csv text)."""

    caption: str
    alt: str
    data: str
    light: str
    dark: str

    def content(self) -> dict[str, Any]:
        """Return the JSON under `RESULT`."""
        own = {key: getattr(self, key) for key in ("caption", "alt", "data", "light", "dark")}
        return {"kind": "figure", **super().content(), **own}

    def fallback(self) -> dict[str, str]:
        """Return the light drawing, and the alt text where there is no drawing."""
        return {"image/svg+xml": self.light, "text/plain": f"{self.alt} [{self.origin}]"}


@dataclass(frozen=True)
class Number(Result):
    """One value: `caption` says what it is, `text` is how prose shows it, `value` is exact."""

    caption: str
    text: str
    value: str
    unit: str

    def content(self) -> dict[str, Any]:
        """Return the JSON under `RESULT`."""
        own = {key: getattr(self, key) for key in ("caption", "text", "value", "unit")}
        return {"kind": "number", **super().content(), **own}

    def fallback(self) -> dict[str, str]:
        """Return the number as prose shows it, with what it is and its origin."""
        return {"text/plain": f"{self.text}: {self.caption} [{self.origin}]"}


@dataclass(frozen=True)
class Table(Result):
    """Rows to read; `data` (csv text) is the table, `html` its fallback in Jupyter."""

    caption: str
    data: str
    html: str

    def content(self) -> dict[str, Any]:
        """Return the JSON under `RESULT`."""
        return {"kind": "table", **super().content(), "caption": self.caption, "data": self.data}

    def fallback(self) -> dict[str, str]:
        """Return the table as HTML and as text."""
        return {
            "text/html": f"{self.html}<p>[{self.origin}]</p>",
            "text/plain": f"{self.data}[{self.origin}]",
        }


def number(
    value: Any,
    text: str,
    *,
    name: str,
    caption: str,
    origin: str,
    sources: Sequence[str],
    unit: str = "",
    interval: tuple[float, float] | None = None,
) -> Number:
    """Return `value` as a result; `caption` says in a sentence what it is.

    `text` is a format such as `"{:.1f} %"`, or the text itself. With an `interval` (lowest and
    highest over seeds, runs or months) the text ends with it; raises `BadInput` where the value
    lies outside of its own interval, which is how a single lucky seed or window shows.
    """
    try:
        shown = text.format(value)
        if interval:
            field = _FIELD.search(text)
            low, high = (field[0].format(end) if field else f"{end:g}" for end in interval)
            shown += f" ({low} to {high})"
    except (ValueError, IndexError, KeyError) as error:
        raise BadInput(
            f"Number {name!r}: the format {text!r} does not fit {value!r}.",
            why=str(error),
            fix='Use one unnamed field, such as "{:.1f} %".',
        ) from None
    if interval and not interval[0] <= value <= interval[1]:
        raise BadInput(
            f"Number {name!r}, {value}, is outside of its own interval: "
            f"{interval[0]:g} to {interval[1]:g}.",
            fix="Publish the median over the seeds, runs or months that the interval is of.",
        )
    head = label(name, origin, sources)
    sentence(caption, f"The caption of number {name!r}")
    return Number(*head, caption=caption, text=shown, value=str(value), unit=unit)


def table(
    frame: pd.DataFrame, *, name: str, caption: str, origin: str, sources: Sequence[str]
) -> Table:
    """Return `frame` (without its index) as a result; its values appear as `str` writes them."""
    if frame.empty:
        raise BadInput(f"Table {name!r} has no rows.", fix="Show a table only where there is one.")
    head = label(name, origin, sources)
    sentence(caption, f"The caption of table {name!r}")
    html = frame.to_html(index=False, border=0)
    return Table(*head, caption=caption, data=csv(frame), html=html)


def csv(data: pd.DataFrame | str) -> str:
    """Return csv text with one kind of line end on every machine."""
    text = data if isinstance(data, str) else str(data.to_csv(index=False, lineterminator="\n"))
    if len(text.splitlines()) < 2:
        raise BadInput(
            "A result's data has no rows.", fix="Pass the numbers that the result shows."
        )
    return text


def label(name: str, origin: str, sources: Sequence[str]) -> tuple[str, Origin, tuple[str, ...]]:
    """Check and return what every result carries."""
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"{name!r} cannot name a result.", fix="Use lower-case words joined by hyphens."
        )
    if isinstance(sources, str) or not sources or not all(s.strip() for s in sources):
        raise BadInput(
            f"Result {name!r} names no sources.",
            fix="Pass a list of citations or repository-relative data files.",
        )
    return name, Origin.of(origin), tuple(sources)


def sentence(text: str, what: str) -> None:
    """Refuse a text for readers that is a path, a label, or cut off."""
    words = text.split()
    if len(words) < 4 or _PATH.fullmatch(text.strip()) or text.strip()[-1] not in ".!?)":
        raise BadInput(
            f"{what} is not a sentence: {text!r}.",
            fix="Say in words what there is to see, and end with a full stop.",
        )
