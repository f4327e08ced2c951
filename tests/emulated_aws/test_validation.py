"""The values that the real provider refuses, and those that it lets pass.

Each case was run with hashicorp/aws 6.48; what it said is in the comment or the expected text.
"""

import json
from typing import Any

import pytest
from tf.types import Unknown

from emulated_aws import resource_lifecycle, schema
from emulated_aws.facts import content
from emulated_aws.named_checks import BY_HAND, compiled
from emulated_aws.refusals import refusals
from emulated_aws.resources import RESOURCES
from emulated_aws.terraform_values import conform_block
from emulated_aws.validation import CHECKS, problem_with


def problems(type_: str, config: dict[str, Any]) -> str:
    """Return what is said about a configuration, all of it."""
    known = schema.load()
    kind, _, name = type_.rpartition(".")
    of = known.data_sources[name] if kind else known.resources[name]
    found = refusals(of, None if kind else RESOURCES[name], conform_block(of.block, config))
    return "\n".join(f"{one.summary}: {one.detail}" for one in found)


NODES = {"cluster_name": "c", "node_role_arn": "arn:aws:iam::123456789012:role/r"}
ROLE = {"role": "r", "name": "n"}
TWICE = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Effect": "Deny"}]}'
TRUST = {"assume_role_policy": '{"Version": "2012-10-17"}'}


@pytest.mark.parametrize(
    ("type_", "config", "said"),
    [
        ("aws_vpc", {"cidr_block": "10.0.0.0/8"}, "between 16 and 28 significant bits"),
        ("aws_vpc", {"cidr_block": "10.0.0.1/16"}, "has host bits set"),
        ("aws_eks_node_group", {**NODES, "ami_type": "AL9"}, "expected one of"),
        ("aws_eks_node_group", {**NODES, "capacity_type": "FREE"}, "expected one of"),
        (
            "aws_eks_node_group",
            {**NODES, "scaling_config": [{"max_size": 0, "min_size": 0, "desired_size": 0}]},
            "at least (1)",
        ),
        ("aws_eks_node_group", {**NODES, "subnet_ids": []}, "requires 1 item minimum"),
        (
            "aws_eks_node_group",
            {**NODES, "update_config": [{"max_unavailable": 1, "max_unavailable_percentage": 1}]},
            "exactly one of",
        ),
        (
            "aws_s3_bucket_lifecycle_configuration",
            {"bucket": "b", "rule": [{"transition": [{"days": 1, "storage_class": "FREEZER"}]}]},
            "expected one of",
        ),
        ("aws_iam_role_policy", {**ROLE, "policy": TWICE}, 'duplicate JSON keys: "Effect"'),
        ("aws_iam_role", {**TRUST, "name": "r" * 65}, "length"),
        ("aws_iam_role", {**TRUST, "max_session_duration": 60}, "range (3600 - 43200)"),
        ("aws_sqs_queue", {"name": "q" * 81}, "invalid queue name"),
        ("aws_sns_topic", {"name": "a topic"}, "invalid topic name"),
        ("aws_security_group", {"name": "sg-nodes"}, "cannot begin with sg-"),
        (
            "aws_cloudwatch_event_rule",
            {"name": "r" * 65, "schedule_expression": "rate(1 day)"},
            "64",
        ),
        ("aws_cloudwatch_event_rule", {"name": "r"}, "one of event_pattern, schedule_expression"),
        ("aws_launch_template", {"name": "ab"}, "less than 3 characters"),
        (
            "aws_launch_template",
            {"metadata_options": [{"http_put_response_hop_limit": 100}]},
            "range (1 - 64)",
        ),
        (
            "aws_launch_template",
            {"metadata_options": [{"http_put_response_hop_limit": 1.5}]},
            "whole number",
        ),
        ("aws_eks_cluster", {"name": "c", "vpc_config": [{"subnet_ids": []}]}, "1 item minimum"),
        ("aws_eks_cluster", {"name": "c" * 101}, "longer than 100"),
        ("aws_cloudwatch_log_group", {"name": "l", "retention_in_days": 31}, "expected one of"),
        ("aws_cloudwatch_log_group", {"name": "a log"}, "isn't a valid log group name"),
        ("aws_kms_key", {"deletion_window_in_days": 7.5}, "whole number"),
        ("data.aws_iam_policy_document", {"statement": [{"effect": "Refuse"}]}, "expected one of"),
        ("data.aws_availability_zones", {"state": "closed"}, "expected one of"),
        (
            "aws_vpc_security_group_ingress_rule",
            {"ip_protocol": "-1", "cidr_ipv4": "0.0.0.0/0", "cidr_ipv6": "::/0"},
            "exactly one of",
        ),
    ],
)
def test_refused(type_: str, config: dict[str, Any], said: str) -> None:
    assert said in problems(type_, config)


