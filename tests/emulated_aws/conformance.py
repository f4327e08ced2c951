"""What the real provider planned and recorded, beside what the stand-in does with the same HCL."""

import json
import lzma
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pangeo_core.terraform_json import Resource, resource_changes

RECORDED = Path(__file__).parent / "recorded"
UNKNOWN = "(known after apply)"


def recorded(name: str) -> Any:
    """Return one recording."""
    return json.loads(lzma.decompress((RECORDED / f"{name}.json.xz").read_bytes()))


def unpack_hcl(folder: Path) -> None:
    """Put the Terraform that was recorded into `folder`."""
    with tarfile.open(RECORDED / "terraform.tar.xz") as archive:
        archive.extractall(folder, filter="data")


def with_unknown(after: Any, unknown: Any) -> Any:
    """Return a planned value with a mark where Terraform says that it is unknown."""
    if unknown is True:
        return UNKNOWN
    if isinstance(unknown, dict):
        return {
            key: with_unknown((after or {}).get(key), unknown.get(key, False))
            for key in {*(after or {}), *unknown}
        }
    if isinstance(unknown, list) and isinstance(after, list) and len(after) == len(unknown):
        return [with_unknown(a, u) for a, u in zip(after, unknown, strict=True)]
    if isinstance(unknown, list) and not after:
        return [with_unknown(None, u) for u in unknown]
    return after


def planned(plan: Any) -> dict[str, Any]:
    """Return each planned change's values by address."""
    return {
        changed.address: {
            "type": changed.type,
            "mode": changed.mode,
            "values": with_unknown(changed.change["after"], changed.change["after_unknown"]),
        }
        for changed in resource_changes(plan)
    }


def by_address(resources: Iterable[Resource]) -> dict[str, Any]:
    """Return the resources of a plan or state in the form of the recordings."""
    return {
        resource.address: {
            "type": resource.type,
            "mode": resource.mode,
            "values": resource.values,
        }
        for resource in resources
    }


