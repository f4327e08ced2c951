"""One more user and one more worker, priced from the Helm values of an environment."""

from decimal import Decimal
from pathlib import Path

import pytest

from pangeo_deploy.cost import prices
from pangeo_deploy.cost.pools import hourly
from pangeo_deploy.errors import BadInput

LIST = prices.read(Path(__file__).parents[2] / "data" / "prices.csv")
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


@pytest.fixture
def project(tmp_path):
    for name, text in {
        "support/values": SUPPORT,
        "pangeo/values": PANGEO,
        "environments/staging": "support: {pools: {users: {limits: {cpu: 8}}}}\n",
        "environments/prod": "support: {pools: {users: {shapes: [r5.4xlarge]}}}\n",
    }.items():
        file = tmp_path / "helm" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def test_each_profile_and_a_worker_have_an_hourly_price(project):
    found, unpriced = hourly(project, "staging", LIST)
    user, worker = found
    assert (user.what, user.node_type, user.fits) == ("user: small", "r5a.2xlarge", 8)
    assert user.usd_per_hour == Decimal("0.452") / 8
    assert (worker.what, worker.node_type, worker.fits) == ("worker", "m5.2xlarge", 7)
    assert "at most" in worker.assumption, "no spot price is listed"
    (huge,) = unpriced
    assert "does not fit" in huge.why


def test_an_environment_has_its_own_pools(project):
    (user, _), _ = hourly(project, "prod", LIST)
    assert (user.node_type, user.fits) == ("r5.4xlarge", 15)


def test_without_values_one_line_says_so(tmp_path):
    found, (line,) = hourly(tmp_path, "staging", LIST)
    assert not found
    assert "helm" in line.why


@pytest.mark.parametrize("text", ["pools: [", "- a list\n"])
def test_broken_values_are_named(project, text):
    (project / "helm" / "support" / "values.yaml").write_text(text)
    with pytest.raises(BadInput, match=r"values\.yaml"):
        hourly(project, "staging", LIST)


@pytest.mark.parametrize("change", ["shapes: []", "shapes: [z1d.huge]"])
def test_a_pool_that_cannot_be_priced_is_listed(project, change):
    environment = project / "helm" / "environments" / "staging.yaml"
    environment.write_text(f"support: {{pools: {{dask: {{{change}}}}}}}\n")
    _, unpriced = hourly(project, "staging", LIST)
    assert "worker" in {one.type for one in unpriced}
