"""The rules on what Terraform plans and makes, as one table."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pangeo_deploy.terraform import iam

EVERYONE = ("0.0.0.0/0", "::/0")
TAG = "deployment"


@dataclass(frozen=True)
class Rule:
    """What the value at `path` of every resource of `type` (a glob) must be.

    `path` is dotted and goes through the first of nested blocks; `holds` gets the value, None where
    the configuration is silent. A value that is not known yet is not judged.
    """

    id: str
    type: str
    path: str
    holds: Callable[[Any], bool]
    why: str
    fix: str


# What a value must be


def _is(wanted: Any) -> Callable[[Any], bool]:
    # Some attributes of the older SDK are booleans written as text.
    return lambda found: (
        found == wanted or (isinstance(wanted, bool) and found == str(wanted).lower())
    )


def _among(*wanted: Any) -> Callable[[Any], bool]:
    return lambda found: found in wanted


def _not_open(found: Any) -> bool:
    return not any(cidr in EVERYONE for cidr in (found if isinstance(found, list) else [found]))


def _no_open_rule(found: Any) -> bool:
    return all(
        _not_open(rule.get("cidr_blocks") or []) and _not_open(rule.get("ipv6_cidr_blocks") or [])
        for rule in found or ()
    )


def _at_most(characters: int) -> Callable[[Any], bool]:
    """IAM counts without white space (quotas of IAM, "IAM and STS character limits")."""
    return lambda found: found is None or len("".join(found.split())) <= characters


_LONG_POLICY = "AWS refuses a policy document that is longer, at apply."
_SHORTER = "Split it, or name fewer actions with a common prefix."
_PUBLIC = "Everybody on the internet could use it."
_PLAIN = "What it holds could be read from a disk, a backup or a copy."

RULES: tuple[Rule, ...] = (
    *(
        Rule(
            f"bucket-{setting.replace('_', '-')}",
            "aws_s3_bucket_public_access_block",
            setting,
            _is(True),
            _PUBLIC,
            f"Set {setting} = true.",
        )
        for setting in (
            "block_public_acls",
            "block_public_policy",
            "ignore_public_acls",
            "restrict_public_buckets",
        )
    ),
    Rule(
        "bucket-encrypted",
        "aws_s3_bucket_server_side_encryption_configuration",
        "rule.apply_server_side_encryption_by_default.sse_algorithm",
        _among("AES256", "aws:kms", "aws:kms:dsse"),
        _PLAIN,
        "Set sse_algorithm to AES256 or aws:kms.",
    ),
    Rule(
        "bucket-policy-closed",
        "aws_s3_bucket_policy",
        "policy",
        iam.closed,
        _PUBLIC,
        "Name who may, or narrow it with a condition.",
    ),
    Rule(
        "disk-encrypted",
        "aws_launch_template",
        "block_device_mappings.ebs.encrypted",
        _is(True),
        _PLAIN,
        "Set encrypted = true.",
    ),
    Rule(
        "homes-encrypted",
        "aws_efs_file_system",
        "encrypted",
        _is(True),
        _PLAIN,
        "Set encrypted = true; it cannot be changed later.",
    ),
    Rule(
        "queue-encrypted",
        "aws_sqs_queue",
        "sqs_managed_sse_enabled",
        _is(True),
        _PLAIN,
        "Set sqs_managed_sse_enabled = true.",
    ),
    Rule(
        "queue-policy-closed",
        "aws_sqs_queue_policy",
        "policy",
        iam.closed,
        _PUBLIC,
        "Name the service, and its rules in a condition.",
    ),
    Rule(
        "topic-policy-closed",
        "aws_sns_topic_policy",
        "policy",
        iam.closed,
        _PUBLIC,
        "Name the services that may publish.",
    ),
    Rule(
        "key-rotates",
        "aws_kms_key",
        "enable_key_rotation",
        _is(True),
        "A key that leaked would open everything ever encrypted.",
        "Set enable_key_rotation = true.",
    ),
    Rule(
        "images-encrypted",
        "aws_ecr_repository",
        "encryption_configuration.encryption_type",
        _among("AES256", "KMS"),
        _PLAIN,
        "Name an encryption_type.",
    ),
    Rule(
        "images-scanned",
        "aws_ecr_repository",
        "image_scanning_configuration.scan_on_push",
        _is(True),
        "Known holes in an image stay unseen.",
        "Set scan_on_push = true.",
    ),
    Rule(
        "images-immutable",
        "aws_ecr_repository",
        "image_tag_mutability",
        _is("IMMUTABLE"),
        "A tag could come to mean another image than the one that was tested.",
        'Set image_tag_mutability = "IMMUTABLE".',
    ),
    Rule(
        "node-metadata-token",
        "aws_launch_template",
        "metadata_options.http_tokens",
        _is("required"),
        "A server tricked into a request would hand out the node's credentials.",
        'Set http_tokens = "required".',
    ),
    Rule(
        "node-metadata-hop",
        "aws_launch_template",
        "metadata_options.http_put_response_hop_limit",
        _is(1),
        "A pod could take the node's credentials.",
        "Set http_put_response_hop_limit = 1.",
    ),
    Rule(
        "logs-expire",
        "aws_cloudwatch_log_group",
        "retention_in_days",
        lambda days: bool(days),
        "Logs kept for ever cost more every month.",
        "Set retention_in_days.",
    ),
    Rule(
        "cluster-standard-support",
        "aws_eks_cluster",
        "upgrade_policy.support_type",
        _is("STANDARD"),
        "Extended support costs six times as much, and starts by itself.",
        'Set upgrade_policy { support_type = "STANDARD" }.',
    ),
    Rule(
        "cluster-secrets-encrypted",
        "aws_eks_cluster",
        "encryption_config.resources",
        lambda kinds: "secrets" in (kinds or ()),
        _PLAIN,
        "Add encryption_config for secrets.",
    ),
    Rule(
        "cluster-api-closed",
        "aws_eks_cluster",
        "vpc_config.public_access_cidrs",
        _not_open,
        "The whole internet could try the Kubernetes API.",
        "Name the addresses, or turn the public endpoint off.",
    ),
    Rule(
        "cluster-access-entries",
        "aws_eks_cluster",
        "access_config.authentication_mode",
        _is("API"),
        "Access could be given inside the cluster, where no plan shows it.",
        'Set authentication_mode = "API".',
    ),
    Rule(
        "cluster-no-implicit-admin",
        "aws_eks_cluster",
        "access_config.bootstrap_cluster_creator_admin_permissions",
        _is(False),
        "Whoever ran the first apply would administer the cluster for ever.",
        "Set it to false and name the administrators.",
    ),
    Rule(
        "ingress-closed",
        "aws_vpc_security_group_ingress_rule",
        "cidr_ipv4",
        _not_open,
        _PUBLIC,
        "Refer to a security group, or name the addresses.",
    ),
    Rule(
        "ingress-closed-ipv6",
        "aws_vpc_security_group_ingress_rule",
        "cidr_ipv6",
        _not_open,
        _PUBLIC,
        "Refer to a security group, or name the addresses.",
    ),
    Rule(
        "group-closed",
        "aws_*security_group",
        "ingress",
        _no_open_rule,
        _PUBLIC,
        "Refer to a security group, or name the addresses.",
    ),
    Rule(
        "trust-named",
        "aws_iam_role",
        "assume_role_policy",
        iam.trusts_the_named,
        "Somebody else's account or workflow could take the role.",
        "Name principals, and of GitHub exact subjects.",
    ),
    Rule(
        "role-policy-named",
        "aws_iam_role_policy",
        "policy",
        iam.names_something,
        "Whoever has the role could do anything.",
        "Name the actions, or the resources.",
    ),
    Rule(
        "policy-named",
        "aws_iam_policy",
        "policy",
        iam.names_something,
        "Whoever has the policy could do anything.",
        "Name the actions, or the resources.",
    ),
    Rule(
        "trust-fits", "aws_iam_role", "assume_role_policy", _at_most(2048), _LONG_POLICY, _SHORTER
    ),
    Rule(
        "role-policy-fits", "aws_iam_role_policy", "policy", _at_most(10240), _LONG_POLICY, _SHORTER
    ),
    Rule("policy-fits", "aws_iam_policy", "policy", _at_most(6144), _LONG_POLICY, _SHORTER),
    Rule(
        "tagged",
        "*",
        "tags_all",
        lambda tags: bool((tags or {}).get(TAG)),
        "Its cost belongs to nobody, and no sweep finds it.",
        f"Let the provider's default tags hold {TAG!r}.",
    ),
)
