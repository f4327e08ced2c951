"""The replay against a real hub's published months: always-on parts, and what users caused.

The tables are those of `cost.facts`. No sessions of that hub are published, only its EC2 hours a
day: users' sessions are made from them, one for each stretch of `STRETCH` hours that a node ran.
So the users' part tests the replay's accounts and the weight of starting and stopping, not its
packing.
"""

from decimal import Decimal

import pandas as pd

from findings import published_floor as published
from hub_costs.estimates.prices import Prices
from hub_costs.machines import machine
from hub_costs.months import Month
from hub_costs.usage.sessions import Sessions, check
from hub_costs.whatif.config import Config, parse
from hub_costs.whatif.replay_cost import floor
from hub_costs.whatif.result import what_if
from pangeo_core.units import HOURS_PER_MONTH

STRETCH = 8.0  # hours that a user's node runs at a time: a working day (an assumption)
CORE = "r5.xlarge"
# Part of the floor -> the service whose bar shows it. The core node's bar holds users' nodes too:
# what it costs a day is read from the quietest days.
SERVICES = {
    "control plane": "Amazon Elastic Container Service for Kubernetes",
    "load balancer": "Amazon Elastic Load Balancing",
}


def hub(instance_type: str = CORE) -> Config:
    """Return the published hub as far as its bills tell: one core node, one classic balancer.

    `instance_type` is what its users' nodes are.
    """
    return parse(
        {
            "name": "openscapes",
            "region": "us-west-2",
            "core": {"instance_type": CORE, "nodes": 1, "disk_gib": 0},
            "network": {
                "nat": "none",
                "load_balancer": "classic",
                "addresses_per_load_balancer": 0,
            },
            "pools": [
                {
                    "name": "users",
                    "kinds": ["notebook"],
                    "instance_types": [instance_type],
                    "disk_gib": 0,
                }
            ],
        },
        "published hub",
    )


def always_on(services: pd.DataFrame, daily: pd.DataFrame, prices: Prices) -> pd.DataFrame:
    """Compare the replay's always-on parts with each complete month's bill.

    `services` and `daily` are the published tables. Rows: month, part, `billed` and `replayed`
    (USD), `percent` (replayed over billed, less 100); the part `together` sums the others.
    """
    bill = published.latest(services)
    bill = bill[bill.complete]
    core_usd = Decimal(published.core_node(daily)["usd"])
    lines = floor(hub(), prices)
    hourly = {
        "control plane": sum(x.price.usd for x in lines if x.part == "control plane"),
        "core node": sum(x.price.usd for x in lines if x.part == "core nodes"),
        "load balancer": sum(x.price.usd for x in lines if x.item.startswith("classic")),
    }
    rows = []
    for name, group in bill.groupby("month"):
        days = Month.parse(str(name)).length
        billed = {
            part: sum(group[group.service == service].usd, Decimal(0))
            for part, service in SERVICES.items()
        }
        billed["core node"] = core_usd * days
        replayed = {part: Decimal(usd) * 24 * days for part, usd in hourly.items()}
        for table in (billed, replayed):
            table["together"] = sum(table.values(), Decimal(0))
        rows += [_row(str(name), part, billed[part], replayed[part]) for part in replayed]
    return pd.DataFrame(rows)


def sessions_of(daily: pd.DataFrame, instance_type: str, config: Config) -> Sessions | None:
    """Return sessions that need the published hours of a type, or None where nobody used it.

    The core node's 24 hours a day come off the type with most hours. Each session fills a node;
    starting and stopping the node is taken off its length, since the published hours include it.
    """
    pool = config.pool_of("notebook")
    fixed = pool.node_start_seconds + pool.image_pull_seconds + pool.pod_start_seconds
    around = (fixed + pool.scale_down_delay_seconds) / 3600
    shape = machine(instance_type)
    rows = []
    for day, group in daily.groupby("date"):
        left = Decimal(24)
        for use in group.sort_values("hours", ascending=False).itertuples():
            core = min(left, use.hours)
            left -= core
            hours = float(use.hours - core)
            if use.instance_type != instance_type or hours < 0.01:
                continue
            count = max(1, round(hours / STRETCH))
            length = max(hours / count - around, 1 / 60)
            start = pd.Timestamp(str(day), tz="UTC") + pd.Timedelta(hours=1)
            rows += [
                {
                    "user": f"{day}-{number}",
                    "hub": "openscapes",
                    "kind": "notebook",
                    "start": start + pd.Timedelta(seconds=number),
                    "end": start + pd.Timedelta(seconds=number + round(length * 3600)),
                    "cpu_cores": shape.vcpus * 0.6,
                    "memory_gib": float(shape.memory_gib) * 0.6,
                    "node_type": instance_type,
                    "capacity": "on-demand",
                }
                for number in range(count)
            ]
    return check(pd.DataFrame(rows), source="openscapes_daily_ec2.csv") if rows else None


def users(daily: pd.DataFrame, prices: Prices) -> pd.DataFrame:
    """Compare the replay's users' nodes with the published EC2 cost above the core node.

    Rows: month, part `users`, `billed`, `replayed` (USD, of the published days), `percent`.
    """
    rows = []
    core_usd = Decimal(published.core_node(daily)["usd"])
    for name, month in daily.groupby(daily.date.map(lambda day: str(Month.of(day)))):
        days = len(set(month.date))
        billed = sum(month.usd, Decimal(0)) - core_usd * days
        replayed = Decimal(0)
        for instance_type in sorted(set(month.instance_type)):
            config = hub(instance_type)
            load = sessions_of(month, instance_type, config)
            if load is None:
                continue
            result = what_if(load, config, prices)
            per_month = sum((x.usd for x in result.lines if x.part == "users nodes"), Decimal(0))
            replayed += per_month * Decimal(load.hours) / HOURS_PER_MONTH
        rows.append(_row(str(name), "users", billed, replayed))
    return pd.DataFrame(rows)


def _row(month: str, part: str, billed: Decimal, replayed: Decimal) -> dict[str, object]:
    cent = Decimal("0.01")
    return {
        "month": month,
        "part": part,
        "billed": billed.quantize(cent),
        "replayed": replayed.quantize(cent),
        "percent": (100 * (replayed / billed - 1)).quantize(cent),
    }
