"""What an environment costs a month: its plan and what its charts order, by one function.

Estimate, gate, plan, pull request, reconciliation and what-if all take the floor from here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from hub_costs.estimates import marginal_cost
from hub_costs.estimates import prices as price_list
from hub_costs.estimates.chart_resources import made_by_charts
from hub_costs.estimates.estimate import (
    DEFAULT_REGION,
    Estimate,
    Unpriced,
    change,
    estimate,
    region_of,
)
from hub_costs.estimates.prices import Prices
from hub_costs.machines import machine
from hub_costs.whatif.config import Config, parse
from hub_costs.whatif.replay_cost import floor as configured_floor
from pangeo_core.terraform_json import Resource, Shown, planned
from pangeo_core.units import HOURS_PER_MONTH
from pangeo_deploy.charts.values import load
from pangeo_deploy.deployment import find_project

CENT = Decimal("0.01")
# How often a spot node is taken back in an hour, and how long a node takes to be usable: the
# what-if's own defaults of a pool for workers.
_INTERRUPTIONS_PER_HOUR = 0.02


def estimate_of(
    environment: str,
    plan: Shown,
    prices: Prices | None = None,
    *,
    region: str | None = None,
    project: Path | None = None,
) -> Estimate:
    """Return what the environment's `plan` and charts cost a month, and one more user an hour."""
    prices, project = prices or price_list.read(), project or find_project()
    region = region or region_of(planned(plan), plan)
    also, unpriced = ordered_by_charts(environment, plan, project)
    result = estimate(plan, prices, region=region, also=also)
    hourly, missing = _hourly(environment, prices, region, project)
    return replace(result, hourly=hourly, unpriced=(*result.unpriced, *unpriced, *missing))


def change_of(
    environment: str, plan: Shown, prices: Prices | None = None, project: Path | None = None
) -> tuple[Estimate, Estimate]:
    """Return what stands before the environment's `plan` and what it will leave standing."""
    project = project or find_project()
    also, _ = ordered_by_charts(environment, plan, project)
    return change(plan, prices or price_list.read(), also=also)


def ordered_by_charts(
    environment: str, plan: Shown, project: Path
) -> tuple[tuple[Resource, ...], tuple[Unpriced, ...]]:
    """Return what the charts order from AWS; the reason where the environment has no values."""
    if not _has_charts(environment, project):
        why = f"helm/ has no values for {environment}: no load balancer and no volumes are counted"
        return (), (Unpriced("helm", "charts", why),)
    support, pangeo = (load(project, chart, environment) for chart in ("support", "pangeo"))
    return made_by_charts(support, pangeo, _balancer_zones(planned(plan))), ()


def config_of(
    environment: str, plan: Shown, prices: Prices | None = None, project: Path | None = None
) -> Config:
    """Return the environment as a configuration to replay sessions against.

    Pools come from the charts' values, the rest from the plan. What the configuration has no key
    for is its `other_usd_per_month`: so its floor is the estimate's, to the cent.
    """
    prices, project = prices or price_list.read(), project or find_project()
    resources = planned(plan)
    result = estimate_of(environment, plan, prices, project=project)
    also, _ = ordered_by_charts(environment, plan, project)
    balancers = [one for one in also if one.type in ("aws_lb", "aws_elb")]
    gateways = sum(one.type == "aws_nat_gateway" for one in resources)
    file_systems = [one for one in resources if one.type == "aws_efs_file_system"]
    one_zone = any(one.values.get("availability_zone_name") for one in file_systems)
    region = region_of(resources, plan)
    zones = max(1, _balancer_zones(resources))
    data: dict[str, Any] = {
        "name": environment,
        "region": region,
        "zones": zones,
        "core": _core(result),
        "network": {
            "nat": "none" if not gateways else "single" if gateways == 1 else "per_zone",
            "nat_gib_per_month": float(_used(result, "nat", "gb")),
            "load_balancers": len(balancers),
            "load_balancer": "classic"
            if any(b.type == "aws_elb" for b in balancers)
            else "network",
            "addresses_per_load_balancer": max(
                (0 if b.values["internal"] else len(b.values["subnets"]) for b in balancers),
                default=0,
            ),
        },
        "homes": {
            "gib": float(_used(result, "efs", "one-zone" if one_zone else "standard")),
            "storage": "efs-one-zone" if one_zone else "efs",
        },
        "support": "extended" if _used(result, "eks", "extended-cluster-hour") else "standard",
    }
    if _has_charts(environment, project):
        data["pools"] = _pools(
            load(project, "support", environment)["pools"], prices, region, zones
        )
    known = parse(data, environment)
    lines = configured_floor(known, prices)
    other = result.floor.quantize(CENT) - sum((x.usd for x in lines if x.floor), Decimal(0))
    return parse({**data, "other_usd_per_month": str(max(other, Decimal(0)))}, environment)


