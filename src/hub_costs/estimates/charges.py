"""What the parts of resources cost by the month: hours, volumes, machines, addresses, balancers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from pangeo_core.units import HOURS_PER_MONTH

_ONE = Decimal(1)
Values = Mapping[str, Any]
# What comes with a gp3 volume; more of either is paid for.
_GP3 = {"iops": Decimal(3000), "throughput": Decimal(125)}


@dataclass(frozen=True)
class Charge:
    """One price of a resource and its amount a month; `assumption` is what was taken for given."""

    service: str
    item: str
    quantity: Decimal
    kind: Literal["floor", "use"]
    assumption: str


@dataclass(frozen=True)
class Gap:
    """A part of a resource that this table cannot price, and why."""

    why: str


Charges = Iterator[Charge | Gap]


def hours(service: str, item: str, count: Decimal = _ONE, note: str = "") -> Charge:
    """Return the charge of `count` things that are there all month."""
    text = f"{count} x {HOURS_PER_MONTH} hours" if count != 1 else "730 hours a month"
    quantity = HOURS_PER_MONTH * count
    return Charge(service, item, quantity, "floor", f"{text}{'; ' + note if note else ''}")


def addresses(count: Decimal, whose: str = "") -> Charge:
    """Return the charge of public IPv4 addresses, which AWS bills wherever they are used."""
    return hours("vpc", "public-ipv4-hour", count, whose)


def disks(values: Values, count: Decimal, default_gb: int, default_type: str = "gp2") -> Charges:
    """Yield what `count` volumes cost: size, and IOPS and throughput above what comes with gp3."""
    kind = values.get("volume_type") or values.get("type") or default_type
    size = decimal_of(values.get("volume_size") or values.get("size") or default_gb)
    plural = "volume" if count == 1 else "volumes"
    yield Charge("ebs", kind, size * count, "floor", f"{count} {plural} of {size} GB, {kind}")
    iops, throughput = (decimal_of(values.get(part) or 0) for part in ("iops", "throughput"))
    if kind == "gp3":
        if iops > _GP3["iops"]:
            more = (iops - _GP3["iops"]) * count
            yield Charge("ebs", "gp3-iops", more, "floor", f"{iops} IOPS, 3,000 come with it")
        if throughput > _GP3["throughput"]:
            more = (throughput - _GP3["throughput"]) * count
            note = f"{throughput} MiB/s, 125 come with it"
            yield Charge("ebs", "gp3-throughput", more, "floor", note)
    elif kind in ("io1", "io2"):
        yield Charge("ebs", f"{kind}-iops", iops * count, "floor", f"{iops} provisioned IOPS")
    elif kind == "standard":
        yield Gap("requests to magnetic volumes are charged for, and not known")


def machines(
    instance_type: str, count: Decimal, note: str, *, spot: bool = False, windows: bool = False
) -> Charge:
    """Return the charge of `count` instances that always run."""
    service = "ec2-windows" if windows else "ec2-spot" if spot else "ec2"
    return hours(service, instance_type, count, note)


def control_plane(extended: bool, note: str) -> Charge:
    """Return the charge of an EKS cluster, in standard or in extended support."""
    return hours("eks", "extended-cluster-hour" if extended else "cluster-hour", note=note)


def balancer(kind: str, public_addresses: Decimal, note: str = "") -> Charges:
    """Yield what a load balancer costs, and its public addresses."""
    missing = "without data" if kind == "classic" else "without capacity units"
    yield hours("elb", f"{kind}-hour", note="; ".join(filter(None, [note, missing])))
    if public_addresses:
        yield addresses(public_addresses, "of the load balancer")


def decimal_of(value: Any) -> Decimal:
    """Return a number of Terraform's JSON as a decimal."""
    return Decimal(str(value))
