"""What a Terraform plan will cost a month, before it is applied."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hub_costs.estimates.prices import Prices
from hub_costs.estimates.resource_prices import USE, charges
from hub_costs.machines import machine, room
from pangeo_core.errors import BadInput


@dataclass(frozen=True)
class Line:
    """One price of one resource: USD a month, and what was assumed."""

    address: str
    service: str
    item: str
    quantity: Decimal  # units a month
    usd_per_month: Decimal
    kind: str  # floor or use
    assumption: str
    source: str


@dataclass(frozen=True)
class Unpriced:
    """A resource that the estimate does not hold, and why."""

    address: str
    type: str
    why: str


@dataclass(frozen=True)
class Hourly:
    """What one more user's server, or one more worker, costs an hour."""

    what: str
    node_type: str
    capacity: str
    fits: int  # how many of them on one machine
    usd_per_hour: Decimal
    assumption: str


@dataclass(frozen=True)
class Estimate:
    """A plan's cost: the floor paid whoever is there, what use adds, and what is unknown."""

    lines: tuple[Line, ...]
    unpriced: tuple[Unpriced, ...]
    hourly: tuple[Hourly, ...] = ()

    @property
    def floor(self) -> Decimal:
        """USD a month that a hub without users costs."""
        return sum((x.usd_per_month for x in self.lines if x.kind == "floor"), Decimal(0))

    @property
    def use(self) -> Decimal:
        """USD a month for what is assumed to be stored and sent."""
        return sum((x.usd_per_month for x in self.lines if x.kind == "use"), Decimal(0))

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of `cost estimate`."""
        return {
            "floor_usd_per_month": format(self.floor, "f"),
            "use_usd_per_month": format(self.use, "f"),
            "lines": [
                vars(x)
                | {
                    "quantity": format(x.quantity, "f"),
                    "usd_per_month": format(x.usd_per_month, "f"),
                }
                for x in self.lines
            ],
            "unpriced": [vars(x) for x in self.unpriced],
            "hourly": [
                vars(x) | {"usd_per_hour": format(x.usd_per_hour, "f")} for x in self.hourly
            ],
        }


def estimate(
    plan: Mapping[str, Any],
    prices: Prices,
    *,
    region: str = "us-west-2",
    use: Mapping[str, Decimal] | None = None,
) -> Estimate:
    """Price the resources that `plan` (the JSON of `terraform show -json`) will leave standing.

    `use` replaces amounts of `resources.USE`. Everything that cannot be priced is listed with the
    reason; nothing is dropped. Raises `BadInput` where `plan` is not a plan.
    """
    if unknown := set(use or {}) - set(USE):
        raise BadInput(
            f"There is no assumption {', '.join(sorted(unknown))}.",
            fix=f"Use {', '.join(USE)}.",
        )
    if "planned_values" not in plan:
        raise BadInput(
            "This is not a Terraform plan: it has no planned_values.",
            fix="Give the JSON of `terraform show -json PLANFILE`.",
        )
    lines: list[Line] = []
    unpriced: list[Unpriced] = []
    for one in resources(plan["planned_values"].get("root_module", {})):
        address, kind = one["address"], one["type"]
        found = charges(kind, one.get("values") or {}, {**USE, **(use or {})})
        if found is None:
            unpriced.append(Unpriced(address, kind, "this type is not in the estimate's table"))
            continue
        for charge in found:
            match = prices.find(charge.service, charge.item, region)
            if match is None:
                why = f"{prices.file} has no price for {charge.service} {charge.item}"
                unpriced.append(Unpriced(address, kind, why))
                continue
            price, note = match
            text = "; ".join(part for part in (charge.assumption, note) if part)
            usd = charge.quantity * price.usd
            source = f"{price.source}, {price.as_of}"
            what = (address, charge.service, charge.item, charge.quantity)
            lines.append(Line(*what, usd, charge.kind, text, source))
    return Estimate(tuple(lines), tuple(unpriced))


def change(
    plan: Mapping[str, Any], prices: Prices, *, region: str = "us-west-2"
) -> tuple[Estimate, Estimate]:
    """Return what stands before `plan` (as `estimate` takes it) and what it will leave standing."""
    prior = (plan.get("prior_state") or {}).get("values") or {}
    return (
        estimate({"planned_values": prior}, prices, region=region),
        estimate(plan, prices, region=region),
    )


def resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the managed resources of a module and of its children."""
    for one in module.get("resources", ()):
        if one.get("mode", "managed") == "managed":
            yield one
    for child in module.get("child_modules", ()):
        yield from resources(child)


def per_hour(
    prices: Prices,
    what: str,
    *,
    node_type: str,
    cpu_cores: Decimal,
    memory_gib: Decimal,
    capacity: str = "on-demand",
    region: str = "us-west-2",
) -> Hourly:
    """Return what one server or worker costs an hour on a machine that is full of them.

    `what` names it ("user", "worker"). They share what the node has for pods beside its own
    (`machines.room`); a machine that is not full costs each of them more. Where no spot price
    is listed, the on-demand price stands for it, which is more.
    """
    match = prices.find("ec2-spot" if capacity == "spot" else "ec2", node_type, region)
    ceiling = ""
    if match is None and capacity == "spot":
        match, ceiling = prices.find("ec2", node_type, region), "at most: the on-demand price"
    if match is None:
        raise BadInput(
            f"{prices.file} has no {capacity} price for {node_type}.",
            fix="Add a row with its source.",
        )
    free = room(machine(node_type))
    fits = int(min(
        free.cpu // cpu_cores if cpu_cores else Decimal(10**6),
        free.memory_mib // (memory_gib * 1024) if memory_gib else Decimal(10**6),
    ))  # fmt: skip
    if fits < 1:
        raise BadInput(
            f"A {what} of {cpu_cores} cores and {memory_gib} GiB does not fit on {node_type}.",
            fix="Choose a larger machine.",
        )
    price, note = match
    usd = (price.usd / fits).quantize(Decimal("0.000001"))
    parts = (f"{fits} on a full {node_type}", ceiling, note, price.source)
    text = "; ".join(part for part in parts if part)
    return Hourly(what, node_type, capacity, fits, usd, text)


def difference(before: Estimate, after: Estimate) -> list[dict[str, Any]]:
    """Return what changes between two plans, by resource, the largest change first."""
    sums: list[dict[str, Decimal]] = []
    for one in (before, after):
        total: dict[str, Decimal] = {}
        for line in one.lines:
            total[line.address] = total.get(line.address, Decimal(0)) + line.usd_per_month
        sums.append(total)
    old, new = sums
    rows = [
        {
            "address": address,
            "before": old.get(address, Decimal(0)),
            "after": new.get(address, Decimal(0)),
            "change": new.get(address, Decimal(0)) - old.get(address, Decimal(0)),
        }
        for address in sorted({*old, *new})
    ]
    rows.sort(key=lambda row: (-abs(row["change"]), row["address"]))  # type: ignore[arg-type]
    return [row for row in rows if row["change"]]
