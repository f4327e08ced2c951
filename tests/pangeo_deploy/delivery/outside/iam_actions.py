"""What IAM evaluates for a call of AWS: actions, the things they are done to, and the context.

From the Service Authorization Reference
(https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html):
most actions have the name of the API operation, and the exceptions are listed here. So is what AWS
asks beside, of whoever calls: to hand over a role, to tag what is made, to use a key or a network.
A service that the tables do not have fails the test; where they name nothing that a call is about,
"*" is asked, which a statement about named things does not allow.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.pangeo_deploy.delivery.outside.aws_calls import Call

Params = Mapping[str, Any]
FREE = {"sts:GetCallerIdentity"}  # "No permissions are required", says its reference

# Operations whose action has another name.
RENAMED = {
    "budgets:CreateBudget": "ModifyBudget",
    "budgets:CreateNotification": "ModifyBudget",
    "budgets:DescribeBudget": "ViewBudget",
    "budgets:DescribeNotificationsForBudget": "ViewBudget",
    "budgets:DescribeSubscribersForNotification": "ViewBudget",
}
# What hands over a role: the parameter that names it, and the services that it may be for. For a
# node group the reference does not say which of the two is asked, so both must be allowed.
PASSED = {
    "eks:CreateCluster": (("roleArn",), ("eks.amazonaws.com",)),
    "eks:CreateNodegroup": (("nodeRole",), ("ec2.amazonaws.com", "eks.amazonaws.com")),
    "eks:CreatePodIdentityAssociation": (("roleArn",), ("pods.eks.amazonaws.com",)),
    "eks:CreateAddon": (("podIdentityAssociations", "roleArn"), ("pods.eks.amazonaws.com",)),
    "ecr:CreateRepositoryCreationTemplate": (("customRoleArn",), ("ecr.amazonaws.com",)),
    "iam:AddRoleToInstanceProfile": (("RoleName",), ("ec2.amazonaws.com",)),
}
# Service-linked roles that AWS makes with the caller's rights at the first call of its kind.
LINKED = {
    "eks:CreateCluster": "eks.amazonaws.com",
    "eks:CreateNodegroup": "eks-nodegroup.amazonaws.com",
    "elasticfilesystem:CreateMountTarget": "elasticfilesystem.amazonaws.com",
}
# What else is asked, on what: of a mount target its network, of a bill's export the old report.
BESIDE = {
    "elasticfilesystem:CreateMountTarget": ("ec2:CreateNetworkInterface", "ec2:DescribeSubnets"),
    "bcm-data-exports:CreateExport": ("cur:PutReportDefinition",),
    "eks:CreateCluster": ("kms:CreateGrant", "kms:DescribeKey"),
}
TAGGING = {"ec2": "CreateTags", "sqs": "TagQueue"}  # else TagResource; IAM's name the kind
# Tags of repositories to come, which ECR gives them by the role that is handed over.
FOR_OTHERS = {"ecr:CreateRepositoryCreationTemplate"}
# The first part of an EC2 identifier, and how its ARN calls it.
EC2 = {
    "igw": "internet-gateway",
    "lt": "launch-template",
    "rtb": "route-table",
    "sg": "security-group",
    "subnet": "subnet",
    "vpc": "vpc",
}
EC2_ID = re.compile(rf"({'|'.join(EC2)})-[0-9a-f]+")
# How the ARN of each service's things ends, by what of the parameters names them.
NAMED = {
    "iam": {"InstanceProfileName": "instance-profile/{}", "RoleName": "role/{}",
            "PolicyName": "policy/{}"},
    "elasticfilesystem": {"AccessPointId": "access-point/{}", "FileSystemId": "file-system/{}",
                          "MountTargetId": "file-system/*"},
    "ecr": {"repositoryName": "repository/{}"},
    "events": {"Name": "rule/{}", "Rule": "rule/{}"},
    "logs": {"logGroupName": "log-group:{}"},
    "kms": {"KeyId": "key/{}", "TargetKeyId": "key/{}", "AliasName": "{}"},
    "secretsmanager": {"SecretId": "secret:{}-AbCdEf"},  # AWS adds six characters
    "sns": {"Name": "{}"},
    "sqs": {"QueueName": "{}", "QueueUrl": "{}"},
    "budgets": {"BudgetName": "budget/{}"},
}  # fmt: skip
EKS = {
    "addonName": "addon/{cluster}/{}/*",
    "associationId": "podidentityassociation/{cluster}/{}",
    "nodegroupName": "nodegroup/{cluster}/{}/*",
    "principalArn": "access-entry/{cluster}/*",
}
GLOBAL = {"iam", "budgets"}  # ARNs without a region


@dataclass(frozen=True)
class Facts:
    """What IAM knows of things as they are: each one's tag `deployment`, each role's boundary."""

    account: str
    tags: Mapping[str, str]
    boundaries: Mapping[str, str]


@dataclass(frozen=True)
class Asked:
    """One evaluation: may the role do this to that?"""

    action: str
    resource: str
    context: Mapping[str, str] = field(hash=False)


def asked(call: Call, facts: Facts) -> Iterator[Asked]:
    """Yield all that must be allowed for a call to succeed."""
    if str(call) in FREE:
        return
    action = f"{call.service}:{RENAMED.get(str(call), call.operation)}"
    context = {"aws:RequestedRegion": call.region}
    tag = "" if str(call) in FOR_OTHERS else _tag(call.params)
    if tag:
        context["aws:RequestTag/deployment"] = tag
    things = resources(call, facts.account)
    for thing in things:
        own = _bounded(call, facts)
        yield Asked(action, thing, {**context, **own, **_tagged(thing, facts)})
    if tag and not call.operation.startswith(("Tag", "CreateTags")):
        new = f"arn:aws:ec2:{call.region}:{facts.account}:any/*"
        yield Asked(_to_tag(call), new if call.service == "ec2" else things[0], context)
    yield from _roles(call, facts)
    region = {"aws:RequestedRegion": call.region}
    for other in BESIDE.get(str(call), ()):
        thing = _key(call) if other.startswith("kms:") else "*"
        yield Asked(other, thing, {**region, **_tagged(thing, facts)})


def _key(call: Call) -> str:
    return str(call.params["encryptionConfig"][0]["provider"]["keyArn"])


def _roles(call: Call, facts: Facts) -> Iterator[Asked]:
    path, services = PASSED.get(str(call), ((), ()))
    for role in _found(call.params, path) if path else ():
        arn = role if role.startswith("arn:") else f"arn:aws:iam::{facts.account}:role/{role}"
        for service in services:
            yield Asked("iam:PassRole", arn, {"iam:PassedToService": service})
    if service := LINKED.get(str(call)):
        arn = f"arn:aws:iam::{facts.account}:role/aws-service-role/{service}/AnyName"
        yield Asked("iam:CreateServiceLinkedRole", arn, {"iam:AWSServiceName": service})


def _found(value: Any, path: tuple[str, ...]) -> list[str]:
    if isinstance(value, list):
        return [found for one in value for found in _found(one, path)]
    if not path:
        return [str(value)]
    return _found(value[path[0]], path[1:]) if path[0] in value else []


def resources(call: Call, account: str) -> list[str]:
    """Return the ARNs of what a call is about; "*" where AWS knows none for it."""
    params = call.params
    region = "" if call.service in GLOBAL else call.region
    start = f"arn:aws:{call.service}:{region}:{account}:"
    whole = [str(v) for k, v in params.items() if _is_arn(k) and str(v).startswith("arn:")]
    if call.service == "s3":
        return [f"arn:aws:s3:::{'/'.join(filter(None, (params['Bucket'], params.get('Key'))))}"]
    if call.service == "ec2":
        found = {one[0]: one[1] for value in params.values() for one in _ids(value)}
        things = [f"{start}{EC2[kind]}/{id_}" for id_, kind in sorted(found.items())]
        return things if things and not call.operation.startswith("Describe") else [f"{start}any/*"]
    if call.service == "eks":
        cluster = str(params.get("clusterName") or params["name"])
        made = call.operation.startswith(("Create", "Update"))
        ends = [EKS[key].format(params[key], cluster=cluster) for key in EKS if key in params]
        whole_cluster = made or not ends
        return [start + end for end in ([f"cluster/{cluster}"] if whole_cluster else ends)]
    if whole and not (call.service == "iam" and "RoleName" in params):
        return whole
    if call.service == "bcm-data-exports":
        return [f"{start}export/{params['Export']['Name']}-1"]
    given = params.get("Budget") if call.operation == "CreateBudget" else params
    ends = [
        end.format(str(given[key]).rpartition("/")[2] if key == "QueueUrl" else given[key])
        for key, end in NAMED[call.service].items()
        if key in given
    ]
    if call.service == "iam":
        ends = ends[:1]  # a role's policy, and a profile's role, are not asked about apart
    return [start + end for end in ends] or ["*"]


def _is_arn(name: str) -> bool:
    return name.lower() in ("policyarn", "topicarn", "resourcearn", "exportarn") or name == "arn"


def _ids(value: Any) -> list[tuple[str, str]]:
    found = EC2_ID.fullmatch(str(value))
    return [(found[0], found[1])] if found else []


def _bounded(call: Call, facts: Facts) -> dict[str, str]:
    if call.service != "iam" or "RoleName" not in call.params:
        return {}
    held = facts.boundaries.get(str(call.params["RoleName"]), "")
    boundary = str(call.params.get("PermissionsBoundary", held))
    return {"iam:PermissionsBoundary": boundary} if boundary else {}


def _tagged(thing: str, facts: Facts) -> dict[str, str]:
    tag = facts.tags.get(thing)
    return {"aws:ResourceTag/deployment": tag} if tag else {}


def _to_tag(call: Call) -> str:
    if call.service == "iam":  # TagRole, TagPolicy, TagInstanceProfile
        return f"iam:{call.operation.replace('Create', 'Tag')}"
    return f"{call.service}:{TAGGING.get(call.service, 'TagResource')}"


def _tag(value: Any) -> str:
    """Return the tag `deployment` that a request gives, in whichever form its service has."""
    if isinstance(value, list):
        return next(filter(None, map(_tag, value)), "")
    if not isinstance(value, Mapping):
        return ""
    for key in ("tags", "Tags"):
        if isinstance(value.get(key), Mapping) and "deployment" in value[key]:
            return str(value[key]["deployment"])
    for key, name in value.items():
        if name == "deployment" and key.lower().endswith("key"):
            return str(value[re.sub(r"(?i)key$", _value_of, key)])
    return next(filter(None, map(_tag, value.values())), "")


def _value_of(found: re.Match[str]) -> str:
    return "Value" if found[0] == "Key" else "value"
