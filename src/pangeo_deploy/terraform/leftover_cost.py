"""What one thing in an account costs a month for being there."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from pangeo_deploy.targets import Cloud

HOURS = Decimal(730)  # a month, where a price list says "monthly"
CENT = Decimal("0.01")
GB = 10**9

# The list price in USD of an item of a service, None where the price list does not have it.
PriceOf = Callable[[str, str], Decimal | None]
# One thing: the account, its id or ARN, and what EC2 says of it (empty for other services).
Measure = Callable[[Cloud, str, Mapping[str, Any]], Any]


def usd_per_month(
    cloud: Cloud, kind: str, identity: str, thing: Mapping[str, Any], price: PriceOf
) -> str | None:
    """Return the price of keeping a thing, "0.00" for what is free, None where it is not known."""
    if kind not in CHARGES:
        return "0.00" if kind in FREE else None
    service, item, quantity = CHARGES[kind]
    usd = price(service, item(cloud, identity, thing))
    return None if usd is None else str((usd * quantity(cloud, identity, thing)).quantize(CENT))


def _item(name: str) -> Measure:
    return lambda _cloud, _identity, _thing: name


def _said(key: str) -> Measure:
    return lambda _cloud, _identity, thing: thing[key]


def _always(_cloud: Cloud, _identity: str, _thing: Mapping[str, Any]) -> Decimal:
    return HOURS


def _each_subnet(_cloud: Cloud, _identity: str, thing: Mapping[str, Any]) -> Decimal:
    return HOURS * len(thing.get("SubnetIds", ()))  # a gateway endpoint has none, and is free


def _balancer(_cloud: Cloud, arn: str, _thing: Mapping[str, Any]) -> str:
    kinds = {"app": "application-hour", "net": "network-hour"}
    return kinds.get(arn.split("/")[1], "classic-hour")


def _bucket(cloud: Cloud, arn: str, _thing: Mapping[str, Any]) -> Decimal:
    """Return the GB of all versions of all objects."""
    pages = cloud.client("s3").get_paginator("list_object_versions")
    versions = (
        one
        for page in pages.paginate(Bucket=arn.split(":::")[1])
        for one in page.get("Versions", ())
    )
    return Decimal(sum(one["Size"] for one in versions)) / GB


def _file_system(cloud: Cloud, arn: str, _thing: Mapping[str, Any]) -> Decimal:
    found = cloud.client("efs").describe_file_systems(FileSystemId=arn.rsplit("/", 1)[1])
    return Decimal(found["FileSystems"][0]["SizeInBytes"]["Value"]) / GB


def _repository(cloud: Cloud, arn: str, _thing: Mapping[str, Any]) -> Decimal:
    pages = cloud.client("ecr").get_paginator("describe_images")
    images = (
        image
        for page in pages.paginate(repositoryName=arn.split(":repository/")[1])
        for image in page["imageDetails"]
    )
    return Decimal(sum(image.get("imageSizeInBytes", 0) for image in images)) / GB


# Kind -> service and item of the price list, and the quantity a month.
CHARGES: Mapping[str, tuple[str, Measure, Measure]] = {
    "address": ("vpc", _item("public-ipv4-hour"), _always),
    "ecr:repository": ("ecr", _item("storage"), _repository),
    "eks:cluster": ("eks", _item("cluster-hour"), _always),
    "elasticfilesystem:file-system": ("efs", _item("standard"), _file_system),
    "elasticloadbalancing:loadbalancer": ("elb", _balancer, _always),
    "instance": ("ec2", _said("InstanceType"), _always),
    "kms:key": ("kms", _item("key"), lambda _cloud, _arn, _thing: Decimal(1)),
    "nat-gateway": ("nat", _item("gateway-hour"), _always),
    "s3": ("s3", _item("standard"), _bucket),
    "volume": ("ebs", _said("VolumeType"), _said("Size")),
    "vpc-endpoint": ("vpc", _item("interface-endpoint-hour"), _each_subnet),
}
# Kinds that cost nothing to have. A kind in neither table is shown as not known.
FREE = {
    "ce:anomalymonitor",
    "ce:anomalysubscription",
    "eks:access-entry",
    "eks:addon",
    "eks:nodegroup",  # its instances cost, and are listed
    "eks:podidentityassociation",
    "events:rule",
    "iam:instance-profile",
    "iam:policy",
    "iam:role",
    "internet-gateway",
    "launch-template",
    "network-interface",
    "route-table",
    "security-group",
    "sns",
    "sqs",
    "subnet",
    "vpc",
}
