"""What one thing in an account costs a month for being there.

The prices are the estimate's: here a thing is only put into Terraform's words, and what it holds is
measured.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from hub_costs.estimates.charges import Gap
from hub_costs.estimates.estimate import DEFAULT_REGION
from hub_costs.estimates.prices import Prices
from hub_costs.estimates.resource_prices import USE, Context, charges
from pangeo_deploy.targets import Cloud

CENT = Decimal("0.01")
GB = 10**9

Thing = Mapping[str, Any]
# What the account says of a thing (empty for what the tagging API lists), as Terraform's values.
Describe = Callable[[Cloud, str, Thing], dict[str, Any]]


def usd_per_month(
    cloud: Cloud, kind: str, identity: str, thing: Thing, prices: Prices
) -> str | None:
    """Return the price of keeping a thing, "0.00" for what is free, None where it is not known."""
    if kind not in KINDS:
        return None
    type_, describe = KINDS[kind]
    values = describe(cloud, identity, thing)
    use = {**USE, **{key: values.pop(key) for key in set(values) & set(USE)}}
    region = str(getattr(cloud.client("ec2").meta, "region_name", DEFAULT_REGION))
    total = Decimal(0)
    for charge in charges(type_, values, Context(use=use)):
        if isinstance(charge, Gap):
            return None
        if charge.kind == "use" and type_ not in MEASURED:
            continue  # what will be sent through it is not known, and no upkeep
        price = prices.find(charge.service, charge.item, region)
        if price is None:
            return None
        total += charge.quantity * price.usd
    return str(total.quantize(CENT))


def _nothing(_cloud: Cloud, _identity: str, _thing: Thing) -> dict[str, Any]:
    return {}


def _instance(_cloud: Cloud, _identity: str, thing: Thing) -> dict[str, Any]:
    """Its volumes and addresses are things of their own."""
    return {"instance_type": thing["InstanceType"], "root_block_device": [{"volume_size": "0"}]}


def _volume(_cloud: Cloud, _identity: str, thing: Thing) -> dict[str, Any]:
    named = {"type": "VolumeType", "size": "Size", "iops": "Iops", "throughput": "Throughput"}
    return {ours: thing.get(theirs) for ours, theirs in named.items()}


def _endpoint(_cloud: Cloud, _identity: str, thing: Thing) -> dict[str, Any]:
    return {"vpc_endpoint_type": thing["VpcEndpointType"], "subnet_ids": thing.get("SubnetIds")}


def _balancer(cloud: Cloud, arn: str, _thing: Thing) -> dict[str, Any]:
    """Its addresses are counted by its zones; a classic one's ARN names no kind."""
    kind = {"app": "application", "net": "network"}.get(arn.split("/")[1])
    if kind is None:
        return {"load_balancer_type": "classic", "internal": True}
    client = cloud.client("elbv2")
    (found,) = client.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
    zones = [zone["ZoneName"] for zone in found.get("AvailabilityZones") or ()]
    return {
        "load_balancer_type": kind,
        "internal": found.get("Scheme") == "internal",
        "subnets": zones,
    }


def _cluster(cloud: Cloud, arn: str, _thing: Thing) -> dict[str, Any]:
    cluster = cloud.client("eks").describe_cluster(name=arn.rsplit("/", 1)[1])["cluster"]
    policy = (cluster.get("upgradePolicy") or {}).get("supportType")
    return {"version": cluster.get("version"), "upgrade_policy": [{"support_type": policy}]}


def _bucket(cloud: Cloud, arn: str, _thing: Thing) -> dict[str, Any]:
    """Measure all versions of all objects."""
    pages = cloud.client("s3").get_paginator("list_object_versions")
    sizes = (
        version["Size"]
        for page in pages.paginate(Bucket=arn.split(":::")[1])
        for version in page.get("Versions", ())
    )
    return {"bucket_gb": Decimal(sum(sizes)) / GB}


def _file_system(cloud: Cloud, arn: str, _thing: Thing) -> dict[str, Any]:
    client = cloud.client("efs")
    (found,) = client.describe_file_systems(FileSystemId=arn.rsplit("/", 1)[1])["FileSystems"]
    return {
        "homes_gb": Decimal(found["SizeInBytes"]["Value"]) / GB,
        "availability_zone_name": found.get("AvailabilityZoneName"),
        "throughput_mode": found.get("ThroughputMode"),
        "provisioned_throughput_in_mibps": found.get("ProvisionedThroughputInMibps"),
    }


def _repository(cloud: Cloud, arn: str, _thing: Thing) -> dict[str, Any]:
    pages = cloud.client("ecr").get_paginator("describe_images")
    sizes = (
        image.get("imageSizeInBytes", 0)
        for page in pages.paginate(repositoryName=arn.split(":repository/")[1])
        for image in page["imageDetails"]
    )
    return {"images_gb": Decimal(sum(sizes)) / GB}


# Types whose storage is measured above, so that it counts.
MEASURED = frozenset(("aws_ecr_repository", "aws_efs_file_system", "aws_s3_bucket"))
# What the account's inventories call a thing -> its type in Terraform, and how to describe it.
# A kind that is not here is shown as not known.
KINDS: Mapping[str, tuple[str, Describe]] = {
    "address": ("aws_eip", _nothing),
    "ecr:repository": ("aws_ecr_repository", _repository),
    "eks:cluster": ("aws_eks_cluster", _cluster),
    "elasticfilesystem:file-system": ("aws_efs_file_system", _file_system),
    "elasticloadbalancing:loadbalancer": ("aws_lb", _balancer),
    "instance": ("aws_instance", _instance),
    "kms:key": ("aws_kms_key", _nothing),
    "nat-gateway": ("aws_nat_gateway", _nothing),
    "s3": ("aws_s3_bucket", _bucket),
    "volume": ("aws_ebs_volume", _volume),
    "vpc-endpoint": ("aws_vpc_endpoint", _endpoint),
    # Free to have.
    "ce:anomalymonitor": ("aws_ce_anomaly_monitor", _nothing),
    "ce:anomalysubscription": ("aws_ce_anomaly_subscription", _nothing),
    "eks:access-entry": ("aws_eks_access_entry", _nothing),
    "eks:addon": ("aws_eks_addon", _nothing),
    "eks:nodegroup": ("terraform_data", _nothing),  # its instances cost, and are listed
    "eks:podidentityassociation": ("aws_eks_pod_identity_association", _nothing),
    "events:rule": ("aws_cloudwatch_event_rule", _nothing),
    "iam:instance-profile": ("aws_iam_instance_profile", _nothing),
    "iam:policy": ("aws_iam_policy", _nothing),
    "iam:role": ("aws_iam_role", _nothing),
    "internet-gateway": ("aws_internet_gateway", _nothing),
    "launch-template": ("aws_launch_template", _nothing),
    "network-interface": ("aws_network_interface", _nothing),
    "route-table": ("aws_route_table", _nothing),
    "security-group": ("aws_security_group", _nothing),
    "sns": ("aws_sns_topic", _nothing),
    "sqs": ("aws_sqs_queue", _nothing),
    "subnet": ("aws_subnet", _nothing),
    "vpc": ("aws_vpc", _nothing),
}