def list_price(service: str, item: str) -> Decimal | None:
    """Return an item's price in the project's price list (any region), None if it has none."""
    price = price_list.read().find(service, item, DEFAULT_REGION)
    return price.usd if price else None


def _has_charts(environment: str, project: Path) -> bool:
    return (project / "helm" / "environments" / f"{environment}.yaml").is_file()


def _hourly(
    environment: str, prices: Prices, region: str, project: Path
) -> tuple[tuple[Any, ...], tuple[Unpriced, ...]]:
    if not _has_charts(environment, project):
        return (), ()
    support, pangeo = (load(project, chart, environment) for chart in ("support", "pangeo"))
    return marginal_cost.hourly(support, pangeo, prices, region=region)


def _balancer_zones(resources: Sequence[Resource]) -> int:
    """Return how many subnets the plan offers to public load balancers."""
    return sum(
        one.type == "aws_subnet" and "kubernetes.io/role/elb" in (one.values.get("tags") or {})
        for one in resources
    )


def _used(result: Estimate, service: str, item: str) -> Decimal:
    return sum(
        (x.quantity for x in result.lines if (x.service, x.item) == (service, item)), Decimal(0)
    )


def _core(result: Estimate) -> dict[str, Any]:
    """Return the nodes that always run, of the type that most of them have."""
    nodes = [x for x in result.lines if x.service == "ec2"]
    if not nodes:
        return {}
    largest = max(nodes, key=lambda x: x.quantity)
    own = [x for x in result.lines if x.address == largest.address]
    count = largest.quantity / HOURS_PER_MONTH
    disk = sum((x.quantity for x in own if (x.service, x.item) == ("ebs", "gp3")), Decimal(0))
    return {
        "instance_type": largest.item,
        "nodes": int(count),
        "disk_gib": float(disk / count),
    }


def _pools(
    pools: Mapping[str, Any], prices: Prices, region: str, zones: int
) -> list[dict[str, Any]]:
    """Return the charts' node pools in the what-if's words.

    Karpenter takes the cheapest shape, so that comes first. Its limit of cores becomes a number of
    nodes. Where no spot price of a shape is listed, the share that listed ones have stands for it.
    """
    kinds = {"user": ["notebook", "dask-scheduler", "binder"], "worker": ["dask-worker"]}
    found = []
    for name, pool in pools.items():
        if pool.get("purpose") not in kinds:
            continue
        shapes = sorted(pool["shapes"], key=lambda shape: prices.get("ec2", shape, region).usd)
        spot = "spot" in pool["capacity"]
        nodes = int(pool["limits"]["cpu"]) // machine(shapes[0]).vcpus
        entry: dict[str, Any] = {
            "name": name,
            "kinds": kinds[pool["purpose"]],
            "instance_types": shapes,
            "scale_down_delay_seconds": _seconds(str(pool["empty_after"])),
            "disk_gib": pool["disk_gib"],
            "max_nodes_per_zone": max(1, -(-nodes // zones)),
        }
        if spot:
            entry |= {
                "spot_share": 1,
                "interruptions_per_hour": _INTERRUPTIONS_PER_HOUR,
                "spot_price_share": _spot_share(prices),
            }
        found.append(entry)
    return found


def _seconds(text: str) -> float:
    return float(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


def _spot_share(prices: Prices) -> float:
    """Return the mean share of the on-demand price that listed spot prices are."""
    shares = [
        price.usd / prices.get("ec2", item, region).usd
        for (service, item, region), price in prices.rows.items()
        if service == "ec2-spot"
    ]
    return round(float(sum(shares) / len(shares)), 3) if shares else 1.0
