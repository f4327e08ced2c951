"""Operations that moto's services lack, written on moto's own models.

They are added to moto while an account is open (`moto_memory`). Each takes moto's response object
and answers in its form.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from moto.core.base_backend import BackendDict
from moto.core.resource_tagging import TaggedResource
from moto.core.responses import ActionResult

from emulated_aws import moto_budgets, moto_efs
from emulated_aws.moto_repairs import mended
from emulated_aws.service_models import policy_of_aws

Listing = Callable[[Any], Iterator[TaggedResource]]
Beside = Callable[[str], Iterator[tuple[str, dict[str, str]]]]


@contextmanager
def lent_to_moto(beside: Beside) -> Iterator[None]:
    """Add the operations to moto's classes in the block; `beside` yields other tagged resources."""
    # Imported after moto's sessions are replaced: its EKS creates one when it is imported.
    from emulated_aws import moto_eks

    urls = importlib.import_module("moto.eks.urls").url_paths
    tagging = importlib.import_module("moto.resourcegroupstaggingapi.models")
    more = {"eks": moto_eks.tagged, "ecr": tagged_repositories}
    with ExitStack() as stack:
        for (module, name), additions in (
            *ADDITIONS.items(),
            *moto_budgets.ADDITIONS.items(),
            *moto_efs.ADDITIONS.items(),
            *moto_eks.ADDITIONS.items(),
        ):
            target = getattr(importlib.import_module(module), name)
            for attribute, value in additions.items():
                stack.enter_context(mock.patch.object(target, attribute, value, create=True))
        stack.enter_context(mended())
        stack.enter_context(mock.patch.dict(urls, moto_eks.routes()))
        listed = also_tagged(tagging.iter_taggable_backends, more, beside)
        stack.enter_context(mock.patch.object(tagging, "iter_taggable_backends", listed))
        yield


# Tagging API


class Tagged:
    """A backend as the tagging API reads it."""

    def __init__(self, backend: Any, listing: Listing) -> None:
        self.iter_tagged_resources = lambda: listing(backend)

    def owns_arn(self, arn: str) -> bool:
        """Return that no ARN is the backend's: tags are changed by the service's own API."""
        return False


def also_tagged(
    listed: Callable[[str, str], Iterator[Any]], more: Mapping[str, Listing], beside: Beside
) -> Callable[[str, str], Iterator[Any]]:
    """Return moto's backends with tags, the services in `more`, and the resources beside moto."""

    def listing(account: str, region: str) -> Iterator[Any]:
        yield from listed(account, region)
        for holder in list(BackendDict._instances):  # type: ignore[misc]
            if holder.service_name in more and region in holder.get(account, {}):
                yield Tagged(holder[account][region], more[holder.service_name])
        yield Tagged(region, lambda region: as_moto_lists(beside(region)))

    return listing


def as_moto_lists(found: Iterator[tuple[str, dict[str, str]]]) -> Iterator[TaggedResource]:
    """Yield tagged resources in moto's form; the type is in the ARN."""
    for arn, tags in found:
        _, _, service, _, _, resource = arn.split(":", 5)
        kind = f"{service}:{resource.partition('/')[0]}"
        yield TaggedResource(arn=arn, tags=tags, resource_type=kind)


def tagged_repositories(backend: Any) -> Iterator[TaggedResource]:
    """Yield ECR repositories with their tags."""
    for repository in backend.repositories.values():
        tags = backend.tagger.get_tag_dict_for_resource(repository.arn)
        yield TaggedResource(arn=repository.arn, tags=tags, resource_type="ecr:repository")


# EC2


def rule_description(rule: Any) -> str | None:
    """Return a rule's description; moto looks for one only in rules with addresses."""
    for source in (rule.ip_range, rule.source_group):
        if source.get("Description"):
            return str(source["Description"])
    return None


def modify_security_group_rules(backend: Any, group_id: str, rules: Mapping[str, Any]) -> None:
    """EC2 ModifySecurityGroupRules for every kind of source; moto supports IPv4 only."""
    group = backend.get_security_group_by_name_or_id(group_id)
    for identity, new in rules.items():
        rule = group.get_rule(identity)
        described = {key: new[key] for key in ("Description",) if new.get(key)}
        ranges = {key: new[name] for key, name in RANGES.items() if new.get(name)}
        every = new["IpProtocol"] == "-1"
        rule.ip_protocol = new["IpProtocol"]
        rule.from_port = None if every else int(new["FromPort"])
        rule.to_port = None if every else int(new["ToPort"])
        rule.ip_range = {**ranges, **described} if ranges else {}
        rule.prefix_list_id = new.get("PrefixListId")
        owner = {"OwnerId": backend.account_id, "UserId": backend.account_id}
        referenced = new.get("ReferencedGroupId")
        rule.source_group = {"GroupId": referenced, **owner, **described} if referenced else {}


def modify_launch_template(response: Any) -> ActionResult:
    """EC2 ModifyLaunchTemplate, which sets the default version."""
    template = response.ec2_backend.get_launch_template(response._get_param("LaunchTemplateId"))
    version = template.get_version(response._get_param("DefaultVersion"))
    template.default_version_number = version.number
    described = {
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        "DefaultVersionNumber": template.default_version_number,
        "LatestVersionNumber": template.latest_version_number,
    }
    return ActionResult({"LaunchTemplate": described})


# IAM


def attach_role_policy(backend: Any, policy_arn: str, role_name: str) -> None:
    """IAM AttachRolePolicy; an AWS managed policy is loaded when it is first attached."""
    models = importlib.import_module("moto.iam.models")
    name = policy_arn.rsplit("/", 1)[-1]
    if policy_arn not in backend.managed_policies and (data := policy_of_aws(name)):
        where = (name, backend.account_id, backend.region_name)
        policy = models.AWSManagedPolicy.from_data(*where, data)
        if policy.arn == policy_arn:
            backend.managed_policies[policy_arn] = policy
    if policy_arn not in backend.managed_policies:
        problem = f"Policy {policy_arn} does not exist or is not attachable."
        raise models.NotFoundException(problem)
    backend.managed_policies[policy_arn].attach_to(backend.get_role(role_name))


# CloudWatch Logs


def set_key(response: Any, key: str | None) -> str:
    """Set or remove the KMS key of a log group."""
    backend, name = response.logs_backend, response._get_param("logGroupName")
    backend.list_tags_log_group(name)  # raises what AWS raises
    backend.groups[name].kms_key_id = key
    return ""


RANGES = {"CidrIp": "CidrIpv4", "CidrIpv6": "CidrIpv6"}

ADDITIONS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("moto.ec2.models.security_groups", "SecurityGroupRule"): {
        "description": property(rule_description),
    },
    ("moto.ec2.models.security_groups", "SecurityGroupBackend"): {
        "modify_security_group_rules": modify_security_group_rules,
    },
    ("moto.ec2.responses.launch_templates", "LaunchTemplates"): {
        "modify_launch_template": modify_launch_template,
    },
    ("moto.iam.models", "IAMBackend"): {"attach_role_policy": attach_role_policy},
    ("moto.logs.responses", "LogsResponse"): {
        "associate_kms_key": lambda response: set_key(response, response._get_param("kmsKeyId")),
        "disassociate_kms_key": lambda response: set_key(response, None),
    },
}
