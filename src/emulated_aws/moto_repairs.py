"""Repairs of moto where it differs from AWS, in place while an account is open.

Each names the version of moto that has the fault. `tests/emulated_aws/test_repairs.py` runs moto
alone: it fails when a newer moto behaves like AWS, and the repair can be removed.
"""

import importlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import xmltodict

Original = Callable[..., Any]


@dataclass(frozen=True)
class Repair:
    """One fault of moto, the class and method that has it, and the replacement.

    `instead` takes moto's own method and returns what replaces it.
    """

    fault: str
    version: str
    module: str
    owner: str
    method: str
    instead: Callable[[Original], Any]


def keeping_policy(original: Original) -> Any:
    """SQS: a queue keeps its policy when another attribute is set."""

    def set_attributes(queue: Any, attributes: dict[str, Any], now: float | None = None) -> None:
        kept = {"Policy": queue.policy} if hasattr(queue, "_policy_json") else {}
        original(queue, {**kept, **attributes}, now)

    return set_attributes


def telling_allow_policy(original: Any) -> Any:
    """SQS: the policy on who may use a queue for dead letters is returned."""

    def attributes(queue: Any) -> dict[str, Any]:
        told: dict[str, Any] = original.fget(queue)
        allowed = getattr(queue, "redrive_allow_policy", None)
        return {**told, "RedriveAllowPolicy": allowed} if allowed else told

    return property(attributes)


def without_own_tags(original: Original) -> Any:
    """EC2: a launch template's own tags are not among those of what it launches."""

    def create(backend: Any, name: str, description: str, template_data: Any, tag_spec: Any) -> Any:
        specifications = template_data.get("TagSpecifications")
        if specifications:
            kept = [one for one in specifications if one.get("ResourceType") != "launch-template"]
            template_data = {**template_data, "TagSpecifications": kept}
        return original(backend, name, description, template_data, tag_spec)

    return create


def tags_of_now(_original: Original) -> Any:
    """EC2: a launch template is described with the tags that it has now."""
    return property(lambda template: template.get_tags(), lambda template, tags: None)


def with_period(original: Original) -> Any:
    """KMS: a key has the rotation period that was requested."""

    def enable(response: Any) -> str:
        answer: str = original(response)
        backend = response.kms_backend
        key = backend.keys[backend.get_key_id(response._get_param("KeyId"))]
        key.rotation_period = response._get_param("RotationPeriodInDays") or ROTATION_DAYS
        return answer

    return enable


ROTATION_DAYS = 365


def telling_period(original: Original) -> Any:
    """KMS: the rotation period is returned."""

    def status(response: Any) -> str:
        answer = json.loads(original(response))
        if answer["KeyRotationEnabled"]:
            backend = response.kms_backend
            key = backend.keys[backend.get_key_id(response._get_param("KeyId"))]
            answer["RotationPeriodInDays"] = getattr(key, "rotation_period", ROTATION_DAYS)
        return json.dumps(answer)

    return status


def as_of_today(original: Original) -> Any:
    """S3: a new bucket is encrypted, owns its objects and blocks public access."""

    def create(backend: Any, bucket_name: str, *others: Any, **more: Any) -> Any:
        bucket = original(backend, bucket_name, *others, **more)
        models = importlib.import_module("moto.s3.models")
        by_default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        rule = {**by_default, "BucketKeyEnabled": False}
        if bucket.encryption is None:
            bucket.encryption = {"Rule": rule}
        if bucket.ownership_rule is None:
            bucket.ownership_rule = "BucketOwnerEnforced"
        if bucket.public_access_block is None:
            bucket.public_access_block = models.PublicAccessBlock(*["true"] * 4)
        return bucket

    return create


def with_tags(original: Original) -> Any:
    """S3: a bucket has the tags it is created with."""

    def put(response: Any, *others: Any, **more: Any) -> Any:
        answer = original(response, *others, **more)
        if b"CreateBucketConfiguration" not in response.body:
            return answer
        asked = xmltodict.parse(response.body)["CreateBucketConfiguration"] or {}
        tags = (asked.get("Tags") or {}).get("Tag") or []
        pairs = tags if isinstance(tags, list) else [tags]
        if pairs:
            named = {tag["Key"]: tag.get("Value") or "" for tag in pairs}
            response.backend.put_bucket_tagging(response.bucket_name, named)
        return answer

    return put


def unless_used(kind: str, of_interface: Callable[[Any], list[str]]) -> Callable[[Original], Any]:
    """EC2: a subnet or group that a network interface uses cannot be deleted."""

    def repair(original: Original) -> Any:
        def delete(backend: Any, *names: Any, **named: Any) -> Any:
            given = [*named.values(), *names]
            identity = given[-1] if given else ""
            exceptions = importlib.import_module("moto.ec2.exceptions")
            if any(identity in of_interface(one) for one in backend.enis.values()):
                raise exceptions.DependencyViolationError(
                    f"The {kind} '{identity}' has dependencies and cannot be deleted."
                )
            return original(backend, *names, **named)

        return delete

    return repair


