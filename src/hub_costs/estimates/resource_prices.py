"""What each resource type costs, as one table in Terraform's words.

A `Charge` says which price applies to a resource, and how many units of it a month. A charge of
kind "floor" is paid whoever is there; one of kind "use" depends on what is stored or sent, and
takes its amount from the assumptions (`USE`), which an estimate shows with each line. What a
resource costs beyond its charges comes back as a `Gap` with the reason. Plans, the account's
leftovers and the what-if's floor are all priced from here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache

from hub_costs import data_files
from hub_costs.estimates.charges import (
    Charge,
    Charges,
    Gap,
    Values,
    addresses,
    balancer,
    control_plane,
    decimal_of,
    disks,
    hours,
    machines,
)

# What a small hub keeps and sends in a month. Replace by your own: they only move "use" lines.
USE: Mapping[str, Decimal] = {
    "homes_gb": Decimal(100),
    "images_gb": Decimal(20),
    "bucket_gb": Decimal(50),
    "nat_gb": Decimal(100),
    "endpoint_gb": Decimal(10),
    "logs_gb": Decimal(5),
}
_ZERO, _ONE = Decimal(0), Decimal(1)
_EFS_MIBS_PER_GB = Decimal(1) / 20  # throughput that comes with each GB stored


@dataclass(frozen=True)
class Context:
    """What pricing a resource takes beside its own values.

    `template` are the values of a node group's launch template, and `public` tells whether its
    nodes get a public address; None is not known.
    """

    use: Mapping[str, Decimal] = field(default_factory=lambda: USE)
    today: date = field(default_factory=lambda: datetime.now(UTC).date())
    template: Values | None = None
    public: bool | None = False


def charges(kind: str, values: Values, context: Context) -> tuple[Charge | Gap, ...]:
    """Return the charges and gaps of a resource of type `kind`; none for what is free to have.

    `values` are the planned values: what is not known before the apply is missing from them.
    """
    if kind in FREE:
        return ()
    pricer = PRICED.get(kind)
    if pricer is None:
        return (Gap("this type is not in the estimate's table"),)
    return tuple(pricer(values, context))


@cache
def support_ends() -> Mapping[str, date]:
    """Return the day on which EKS' standard support of each Kubernetes version ends."""
    lines = data_files.find("eks_versions.csv").read_text(encoding="utf-8").splitlines()
    rows = (line.split(",") for line in lines if line[:1].isdigit())
    return {version: date.fromisoformat(day) for version, day in rows}


def _cluster(values: Values, context: Context) -> Charges:
    version = str(values.get("version") or "")
    policy = (values.get("upgrade_policy") or [{}])[0].get("support_type") or "EXTENDED"
    ends = support_ends().get(version)
    if ends is None:
        named = f"of {version} " if version else ""
        note = "in standard support" if policy == "STANDARD" else (
            f"taken as in standard support; the end {named}is not known, "
            "and extended support is 6 times this price"
        )  # fmt: skip
        yield control_plane(False, note)
    elif policy == "STANDARD":
        late = (
            "; EKS upgrades it, as its standard support has ended" if ends < context.today else ""
        )
        yield control_plane(False, f"in standard support{late}")
    elif ends < context.today:
        yield control_plane(True, f"in extended support since {ends}")
    else:
        note = f"in standard support until {ends}, then in extended support at 6 times this price"
        yield control_plane(False, note)
    tier = (values.get("control_plane_scaling_config") or [{}])[0].get("tier") or "standard"
    if tier != "standard":
        yield Gap(f"the control plane's tier {tier!r} costs more than the standard one")
    if (values.get("compute_config") or [{}])[0].get("enabled"):
        yield Gap("EKS Auto Mode adds a fee to each of its instances")


def _nodes(values: Values, context: Context) -> Charges:
    scaling = (values.get("scaling_config") or [{}])[0]
    size = next((n for n in map(scaling.get, ("desired_size", "min_size")) if n is not None), None)
    if size is None:
        yield Gap("the number of its machines is not known before the apply")
    count = decimal_of(size or 0)
    template = context.template or {}
    if values.get("launch_template") and context.template is None:
        yield Gap("its launch template is not in the plan: machine type and disk are EKS' defaults")
    types = values.get("instance_types") or [template.get("instance_type") or "t3.medium"]
    windows = str(values.get("ami_type") or "").startswith("WINDOWS")
    spot = values.get("capacity_type") == "SPOT"
    yield machines(types[0], count, "desired size", spot=spot, windows=windows)
    disk: Values = {"size": values.get("disk_size")}
    for mapping in template.get("block_device_mappings") or ():
        for ebs in mapping.get("ebs") or ():
            disk = ebs
    yield from disks(disk, count, default_gb=50 if windows else 20)
    if context.public is None:
        yield Gap("whether its nodes have public addresses is not known: 3.65 USD each if so")
    elif context.public and count:
        yield addresses(count, "of the nodes")


