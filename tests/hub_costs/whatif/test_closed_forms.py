"""Queues whose answers are known, with one pod a node and nodes that start and stop at once."""

import math

import numpy as np
import pandas as pd
import pytest

from hub_costs.usage import check
from hub_costs.whatif.replay import replay
from tests.hub_costs.whatif.cases import ZERO, config

AT_ONCE = {
    "node_start_seconds": 0,
    "image_pull_seconds": 0,
    "pod_start_seconds": 0,
    "scale_down_delay_seconds": 0,
}
RATE, HOURS = 12.0, 6000  # arrivals an hour


def poisson(lengths, seed):
    """Sessions that arrive at RATE an hour; `lengths(rng, n)` gives their hours."""
    rng = np.random.default_rng(seed)
    n = rng.poisson(RATE * HOURS)
    start = np.sort(rng.uniform(0, HOURS, n))
    hour = pd.Timedelta(hours=1)
    table = pd.DataFrame({"start": ZERO + start * hour})
    table["end"] = table.start + lengths(rng, n) * hour
    table["user"] = [f"u{k}" for k in range(n)]
    table["hub"], table["kind"], table["node_type"], table["capacity"] = (
        "h",
        "binder",
        "",
        "on-demand",
    )
    table["cpu_cores"], table["memory_gib"] = 3.0, 1.0
    return check(table, window=(ZERO, ZERO + 10 * HOURS * hour))


def nodes_over_time(lives):
    """Mean and variance of the number of nodes, over time, after the load has built up."""
    edges = np.linspace(0.1 * HOURS, 0.95 * HOURS, 40_000) * 3_600_000
    count = np.searchsorted(np.sort(lives["start"]), edges, side="right")
    count = count - np.searchsorted(np.sort(lives["end"]), edges, side="right")
    return count.mean(), count.var()


@pytest.mark.parametrize(
    ("lengths", "mean_length"),
    [
        (lambda rng, n: rng.exponential(2.0, n), 2.0),
        (lambda rng, n: np.full(n, 2.0), 2.0),
        (lambda rng, n: rng.lognormal(0.0, 1.0, n), math.exp(0.5)),
    ],
    ids=["M/M/inf", "M/D/inf", "M/G/inf"],
)
def test_without_limits_the_number_of_nodes_is_poisson(lengths, mean_length):
    # Mean and variance are both the load, whatever the lengths' distribution (Takacs 1962).
    (got,) = replay(poisson(lengths, 11), config(**AT_ONCE))
    mean, variance = nodes_over_time(got.lives)
    load = RATE * mean_length
    # The mean over T hours has a standard error of sqrt(2 load s / T), s ~ the lengths' spread.
    error = math.sqrt(2 * load * 2 * mean_length / (0.85 * HOURS))
    assert abs(mean - load) < 4 * error
    assert abs(variance / load - 1) < 0.15
    assert not got.waits.any()


def test_with_a_limit_waiting_is_erlangs():
    servers, service = 28, 2.0
    setup = config(**AT_ONCE, max_nodes_per_zone=servers, give_up_seconds=30 * 86400)
    (got,) = replay(poisson(lambda r, n: r.exponential(service, n), 5), setup)
    load = RATE * service
    top = load**servers / math.factorial(servers) * servers / (servers - load)
    below = sum(load**k / math.factorial(k) for k in range(servers))
    waiting = top / (below + top)  # Erlang C
    mean = waiting * service / (servers - load)
    assert (got.waits > 0).mean() == pytest.approx(waiting, rel=0.1)
    assert got.waits.mean() / 3_600_000 == pytest.approx(mean, rel=0.2)
