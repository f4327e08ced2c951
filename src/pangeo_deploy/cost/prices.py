"""Prices from a dated csv, and how to refresh them from AWS' price list."""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from pangeo_deploy.cost import facts
from pangeo_deploy.errors import BadInput
from pangeo_deploy.files import write_whole

COLUMNS = ("service", "item", "unit", "usd", "region", "as_of", "source")
HOURS = Decimal(730)  # a month, where a price list says "monthly"


@dataclass(frozen=True)
class Price:
    """What one unit of one item costs, and who says so, when."""

    service: str
    item: str
    unit: str
    usd: Decimal
    region: str
    as_of: str
    source: str


@dataclass(frozen=True)
class Prices:
    """A price list. `find` falls back on another region's price and says so."""

    rows: Mapping[tuple[str, str, str], Price]
    file: str

    def find(self, service: str, item: str, region: str) -> tuple[Price, str] | None:
        """Return the price in `region` and an empty note, or another region's and a note of it."""
        if price := self.rows.get((service, item, region)):
            return price, ""
        for (its_service, its_item, other), price in sorted(self.rows.items()):
            if (its_service, its_item) == (service, item):
                return price, f"price of {other}"
        return None


def read(path: Path | None = None) -> Prices:
    """Read a price csv: the repository's data/prices.csv, or `path`.

    Raises `BadInput` naming file and line where a row is wrong or one item has two prices.
    """
    file = path or facts.find("prices.csv") / "prices.csv"
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


# What AWS' price list must be asked for, by (service, item): service code and attributes. Items of
# `ec2` are all asked for alike, by their instance type.
QUERIES: Mapping[tuple[str, str], tuple[str, Mapping[str, str]]] = {
    ("eks", "cluster-hour"): ("AmazonEKS", {"operation": "CreateOperation"}),
    ("nat", "gateway-hour"): ("AmazonEC2", {"group": "NGW:NatGateway", "operation": "NatGateway"}),
    ("ebs", "gp3"): ("AmazonEC2", {"productFamily": "Storage", "volumeApiName": "gp3"}),
    ("efs", "standard"): ("AmazonEFS", {"storageClass": "General Purpose"}),
    ("ecr", "storage"): ("AmazonECR", {"productFamily": "EC2 Container Registry"}),
}
_INSTANCE = {
    "operatingSystem": "Linux",
    "preInstalledSw": "NA",
    "tenancy": "Shared",
    "capacitystatus": "Used",
}


def refresh(path: Path, client: Any, *, now: datetime | None = None) -> tuple[int, list[str]]:
    """Ask AWS' price list (a boto3 `pricing` client) for the items in `path` and rewrite it.

    Returns how many prices were asked anew and which items keep their old price, because the list
    cannot be asked for them or gives no single answer. Needs the target `aws`; moto has no prices.
    """
    today = (now or datetime.now(UTC)).date().isoformat()
    kept: list[str] = []
    rows: list[Price] = []
    for price in read(path).rows.values():
        found = _ask(client, price)
        if found is None:
            kept.append(f"{price.service} {price.item} {price.region}")
            rows.append(price)
        else:
            rows.append(replace(price, usd=found, as_of=today, source="AWS price list"))
    notes = [line for line in path.read_text().splitlines() if line.startswith("#")]
    write_whole(path, "\n".join([*notes, *_csv(rows)]) + "\n")
    return len(rows) - len(kept), kept


def _ask(client: Any, price: Price) -> Decimal | None:
    if price.service == "ec2":
        code, wanted = "AmazonEC2", {**_INSTANCE, "instanceType": price.item}
    elif query := QUERIES.get((price.service, price.item)):
        code, wanted = query[0], dict(query[1])
    else:
        return None
    filters = [
        {"Type": "TERM_MATCH", "Field": field, "Value": value}
        for field, value in {**wanted, "regionCode": price.region}.items()
    ]
    found: set[Decimal] = set()
    for page in client.get_paginator("get_products").paginate(ServiceCode=code, Filters=filters):
        for text in page["PriceList"]:
            for term in json.loads(text).get("terms", {}).get("OnDemand", {}).values():
                for dimension in term["priceDimensions"].values():
                    usd = Decimal(dimension["pricePerUnit"].get("USD", "0"))
                    if usd and dimension.get("beginRange", "0") == "0":
                        found.add(usd)
    return found.pop() if len(found) == 1 else None


def _csv(rows: Iterable[Price]) -> Iterable[str]:
    yield ",".join(COLUMNS)
    for row in rows:
        values = (row.service, row.item, row.unit, format(row.usd, "f"), row.region, row.as_of)
        yield ",".join([*values, '"' + row.source.replace('"', '""') + '"'])


def _bad(file: Path, line: int, why: str) -> BadInput:
    return BadInput(
        f"{file.name}, line {line}: this is not a price: {why}.",
        fix="Correct the line, or restore the file from version control.",
    )
