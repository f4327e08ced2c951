"""What each Terraform resource type costs, as a table.

A `Charge` says which price applies to a resource's planned values, and how many units of it a
month. A charge of kind "floor" is paid whoever is there; one of kind "use" depends on what is
stored or sent, and takes its amount from the assumptions (`USE`), which an estimate shows with each
line.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from hub_costs.estimates.prices import HOURS

Values = Mapping[str, Any]
# What a small hub keeps and sends in a month. Replace by your own: they only move "use" lines.
USE: Mapping[str, Decimal] = {
    "homes_gb": Decimal(100),
    "images_gb": Decimal(20),
    "bucket_gb": Decimal(50),
    "nat_gb": Decimal(100),
    "endpoint_gb": Decimal(10),
    "logs_gb": Decimal(5),
}


@dataclass(frozen=True)
class Charge:
    """One price of a resource and its amount a month; `assumption` is what was taken for given."""

    service: str
    item: str
    quantity: Decimal
    kind: Literal["floor", "use"]
    assumption: str


def charges(kind: str, values: Values, use: Mapping[str, Decimal]) -> list[Charge] | None:
    """Return the charges of a resource of type `kind`; None where this table does not know it.

    A type of `FREE` has no charges. `values` are the planned values: what is not known before the
    apply is missing from them.
    """
    if kind in FREE:
        return []
    priced = PRICED.get(kind)
    return None if priced is None else list(priced(values, use))


def _hourly(service: str, item: str, count: Decimal = Decimal(1), note: str = "") -> Charge:
    text = f"{count} x 730 hours" if count != 1 else "730 hours a month"
    return Charge(service, item, HOURS * count, "floor", f"{text}{'; ' + note if note else ''}")


def _used(service: str, item: str, use: Mapping[str, Decimal], key: str, what: str) -> Charge:
    return Charge(service, item, use[key], "use", f"assumed {use[key]} GB {what}")


def _cluster(values: Values, use: Mapping[str, Decimal]) -> Iterator[Charge]:
    policy = (values.get("upgrade_policy") or [{}])[0].get("support_type", "EXTENDED")
    note = "in standard support" + (
        "" if policy == "STANDARD" else "; may slide into extended support at 6 times this price"
    )
    yield _hourly("eks", "cluster-hour", note=note)


def _nodes(values: Values, use: Mapping[str, Decimal]) -> Iterator[Charge]:
    scaling = (values.get("scaling_config") or [{}])[0]
    count = Decimal(str(scaling.get("desired_size") or scaling.get("min_size") or 0))
    types = values.get("instance_types") or ["t3.medium"]  # EKS' default
    spot = values.get("capacity_type") == "SPOT"
    yield _hourly("ec2-spot" if spot else "ec2", types[0], count, "desired size")
    size = Decimal(str(values.get("disk_size") or 20))  # EKS' default
    volume = values.get("volume_type") or "gp2"
    yield Charge("ebs", volume, size * count, "floor", f"{count} root disks of {size} GB, {volume}")


def _instance(values: Values, use: Mapping[str, Decimal]) -> Iterator[Charge]:
    yield _hourly("ec2", str(values.get("instance_type")), note="always on")


def _balancer(values: Values, use: Mapping[str, Decimal]) -> Iterator[Charge]:
    kind = values.get("load_balancer_type") or "application"
    yield _hourly("elb", f"{kind}-hour", note="without capacity units")


def _volume(values: Values, use: Mapping[str, Decimal]) -> Iterator[Charge]:
    kind, size = values.get("type") or "gp2", Decimal(str(values.get("size") or 8))
    yield Charge("ebs", kind, size, "floor", f"{size} GB, {kind}, no provisioned IOPS")


def _homes(values: Values, use: Mapping[str, Decimal]) -> Iterator[Charge]:
    item = "one-zone" if values.get("availability_zone_name") else "standard"
    yield _used("efs", item, use, "homes_gb", "of homes, none moved to infrequent access")


def _nat(values: Values, use: Mapping[str, Decimal]) -> Iterator[Charge]:
    yield _hourly("nat", "gateway-hour")
    yield _used("nat", "gb", use, "nat_gb", "through it")


def _endpoint(values: Values, use: Mapping[str, Decimal]) -> Iterator[Charge]:
    if values.get("vpc_endpoint_type") == "Interface":
        zones = Decimal(len(values.get("subnet_ids") or []) or values.get("zones_unknown") or 1)
        note = (
            "one for each subnet" if values.get("subnet_ids") else "subnets not known yet: one zone"
        )
        yield _hourly("vpc", "interface-endpoint-hour", zones, note)
        yield _used("vpc", "interface-endpoint-gb", use, "endpoint_gb", "through it")


def _address(values: Values, use: Mapping[str, Decimal]) -> Iterator[Charge]:
    yield _hourly("vpc", "public-ipv4-hour")


def _classic(values: Values, use: Mapping[str, Decimal]) -> Iterator[Charge]:
    yield _hourly("elb", "classic-hour", note="without data")


def _key(values: Values, use: Mapping[str, Decimal]) -> Iterator[Charge]:
    yield Charge("kms", "key", Decimal(1), "floor", "one key; requests not counted")


def _one(service: str, item: str, key: str, what: str) -> "Pricer":
    def charge(values: Values, use: Mapping[str, Decimal]) -> Iterator[Charge]:
        yield _used(service, item, use, key, what)

    return charge


Pricer = Callable[[Values, Mapping[str, Decimal]], Iterator[Charge]]
PRICED: Mapping[str, Pricer] = {
    "aws_eks_cluster": _cluster,
    "aws_eks_node_group": _nodes,
    "aws_instance": _instance,
    "aws_nat_gateway": _nat,
    "aws_eip": _address,
    "aws_vpc_endpoint": _endpoint,
    "aws_lb": _balancer,
    "aws_alb": _balancer,
    "aws_elb": _classic,
    "aws_ebs_volume": _volume,
    "aws_efs_file_system": _homes,
    "aws_kms_key": _key,
    "aws_s3_bucket": _one("s3", "standard", "bucket_gb", "stored; requests not counted"),
    "aws_ecr_repository": _one("ecr", "storage", "images_gb", "of images"),
    "aws_cloudwatch_log_group": _one("cloudwatch", "log-gb", "logs_gb", "taken in"),
}

# Types that AWS does not charge for by themselves: topics and queues only by what goes through.
FREE = frozenset(
    (
        "aws_bcmdataexports_export",
        "aws_budgets_budget",
        "aws_ce_anomaly_monitor",
        "aws_ce_anomaly_subscription",
        "aws_ce_cost_allocation_tag",
        "aws_cloudwatch_event_rule",
        "aws_cloudwatch_event_target",
        "aws_default_security_group",
        "aws_ec2_tag",
        "aws_ecr_lifecycle_policy",
        "aws_ecr_pull_through_cache_rule",
        "aws_ecr_repository_creation_template",
        "aws_ecr_repository_policy",
        "aws_efs_access_point",
        "aws_efs_backup_policy",
        "aws_efs_file_system_policy",
        "aws_efs_mount_target",
        "aws_eks_access_entry",
        "aws_eks_access_policy_association",
        "aws_eks_addon",
        "aws_eks_pod_identity_association",
        "aws_iam_instance_profile",
        "aws_iam_openid_connect_provider",
        "aws_iam_policy",
        "aws_iam_role",
        "aws_iam_role_policy",
        "aws_iam_role_policy_attachment",
        "aws_internet_gateway",
        "aws_kms_alias",
        "aws_launch_template",
        "aws_main_route_table_association",
        "aws_network_acl",
        "aws_route",
        "aws_route_table",
        "aws_route_table_association",
        "aws_s3_bucket_lifecycle_configuration",
        "aws_s3_bucket_ownership_controls",
        "aws_s3_bucket_policy",
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_server_side_encryption_configuration",
        "aws_s3_bucket_versioning",
        "aws_security_group",
        "aws_security_group_rule",
        "aws_sns_topic",
        "aws_sns_topic_policy",
        "aws_sns_topic_subscription",
        "aws_sqs_queue",
        "aws_sqs_queue_policy",
        "aws_subnet",
        "aws_vpc",
        "aws_vpc_dhcp_options",
        "aws_vpc_security_group_egress_rule",
        "aws_vpc_security_group_ingress_rule",
        "terraform_data",
    )
)
