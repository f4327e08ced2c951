"""Refresh a price csv from AWS' price list (the Price List Query API, `pricing:GetProducts`)."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from hub_costs.estimates import prices
from hub_costs.estimates.price_items import ITEMS
from hub_costs.estimates.prices import Price
from pangeo_core.errors import MissingPrerequisite
from pangeo_core.files import write_whole

_INSTANCE = {
    "operatingSystem": "Linux",
    "preInstalledSw": "NA",
    "tenancy": "Shared",
    "capacitystatus": "Used",
}


@dataclass(frozen=True)
class Refreshed:
    """What the list said: prices asked anew, what changed (item, old, new), and what stays old."""

    asked: int
    changed: tuple[tuple[str, Decimal, Decimal], ...]
    kept: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "asked": self.asked,
            "changed": [
                {"item": item, "before": format(old, "f"), "after": format(new, "f")}
                for item, old, new in self.changed
            ],
            "kept": list(self.kept),
        }


def refresh(path: Path, client: Any, *, now: datetime | None = None) -> Refreshed:
    """Ask the list (a boto3 `pricing` client) for the items in `path` and rewrite it, whole.

    An item keeps its old price and date where the list cannot be asked for it or gives no single
    answer. Raises `MissingPrerequisite` where the list cannot be asked at all.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    today = (now or datetime.now(UTC)).date().isoformat()
    kept: list[str] = []
    changed: list[tuple[str, Decimal, Decimal]] = []
    rows: list[Price] = []
    for price in prices.read(path).rows.values():
        item = f"{price.service} {price.item} {price.region}"
        try:
            found = set(_ask(client, price))
        except (BotoCoreError, ClientError) as error:
            raise MissingPrerequisite(
                "AWS' price list cannot be asked; no price was changed.",
                why=str(error),
                fix="Log in to an account that allows pricing:GetProducts.",
            ) from None
        if len(found) != 1:
            kept.append(item)
            rows.append(price)
            continue
        usd = found.pop()
        if usd != price.usd:
            changed.append((item, price.usd, usd))
        rows.append(replace(price, usd=usd, as_of=today, source="AWS price list"))
    notes = [line for line in path.read_text(encoding="utf-8").splitlines() if line[:1] == "#"]
    write_whole(path, "".join(f"{note}\n" for note in notes) + prices.text(rows))
    return Refreshed(len(rows) - len(kept), tuple(changed), tuple(kept))


def _ask(client: Any, price: Price) -> Iterator[Decimal]:
    """Yield the prices of the first tier, above zero, of every product that fits."""
    if price.service == "ec2":
        code, wanted, ending = "AmazonEC2", {**_INSTANCE, "instanceType": price.item}, "BoxUsage.*"
    elif (item := ITEMS.get((price.service, price.item))) and item.query:
        code, wanted = item.query.service_code, dict(item.query.attributes)
        ending = re.escape(item.query.usage_type)
    else:
        return
    filters = [
        {"Type": "TERM_MATCH", "Field": field, "Value": value}
        for field, value in {**wanted, "regionCode": price.region}.items()
    ]
    for page in client.get_paginator("get_products").paginate(ServiceCode=code, Filters=filters):
        for text in page["PriceList"]:
            product = json.loads(text)
            usage = product["product"]["attributes"].get("usagetype", "")
            if not re.fullmatch(rf"([A-Z]+\d*-)?{ending}", usage):
                continue
            for term in product.get("terms", {}).get("OnDemand", {}).values():
                for dimension in term["priceDimensions"].values():
                    usd = Decimal(dimension["pricePerUnit"].get("USD", "0"))
                    if usd and dimension.get("beginRange", "0") == "0":
                        yield usd.normalize()
