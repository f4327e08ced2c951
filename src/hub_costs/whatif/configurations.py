"""Many configurations, and how many users a budget carries.

Runs go through any Dask client (`client.map`), or through processes of this machine; both give the
same result as one after the other.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import product
from multiprocessing import get_context
from typing import Any

import numpy as np
import pandas as pd

from hub_costs.estimates.prices import Prices
from hub_costs.estimates.prices import read as read_prices
from hub_costs.usage.sessions import Sessions
from hub_costs.whatif.config import Config, parse
from hub_costs.whatif.result import WhatIf, money, what_if
from pangeo_core.errors import BadInput
from pangeo_core.progress import Event, Progress, silent


def grid(base: Config, changes: Mapping[str, Sequence[Any]]) -> list[Config]:
    """Return `base` with every combination of `changes`.

    A key is a path such as `network.nat` or `pools.users.placeholders`; a configuration's name says
    what was changed. Raises `BadInput` for a path or value that does not exist.
    """
    configs = []
    for values in product(*changes.values()):
        data = base.model_dump(mode="json")
        named = []
        for path, value in zip(changes, values, strict=True):
            _put(data, path, value)
            named.append(f"{path.removeprefix('pools.')}={value}")
        data["name"] = ", ".join(named) or base.name
        configs.append(parse(data, data["name"]))
    return configs


def sweep(
    sessions: Sessions,
    configs: Sequence[Config],
    prices: Prices | None = None,
    *,
    client: Any = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Return one row a configuration, in order: cost, floor, waits, and whether it is best.

    `client` is a `distributed.Client`, local or of a gateway; without one, `workers` processes
    (default: as many as cores) share the work. Columns: `configuration`, `usd_per_month`,
    `floor_usd_per_month` (Decimal), `wait_median_seconds`, `wait_p95_seconds`, `interruptions`,
    `serves_the_load`, and `frontier`: no other configuration that serves the load costs less and
    waits (95th percentile) less.
    """
    if not configs:
        raise BadInput("There is no configuration to replay.", fix="Pass at least one.")
    job = partial(_one, sessions, prices=prices or read_prices())
    progress(Event("sweep", "start", f"{len(configs)} configurations"))
    rows = mapped(job, configs, client, workers)
    progress(Event("sweep", "done"))
    table = pd.DataFrame(rows)
    table["frontier"] = frontier(table)
    return table