def _instance(values: Values, context: Context) -> Charges:
    spot = values.get("instance_lifecycle") == "spot" or bool(values.get("instance_market_options"))
    yield machines(str(values.get("instance_type")), _ONE, "always on", spot=spot)
    root = (values.get("root_block_device") or [{}])[0]
    yield from disks(root, _ONE, default_gb=8)
    for volume in values.get("ebs_block_device") or ():
        yield from disks(volume, _ONE, default_gb=8)
    if values.get("associate_public_ip_address"):
        yield addresses(_ONE)


def _volume(values: Values, context: Context) -> Charges:
    yield from disks(values, _ONE, default_gb=8)


def _balancer(values: Values, context: Context) -> Charges:
    kind = values.get("load_balancer_type") or "application"
    places = values.get("subnets") or values.get("subnet_mapping") or ()
    count = _ZERO if values.get("internal") or kind == "gateway" else Decimal(len(places) or 2)
    yield from balancer(kind, count, "" if places or not count else "two zones assumed")


def _classic(values: Values, context: Context) -> Charges:
    places = values.get("subnets") or values.get("availability_zones") or ()
    count = _ZERO if values.get("internal") else Decimal(len(places) or 2)
    yield from balancer("classic", count, "" if places or not count else "two zones assumed")


def _nat(values: Values, context: Context) -> Charges:
    yield hours("nat", "gateway-hour")
    yield _used("nat", "gb", context, "nat_gb", "through it")


def _endpoint(values: Values, context: Context) -> Charges:
    kind = values.get("vpc_endpoint_type") or "Gateway"
    items = {"Interface": "interface-endpoint", "GatewayLoadBalancer": "gateway-balancer-endpoint"}
    if kind in items:
        known = values.get("subnet_ids") or ()
        note = "one for each subnet" if known else "subnets not known yet: one zone"
        yield hours("vpc", f"{items[kind]}-hour", Decimal(len(known) or 1), note)
        yield _used("vpc", f"{items[kind]}-gb", context, "endpoint_gb", "through it")
    elif kind != "Gateway":
        yield Gap(f"endpoints of type {kind} have no price here")


def _homes(values: Values, context: Context) -> Charges:
    item = "one-zone" if values.get("availability_zone_name") else "standard"
    yield _used("efs", item, context, "homes_gb", "of homes, none moved to infrequent access")
    mode = values.get("throughput_mode") or "bursting"
    if mode == "provisioned":
        mibs = decimal_of(values.get("provisioned_throughput_in_mibps") or 0)
        more = max(_ZERO, mibs - context.use["homes_gb"] * _EFS_MIBS_PER_GB)
        note = f"{mibs} MiB/s less 1 MiB/s for each 20 GB stored"
        yield Charge("efs", "provisioned-throughput", more, "floor", note)
    elif mode == "elastic":
        yield Gap("elastic throughput is charged for by what is read and written, which is unknown")


def _backups(values: Values, context: Context) -> Charges:
    if (values.get("backup_policy") or [{}])[0].get("status") in ("ENABLED", "ENABLING"):
        yield _used("backup", "efs", context, "homes_gb", "of homes, copied once")


def _key(values: Values, context: Context) -> Charges:
    yield Charge("kms", "key", _ONE, "floor", "one key; requests not counted")


def _address(values: Values, context: Context) -> Charges:
    yield addresses(_ONE)


def _used(service: str, item: str, context: Context, key: str, what: str) -> Charge:
    amount = context.use[key]
    return Charge(service, item, amount, "use", f"assumed {amount} GB {what}")


def _stored(service: str, item: str, key: str, what: str) -> "Pricer":
    def pricer(values: Values, context: Context) -> Charges:
        yield _used(service, item, context, key, what)

    return pricer


Pricer = Callable[[Values, Context], Charges]
PRICED: Mapping[str, Pricer] = {
    "aws_alb": _balancer,
    "aws_cloudwatch_log_group": _stored("cloudwatch", "log-gb", "logs_gb", "taken in"),
    "aws_ebs_volume": _volume,
    "aws_ecr_repository": _stored("ecr", "storage", "images_gb", "of images"),
    "aws_efs_backup_policy": _backups,
    "aws_efs_file_system": _homes,
    "aws_eip": _address,
    "aws_eks_cluster": _cluster,
    "aws_eks_node_group": _nodes,
    "aws_elb": _classic,
    "aws_instance": _instance,
    "aws_kms_key": _key,
    "aws_lb": _balancer,
    "aws_nat_gateway": _nat,
    "aws_s3_bucket": _stored("s3", "standard", "bucket_gb", "stored; requests not counted"),
    "aws_vpc_endpoint": _endpoint,
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
        "aws_lb_listener",
        "aws_lb_target_group",
        "aws_main_route_table_association",
        "aws_network_acl",
        "aws_network_interface",
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
