"""The cost of a run on a cloud: nodes by the second, scheduler, fixed costs, requests.

Prices are applied when runs are read, so that a run file can be priced for any machine. `marginal`
is the cost of one more run on an existing cluster: its nodes' seconds and its requests. `full` is
the bill of a cluster started for this run alone: nodes from their start until they are gone (at
least 60 s, as EC2 bills), the scheduler's node, the control plane and other fixed costs for the
same time, the requests, and the stored data's share of a month. Transfer between S3 and nodes of
the same region is free.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Protocol

import pandas as pd

from dask_bench import statistics
from pangeo_core.errors import BadInput
from pangeo_core.units import HOURS_PER_MONTH

SHORTEST_SECONDS = 60.0  # EC2 bills Linux by the second, but at least a minute
EXACT = Decimal("0.000000000001")
TERABYTE_MB = 10**6
# S3 standard, USD a request (infracost's price tables, Apache-2.0, 2024; the same in us-east-1 and
# us-west-2): PUT 0.005 and GET 0.0004 for a thousand.
PUT, GET = Decimal("0.000005"), Decimal("0.0000004")
SERVICES = {"on-demand": "ec2", "spot": "ec2-spot"}  # of the price list


class ListPrice(Protocol):
    """A price in USD, its source and date, and a note if it is not exact."""

    @property
    def usd(self) -> Decimal: ...  # noqa: D102
    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def as_of(self) -> str: ...  # noqa: D102
    @property
    def note(self) -> str: ...  # noqa: D102


# The price of an item of a service in a region; raises where the list has none. The services and
# items are `ec2` and `ec2-spot` with an instance type, `eks` `cluster-hour`, `s3` `standard` (a GB
# and month): those of `hub_costs.estimates.prices`, whose `Prices.get` is one.
PriceOf = Callable[[str, str, str], ListPrice]


@dataclass(frozen=True)
class Rates:
    """The prices of a cluster's parts, in USD an hour, and their sources.

    `start_seconds` and `tail_seconds` are how long a node is paid for before the first task and
    after the last. `interruptions` is the number per node and hour, and `penalty` the time that
    each adds, as a share of the run's time on one node: of n nodes, each has an nth of the work to
    lose. Both are 0 on demand.
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

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, str) and not (math.isfinite(value) and value >= 0):
                raise BadInput(
                    f"A run cannot be priced with {name} {value}.",
                    fix="Rates, seconds and interruptions are 0 or more.",
                )


@dataclass(frozen=True)
class RunCost:
    """One run's cost in USD, and the node-seconds that are billed for it."""

    billed_seconds: float
    marginal: Decimal
    full: Decimal


def rates(
    price: PriceOf,
    region: str,
    instance: str,
    scheduler: str,
    capacity: str = "on-demand",
    **more: Any,
) -> Rates:
    """Return the rates of `instance` for workers and of `scheduler`, with EKS' control plane.

    The scheduler is never on spot. Raises `BadInput` for an unknown `capacity`, and the errors of
    `price` for an unknown price.
    """
    if capacity not in SERVICES:
        raise BadInput(f"There is no capacity {capacity!r}.", fix=f"Use {' or '.join(SERVICES)}.")
    worker = price(SERVICES[capacity], instance, region)
    return Rates(
        node=worker.usd,
        scheduler=price("ec2", scheduler, region).usd,
        always=price("eks", "cluster-hour", region).usd,
        source=f"{instance} {capacity}: {'; '.join(filter(None, (worker.source, worker.note)))}",
        date=worker.as_of,
        stored_month=price("s3", "standard", region).usd / 1000,
        **more,
    )


def lived(given: Rates, life: pd.DataFrame, *, node_start: float = 0.0) -> Rates:
    """Return `given` with start and tail from the recorded runs `life` (medians).

    If those ran on one machine, `node_start` is the time that a cloud's node takes to start, in
    seconds.
    """
    start, tail = (_taken(life, variant) for variant in ("to-all-workers", "until-gone"))
    return replace(given, start_seconds=node_start + start, tail_seconds=tail)


def interrupted(given: Rates, life: pd.DataFrame, fate: str, per_hour: float) -> Rates:
    """Return `given` with interruptions, each of which costs as much as in the runs `life`.

    `fate` is `killed` or `drained`; `per_hour` how many interruptions a node has in an hour.
    """
    share = max(0.0, penalty(life, fate).value - 1)
    workers = int(life[(life.operation == "lost-worker") & (life.variant == fate)].nodes.max())
    return replace(given, interruptions=per_hour, penalty=share * workers)


def penalty(life: pd.DataFrame, fate: str) -> statistics.Estimate:
    """Return the time of runs that lost a worker over that of undisturbed ones, by block."""
    good = life[(life.role == "run") & ~life.failed.astype(bool)]
    good = good[good.operation == "lost-worker"]
    both = good.pivot_table(index=["campaign", "block"], columns="variant", values="seconds")
    if not {"undisturbed", fate} <= set(both):
        raise _no_life(f"a worker {fate}, and undisturbed")
    both = both[["undisturbed", fate]].dropna()
    return statistics.paired_ratio(both.undisturbed, both[fate])