@dataclass(frozen=True)
class Capacity:
    """How many people a budget carries: the estimate, and an interval from resampling people."""

    users: int
    low: int
    high: int
    level: float
    usd_per_month: Decimal
    wait_seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return the answer as JSON."""
        return {
            "origin": "modelled",
            "users": self.users,
            "low": self.low,
            "high": self.high,
            "level": self.level,
            "usd_per_month": money(self.usd_per_month),
            "wait_p95_seconds": self.wait_seconds,
        }


def users_within(
    sessions: Sessions,
    config: Config,
    usd_per_month: Decimal,
    wait_seconds: float = 60.0,
    prices: Prices | None = None,
    *,
    resamples: int = 40,
    level: float = 0.9,
    most: int = 10_000,
    seed: int = 0,
    client: Any = None,
    workers: int | None = None,
) -> Capacity:
    """Return how many people like those of `sessions` the budget carries.

    People are drawn with replacement from the data, each with all their sessions, until cost or
    everyone's 95th-percentile wait passes the limit; the largest number that stays within both is
    found once for each of `resamples` orders of drawing, to 2 %. The estimate is their median, the
    interval their quantiles. 0 means that no number of people fits.
    """
    if usd_per_month <= 0 or wait_seconds <= 0 or not 0 < level < 1 or resamples < 1:
        raise BadInput(
            "The budget, the wait and the number of resamples must be more than nothing.",
            fix="Give positive numbers, and a level between 0 and 1.",
        )
    job = partial(
        _largest, sessions, config, usd_per_month, wait_seconds, prices or read_prices(), most
    )
    found = mapped(job, [seed * 1_000_003 + k for k in range(resamples)], client, workers)
    tail = (1 - level) / 2
    low, middle, high = np.quantile(found, [tail, 0.5, 1 - tail], method="nearest")
    return Capacity(int(middle), int(low), int(high), level, usd_per_month, wait_seconds)


def draw_people(sessions: Sessions, count: int, seed: int) -> Sessions:
    """Return sessions of `count` people drawn with replacement; the first n do not depend on count.

    Each drawn person is someone new, with all the sessions of the one drawn.
    """
    users = sessions.table["user"].cat.remove_unused_categories()
    codes = np.asarray(users.cat.codes)
    order = np.argsort(codes, kind="stable")
    first = np.searchsorted(codes[order], np.arange(len(users.cat.categories) + 1))
    who = np.random.default_rng(seed).integers(0, len(users.cat.categories), count)
    size = (first[1:] - first[:-1])[who]
    begin = np.repeat(first[:-1][who] - np.r_[0, np.cumsum(size)[:-1]], size)
    rows = order[begin + np.arange(size.sum())]
    table = sessions.table.iloc[rows].reset_index(drop=True)
    names = [f"drawn-{number:06d}" for number in range(count)]
    table["user"] = pd.Categorical.from_codes(np.repeat(np.arange(count), size), names)
    table = table.sort_values("start", kind="stable", ignore_index=True)
    empty = sessions.rejected.iloc[:0]
    return Sessions(table, sessions.start, sessions.end, empty, empty)


def _largest(
    sessions: Sessions,
    config: Config,
    usd: Decimal,
    wait: float,
    prices: Prices,
    most: int,
    seed: int,
) -> int:
    """Return the largest number of people within both limits, for one order of drawing."""

    def result(count: int) -> WhatIf:
        return what_if(draw_people(sessions, count, seed), config, prices)

    def cheap(count: int) -> bool:
        return result(count).usd_per_month <= usd

    def good(count: int) -> bool:
        got = result(count)
        waited = got.wait(95)
        quick = waited is not None and waited <= wait
        return quick and not got.problems and got.usd_per_month <= usd

    # Cost grows with people. Waiting need not: a few find nodes cold that many keep warm. So the
    # budget is bisected first, and waiting is tried from there downwards.
    if not cheap(1):
        return 0
    low, high = 1, 2
    while high <= most and cheap(high):
        low, high = high, high * 2
    top = _bisect(cheap, low, min(high, most + 1))
    while top > 0 and not good(top):
        step = max(1, top // 8)
        if top > step and good(top - step):
            return _bisect(good, top - step, top)
        top -= step
    return top


def _bisect(fits: Callable[[int], bool], low: int, high: int) -> int:
    """Return a number that fits, with the next one tried not fitting; to 2 % of its size."""
    while high - low > max(1, low // 50):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _one(sessions: Sessions, config: Config, prices: Prices) -> dict[str, Any]:
    row: dict[str, Any] = {"configuration": config.name}
    result = what_if(sessions, config, prices)
    return row | {
        "usd_per_month": result.usd_per_month,
        "floor_usd_per_month": result.floor_usd_per_month,
        "wait_median_seconds": result.wait(50),
        "wait_p95_seconds": result.wait(95),
        "interruptions": sum(int(run.pods["taken"].sum()) for run in result.runs),
        "serves_the_load": not result.problems,
    }


def frontier(table: pd.DataFrame) -> list[bool]:
    """Return for each row of a sweep whether no other that serves the load costs and waits less."""
    good = table[table.serves_the_load]
    best = []
    for row in table.itertuples():
        better = good[
            (good.usd_per_month <= row.usd_per_month)
            & (good.wait_p95_seconds <= row.wait_p95_seconds)
            & (
                (good.usd_per_month < row.usd_per_month)
                | (good.wait_p95_seconds < row.wait_p95_seconds)
            )
        ]
        best.append(bool(row.serves_the_load) and better.empty)
    return best


def mapped(job: Any, items: Sequence[Any], client: Any, workers: int | None) -> list[Any]:
    """Return what `job` makes of each item, in order: by a Dask client, processes, or here."""
    if client is not None:
        return list(client.gather(client.map(job, items, pure=False)))
    workers = min(workers or os.cpu_count() or 1, len(items))
    if workers == 1:
        return [job(item) for item in items]
    # The job (with its sessions) is sent once to each process, not with each item.
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_keep, initargs=(job,)
    ) as pool:
        return list(pool.map(_do, items, chunksize=max(1, len(items) // (4 * workers))))


_JOB: list[Any] = []  # of a worker process


def _keep(job: Any) -> None:
    _JOB[:] = [job]


def _do(item: Any) -> Any:
    return _JOB[0](item)


def _put(data: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a dotted path; a list's part is found by its `name`."""
    *parts, last = path.split(".")
    at: Any = data
    for part in parts:
        if isinstance(at, list):
            at = next((one for one in at if one.get("name") == part), None)
        elif isinstance(at, dict):
            at = at.get(part)
        if at is None:
            raise BadInput(f"A configuration has no {path}.", fix=f"Known here: {', '.join(data)}.")
    at[last] = value
