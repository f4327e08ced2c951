"""What AWS' price list sells that a hub may need: one row an item, read by all that prices.

`rule` is the allocation rule (`allocation.owner_rules`) whose lines on a bill are this item's;
`query` is how the Price List Query API is asked for it: service code, attributes that must match,
and how the usage type ends after its region's prefix. Items without a query keep their price when
the list is refreshed. Instances are asked for by their type alone; spot prices are not on the list.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Query(NamedTuple):
    """A question to the price list; usage types are those of bills."""

    service_code: str
    usage_type: str
    attributes: Mapping[str, str] = {}


class Item(NamedTuple):
    """An item: the rule of its lines on a bill, and its query."""

    rule: str
    query: Query | None = None


_NAT = {"productFamily": "NAT Gateway"}


def _balancer(kind: str) -> Query:
    return Query("AWSELB", "LoadBalancerUsage", {"productFamily": f"Load Balancer{kind}"})


def _volume(kind: str, usage_type: str) -> Query:
    return Query("AmazonEC2", f"EBS:{usage_type}", {"volumeApiName": kind})


ITEMS: Mapping[tuple[str, str], Item] = {
    ("eks", "cluster-hour"): Item(
        "control-plane", Query("AmazonEKS", "AmazonEKS-Hours:perCluster")
    ),
    ("eks", "extended-cluster-hour"): Item(
        "control-plane", Query("AmazonEKS", "AmazonEKS-Hours:extendedSupport")
    ),
    ("nat", "gateway-hour"): Item("nat", Query("AmazonEC2", "NatGateway-Hours", _NAT)),
    ("nat", "gb"): Item("nat", Query("AmazonEC2", "NatGateway-Bytes", _NAT)),
    ("vpc", "public-ipv4-hour"): Item("address", Query("AmazonVPC", "PublicIPv4:InUseAddress")),
    ("vpc", "interface-endpoint-hour"): Item("address", Query("AmazonVPC", "VpcEndpoint-Hours")),
    ("vpc", "interface-endpoint-gb"): Item("address", Query("AmazonVPC", "VpcEndpoint-Bytes")),
    ("vpc", "gateway-balancer-endpoint-hour"): Item("address"),
    ("vpc", "gateway-balancer-endpoint-gb"): Item("address"),
    ("ebs", "gp3"): Item("disk", _volume("gp3", "VolumeUsage.gp3")),
    ("ebs", "gp3-iops"): Item("disk", _volume("gp3", "VolumeP-IOPS.gp3")),
    ("ebs", "gp3-throughput"): Item("disk"),  # the list's unit is another: GiB/s
    ("ebs", "gp2"): Item("disk", _volume("gp2", "VolumeUsage.gp2")),
    ("ebs", "io1"): Item("disk", _volume("io1", "VolumeUsage.piops")),
    ("ebs", "io1-iops"): Item("disk", _volume("io1", "VolumeP-IOPS.piops")),
    ("ebs", "io2"): Item("disk", _volume("io2", "VolumeUsage.io2")),
    ("ebs", "io2-iops"): Item("disk", _volume("io2", "VolumeP-IOPS.io2")),
    ("ebs", "st1"): Item("disk", _volume("st1", "VolumeUsage.st1")),
    ("ebs", "sc1"): Item("disk", _volume("sc1", "VolumeUsage.sc1")),
    ("ebs", "standard"): Item("disk", _volume("standard", "VolumeUsage")),
    ("elb", "application-hour"): Item("load-balancer", _balancer("-Application")),
    ("elb", "network-hour"): Item("load-balancer", _balancer("-Network")),
    ("elb", "classic-hour"): Item("load-balancer", _balancer("")),
    ("efs", "standard"): Item("homes", Query("AmazonEFS", "TimedStorage-ByteHrs")),
    ("efs", "infrequent"): Item("homes", Query("AmazonEFS", "IATimedStorage-ByteHrs")),
    ("efs", "one-zone"): Item("homes", Query("AmazonEFS", "TimedStorage-Z-ByteHrs")),
    ("efs", "one-zone-infrequent"): Item("homes", Query("AmazonEFS", "IATimedStorage-Z-ByteHrs")),
    ("efs", "provisioned-throughput"): Item("homes"),
    ("backup", "efs"): Item("homes-backup"),
    ("s3", "standard"): Item("bucket", Query("AmazonS3", "TimedStorage-ByteHrs")),
    ("ecr", "storage"): Item("registry", Query("AmazonECR", "TimedStorage-ByteHrs")),
    ("cloudwatch", "log-gb"): Item("monitoring", Query("AmazonCloudWatch", "DataProcessing-Bytes")),
    ("kms", "key"): Item("key", Query("awskms", "KMS-Keys")),
}


def bill_rule(service: str, item: str) -> str | None:
    """Return the allocation rule that an item's lines on a bill fall under, None if not known.

    Instances are the hub's own: a plan has no others.
    """
    if service.startswith("ec2"):
        return "core-machine"
    known = ITEMS.get((service, item))
    return known and known.rule