@pytest.mark.parametrize(
    ("type_", "config"),
    [
        # An unknown instance type, two equal ingress blocks: AWS's own to refuse, or nobody's.
        ("aws_launch_template", {"name": "template", "instance_type": "t9.huge"}),
        # The provider lets these pass its plan; the stand-in once did not.
        ("aws_s3_bucket", {"bucket": "Upper"}),
        ("aws_cloudwatch_log_group", {"name": "l", "retention_in_days": 3653}),
        ("aws_eks_addon", {"cluster_name": "c", "addon_name": "a", "configuration_values": "a: 1"}),
        ("aws_iam_role", {**TRUST, "path": "/a/"}),
        # The older SDK waits until all of a block is known.
        (
            "data.aws_iam_policy_document",
            {"statement": [{"effect": "Refuse", "resources": [Unknown]}]},
        ),
        (
            "aws_eks_cluster",
            {
                "name": "c",
                "vpc_config": [{"subnet_ids": Unknown, "public_access_cidrs": ["10.0.0.1/8"]}],
            },
        ),
    ],
)
def test_let_pass(type_: str, config: dict[str, Any]) -> None:
    assert problems(type_, config) == ""


def forms(value: Any) -> Any:
    """Yield every check in the file, those within others too."""
    yield value
    for inner in value[1:]:
        if value[0] in ("all", "any", "each", "each_key"):
            yield from forms(inner)


def test_every_check_of_the_file_is_known_and_every_pattern_compiles() -> None:
    for type_ in content()["types"].values():
        for facts in type_["attributes"].values():
            for check in facts.get("checks", ()):
                for form in forms(check):
                    assert form[0] in CHECKS or form[0] in BY_HAND, form
                    if form[0] in ("match", "no_match"):
                        compiled(form[1])


@pytest.mark.parametrize(
    ("form", "good", "bad"),
    [
        (["between", 1, 3], 2, 4),
        (["above", 0], 0.1, 0),
        (["multiple_of", 60], 120, 61),
        (["length", 1, 2], "ab", "abc"),
        (["match", "^a$", "is not a"], "a", "a\n"),
        (["any", ["one_of", "a"], ["match", "^b", ""]], "b", "c"),
        (["each", ["one_of", "a"]], ["a"], ["a", "b"]),
        (["each_key", ["no_match", "^AWS", ""]], {"a": "AWS"}, {"AWSa": "b"}),
        (["size_at_most", 1], ["a"], ["a", "b"]),
        (["verify.ValidARNCheck"], "arn:aws:s3:::b", "b"),
        (["verify.ValidIPv6CIDRNetworkAddress"], "fd00::/8", "10.0.0.0/8"),
        (["kms.validNameForResource"], "alias/a", "alias/aws/a"),
        (["types.iamPolicyType"], json.dumps({"Version": "1"}), "[]"),
        (["validation.IsRFC3339Time"], "2026-01-01T00:00:00Z", "2026-01-01"),
        (["validation.IsURLWithHTTPS"], "https://a.b", "http://a.b"),
    ],
)
def test_checks(form: Any, good: Any, bad: Any) -> None:
    assert problem_with(good, form) is None
    assert problem_with(bad, form)


LIFECYCLE = '{"rules": [{"rulePriority": %d}]}'
DESTINATION = "export.destination_configurations.s3_destination"


