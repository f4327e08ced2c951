"""How many people a budget supports: the best of many configurations, for each budget and wait.

A budget alone has no answer: without room held ready a new node takes minutes, and room held ready
costs money. So each number of people is tried on every candidate, and it fits if one of them costs
no more than the budget and lets 95 of 100 sessions start within the wait. That is done for several
seeds, each another month of the same kind of people: the answer is their median with an interval.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np

from hub_costs.usage.sessions import Sessions
from hub_costs.whatif import arrivals
from hub_costs.whatif.config import Config, parse
from hub_costs.whatif.configurations import Capacity, mapped, users_within
from hub_costs.whatif.result import WhatIf, money, what_if
from pangeo_core.errors import BadInput

PERCENTILE = 95
# Room held ready, as a share of the people; and the node types that carry users.
ROOM = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3)
NODE_TYPES = ("m5.xlarge", "r5.xlarge", "r5.2xlarge")
MOST_PEOPLE = 5000


@dataclass(frozen=True)
class Load:
    """The people: a model's name, and what each asks for and keeps; None is the model's own."""

    model: str
    memory_gib: float | None = None
    cpu_cores: float | None = None
    home_gib: float = 5.0

    def __post_init__(self) -> None:
        arrivals.sized(self.model, 1)
        for name in ("memory_gib", "cpu_cores", "home_gib"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 10_000:
                raise BadInput(f"Invalid {name}: {value}.", fix="Give a size of 0 or more.")

    def of(self, people: int | None) -> arrivals.Model:
        """Return the model of so many people (None: as many as the model has by itself)."""
        own = arrivals.sized(self.model, people)
        return replace(
            own,
            memory_gib=own.memory_gib if self.memory_gib is None else self.memory_gib,
            cpu_cores=own.cpu_cores if self.cpu_cores is None else self.cpu_cores,
        )


@dataclass(frozen=True)
class Fit:
    """A number of people that fits, and the cheapest candidate that lets them in in time."""

    people: int
    configuration: str
    usd_per_month: Decimal
    wait_seconds: float


@dataclass(frozen=True)
class Supported:
    """How many people a budget supports: the median over seeds, and an interval."""

    people: int
    low: int
    high: int
    level: float
    seeds: int
    budget_usd: Decimal
    wait_seconds: float
    typical: Fit | None

    def as_dict(self) -> dict[str, Any]:
        """Return the answer as JSON."""
        fit = self.typical
        shown = fit and asdict(fit) | {"usd_per_month": money(fit.usd_per_month)}
        return {
            "origin": "modelled",
            "users": self.people,
            "low": self.low,
            "high": self.high,
            "level": self.level,
            "seeds": self.seeds,
            "usd_per_month": money(self.budget_usd),
            "wait_p95_seconds": self.wait_seconds,
            "typical": shown,
        }


def lean_hub(load: Load, people: int, room: int = 0, node_type: str = "r5.xlarge") -> Config:
    """Return a hub without extras for so many people: one zone's NAT, one load balancer, homes.

    `room` servers are held ready.
    """
    one = load.of(people)
    users = {
        "name": "users",
        "kinds": ["notebook", "binder"],
        "instance_types": [node_type],
        "placeholders": room,
        "placeholder_cpu_cores": one.cpu_cores,
        "placeholder_memory_gib": one.memory_gib,
    }
    data = {
        "name": f"{node_type}, room for {room}",
        "core": {"instance_type": "m5.large"},
        "network": {"nat": "single"},
        "homes": {"gib": load.home_gib * people},
        "pools": [users],
    }
    return parse(data, str(data["name"]))


def candidates(load: Load, people: int) -> list[Config]:
    """Return the configurations that are tried for so many people: room times node type."""
    rooms = sorted({math.ceil(share * people) for share in ROOM})
    return [lean_hub(load, people, room, kind) for room in rooms for kind in NODE_TYPES]


def serving(
    sessions: Sessions,
    configs: Sequence[Config],
    wait_seconds: float,
    prices: Any = None,
    limit: Decimal | None = None,
) -> Iterable[WhatIf]:
    """Yield what each of `configs` gives that serves `sessions` within the wait and the limit."""
    for config in configs:
        try:
            got = what_if(sessions, config, prices)
        except BadInput:  # not one session fits a node of this type: another candidate's may
            continue
        waited = got.wait(PERCENTILE)
        quick = waited is not None and waited <= wait_seconds and not got.problems
        if quick and (limit is None or got.usd_per_month <= limit):
            yield got


def supported(
    load: Load,
    budget_usd: Decimal,
    wait_seconds: float = 60.0,
    prices: Any = None,
    *,
    seeds: int = 10,
    level: float = 0.9,
    client: Any = None,
    workers: int | None = None,
) -> Supported:
    """Return how many people of `load` a monthly budget supports.

    The answer is the median over `seeds` months, the interval their quantiles. 0 people: not even
    one fits. Raises `BadInput` for limits that are none.
    """
    if budget_usd <= 0 or not 0 < wait_seconds < 86400 or not 0 < level < 1 or seeds < 1:
        raise BadInput(
            "Invalid budget, wait, level or number of seeds.",
            fix="Give a budget and a wait above 0, a level between 0 and 1, one seed or more.",
        )
    job = partial(_largest, load, budget_usd, wait_seconds, prices)
    fits = sorted(mapped(job, range(1, seeds + 1), client, workers), key=lambda fit: fit.people)
    tail = (1 - level) / 2
    numbers = [fit.people for fit in fits]
    low, middle, high = np.quantile(numbers, [tail, 0.5, 1 - tail], method="nearest")
    typical = next(fit for fit in fits if fit.people == middle)
    return Supported(
        int(middle),
        int(low),
        int(high),
        level,
        seeds,
        budget_usd,
        wait_seconds,
        typical if middle else None,
    )


def supported_users(
    budget_usd: Decimal,
    wait_seconds: float,
    sessions: Sessions,
    config: Config,
    load: Load | None = None,
) -> Supported | Capacity:
    """Return how many people like those of `sessions` a monthly budget supports.

    Where they are a model's (`load`) and no configuration of their own is given, it is the best of
    many configurations, over months drawn anew (`supported`). Else people are drawn from the
    sessions, on `config` (`users_within`).
    """
    if load and config == Config():
        return supported(load, budget_usd, wait_seconds)
    return users_within(sessions, config, budget_usd, wait_seconds, resamples=20)


def distribution(values: Sequence[Any], level: float = 0.9) -> Mapping[str, float]:
    """Return `median`, `low` and `high` of a number over seeds, at `level`."""
    tail = (1 - level) / 2
    low, middle, high = np.quantile([float(value) for value in values], [tail, 0.5, 1 - tail])
    return {"median": float(middle), "low": float(low), "high": float(high)}


def _largest(load: Load, budget_usd: Decimal, wait: float, prices: Any, seed: int) -> Fit:
    """Return the largest number of people that fits, for one seed; to 2 % of its size."""

    def ways(people: int) -> Iterable[WhatIf]:
        sessions = arrivals.generate(load.of(people), seed)
        return serving(sessions, candidates(load, people), wait, prices, budget_usd)

    def fits(people: int) -> bool:
        try:
            return any(True for _ in ways(people))
        except BadInput:  # of a few people nobody came that month
            return people < MOST_PEOPLE and fits(people + 1)

    low, high = _bracket(fits)
    while high - low > max(1, low // 50):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    if not low:
        return Fit(0, "", Decimal(0), 0.0)
    best = min(ways(low), key=lambda way: way.usd_per_month)
    return Fit(low, best.config.name, best.usd_per_month, float(best.wait(PERCENTILE) or 0))


def _bracket(fits: Callable[[int], bool]) -> tuple[int, int]:
    """Return a number that fits (0: not even one does), and twice it, which does not."""
    if not fits(1):
        return 0, 1
    low = 1
    while low < MOST_PEOPLE and fits(2 * low):
        low *= 2
    return low, 2 * low
