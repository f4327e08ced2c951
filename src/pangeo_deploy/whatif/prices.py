"""Dated prices and instance shapes, from the tables in `data/`."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

from pangeo_deploy.errors import BadInput, MissingPrerequisite

COLUMNS = ("service", "item", "unit", "usd", "region", "as_of", "source")
MONTH_HOURS = Decimal(730)  # what price lists mean by a month


class Price(NamedTuple):
    """One price: USD per unit, when it was read, and where."""

    usd: Decimal
    unit: str
    as_of: str
    source: str


@dataclass(frozen=True)
class Prices:
    """Prices by (service, item, region)."""

    table: Mapping[tuple[str, str, str], Price]
    source: str

    def get(self, service: str, item: str, region: str) -> Decimal:
        """Return USD per unit, or say which price is missing and which items there are."""
        if found := self.table.get((service, item, region)):
            return found.usd
        known = sorted(i for s, i, r in self.table if (s, r) == (service, region))
        near = [i for i in known if i.split(".")[0] == item.split(".")[0]] or known
        raise BadInput(
            f"There is no price for {service} {item} in {region}.",
            why=f"{self.source} has for it: {', '.join(near[:8]) or 'nothing in that region'}.",
            fix=f"Use one of those, or add the row ({', '.join(COLUMNS)}) to the price file.",
        )

    def spot(self, item: str, region: str, share: float | None) -> Decimal:
        """Return the spot price of an instance type: `share` of on demand, or the table's own."""
        if share is not None:
            return self.get("AmazonEC2", item, region) * Decimal(str(share))
        try:
            return self.get("AmazonEC2Spot", item, region)
        except BadInput as error:
            raise BadInput(
                f"There is no spot price for {item} in {region}.",
                why=error.why,
                fix="Set the pool's spot_price_share (a share of the on-demand price), "
                "or its spot_share to 0.",
            ) from None


class Shape(NamedTuple):
    """What an instance type has."""

    vcpus: int
    memory_gib: Decimal
    max_pods: int


def read(path: Path | None = None) -> Prices:
    """Return the prices in a csv file with `COLUMNS`; without one, the project's own.

    Raises `BadInput` naming file and line where a value is wrong, `MissingPrerequisite` where the
    project has no such file.
    """
    path = path or find("prices.csv")
    table: dict[tuple[str, str, str], Price] = {}
    for line, row in _rows(path, COLUMNS):
        usd = _decimal(row["usd"], path, line)
        key = (row["service"], row["item"], row["region"])
        if key in table:
            raise _bad(path, line, f"names {' '.join(key)} a second time")
        table[key] = Price(usd, row["unit"], row["as_of"], row["source"])
    return Prices(table, path.name)


def shapes(path: Path | None = None) -> dict[str, Shape]:
    """Return the shape of each instance type (cores, memory, pods that the network allows)."""
    path = path or find("instances.csv")
    return {
        row["instance_type"]: Shape(
            int(_decimal(row["vcpus"], path, line)),
            _decimal(row["memory_gib"], path, line),
            int(_decimal(row["max_pods"], path, line)),
        )
        for line, row in _rows(path, ("instance_type", "vcpus", "memory_gib", "max_pods"))
    }


def find(name: str) -> Path:
    """Return the nearest `data/NAME`: from here upwards, else the one of our own checkout."""
    here = Path.cwd().resolve()
    for folder in (here, *here.parents, *Path(__file__).resolve().parents):
        if (folder / "data" / name).is_file():
            return folder / "data" / name
    raise MissingPrerequisite(
        f"There is no data/{name} in {here} or above.",
        fix="Run inside a clone of the repository, or name the file.",
    )


def _rows(path: Path, columns: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path.name} cannot be read.", why=str(error), fix="Check it.") from None
    numbered = [(n, text) for n, text in enumerate(lines, 1) if text and not text.startswith("#")]
    if not numbered or next(csv.reader([numbered[0][1]])) != list(columns):
        raise BadInput(f"{path.name} lacks its header.", fix=f"Write: {','.join(columns)}")
    rows = []
    for line, text in numbered[1:]:
        fields = next(csv.reader([text]))
        if len(fields) != len(columns):
            raise _bad(path, line, f"has {len(fields)} values where {len(columns)} belong")
        rows.append((line, dict(zip(columns, fields, strict=True))))
    return rows


def _decimal(text: str, path: Path, line: int) -> Decimal:
    try:
        value = Decimal(text)
        if value.is_finite() and value >= 0:
            return value
    except InvalidOperation:
        pass
    raise _bad(path, line, f"has {text!r} where a number belongs")


def _bad(path: Path, line: int, what: str) -> BadInput:
    return BadInput(f"{path.name}, line {line} {what}.", fix="Correct the line.")