def run_cost(row: Mapping[str, Any], rates: Rates) -> RunCost:
    """Return the cost of the run in `row` (columns of the run table) at `rates`.

    A run without a cluster takes one node. An interruption makes the run longer and starts another
    node; the expected number of them grows with nodes and time.
    """
    seconds, nodes = float(row["seconds"]), max(1, _count(row, "nodes"))
    if not (math.isfinite(seconds) and seconds >= 0):
        raise BadInput(f"A run of {seconds} s cannot be priced.")
    losses = rates.interruptions * nodes * seconds / 3600
    expected = seconds * (1 + rates.penalty * losses / nodes)
    lifetime = max(SHORTEST_SECONDS, rates.start_seconds + expected + rates.tail_seconds)
    extra = losses * rates.start_seconds  # of the nodes that replace lost ones
    billed = lifetime * nodes + extra
    requests = GET * _count(row, "requests_read") + PUT * _count(row, "requests_written")
    marginal = _hours(expected * nodes + extra) * rates.node + requests
    whole = _hours(billed) * rates.node + _hours(lifetime) * (rates.scheduler + rates.always)
    months = _hours(lifetime) / HOURS_PER_MONTH
    stored = rates.stored_month * Decimal(str(row["dataset_mb"])) * months
    return RunCost(billed, _exact(marginal), _exact(whole + requests + stored))


def terabyte_cost(row: Mapping[str, Any], rates: Rates) -> RunCost:
    """Return the cost of a terabyte on one cluster, at the run's rates of bytes and requests."""
    if not row["dataset_mb"] > 0:
        raise BadInput(f"Cannot compute the cost of a TB from a run over {row['dataset_mb']} MB.")
    times = TERABYTE_MB / float(row["dataset_mb"])
    grown = {
        name: round(_count(row, name) * times) for name in ("requests_read", "requests_written")
    }
    seconds = float(row["seconds"]) * times
    return run_cost({**row, **grown, "seconds": seconds, "dataset_mb": TERABYTE_MB}, rates)


def priced(table: pd.DataFrame, rates: Rates) -> pd.DataFrame:
    """Return runs with the run table's cost columns at `rates`, null for unfinished runs.

    Also `usd_tb_marginal` and `usd_tb_full`, for a terabyte. All of it is a model if the runs were
    not on such nodes: their times, another machine's price.
    """
    rows = [row if pd.notna(row["seconds"]) else None for row in table.to_dict("records")]
    costs = [row and run_cost(row, rates) for row in rows]
    large = [row and terabyte_cost(row, rates) for row in rows]
    return table.assign(
        usd_tb_marginal=[cost and float(cost.marginal) for cost in large],
        usd_tb_full=[cost and float(cost.full) for cost in large],
        worker_seconds_billed=[cost and cost.billed_seconds for cost in costs],
        price_source=rates.source,
        price_date=rates.date,
        usd_marginal=[cost and cost.marginal for cost in costs],
        usd_full=[cost and cost.full for cost in costs],
    )


def medians(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return the medians of priced runs by `by`: USD of a run, and of a terabyte of its data.

    Columns: `by`, `n`, `minutes_tb`, `billed_seconds`, `usd_marginal`, `usd_full`,
    `usd_tb_marginal`, `usd_tb_full`. Failed runs and warm-ups are left out.
    """
    good = table[
        (table.role != "warm-up") & ~table.failed.astype(bool) & table.usd_full.notna()
    ].copy()
    good["billed_seconds"] = good.worker_seconds_billed.astype(float)
    good["minutes_tb"] = good.seconds * TERABYTE_MB / good.dataset_mb / 60
    for name in ("usd_marginal", "usd_full", "usd_tb_marginal", "usd_tb_full"):
        good[name] = good[name].astype(float)
    shown = ["minutes_tb", "billed_seconds", "usd_marginal", "usd_full"]
    shown += ["usd_tb_marginal", "usd_tb_full"]
    groups = good.groupby(by, dropna=False)
    return groups[shown].median().assign(n=groups.size()).reset_index()[[*by, "n", *shown]]


def _taken(life: pd.DataFrame, variant: str) -> float:
    good = life[(life.role == "run") & ~life.failed.astype(bool)]
    seconds = good[(good.operation == "life") & (good.variant == variant)].seconds
    if seconds.empty:
        raise _no_life(variant)
    return float(seconds.median())


def _no_life(what: str) -> BadInput:
    return BadInput(
        f"The runs of a cluster's life have none of: {what}.",
        fix="Measure them: pangeo-deploy bench run life --out life.parquet",
    )


def _count(row: Mapping[str, Any], name: str) -> int:
    value = row.get(name)
    return 0 if value is None or pd.isna(value) else int(value)


def _hours(seconds: float) -> Decimal:
    return Decimal(str(round(seconds, 9))) / 3600


def _exact(amount: Decimal) -> Decimal:
    return amount.quantize(EXACT)
