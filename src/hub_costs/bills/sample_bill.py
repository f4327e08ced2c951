"""Make a month's bill and sessions whose truth is known: for tests, load, the rehearsal's report.

Nothing here is anybody's usage or cost. Whatever is computed from it carries the origin `sample`.
Prices are those of AWS' lists (data/prices.csv), so that the sums have the right size.
"""

import math
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pandas as pd

from hub_costs.allocation.owner_rules import WEIGHTS
from hub_costs.machines import machine
from hub_costs.months import Month
from pangeo_core.origin import Origin

HOUR = timedelta(hours=1)
ORIGIN = Origin.SAMPLE
Line = dict[str, Any]

NODE = "r5.xlarge"
NODE_PRICE = {"on-demand": Decimal("0.252"), "spot": Decimal("0.0866")}
# What runs every hour, whoever is there: service, usage type, operation, resource, USD an hour.
HOURLY = (
    ("Amazon Elastic Container Service for Kubernetes", "AmazonEKS-Hours:perCluster",
     "CreateOperation", "arn:aws:eks:us-west-2:000000000000:cluster/sample", "0.10"),
    ("Amazon Elastic Compute Cloud", "USW2-NatGateway-Hours", "NatGateway", "nat-0", "0.045"),
    ("Amazon Elastic Load Balancing", "USW2-LoadBalancerUsage", "LoadBalancing:Network",
     "arn:aws:elasticloadbalancing:us-west-2:000000000000:loadbalancer/net/sample", "0.0225"),
    ("Amazon Virtual Private Cloud", "USW2-PublicIPv4:InUseAddress", "AllocateAddressVPC",
     "eipalloc-0", "0.005"),
)  # fmt: skip
# What is billed by the day: service, usage type, operation, resource, USD, quantity.
DAILY = (
    ("Amazon Elastic File System", "USW2-TimedStorage-ByteHrs", "", "fs-0",
     "3.9473684211", "13.1578947368"),
    ("AWS Backup", "USW2-WarmStorage-ByteHrs-EFS", "Storage", "backup-0", "1.21", "24.2"),
    ("Amazon Elastic Compute Cloud", "USW2-EBS:VolumeUsage.gp3", "CreateVolume-Gp3", "vol-0",
     "0.5263157894", "6.5789473684"),
    ("Amazon Simple Storage Service", "USW2-TimedStorage-ByteHrs", "", "sample-scratch",
     "0.11", "4.7826086957"),
    ("Amazon EC2 Container Registry (ECR)", "USW2-TimedStorage-ByteHrs", "", "sample-images",
     "0.033", "0.33"),
    ("AmazonCloudWatch", "USW2-DataProcessing-Bytes", "PutLogEvents", "sample-logs",
     "0.27", "0.54"),
    ("Amazon SageMaker", "USW2-Notebk:ml.t3.medium", "RunInstance", "untagged-0", "0.05", "1"),
)  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """A made-up month. `lines` are CUR 2.0 lines with flat tags and text amounts.

    `truth` is what each user's requests are worth at `weights`, as exact fractions of a USD; `idle`
    is what the users' machines cost beyond them; `total` is the invoice.
    """

    month: Month
    lines: list[Line]
    splits: list[Line]
    sessions: pd.DataFrame
    truth: dict[str, Fraction]
    idle: Fraction
    total: Decimal


