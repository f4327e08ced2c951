"""One floor for one environment, whoever asks; and an environment as a what-if configuration."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hub_costs.budgeting.budget_gate import budget_of, gate
from hub_costs.estimates import prices
from hub_costs.whatif import arrivals, what_if
from pangeo_deploy.delivery import plan_review
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.monthly_cost import change_of, config_of, estimate_of
from pangeo_deploy.terraform import lifecycle

CENT = Decimal("0.01")
LIST = prices.read()
Plans = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Plans:
    """Each environment's plan, made in an account of its own."""
    folder = tmp_path_factory.mktemp("state")
    return {
        name: lifecycle.show(Deployment(name, "rehearsal", state=folder))
        for name in ("staging", "prod")
    }


def usd(found: Any, service: str, item: str) -> Decimal:
    lines = (x for x in found.lines if (x.service, x.item) == (service, item))
    return sum((x.usd_per_month for x in lines), Decimal(0))


def test_stagings_floor_holds_what_charts_and_subnets_add(plans: Plans) -> None:
    """What the review found missing: balancer, its addresses, the node's address, volumes, disk."""
    found = estimate_of("staging", plans["staging"], LIST)
    assert usd(found, "elb", "network-hour") == Decimal("0.0225") * 730
    assert usd(found, "vpc", "public-ipv4-hour") == 3 * Decimal("0.005") * 730
    assert usd(found, "ebs", "gp3") == (30 + 1 + 20 + 1) * Decimal("0.08")
    assert usd(found, "ebs", "gp2") == 0
    assert not found.unpriced
    assert found.floor.quantize(CENT) == Decimal("160.43")


def test_prod_pays_for_its_backups(plans: Plans) -> None:
    found = estimate_of("prod", plans["prod"], LIST)
    assert usd(found, "backup", "efs") > 0
    assert usd(estimate_of("staging", plans["staging"], LIST), "backup", "efs") == 0


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_everyone_says_the_same_floor(plans: Plans, environment: str) -> None:
    plan = plans[environment]
    floor = estimate_of(environment, plan, LIST).floor
    _, after = change_of(environment, plan, LIST)
    assert after.floor == floor
    reviewed = plan_review.cost(plan, environment)
    assert reviewed["floor_after"] == format(floor, "f")
    (check,) = gate(budget_of(plan), floor=floor).checks
    assert reviewed["gate"]["checks"][0]["usd"] == format(check.usd, "f")
    load = arrivals.generate(arrivals.Group(days=7), 1)
    replayed = what_if(load, config_of(environment, plan, LIST), LIST)
    assert replayed.floor_usd_per_month == floor.quantize(CENT)


def test_an_environments_pools_are_those_of_its_charts(plans: Plans) -> None:
    config = config_of("prod", plans["prod"], LIST)
    assert {pool.name: pool.kinds for pool in config.pools} == {
        "users": ("notebook", "dask-scheduler", "binder"),
        "dask": ("dask-worker",),
    }
    users = config.pool_of("notebook")
    assert users.instance_types[0] == "r5a.2xlarge", "the cheapest shape comes first"
    assert users.scale_down_delay_seconds == 600
    assert config.core.nodes == 2
    assert config.core.instance_type == "m6a.large"
    assert (config.network.nat, config.zones) == ("single", 3)
    assert config.pool_of("dask-worker").spot_share == 1
    assert config_of("staging", plans["staging"], LIST).homes.storage == "efs-one-zone"


def test_an_environment_without_charts_says_what_is_not_counted(
    plans: Plans, tmp_path: Path
) -> None:
    found = estimate_of("staging", plans["staging"], LIST, project=tmp_path)
    assert "no load balancer" in found.unpriced[0].why
