"""What a run costs on a cloud: nodes by the second, scheduler, what always runs, requests.

`marginal` is what one more run on a cluster that is there adds: its nodes' seconds and its
requests. `full` is the bill of a cluster started for this run alone: nodes from their start until
they are gone (at least 60 s, as EC2 bills), the scheduler's node as long, the control plane and
whatever else always runs as long, the requests, and the stored data's share of its month.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd

from pangeo_deploy.cost.prices import HOURS, Prices
from pangeo_deploy.errors import BadInput

SHORTEST_SECONDS = 60.0  # EC2 bills Linux by the second, but at least a minute
EXACT = Decimal("0.000000000001")
TERABYTE_MB = 10**6
# S3 standard, USD a request (infracost's price tables, Apache-2.0, 2024; the same in us-east-1 and
# us-west-2): PUT 0.005 and GET 0.0004 for a thousand.
PUT, GET = Decimal("0.000005"), Decimal("0.0000004")


@dataclass(frozen=True)
class Rates:
    """What the parts of a cluster cost, USD an hour, and who says so.

    `start_seconds` and `tail_seconds` are how long a node is paid before the first task and after
    the last, from the life runs. `interruptions` is how many of a worker's hours end in one, and
    `penalty` the run's slowdown when it happens, from the fault runs; both 0 on demand.
    """

    node: Decimal
    scheduler: Decimal
    always: Decimal
    source: str
    date: str
    start_seconds: float = 0.0
    tail_seconds: float = 0.0
    stored_month: Decimal = Decimal(0)  # USD a MB and month
    interruptions: float = 0.0
    penalty: float = 0.0


@dataclass(frozen=True)
class RunCost:
    """One run's cost in USD, and the node-seconds that are billed for it."""

    billed_seconds: float
    marginal: Decimal
    full: Decimal

    def per_terabyte(self, dataset_mb: float) -> Decimal:
        """Return the full cost of a terabyte at this rate, USD."""
        return _exact(self.full * TERABYTE_MB / Decimal(str(dataset_mb)))


def rates(
    prices: Prices,
    region: str,
    instance: str,
    scheduler: str,
    capacity: str = "on-demand",
    **more: Any,
) -> Rates:
    """Return the rates of `instance` for workers and of `scheduler`, with EKS' control plane.

    On spot the price is the item `INSTANCE:spot` of the price list. Raises `BadInput` naming what
    has no price.
    """
    worker = _price(
        prices, "ec2", instance if capacity == "on-demand" else f"{instance}:spot", region
    )
    head = _price(prices, "ec2", scheduler, region)
    plane = _price(prices, "eks", "cluster-hour", region)
    stored = _price(prices, "s3", "standard", region)
    return Rates(
        node=worker.usd,
        scheduler=head.usd,
        always=plane.usd,
        source=f"{instance} {capacity}: {worker.source}",
        date=worker.as_of,
        stored_month=stored.usd / 1000,
        **more,
    )


def run_cost(row: Mapping[str, Any], rates: Rates) -> RunCost:
    """Return what the run in `row` (columns of the run table) costs at `rates`."""
    nodes = max(1, int(row["nodes"] or 0))
    expected = float(row["seconds"]) * (
        1 + rates.penalty * rates.interruptions * nodes * float(row["seconds"]) / 3600
    )
    lifetime = max(SHORTEST_SECONDS, rates.start_seconds + expected + rates.tail_seconds)
    requests = GET * int(row.get("requests_read") or 0) + PUT * int(
        row.get("requests_written") or 0
    )
    hours, lived = (Decimal(str(round(one, 9))) / 3600 for one in (expected, lifetime))
    stored = rates.stored_month * Decimal(str(row["dataset_mb"])) * lived / HOURS
    return RunCost(
        lifetime * nodes,
        _exact(hours * nodes * rates.node + requests),
        _exact(lived * (nodes * rates.node + rates.scheduler + rates.always) + requests + stored),
    )


def columns(row: Mapping[str, Any], rates: Rates) -> dict[str, Any]:
    """Return the `COST` columns of a run; none for one that never ended."""
    if row.get("seconds") is None:
        return {}
    found = run_cost(row, rates)
    return {
        "worker_seconds_billed": found.billed_seconds,
        "price_source": rates.source,
        "price_date": rates.date,
        "usd_marginal": found.marginal,
        "usd_full": found.full,
    }


def priced(table: pd.DataFrame, rates: Rates) -> pd.DataFrame:
    """Return runs with their cost at `rates`: modelled where they did not run on such nodes."""
    costs = [
        columns(row, rates) if pd.notna(row["seconds"]) else {} for row in table.to_dict("records")
    ]
    names = ("worker_seconds_billed", "price_source", "price_date", "usd_marginal", "usd_full")
    return table.assign(**{name: [one.get(name) for one in costs] for name in names})


def _price(prices: Prices, service: str, item: str, region: str) -> Any:
    found = prices.find(service, item, region)
    if found is None:
        raise BadInput(
            f"{prices.file} has no price of {service} {item}.",
            fix="Add a line for it, with its source and date.",
        )
    return found[0]


def _exact(amount: Decimal) -> Decimal:
    return amount.quantize(EXACT)
