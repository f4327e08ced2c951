"""One more user and one more worker, priced from the Helm values of an environment."""

from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from hub_costs.estimates import prices
from hub_costs.estimates.marginal_cost import hourly
from pangeo_deploy.charts.values import load

ROOT = Path(__file__).parents[2]
LIST = prices.read(ROOT / "data" / "prices.csv")
SUPPORT = """
pools:
  users: {purpose: user, capacity: [on-demand], shapes: [r5.2xlarge, r5a.2xlarge]}
  dask: {purpose: worker, capacity: [spot], shapes: [m5.2xlarge, m5a.2xlarge]}
"""
PANGEO = """
pangeo:
  profiles:
    - {slug: small, cpu_guarantee: 0.9, memory_guarantee_mib: 7400}
    - {slug: huge, cpu_guarantee: 90, memory_guarantee_mib: 7400}
  dask: {worker_cores: 1, worker_memory_gib: 4}
"""


def priced(**pools):
    """Return the hourly prices and what has none, with changes to the pools."""
    support = yaml.safe_load(SUPPORT)
    for name, change in pools.items():
        support["pools"][name] |= change
    return hourly(support, yaml.safe_load(PANGEO), LIST)


def test_each_profile_and_a_worker_have_an_hourly_price():
    found, unpriced = priced()
    user, worker = found
    assert (user.what, user.node_type, user.fits) == ("user: small", "r5a.2xlarge", 8)
    assert user.usd_per_hour == Decimal("0.452") / 8
    assert (worker.what, worker.node_type, worker.fits) == ("worker", "m5.2xlarge", 7)
    assert "at most" in worker.assumption, "no spot price is listed"
    (huge,) = unpriced
    assert "does not fit" in huge.why


def test_a_larger_shape_holds_more():
    (user, _), _ = priced(users={"shapes": ["r5.4xlarge"]})
    assert (user.node_type, user.fits) == ("r5.4xlarge", 15)


@pytest.mark.parametrize("shapes", [[], ["z1d.huge"], ["m5.2xlarge", "z1d.huge"]])
def test_a_pool_that_cannot_be_priced_is_listed(shapes):
    _, unpriced = priced(dask={"shapes": shapes})
    assert "worker" in {one.type for one in unpriced}


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_our_own_pools_are_priced_whole(environment):
    values = (load(ROOT, chart, environment) for chart in ("support", "pangeo"))
    found, unpriced = hourly(*values, LIST)
    assert not unpriced
    assert {"worker", "user: small"} <= {one.what for one in found}