def sample(
    month: Month,
    *,
    users: int = 12,
    seed: int = 1,
    credit: Decimal = Decimal(-10),
    weights: str = "aws",
) -> Sample:
    """Return a month with `users` users; the same arguments give the same month."""
    chance = random.Random(seed)  # noqa: S311 (not for secrets)
    interval = month.interval()
    rows = list(_sessions(chance, month, users))
    lines: list[Line] = []
    splits: list[Line] = []
    truth: dict[str, Fraction] = defaultdict(Fraction)
    idle = Fraction(0)
    hours = [interval.start + HOUR * n for n in range(interval.seconds // 3600)]
    for number, hour in enumerate(hours):
        lines += [_line(hour, HOUR, *what, amount="1") for what in HOURLY]
        lines.append(_machine(hour, "on-demand", "i-core", core=True))
        if number % 24 == 0:
            lines += [_line(hour, 24 * HOUR, *what) for what in DAILY]
        for capacity in NODE_PRICE:
            here = [s for s in rows if s["capacity"] == capacity and _overlap(s, hour)]
            idle += _pool(hour, capacity, here, weights, lines, splits, truth)
    usage = sum((Decimal(line["line_item_unblended_cost"]) for line in lines), Decimal(0))
    for kind, value in (("Tax", (usage / 50).quantize(Decimal("0.01"))), ("Credit", credit)):
        if value:
            first = interval.start
            line = _line(
                first, interval.end - first, "AWS " + kind, "", "", "", str(value), amount="1"
            )
            lines.append(line | {"line_item_line_item_type": kind})
            usage += value
    for n, line in enumerate(lines + splits):
        line["identity_line_item_id"] = f"line-{n:08d}"
    frame = pd.DataFrame(rows).assign(
        start=lambda f: f.start.map(_iso), end=lambda f: f.end.map(_iso)
    )
    return Sample(month, lines, splits, frame, dict(truth), idle, usage)


def as_of(lines: list[Line], moment: datetime) -> list[Line]:
    """Return what an export of `moment` (UTC) holds of these lines: a month that is not final.

    Hours of the last day arrive late, taxes and credits with the invoice, which there is not yet.
    """
    arrived = _iso(moment - timedelta(hours=8))
    return [
        line | {"bill_invoice_id": ""}
        for line in lines
        if line["line_item_usage_end_date"] <= arrived
        and line["line_item_line_item_type"] not in ("Tax", "Credit")
    ]


def _sessions(chance: random.Random, month: Month, users: int) -> Iterator[dict[str, Any]]:
    number = 0

    def session(
        user: str,
        kind: str,
        start: datetime,
        seconds: int,
        cpu: str,
        gib: str,
        cap: str,
        cluster: str = "",
    ) -> Line:
        nonlocal number
        number += 1
        end = min(start + timedelta(seconds=seconds), month.interval().end)
        return {"user": user, "hub": "sample", "kind": kind, "start": start, "end": end,
                "cpu_cores": cpu, "memory_gib": gib, "node_type": NODE, "capacity": cap,
                "server": cluster, "id": f"session-{number:06d}"}  # fmt: skip

    for day in month.interval().days():
        busy = 0.6 if day.weekday() < 5 else 0.1
        for n in range(users):
            if chance.random() > busy:
                continue
            user = f"user-{n:03d}"
            start = datetime(day.year, day.month, day.day, tzinfo=UTC)
            start += timedelta(seconds=chance.randrange(8 * 3600, 18 * 3600))
            length = chance.randrange(1800, 6 * 3600)
            gib = chance.choice(["1.9", "3.7", "7.4", "14.8"])
            yield session(user, "notebook", start, length, "0.5", gib, "on-demand")
            if chance.random() < 0.2:
                half, cluster = length // 2, f"{number:08x}"
                yield session(user, "dask-scheduler", start, half, "0.5", "2", "on-demand", cluster)
                for _ in range(chance.randrange(2, 9)):
                    yield session(user, "dask-worker", start, half, "1.9", "14", "spot", cluster)
        if chance.random() < 0.3:
            start = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
            yield session(f"binder-{day.day:02d}", "binder", start, 600, "0.5", "2", "on-demand")


def _pool(
    hour: datetime,
    capacity: str,
    here: list[dict[str, Any]],
    weights: str,
    lines: list[Line],
    splits: list[Line],
    truth: dict[str, Fraction],
) -> Fraction:
    """Add one hour of one pool: enough machines for what is asked for; return what is idle."""
    cores, size, _ = machine(NODE)
    fits = (sum(Decimal(s[what]) for s in here) / whole
            for what, whole in (("memory_gib", size), ("cpu_cores", Decimal(cores))))  # fmt: skip
    count = max(map(math.ceil, fits), default=0)
    core, gib, _ = WEIGHTS[weights]
    full = core * cores + gib * Fraction(size)
    price = NODE_PRICE[capacity]
    for n in range(count):
        lines.append(_machine(hour, capacity, f"i-{capacity}-{n}"))
    used = Fraction(0)
    for n, s in enumerate(here):
        share = core * Fraction(s["cpu_cores"]) + gib * Fraction(s["memory_gib"])
        part = share / full * Fraction(_overlap(s, hour), 3600)
        truth[s["user"]] += part * Fraction(price)
        used += part
        splits += _split(hour, s, f"i-{capacity}-{n % count}", part * Fraction(price))
    return (count - used) * Fraction(price)


def _split(hour: datetime, session: dict[str, Any], node: str, usd: Fraction) -> Iterator[Line]:
    """Yield the two rows that AWS writes for a pod and hour, rounded as AWS rounds them."""
    half = Decimal(usd.numerator) / Decimal(usd.denominator) / 2
    name = f"jupyter-{session['user']}"
    if session["kind"].startswith("dask"):  # as Dask-Gateway names them: no user in it
        name = f"{session['kind']}-{session['server']}-{session['id'][-5:]}"
    pod = f"arn:aws:eks:us-west-2:000000000000:pod/sample/hub/{name}/{session['id']}"
    for what in ("EKS-EC2-vCPU-Hours", "EKS-EC2-GB-Hours"):
        line = _line(hour, HOUR, "Amazon Elastic Container Service for Kubernetes",
                     f"USW2-{what}", "EKSPod-EC2", pod, "0.252", amount="0")  # fmt: skip
        yield line | {
            "split_line_item_parent_resource_id": node,
            "split_line_item_split_cost": str(half.quantize(Decimal("1e-10"))),
            "split_line_item_unused_cost": str((half / 10).quantize(Decimal("1e-10"))),
        }


def _machine(hour: datetime, capacity: str, resource: str, core: bool = False) -> Line:
    usage = f"USW2-{'SpotUsage' if capacity == 'spot' else 'BoxUsage'}:{NODE}"
    service = "Amazon Elastic Compute Cloud"
    line = _line(
        hour, HOUR, service, usage, "RunInstances", resource, str(NODE_PRICE[capacity]), "1"
    )
    purpose = "core" if core else "user"
    return line | {"resource_tags_user_node_purpose": purpose, "resource_tags_user_hub": "sample"}


def _line(
    start: datetime,
    length: timedelta,
    service: str,
    usage: str,
    operation: str,
    resource: str,
    usd: str,
    amount: str,
) -> Line:
    end = start + length
    return {
        "identity_line_item_id": "",
        "identity_time_interval": f"{_iso(start)}/{_iso(end)}",
        "bill_payer_account_id": "000000000000",
        "bill_invoice_id": "sample",
        "bill_billing_period_start_date": _iso(start.replace(day=1, hour=0)),
        "line_item_line_item_type": "Usage",
        "line_item_usage_start_date": _iso(start),
        "line_item_usage_end_date": _iso(end),
        "line_item_usage_type": usage,
        "line_item_operation": operation,
        "line_item_resource_id": resource,
        "line_item_usage_amount": amount,
        "line_item_unblended_cost": usd,
        "line_item_currency_code": "USD",
        "product_product_name": service,
        "product_region_code": "us-west-2",
        "resource_tags_user_hub": "",
        "resource_tags_user_node_purpose": "",
        "split_line_item_parent_resource_id": "",
        "split_line_item_split_cost": "",
        "split_line_item_unused_cost": "",
    }


def _overlap(session: dict[str, Any], hour: datetime) -> int:
    both = min(session["end"], hour + HOUR) - max(session["start"], hour)
    return max(0, int(both.total_seconds()))


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def plan() -> dict[str, Any]:
    """Return the Terraform plan (`terraform show -json`) that would have made the sample's hub.

    It differs from the bill as plans do: it leaves out the backups, has a key that the bill lacks,
    and knows nothing of users.
    """
    node = {"scaling_config": [{"desired_size": 1}], "instance_types": [NODE], "disk_size": 20}
    resources: dict[str, dict[str, Any]] = {
        "aws_eks_cluster": {"upgrade_policy": [{"support_type": "STANDARD"}]},
        "aws_eks_node_group": node,
        "aws_nat_gateway": {},
        "aws_eip": {},
        "aws_lb": {"load_balancer_type": "network"},
        "aws_efs_file_system": {},
        "aws_kms_key": {},
        "aws_vpc": {},
    }
    found = [
        {"address": f"{kind}.sample", "mode": "managed", "type": kind, "values": values}
        for kind, values in resources.items()
    ]
    return {"planned_values": {"root_module": {"resources": found}}}
