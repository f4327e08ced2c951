"""Prices from a dated csv (`price_queries` refreshes it)."""

import csv
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path

from hub_costs import data_files
from pangeo_core.errors import BadInput

__all__ = ["Prices", "read"]

COLUMNS = ("service", "item", "unit", "usd", "region", "as_of", "source")


@dataclass(frozen=True)
class Price:
    """What one unit of one item costs, and who says so, when; `note` says where it is not exact."""

    service: str
    item: str
    unit: str
    usd: Decimal
    region: str
    as_of: str
    source: str
    note: str = ""


@dataclass(frozen=True)
class Prices:
    """A price list. Another region's price stands for one that is missing, with a note of it."""

    rows: Mapping[tuple[str, str, str], Price]
    file: str

    def find(self, service: str, item: str, region: str) -> Price | None:
        """Return the price of an item in `region`, else another region's; None if none has it.

        Raises `BadInput` for a region that AWS does not have.
        """
        if price := self.rows.get((service, item, region)):
            return price
        _require_region(region)
        for (its_service, its_item, other), price in sorted(self.rows.items()):
            if (its_service, its_item) == (service, item):
                return replace(price, note=f"price of {other}")
        return None

    def get(self, service: str, item: str, region: str) -> Price:
        """Return the same; raises `BadInput` naming what there is where no region has the item."""
        if price := self.find(service, item, region):
            return price
        known = sorted({i for s, i, _ in self.rows if s == service})
        near = [i for i in known if i.split(".")[0] == item.split(".")[0]] or known
        raise BadInput(
            f"There is no price for {service} {item}.",
            why=f"{self.file} has for {service}: {', '.join(near[:8]) or 'nothing'}.",
            fix=f"Use one of those, or add a row ({', '.join(COLUMNS)}) to the price file.",
        )

    def spot(self, item: str, region: str, share: float | None = None) -> Price:
        """Return an instance type's spot price: `share` of on demand, or the list's own.

        Raises `BadInput` where the list has none and no share is given.
        """
        if share is not None:
            price = self.get("ec2", item, region)
            note = "; ".join(filter(None, [f"{share:g} of the on-demand price", price.note]))
            return replace(price, usd=price.usd * Decimal(str(share)), note=note)
        try:
            return self.get("ec2-spot", item, region)
        except BadInput as error:
            raise BadInput(
                f"There is no spot price for {item}.",
                why=error.why,
                fix="Set the pool's spot_price_share (a share of the on-demand price), "
                "or its spot_share to 0.",
            ) from None


def read(path: Path | None = None) -> Prices:
    """Read a price csv: the repository's data/prices.csv, or `path`.

    Raises `BadInput` naming file and line where a row is wrong or one item has two prices.
    """
    file = path or data_files.find("prices.csv")
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} cannot be read.", why=str(error), fix="Give a price csv.") from None
    rows: dict[tuple[str, str, str], Price] = {}
    head: list[str] | None = None
    for number, line in enumerate(lines, start=1):
        if line.startswith("#"):
            continue
        fields = next(csv.reader([line]), [])
        if head is None:
            head = fields
            if fields != list(COLUMNS):
                raise _bad(file, number, f"its columns are not {', '.join(COLUMNS)}")
            continue
        if len(fields) != len(COLUMNS):
            raise _bad(file, number, f"it has {len(fields)} values")
        try:
            usd = Decimal(fields[3])
        except InvalidOperation:
            raise _bad(file, number, f"{fields[3]!r} is not an amount") from None
        if not usd.is_finite() or usd < 0:
            raise _bad(file, number, f"{fields[3]!r} is not a price")
        key = (fields[0], fields[1], fields[4])
        if key in rows:
            raise _bad(file, number, f"{' '.join(key)} has a price already")
        rows[key] = Price(fields[0], fields[1], fields[2], usd, *fields[4:])
    if not rows:
        raise _bad(file, len(lines) + 1, "it has no prices")
    return Prices(rows, file.name)


def text(prices: Iterable[Price]) -> str:
    """Return prices as the csv that `read` reads."""
    lines = [",".join(COLUMNS)]
    for row in prices:
        values = (row.service, row.item, row.unit, format(row.usd, "f"), row.region, row.as_of)
        lines.append(",".join([*values, '"' + row.source.replace('"', '""') + '"']))
    return "\n".join(lines) + "\n"


@cache
def _require_region(region: str) -> None:
    import botocore.session  # slow, and of use only for regions that the list has not

    session = botocore.session.Session()
    partitions = session.get_available_partitions()
    known = [each for name in partitions for each in session.get_available_regions("ec2", name)]
    if region not in known:
        near = difflib.get_close_matches(region, known, n=4)
        raise BadInput(
            f"There is no region {region!r}.",
            why=f"Near it: {', '.join(near) or 'none'}.",
            fix="Correct its name; of a new one, add its rows to the price list.",
        )


def _bad(file: Path, line: int, why: str) -> BadInput:
    return BadInput(
        f"{file.name}, line {line}: this is not a price: {why}.",
        fix="Correct the line, or restore the file from version control.",
    )
