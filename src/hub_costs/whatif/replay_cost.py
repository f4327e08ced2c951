"""What a replay costs: quantities times dated prices, in Decimal, the always-on floor apart.

Quantities come from the replay as whole milliseconds. Every line is USD a month of 730 hours, as
price lists mean it; what users caused is scaled from the data's length to that month.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from hub_costs.estimates.charges import (
    Charge,
    Gap,
    addresses,
    balancer,
    control_plane,
    hours,
    machines,
)
from hub_costs.estimates.prices import Price, Prices
from hub_costs.usage.concurrency import HOUR, hourly
from hub_costs.whatif.config import Config
from hub_costs.whatif.replay import PoolRun
from pangeo_core.units import HOURS_PER_MONTH

_EFS = {
    "efs": ("standard", "infrequent"),
    "efs-one-zone": ("one-zone", "one-zone-infrequent"),
}
_CENT = Decimal("0.01")


@dataclass(frozen=True)
class Line:
    """One line: `quantity` of `unit` a month at `usd_per_unit`; `floor` if no user causes it."""

    part: str
    item: str
    quantity: Decimal
    unit: str
    price: Price
    floor: bool

    @property
    def usd(self) -> Decimal:
        """Return USD a month, in cents: so lines, floor and total agree to the cent."""
        return (self.quantity * self.price.usd).quantize(_CENT)


def bill(runs: Sequence[PoolRun], config: Config, prices: Prices, span: Decimal) -> list[Line]:
    """Return the lines of a month, for data that spans `span` hours.

    Raises `BadInput` naming an instance type or item that has no price in the region.
    """
    lines = floor(config, prices)
    month = HOURS_PER_MONTH / span  # how much of a month the data is, the other way round
    for run in runs:
        lines += [line for line in _pool(run, config, prices, month) if line.quantity]
    if config.savings_plan:
        lines += _savings(runs, config, prices, span)
    return lines


def floor(config: Config, prices: Prices) -> list[Line]:
    """Return what the hub costs in a month without users (the pools' minimum nodes aside).

    Homes and what goes through NAT are listed here too, but are no floor: users cause them.
    """
    region, core, network, homes = config.region, config.core, config.network, config.homes
    nodes, stored = Decimal(core.nodes), _exact(homes.gib)
    gateways = Decimal({"none": 0, "single": 1, "per_zone": config.zones}[network.nat])
    spread = Decimal(network.addresses_per_load_balancer)
    hot, cold = _EFS[homes.storage]
    infrequent = stored * _exact(homes.infrequent_share)
    parts: list[tuple[str, Charge | Gap]] = [
        ("control plane", control_plane(config.support == "extended", "")),
        ("core nodes", machines(core.instance_type, nodes, "")),
        ("core nodes", Charge("ebs", "gp3", nodes * _exact(core.disk_gib), "floor", "")),
        ("network", hours("nat", "gateway-hour", gateways)),
        ("network", addresses(gateways if network.nat != "none" else nodes)),
        *(
            ("network", charge)
            for _ in range(network.load_balancers)
            for charge in balancer(network.load_balancer, spread)
        ),
        ("network", Charge("nat", "gb", _exact(network.nat_gib_per_month), "use", "")),
        ("homes", Charge("efs", hot, stored - infrequent, "use", "")),
        ("homes", Charge("efs", cold, infrequent, "use", "")),
    ]
    lines = []
    for part, charge in parts:
        if isinstance(charge, Charge) and charge.quantity:
            price = prices.get(charge.service, charge.item, region)
            always = charge.kind == "floor"
            lines.append(Line(part, charge.item, charge.quantity, price.unit, price, always))
    if config.other_usd_per_month:
        other = _named(config.other_usd_per_month)
        lines.append(Line("other", "as configured", Decimal(1), "month", other, True))
    return lines


def _named(usd: Decimal) -> Price:
    """Return an amount that no list has, as a price."""
    return Price("", "", "", usd, "", "", "")


def _pool(run: PoolRun, config: Config, prices: Prices, month: Decimal) -> list[Line]:
    """Return a pool's lines. EC2 bills by the second, at least a minute a start."""
    pool, region = run.pool, config.region
    billed = np.maximum(run.lives["end"] - run.lives["start"], 60_000)
    lines = []
    for k, name in enumerate(pool.instance_types):
        for spot in (0, 1):
            which = (run.lives["shape"] == k) & (run.lives["spot"] == spot)
            if not which.any():
                # Say so even where the type happens not to be used: the next data may use it.
                prices.get("ec2", name, region)
                continue
            quantity = Decimal(int(billed[which].sum())) / HOUR * month
            usd = (
                prices.spot(name, region, pool.spot_price_share)
                if spot
                else prices.get("ec2", name, region)
            )
            kind = "spot" if spot else "on demand"
            lines.append(Line(f"{pool.name} nodes", f"{name} {kind}", quantity, "h", usd, False))
    node_hours = Decimal(int(billed.sum())) / HOUR * month
    disk = prices.get("ebs", "gp3", region)
    gib_months = node_hours * _exact(pool.disk_gib) / HOURS_PER_MONTH
    lines.append(Line(f"{pool.name} nodes", "gp3", gib_months, "GiB-month", disk, False))
    if config.network.nat == "none":
        address = prices.get("vpc", "public-ipv4-hour", region)
        lines.append(
            Line("network", f"public-ipv4-hour {pool.name}", node_hours, "h", address, False)
        )
    else:
        pulled = _exact(pool.nat_gib_per_node) * len(run.lives) * month
        data = prices.get("nat", "gb", region)
        lines.append(Line("network", f"nat gb {pool.name}", pulled, "GiB", data, False))
    return lines


def _savings(runs: Sequence[PoolRun], config: Config, prices: Prices, span: Decimal) -> list[Line]:
    """Return the commitment, and what it covers: the core nodes first, then users' nodes.

    Each hour stands alone, as AWS applies a plan: what is not used in an hour is lost.
    """
    plan = config.savings_plan
    assert plan is not None
    one = Decimal(1)
    core = prices.get("ec2", config.core.instance_type, config.region).usd * config.core.nodes
    room = plan.usd_per_hour / (one - plan.discount)  # on-demand USD that an hour covers
    used = [Decimal(0)] * math.ceil(span)
    for run in runs:
        for k, name in enumerate(run.pool.instance_types):
            lives = run.lives[(run.lives["shape"] == k) & (run.lives["spot"] == 0)]
            usd = prices.get("ec2", name, config.region).usd
            for hour, lived in enumerate(hourly(lives["start"], lives["end"], len(used))):
                used[hour] += Decimal(int(lived)) / HOUR * usd
    left = max(Decimal(0), room - core)
    covered = sum((min(usd, left) for usd in used), Decimal(0)) * HOURS_PER_MONTH / span
    part = "savings plan"
    return [
        Line(part, "commitment", HOURS_PER_MONTH, "h", _named(plan.usd_per_hour), True),
        Line(part, "covers core nodes", HOURS_PER_MONTH, "h", _named(-min(core, room)), True),
        Line(part, "covers users' nodes", covered, "USD", _named(-one), False),
    ]


def _exact(value: float | Decimal) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))
