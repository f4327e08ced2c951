"""What is constant about a notebook's results, declared once in a YAML file beside the notebook.

    sources:                       # what several results name, as YAML anchors
      bills: &bills [Somebody 2024, data/bills.csv]
    results:
      lowest-month:
        caption: The hub's cheapest month of {year}.
        origin: derived
        sources: *bills            # or [*bills, data/prices.csv]: a list in a list is its members
        text: "{:.0f} USD"
        unit: USD

The notebook then says only what it computed: `results.number("lowest-month", usd, year=2024)`.
"""

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

import pandas as pd
import yaml

from pangeo_core.errors import BadInput
from proof_book.figures.draw import figure
from proof_book.figures.result_objects import Figure, Number, Table, number, table

# What a file may say of a result, and as what.
_KEYS: Mapping[str, type] = {
    "caption": str,
    "origin": str,
    "sources": list,
    "text": str,
    "unit": str,
    "size": list,
    "panels": list,
}


@dataclass(frozen=True)
class Declared:
    """The results that `file` declares; a call completes what it says, or says it otherwise.

    Keywords that `figure`, `number` or `table` do not have fill the fields, such as `{year}`, of
    the result's caption and sources. `values` fill those of all results.
    """

    file: str
    results: Mapping[str, Mapping[str, Any]]
    values: Mapping[str, object]

    def number(self, name: str, value: Any, **more: Any) -> Number:
        """Return `value` as the result that the file declares as `name`."""
        return number(value, name=name, **self._said(name, number, more))

    def table(self, name: str, frame: pd.DataFrame, **more: Any) -> Table:
        """Return `frame` as the result that the file declares as `name`."""
        return table(frame, name=name, **self._said(name, table, more))

    def figure(self, name: str, draw: Callable[[Any], object], **more: Any) -> Figure:
        """Return what `draw` draws as the result that the file declares as `name`."""
        return figure(draw, name=name, **self._said(name, figure, more))

    def _said(self, name: str, kind: Callable[..., object], more: dict[str, Any]) -> dict[str, Any]:
        """Return the keywords for `kind`: those of the file, overridden by those of the call."""
        if name not in self.results:
            raise BadInput(
                f"{self.file} declares no result {name!r}.",
                fix=_near(name, self.results) or "Declare it there: caption, origin and sources.",
            )
        told, what = self.results[name], kind.__name__
        accepted = inspect.signature(kind).parameters
        if foreign := told.keys() - accepted.keys():
            raise BadInput(
                f"{self.file} says {_listed(foreign)} of {name!r}, which a {what} does not have.",
                fix="Remove that line, or show the result as what it is.",
            )
        own = {key: value for key, value in more.items() if key in accepted}
        fields = {key: value for key, value in more.items() if key not in accepted}
        said = {**self._filled(name, told, own, fields), **own}
        needed = [key for key, one in accepted.items() if one.default is one.empty]
        if lacking := set(needed[1:]) - {"name", *said}:
            raise BadInput(
                f"The {what} {name!r} has no {_listed(lacking)}.",
                fix=f"Write it in {self.file}, or pass it in the notebook.",
            )
        return said

    def _filled(
        self, name: str, told: Mapping[str, Any], own: Mapping[str, Any], fields: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return what the file says (`told`), fields filled, except what the call overrides."""
        texts = {key: told[key] for key in ("caption", "sources") if key in told.keys() - own}
        asked = _fields([texts.get("caption", ""), *texts.get("sources", [])])
        values = {**self.values, **fields}
        if unknown := (asked - values.keys()) | (fields.keys() - asked):
            raise BadInput(
                f"The values for the caption and sources of {name!r} and the fields that they have "
                f"in {self.file} differ by {_listed(unknown)}.",
                fix=f"Pass what they ask for ({_listed(asked) or 'nothing'}), and nothing else.",
            )
        filled: dict[str, Any] = {
            key: text.format(**values) if key == "caption" else [s.format(**values) for s in text]
            for key, text in texts.items()
        }
        return {**told, **filled}


def declared(file: str, **values: object) -> Declared:
    """Return the results that `file` declares, such as `results/05-cost.yaml`.

    It lies in the working directory, or in `notebooks` there or above. `values` fill the fields
    of captions and sources that depend on the notebook's parameters. Raises `BadInput` where the
    file is missing, is not YAML, or says something that no result has.
    """
    here = Path.cwd()
    for folder in (here, *(one / "notebooks" for one in (here, *here.parents))):
        if (folder / file).is_file():
            return Declared(file, _read(file, (folder / file).read_text(encoding="utf-8")), values)
    raise BadInput(
        f"There is no {file} beside the notebook.",
        fix="Run the notebook in its own folder, or write the file: results by name.",
    )


def _read(file: str, text: str) -> dict[str, dict[str, Any]]:
    try:
        whole = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadInput(
            f"{file} is not YAML.", why=str(error), fix="Correct the line that it names."
        ) from None
    results = whole.get("results") if isinstance(whole, dict) else None
    if not isinstance(results, dict) or not all(isinstance(one, dict) for one in results.values()):
        raise BadInput(
            f"{file} declares no results.",
            fix="Below `results:` each name has a caption, an origin and sources.",
        )
    return {name: _checked(file, name, said) for name, said in results.items()}


def _checked(file: str, name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is `said` of a result, its sources as one list."""
    for key, value in said.items():
        if key not in _KEYS:
            raise BadInput(
                f"{file} says {key!r} of {name!r}, which is nothing that a result has.",
                fix=_near(key, _KEYS) or f"Use {_listed(_KEYS)}.",
            )
        if not isinstance(value, _KEYS[key]):
            form = "a list" if _KEYS[key] is list else "text, in quotes where YAML needs them"
            raise BadInput(f"{file} says {key}: {value!r} of {name!r}.", fix=f"Write {form}.")
    flat: list[object] = []
    for source in said.get("sources", []):
        flat += source if isinstance(source, list) else [source]
    if not all(isinstance(source, str) for source in flat):
        raise BadInput(
            f"{file}: a source of {name!r} is not text.",
            fix="Put a source in quotes where it has a colon or a number only.",
        )
    try:
        _fields([said.get("caption", ""), *map(str, flat)])
    except ValueError as error:
        raise BadInput(
            f"{file}: the braces in the caption or sources of {name!r} do not name values.",
            why=str(error),
            fix="Write a value as {name}, or {name:.1f}, and a brace itself twice.",
        ) from None
    return {**said, **({"sources": flat} if flat else {})}


def _fields(texts: Iterable[str]) -> set[str]:
    """Return the names in braces in `texts`; `ValueError` where what is in braces is no name."""
    found = {field for text in texts for _, field, *_ in Formatter().parse(text)} - {None}
    if odd := [field for field in found if not str(field).isidentifier()]:
        raise ValueError(f"{odd[0]!r} is no name")
    return {str(field) for field in found}


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.4)
    return f"Did you mean {', '.join(near)}?" if near else ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