def changed(value: Any, path: list[str], to: Any) -> Any:
    """Return a value with another one at a path, through the first of each list."""
    if not path:
        return to
    if isinstance(value, list):
        return [changed(value[0], path, to)]
    return {**value, path[0]: changed(value[path[0]], path[1:], to)}


EXPORT = {
    "name": "bill",
    "description": "d",
    "data_query": [{"query_statement": "SELECT 1", "table_configurations": {}}],
    "destination_configurations": [
        {
            "s3_destination": [
                {
                    "s3_bucket": "b",
                    "s3_prefix": "p",
                    "s3_region": "us-west-2",
                    "s3_output_configurations": [
                        {
                            "compression": "PARQUET",
                            "format": "PARQUET",
                            "output_type": "CUSTOM",
                            "overwrite": "OVERWRITE_REPORT",
                        }
                    ],
                }
            ]
        }
    ],
    "refresh_cadence": [{"frequency": "SYNCHRONOUS"}],
}
PRIOR: dict[str, dict[str, Any]] = {
    "aws_bcmdataexports_export": {"id": "e", "export": [EXPORT]},
    "aws_ecr_lifecycle_policy": {"id": "r", "repository": "r", "policy": LIFECYCLE % 1},
    "aws_ce_anomaly_monitor": {
        "id": "m",
        "name": "m",
        "monitor_type": "DIMENSIONAL",
        "monitor_dimension": "SERVICE",
    },
    "aws_eks_node_group": {
        "id": "c:g",
        **NODES,
        "launch_template": [{"id": "lt-1", "version": "1"}],
    },
    "aws_vpc": {"id": "vpc-1", "cidr_block": "10.0.0.0/16"},
}


# As the source of hashicorp/aws has it (ForceNew, RequiresReplace); the first six were also run.
@pytest.mark.parametrize(
    ("type_", "path", "to", "replaced"),
    [
        ("aws_ecr_lifecycle_policy", "policy", LIFECYCLE % 2, True),
        ("aws_bcmdataexports_export", "export.name", "other", True),
        ("aws_bcmdataexports_export", "export.description", "other", True),
        ("aws_bcmdataexports_export", "export.data_query.query_statement", "SELECT 2", False),
        ("aws_bcmdataexports_export", f"{DESTINATION}.s3_prefix", "other", True),
        (
            "aws_bcmdataexports_export",
            f"{DESTINATION}.s3_output_configurations.overwrite",
            "CREATE_NEW_REPORT",
            False,
        ),
        ("aws_bcmdataexports_export", f"{DESTINATION}.s3_bucket", "other", True),
        ("aws_bcmdataexports_export", f"{DESTINATION}.s3_region", "us-east-1", True),
        (
            "aws_bcmdataexports_export",
            f"{DESTINATION}.s3_output_configurations.format",
            "TEXT_OR_CSV",
            True,
        ),
        ("aws_ce_anomaly_monitor", "name", "other", False),
        ("aws_ce_anomaly_monitor", "monitor_dimension", "", True),
        ("aws_eks_node_group", "launch_template.version", "2", False),
        ("aws_eks_node_group", "launch_template.id", "lt-2", True),
        ("aws_eks_node_group", "launch_template", [], True),
        ("aws_vpc", "cidr_block", "10.1.0.0/16", True),
        ("aws_vpc", "enable_dns_hostnames", True, False),
    ],
)
def test_what_a_change_replaces(type_: str, path: str, to: Any, replaced: bool) -> None:
    block = schema.load().resources[type_].block
    whole = schema.load().resources[type_]
    prior = conform_block(block, {"region": "us-west-2", **PRIOR[type_]})
    proposed = conform_block(block, changed(prior, path.split("."), to))
    settings = resource_lifecycle.Settings("us-west-2", {})
    api: Any = None  # planning these asks nothing
    planned, why = resource_lifecycle.plan(whole, RESOURCES[type_], api, settings, prior, proposed)
    assert planned != prior
    assert why == ([path.partition(".")[0]] if replaced else [])
