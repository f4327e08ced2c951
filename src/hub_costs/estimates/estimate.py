"""What a Terraform plan will cost a month, before it is applied."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from hub_costs.estimates.charges import Charge, Gap, Values
from hub_costs.estimates.prices import Prices
from hub_costs.estimates.resource_prices import USE, Context, charges
from hub_costs.machines import fits, machine
from pangeo_core.errors import BadInput
from pangeo_core.terraform_json import (
    Resource,
    Shown,
    planned,
    prior,
    references,
    without_index,
)

__all__ = ["Estimate", "difference", "estimate"]

DEFAULT_REGION = "us-west-2"
CLUSTER = "aws_eks_cluster"


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
    plan: Shown,
    prices: Prices,
    *,
    region: str | None = None,
    use: Mapping[str, Decimal] | None = None,
    also: Sequence[Resource] = (),
    today: date | None = None,
) -> Estimate:
    """Price what `plan` (the JSON of `terraform show -json`) will leave standing.

    `also` are resources that others make in the plan's cluster (see `chart_resources`); without a
    cluster in the plan there are none. `use` replaces amounts of `USE`. Without `region` the plan's
    own is taken; a resource that names a region is priced there. Everything that cannot be priced
    is listed with the reason. Raises `BadInput` where `plan` is not a plan.
    """
    return _priced(planned(plan), plan, prices, region, use, also, today)


def change(
    plan: Shown,
    prices: Prices,
    *,
    region: str | None = None,
    also: Sequence[Resource] = (),
    today: date | None = None,
) -> tuple[Estimate, Estimate]:
    """Return what stands before `plan` (as `estimate` takes it) and what it will leave standing."""
    region = region or region_of(planned(plan), plan)
    return (
        _priced(prior(plan), plan, prices, region, None, also, today),
        _priced(planned(plan), plan, prices, region, None, also, today),
    )


def region_of(resources: Sequence[Resource], plan: Shown) -> str:
    """Return the region of a plan: its variable's, its zones', or its provider's."""
    variable = ((plan.get("variables") or {}).get("region") or {}).get("value")
    if variable:
        return str(variable)
    for resource in resources:
        if found := re.match(r"[a-z]+(-[a-z]+)+-\d", str(resource.values.get("availability_zone"))):
            return found[0]
    providers = (plan.get("configuration") or {}).get("provider_config") or {}
    expression = ((providers.get("aws") or {}).get("expressions") or {}).get("region") or {}
    return str(expression.get("constant_value") or DEFAULT_REGION)


def _priced(
    resources: Sequence[Resource],
    plan: Shown,
    prices: Prices,
    region: str | None,
    use: Mapping[str, Decimal] | None,
    also: Sequence[Resource],
    today: date | None,
) -> Estimate:
    if unknown := set(use or {}) - set(USE):
        raise BadInput(
            f"There is no assumption {', '.join(sorted(unknown))}.",
            fix=f"Use {', '.join(USE)}.",
        )
    region = region or region_of(resources, plan)
    context = Context(use={**USE, **(use or {})})
    if today:
        context = replace(context, today=today)
    if any(resource.type == CLUSTER for resource in resources):
        resources = (*resources, *also)
    lines: list[Line] = []
    unpriced: list[Unpriced] = []
    for resource in resources:
        own = context
        if resource.type == "aws_eks_node_group":
            template = _template(resource, resources, plan)
            own = replace(context, template=template, public=_public(resource, resources))
        for charge in charges(resource.type, resource.values, own):
            if isinstance(charge, Gap):
                unpriced.append(Unpriced(resource.address, resource.type, charge.why))
                continue
            line = _line(resource, charge, prices, str(resource.values.get("region") or region))
            if isinstance(line, Line):
                lines.append(line)
            else:
                unpriced.append(line)
    return Estimate(tuple(lines), tuple(unpriced))


def _line(resource: Resource, charge: Charge, prices: Prices, region: str) -> "Line | Unpriced":
    price = prices.find(charge.service, charge.item, region)
    if price is None:
        why = f"{prices.file} has no price for {charge.service} {charge.item}"
        return Unpriced(resource.address, resource.type, why)
    return Line(
        resource.address,
        charge.service,
        charge.item,
        charge.quantity,
        charge.quantity * price.usd,
        charge.kind,
        "; ".join(part for part in (charge.assumption, price.note) if part),
        f"{price.source}, {price.as_of}",
    )


def _template(group: Resource, resources: Sequence[Resource], plan: Shown) -> Values | None:
    """Return the values of a node group's launch template: by its id or name, else by the code."""
    named = (group.values.get("launch_template") or [{}])[0]
    templates = [one for one in resources if one.type == "aws_launch_template"]
    known = {named.get("id"), named.get("name")} - {None}
    for template in templates:
        if known & {template.values.get("id"), template.values.get("name")} - {None}:
            return template.values
    code = references(plan, group.address, "launch_template")
    for template in templates:
        if without_index(template.address) in code:
            return template.values
    return None


def _public(group: Resource, resources: Sequence[Resource]) -> bool | None:
    """Tell whether a group's nodes get public addresses: its subnets say so; None is not known.

    Before the apply ids are not known. Then all subnets are asked; where they differ, those that
    Karpenter may use (its own nodes and the group's are in the same).
    """
    subnets = [one for one in resources if one.type == "aws_subnet"]
    ids = set(group.values.get("subnet_ids") or ())
    own = [one for one in subnets if one.values.get("id") in ids]
    found = {bool(one.values.get("map_public_ip_on_launch")) for one in own or subnets}
    if len(found) > 1:
        tagged = [one for one in subnets if "karpenter.sh/discovery" in _tags(one)]
        found = {bool(one.values.get("map_public_ip_on_launch")) for one in tagged}
    if not found and not subnets:
        return False
    return found.pop() if len(found) == 1 else None


def _tags(resource: Resource) -> Mapping[str, Any]:
    return resource.values.get("tags") or {}


def per_hour(
    prices: Prices,
    what: str,
    *,
    node_type: str,
    cpu_cores: Decimal,
    memory_gib: Decimal,
    capacity: str = "on-demand",
    region: str = DEFAULT_REGION,
) -> Hourly:
    """Return what one server or worker costs an hour on a machine that is full of them.

    `what` names it ("user", "worker"). They share what the node has for pods beside its own
    (`machines.room`); a machine that is not full costs each of them more. Where no spot price
    is listed, the on-demand price stands for it, which is more.
    """
    price = prices.find("ec2-spot" if capacity == "spot" else "ec2", node_type, region)
    ceiling = ""
    if price is None and capacity == "spot":
        price, ceiling = prices.find("ec2", node_type, region), "at most: the on-demand price"
    if price is None:
        raise BadInput(
            f"{prices.file} has no {capacity} price for {node_type}.",
            fix="Add a row with its source.",
        )
    count = fits(machine(node_type), cpu_cores, memory_gib * 1024)
    if count < 1:
        raise BadInput(
            f"A {what} of {cpu_cores} cores and {memory_gib} GiB does not fit on {node_type}.",
            fix="Choose a larger machine.",
        )
    usd = (price.usd / count).quantize(Decimal("0.000001"))
    parts = (f"{count} on a full {node_type}", ceiling, price.note, price.source)
    return Hourly(what, node_type, capacity, count, usd, "; ".join(filter(None, parts)))


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