def differences(real: Any, ours: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (dotted path, real value, ours) of what differs; lists that may be sets, sorted."""
    if isinstance(real, dict) and isinstance(ours, dict):
        for key in sorted({*real, *ours}):
            yield from differences(real.get(key), ours.get(key), f"{path}.{key}" if path else key)
    elif isinstance(real, list) and isinstance(ours, list) and len(real) == len(ours):
        for left, right in zip(sorted(real, key=text), sorted(ours, key=text), strict=True):
            yield from differences(left, right, path)
    elif masked(real) != masked(ours):
        yield path, real, ours


def text(value: Any) -> str:
    """Return a text to sort by."""
    return json.dumps(value, sort_keys=True)


def compare(real: dict[str, Any], ours: dict[str, Any]) -> Iterator[tuple[str, str, str, Any, Any]]:
    """Yield (type, attribute, address, real value, ours) of all that differs."""
    for address in sorted({*real, *ours}):
        if address not in real or address not in ours:
            yield (address, "(the whole)", address, address in real, address in ours)
            continue
        kind = real[address]["type"]
        if real[address]["mode"] == "data":
            kind = f"data.{kind}"
        for path, left, right in differences(real[address]["values"], ours[address]["values"]):
            yield kind, path, address, left, right


# What two runs draw anew: ids, moments, hexadecimal names.
DRAWN = (
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "UUID"),
    (r"\b([a-z]{1,9})-[0-9a-f]{8,17}\d*\b", r"\1-*"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(Z| \+0000 UTC)", r"MOMENT\1"),
    (r"\b[0-9A-F]{32}\b", "HEX"),
    (r"\bA[A-Z]{2,3}[A-Z0-9]{16,18}\b", "AWS-ID"),
)
# Attributes that hold nothing but what is drawn, whatever its form.
DRAWN_ATTRIBUTES = {
    ("aws_efs_file_system", "creation_token"),  # the provider draws it from the time
    ("aws_eip", "address"),
    ("aws_eip", "private_dns"),
    ("aws_eip", "private_ip"),
    ("aws_eip", "public_dns"),
    ("aws_eip", "public_ip"),
    ("aws_eks_cluster", "certificate_authority.data"),
    ("aws_iam_instance_profile", "unique_id"),
    ("aws_iam_policy", "policy_id"),
    ("aws_iam_role", "unique_id"),
}


def masked(value: Any) -> Any:
    """Return a value with what is drawn replaced by its kind."""
    if isinstance(value, dict):
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    if isinstance(value, str):
        for pattern, replacement in DRAWN:
            value = re.sub(pattern, replacement, value)
    return value


@dataclass(frozen=True)
class Explained:
    """A difference that is to be: where it shows, and why."""

    kind: str
    path: str
    why: str


NEWER = "the stand-in's schema is of 6.62; the recording is of 6.48, which has no such attribute"
EMULATION = (
    "the recording's account (moto alone) said nothing here; AWS says what the stand-in does"
)
ADDRESS = "the real provider keeps the endpoint's address, the stand-in the one that AWS has"
NOT_READ = "a deprecated attribute of the bucket, which the stand-in does not read"
IN_PLANS = (
    Explained("aws_eks_cluster", "kube_api_server_config", NEWER),
    Explained("aws_eks_cluster", "kube_controller_manager_config", NEWER),
    Explained("aws_eks_cluster", "kube_scheduler_config", NEWER),
    Explained("aws_eks_cluster", "vpc_config.control_plane_egress_mode", NEWER),
    Explained("aws_eks_node_group", "warm_pool_config", NEWER),
)
IN_STATES = (
    *IN_PLANS,
    Explained("aws_cloudwatch_log_group", "log_group_class", EMULATION),
    Explained("aws_efs_file_system", "protection", EMULATION),
    Explained("aws_eks_cluster", "control_plane_scaling_config", EMULATION),
    Explained("aws_eks_cluster", "kubernetes_network_config.elastic_load_balancing", EMULATION),
    Explained("aws_kms_key", "rotation_period_in_days", EMULATION),
    Explained("aws_s3_bucket", "request_payer", EMULATION),
    Explained("aws_vpc_endpoint", "service_region", EMULATION),
    Explained("aws_budgets_budget", "time_period_start", EMULATION),
    Explained(
        "data.aws_iam_policy_document", "id", "a checksum of a text that has drawn ids in it"
    ),
    Explained("aws_eks_addon", "addon_version", "no version of AWS's: each account invents one"),
    Explained("aws_s3_bucket", "grant", NOT_READ),
    Explained("aws_s3_bucket", "lifecycle_rule", NOT_READ),
    Explained("aws_sqs_queue", "id", ADDRESS),
    Explained("aws_sqs_queue", "url", ADDRESS),
    Explained("aws_sqs_queue_policy", "id", ADDRESS),
    Explained("aws_sqs_queue_policy", "queue_url", ADDRESS),
)
# In the states of prod and bootstrap, which are not recorded: `tools/conformance.py` makes them.
PRIMARY = "moto does not say which address is the primary one, by which the provider finds it"
NOT_RECORDED = (
    Explained("aws_eip", "network_border_group", EMULATION),
    Explained("aws_eip", "public_ipv4_pool", EMULATION),
    Explained("aws_iam_openid_connect_provider", "thumbprint_list", EMULATION),
    Explained("aws_nat_gateway", "association_id", PRIMARY),
    Explained("aws_nat_gateway", "network_interface_id", PRIMARY),
    Explained("aws_nat_gateway", "private_ip", PRIMARY),
    Explained("aws_nat_gateway", "public_ip", PRIMARY),
    Explained("aws_nat_gateway", "secondary_private_ip_address_count", PRIMARY),
    Explained("aws_nat_gateway", "availability_mode", EMULATION),
    Explained("aws_nat_gateway", "regional_nat_gateway_address", EMULATION),
)


def unexplained(
    rows: Iterator[tuple[str, str, str, Any, Any]], explained: tuple[Explained, ...]
) -> tuple[list[str], set[Explained]]:
    """Return the differences that no row explains, and the rows that explained none."""
    table = {(one.kind, one.path): one for one in explained}
    unused, left = set(explained), []
    for kind, path, address, real, ours in rows:
        if masked(real) == masked(ours) or (kind, path) in DRAWN_ATTRIBUTES:
            continue
        if row := table.get((kind, path)):
            unused.discard(row)
        else:
            left.append(f"{address}: {path}: the real provider {real!r}, the stand-in {ours!r}")
    return left, unused