def with_its_interface(original: Original) -> Any:
    """EC2: a NAT gateway's network interface is deleted with it."""

    def delete(backend: Any, nat_gateway_id: str) -> Any:
        gateway = original(backend, nat_gateway_id)
        backend.enis.pop(gateway._eni.id, None)
        return gateway

    return delete


def subnet_of(backend: Any, subnet_id: str) -> Any:
    """Return a subnet, or None: moto reports a missing one as EFS does."""
    by_zone = backend.ec2_backend.subnets.values()
    return next((zone[subnet_id] for zone in by_zone if subnet_id in zone), None)


def in_its_zone(original: Original) -> Any:
    """EFS: a One Zone file system refuses mount targets in other zones."""

    def create(backend: Any, file_system_id: str, subnet_id: str, *others: Any, **more: Any) -> Any:
        system = backend.file_systems_by_id.get(file_system_id)
        zone = getattr(system, "availability_zone_name", None)
        subnet = subnet_of(backend, subnet_id)
        if zone and subnet and zone != subnet.availability_zone:
            exceptions = importlib.import_module("moto.efs.exceptions")
            problem = "Cannot create mount target in different availability zone to file system."
            raise exceptions.EFSError("AvailabilityZonesMismatch", problem)
        return original(backend, file_system_id, subnet_id, *others, **more)

    return create


def with_default_group(original: Original) -> Any:
    """EFS: a mount target without security groups gets its VPC's default one."""

    def create(
        backend: Any,
        file_system_id: str,
        subnet_id: str,
        ip_address: str | None = None,
        security_groups: list[str] | None = None,
    ) -> Any:
        if not security_groups:
            subnet = subnet_of(backend, subnet_id)
            group = subnet and backend.ec2_backend.get_default_security_group(subnet.vpc_id)
            security_groups = [group.id] if group else None
        return original(backend, file_system_id, subnet_id, ip_address, security_groups)

    return create


MOTO = "5.2.5"
MOUNT_TARGETS = ("moto.efs.models", "EFSBackend", "create_mount_target")
SUBNETS = ("moto.ec2.models.subnets", "SubnetBackend", "delete_subnet")
GROUPS = ("moto.ec2.models.security_groups", "SecurityGroupBackend", "delete_security_group")
TEMPLATES = "moto.ec2.models.launch_templates"
REPAIRS = (
    Repair(
        "a queue forgets its policy whenever another attribute is set",
        MOTO,
        *("moto.sqs.models", "Queue", "_set_attributes"),
        keeping_policy,
    ),
    Repair(
        "who may use a queue for dead letters is not told",
        MOTO,
        *("moto.sqs.models", "Queue", "attributes"),
        telling_allow_policy,
    ),
    Repair(
        "a launch template's own tags are listed among those of what it launches",
        MOTO,
        *(TEMPLATES, "LaunchTemplateBackend", "create_launch_template"),
        without_own_tags,
    ),
    Repair(
        "a launch template is described with the tags that it was made with",
        MOTO,
        *(TEMPLATES, "LaunchTemplate", "tags"),
        tags_of_now,
    ),
    Repair(
        "the period of a key's rotation is not taken",
        MOTO,
        *("moto.kms.responses", "KmsResponse", "enable_key_rotation"),
        with_period,
    ),
    Repair(
        "the period of a key's rotation is not told",
        MOTO,
        *("moto.kms.responses", "KmsResponse", "get_key_rotation_status"),
        telling_period,
    ),
    Repair(
        "a new bucket is that of 2022: not encrypted, with access lists, open",
        MOTO,
        *("moto.s3.models", "S3Backend", "create_bucket"),
        as_of_today,
    ),
    Repair(
        "a bucket's tags are not taken when it is made",
        MOTO,
        *("moto.s3.responses", "S3Response", "_bucket_response_put"),
        with_tags,
    ),
    Repair(
        "a subnet is deleted although a network interface is in it",
        MOTO,
        *SUBNETS,
        unless_used("subnet", lambda interface: [interface.subnet.id]),
    ),
    Repair(
        "a security group is deleted although a network interface has it",
        MOTO,
        *GROUPS,
        unless_used("group", lambda interface: [group.id for group in interface.group_set]),
    ),
    Repair(
        "a NAT gateway's network interface outlives it",
        MOTO,
        *("moto.ec2.models.nat_gateways", "NatGatewayBackend", "delete_nat_gateway"),
        with_its_interface,
    ),
    Repair(
        "a One Zone file system has mount targets in other zones",
        MOTO,
        *MOUNT_TARGETS,
        in_its_zone,
    ),
    Repair(
        "a mount target that is given no security group has none",
        MOTO,
        *MOUNT_TARGETS,
        with_default_group,
    ),
)


@contextmanager
def mended() -> Iterator[None]:
    """Repair moto's classes for the block, and restore them at its end."""
    with ExitStack() as stack:
        for repair in REPAIRS:
            owner = getattr(importlib.import_module(repair.module), repair.owner)
            original = getattr(owner, repair.method, None)
            value = repair.instead(original)  # type: ignore[arg-type]
            stack.enter_context(mock.patch.object(owner, repair.method, value, create=True))
        yield
