"""Dated prices from the project's price list, and the shapes of instance types, for the replay."""

import csv
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

from hub_costs.estimates import prices as price_list
from pangeo_core.errors import BadInput, MissingPrerequisite

MONTH_HOURS = price_list.HOURS


class Price(NamedTuple):
    """USD per unit, and a note where another region's price had to do."""

    usd: Decimal
    note: str


@dataclass(frozen=True)
class Prices:
    """The price list as the replay asks it: a price, or an error that names what is missing."""

    listed: price_list.Prices

    def get(self, service: str, item: str, region: str) -> Price:
        """Return the price of an item; raises `BadInput` with what there is where it has none."""
        if found := self.listed.find(service, item, region):
            return Price(found[0].usd, found[1])
        known = sorted({i for s, i, _ in self.listed.rows if s == service})
        near = [i for i in known if i.split(".")[0] == item.split(".")[0]] or known
        columns = ", ".join(price_list.COLUMNS)
        raise BadInput(
            f"There is no price for {service} {item}.",
            why=f"{self.listed.file} has for {service}: {', '.join(near[:8]) or 'nothing'}.",
            fix=f"Use one of those, or add a row ({columns}) to the price file.",
        )

    def spot(self, item: str, region: str, share: float | None) -> Price:
        """Return the spot price of an instance type: `share` of on demand, or the list's own."""
        if share is not None:
            whole = self.get("ec2", item, region)
            note = f"{share:g} of the on-demand price, as configured"
            return Price(
                whole.usd * Decimal(str(share)), "; ".join(filter(None, [note, whole.note]))
            )
        try:
            return self.get("ec2-spot", item, region)
        except BadInput as error:
            raise BadInput(
                f"There is no spot price for {item}.",
                why=error.why,
                fix="Set the pool's spot_price_share (a share of the on-demand price), "
                "or its spot_share to 0.",
            ) from None


class Shape(NamedTuple):
    """What an instance type has; `max_pods` is what its network interfaces allow."""

    vcpus: int
    memory_gib: Decimal
    max_pods: int


def read(path: Path | None = None) -> Prices:
    """Return the price list in a csv file; without one, the project's own `data/prices.csv`."""
    return Prices(price_list.read(path or find("prices.csv")))


def shapes(path: Path | None = None) -> dict[str, Shape]:
    """Return the shape of each instance type in `data/instances.csv`, or in `path`."""
    path = path or find("instances.csv")
    known: dict[str, Shape] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            try:
                values = int(row["vcpus"]), Decimal(row["memory_gib"]), int(row["max_pods"])
            except (KeyError, TypeError, ValueError, InvalidOperation):
                raise BadInput(
                    f"{path.name}: the row of {row.get('instance_type')!r} is broken.",
                    fix="Its columns are instance_type, vcpus, memory_gib, max_pods.",
                ) from None
            known[row["instance_type"]] = Shape(*values)
    return known


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
