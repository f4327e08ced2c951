"""Who may assume which role, and what it may do then: the bootstrap's policies, evaluated.

Subjects: https://docs.github.com/en/actions/reference/security/oidc; the form with numbers is that
of repositories made, renamed or moved since July 2026
(https://github.blog/changelog/2026-04-23-immutable-subject-claims-for-github-actions-oidc-tokens/).
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from pangeo_deploy.terraform.engine import Terraform
from tests.pangeo_deploy.delivery.conftest import staged
from tests.pangeo_deploy.delivery.iam import allowed, trusted
from tests.pangeo_deploy.delivery.results import Event

pytestmark = pytest.mark.slow

REPOSITORY = "NCAR/ncar-pangeo-binder-terraform-deploy"
PLAN, STAGING, PROD = "pangeo-plan", "pangeo-staging-apply", "pangeo-prod-apply"
ACCESS = {"pangeo-staging-access", "pangeo-prod-access"}
MAIN, PULL = "refs/heads/main", "refs/pull/7/merge"


def claims(workflow: str, ref: str, what: str = "", **changes: str) -> dict[str, str]:
    """Return what GitHub says of a job: its workflow's file and ref, its environment if it has one.

    The subject ends in `what`, or in the ref.
    """
    environment = what.removeprefix("environment:") if what.startswith("environment:") else ""
    known = {
        "aud": "sts.amazonaws.com",
        "sub": f"repo:{REPOSITORY}:{what or f'ref:{ref}'}",
        "ref": ref,
        "repository_id": "22",
        "job_workflow_ref": f"{REPOSITORY}/.github/workflows/{workflow}.yml@{ref}",
        **({"environment": environment} if environment else {}),
    }
    return known | changes


# By name; then what is refused, and why.
ACCEPTED = [
    (claims("review", PULL, "pull_request"), {PLAN}),
    (claims("review", MAIN), {PLAN}),
    (claims("weekly", MAIN), {PLAN}),
    (claims("nightly", MAIN), {PLAN, *ACCESS}),
    (claims("deploy", MAIN, "environment:staging"), {STAGING}),
    (claims("deploy", MAIN, "environment:prod"), {PROD}),
    (claims("destroy", MAIN, "environment:prod"), {PROD}),
    (claims("monthly", MAIN, "environment:prod"), {PROD}),
]
FEATURE = "refs/heads/feature"
REFUSED = [
    # A branch's own workflow that says it is an environment: the old policy gave it the role.
    claims("my-own", FEATURE, "environment:staging"),
    claims("deploy", FEATURE, "environment:staging"),
    claims("deploy", FEATURE, "environment:prod"),
    # A pull request's own files: another workflow, an apply role, the nightly one.
    claims("my-own", PULL, "pull_request"),
    claims("deploy", PULL, "environment:staging"),
    claims("nightly", PULL, "pull_request"),
    claims("my-own", MAIN),
    claims("book", MAIN, "environment:github-pages"),
    claims("review", MAIN, "environment:prod"),
    claims("deploy", "refs/heads/main-2", "environment:prod"),
    claims("deploy", "refs/tags/v1", "environment:prod"),
    claims("deploy", MAIN, "environment:production"),
    claims("deploy", MAIN, "environment:prod", aud="https://github.com/NCAR"),
    claims("deploy", MAIN, "environment:prod", environment="staging"),
    claims("deploy", MAIN, sub=f"repo:{REPOSITORY}-2:environment:prod"),
    claims("deploy", MAIN, sub="repo:someone/fork:environment:prod"),
    claims(
        "deploy",
        MAIN,
        "environment:prod",
        job_workflow_ref=f"someone/fork/.github/workflows/deploy.yml@{MAIN}",
    ),
    {"aud": "sts.amazonaws.com", "sub": f"repo:{REPOSITORY}:environment:prod"},
    {},
]
NUMBERS = "repo:NCAR@11/ncar-pangeo-binder-terraform-deploy@22:environment:prod"


@pytest.fixture(scope="module")
def outputs(rooted: Callable[[str], Terraform]) -> Callable[[bool], dict[str, Any]]:
    """Give what the bootstrap would make, without or with GitHub's numbers."""
    made: dict[bool, dict[str, Any]] = {}

    def planned(numbers: bool) -> dict[str, Any]:
        if numbers not in made:
            terraform = rooted("bootstrap")
            file = terraform.folder / "trust.tfplan"
            given = [f"-var=github_repository={REPOSITORY}"]
            given += ["-var=github_repository_ids={owner=11,repository=22}"] if numbers else []
            terraform.read("plan", "-input=false", "-no-color", f"-out={file}", *given)
            shown = json.loads(terraform.read("show", "-json", str(file)))
            found = shown["planned_values"]["outputs"]
            made[numbers] = {name: value.get("value") for name, value in found.items()}
        return made[numbers]

    return planned


@pytest.fixture(scope="module")
def trust(outputs: Callable[[bool], dict[str, Any]]) -> Callable[[bool], dict[str, str]]:
    return lambda numbers: dict(outputs(numbers)["trust_policies"])


@pytest.mark.parametrize("numbers", [False, True])
def test_only_these_jobs_take_a_role(
    trust: Callable[[bool], dict[str, str]], numbers: bool
) -> None:
    policies = trust(numbers)
    for said, roles in [*ACCEPTED, *((each, set()) for each in REFUSED)]:
        found = {role for role, policy in policies.items() if trusted(policy, said)}
        assert found == roles, said


def test_a_subject_with_numbers_is_accepted_beside_one_with_names(
    trust: Callable[[bool], dict[str, str]],
) -> None:
    said = claims("deploy", MAIN, "environment:prod")
    for subject in (said["sub"], NUMBERS):
        assert trusted(trust(True)[PROD], said | {"sub": subject})
    assert not trusted(trust(False)[PROD], said | {"sub": NUMBERS})
    # Somebody took the name over: the number is another.
    assert not trusted(trust(True)[PROD], said | {"repository_id": "23"})
    other = NUMBERS.replace("@22", "@23")
    assert not trusted(trust(True)[PROD], said | {"sub": other})


# Every action of these APIs, as AWS' own models list them, by the prefix that IAM knows it by.
SERVICES = {
    "ec2": "ec2",
    "efs": "elasticfilesystem",
    "kms": "kms",
    "eks": "eks",
    "ecr": "ecr",
    "events": "events",
    "iam": "iam",
    "logs": "logs",
    "s3": "s3",
    "secretsmanager": "secretsmanager",
    "sns": "sns",
    "sqs": "sqs",
    "budgets": "budgets",
    "bcm-data-exports": "bcm-data-exports",
    "ce": "ce",
}
ACCOUNT = "111122223333"
ARNS = {
    "ec2": "arn:aws:ec2:us-west-2:{account}:vpc/vpc-1",
    "elasticfilesystem": "arn:aws:elasticfilesystem:us-west-2:{account}:file-system/fs-1",
    "kms": "arn:aws:kms:us-west-2:{account}:key/1",
    "eks": "arn:aws:eks:us-west-2:{account}:cluster/pangeo-{name}",
    "ecr": "arn:aws:ecr:us-west-2:{account}:repository/pangeo-{name}/user",
    "events": "arn:aws:events:us-west-2:{account}:rule/pangeo-{name}-x",
    "iam": "arn:aws:iam::{account}:role/pangeo-{name}-x",
    "logs": "arn:aws:logs:us-west-2:{account}:log-group:/aws/eks/pangeo-{name}/cluster",
    "s3": "arn:aws:s3:::pangeo-{name}-scratch-1",
    "secretsmanager": "arn:aws:secretsmanager:us-west-2:{account}:secret:pangeo-{name}/hub/login",
    "sns": "arn:aws:sns:us-west-2:{account}:pangeo-{name}-alerts",
    "sqs": "arn:aws:sqs:us-west-2:{account}:pangeo-{name}-x",
    "budgets": "arn:aws:budgets::{account}:budget/pangeo-{name}",
    "bcm-data-exports": "arn:aws:bcm-data-exports:us-east-1:{account}:export/pangeo-{name}-1",
    "ce": "arn:aws:ce::{account}:anomalymonitor/1",
}
# That an apply role may do to another environment's things all the same: AWS knows neither their
# name nor their tag there. None of them removes or opens anything of a deployment.
UNTOLD = {"ce:UpdateCostAllocationTagsStatus"}


def actions() -> Iterator[tuple[str, str]]:
    """Yield each action with the thing that it is tried on."""
    session = botocore.session.get_session()
    for service, prefix in SERVICES.items():
        for operation in session.get_service_model(service).operation_names:
            yield f"{prefix}:{operation}", ARNS[prefix]


@pytest.mark.parametrize(("mine", "other"), [("staging", "prod"), ("prod", "staging")])
def test_no_action_of_one_environments_role_changes_the_others_things(
    outputs: Callable[[bool], dict[str, Any]], mine: str, other: str
) -> None:
    """The old policy gave staging's role all of EC2, EFS and KMS in the region, prod's too."""
    made = outputs(False)
    policies, boundary = made["permissions"][mine], made["boundary"]
    plan, account = made["plan_permissions"], account_of(made)
    context = {"aws:RequestedRegion": "us-west-2", "aws:ResourceTag/deployment": f"pangeo-{other}"}
    tried, wrong = 0, set()
    for action, pattern in actions():
        resource = pattern.format(account=account, name=other)
        reads = allowed([plan], "", action, resource, context)
        tried += 1
        if not reads and allowed(policies, boundary, action, resource, context):
            wrong.add(action)
    assert tried > 1_500
    assert wrong <= UNTOLD, sorted(wrong)[:20]
    # What stands in nobody's name is not removed, and nothing is made in another's.
    nobody = {"aws:RequestedRegion": "us-west-2"}
    vpc = ARNS["ec2"].format(account=account, name="")
    assert not allowed(policies, boundary, "ec2:DeleteVpc", vpc, nobody)
    theirs = nobody | {"aws:RequestTag/deployment": f"pangeo-{other}"}
    assert not allowed(policies, boundary, "ec2:CreateVpc", vpc, theirs)


@pytest.mark.parametrize("mine", ["staging", "prod"])
def test_what_an_apply_needs_of_its_own_is_allowed(
    outputs: Callable[[bool], dict[str, Any]], mine: str
) -> None:
    made = outputs(False)
    policies, boundary, account = made["permissions"][mine], made["boundary"], account_of(made)
    context = {
        "aws:RequestedRegion": "us-west-2",
        "aws:ResourceTag/deployment": f"pangeo-{mine}",
        "aws:RequestTag/deployment": f"pangeo-{mine}",
    }
    needed = [
        "ec2:CreateVpc", "ec2:DeleteVpc", "ec2:CreateTags", "ec2:ReleaseAddress",
        "elasticfilesystem:DeleteFileSystem", "kms:ScheduleKeyDeletion", "eks:CreateCluster",
        "eks:UpdateClusterConfig", "eks:DeleteCluster", "ecr:CreateRepository", "sqs:CreateQueue",
        "s3:CreateBucket", "logs:CreateLogGroup", "events:PutRule", "budgets:ModifyBudget",
        "bcm-data-exports:DeleteExport",
    ]  # fmt: skip
    for action in needed:
        resource = ARNS[action.partition(":")[0]].format(account=account, name=mine)
        assert allowed(policies, boundary, action, resource, context), action


def test_the_policies_are_not_longer_than_aws_takes(
    outputs: Callable[[bool], dict[str, Any]],
) -> None:
    """6,144 characters without white space, for each managed policy; a trust policy 2,048."""
    made = outputs(False)
    documents = [*made["permissions"]["staging"], *made["permissions"]["prod"], made["boundary"]]
    for document in documents:
        assert len(json.dumps(json.loads(document), separators=(",", ":"))) <= 6_144
    for numbers in (False, True):
        for name, policy in outputs(numbers)["trust_policies"].items():
            assert len(json.dumps(json.loads(policy), separators=(",", ":"))) <= 2_048, name


def account_of(made: dict[str, Any]) -> str:
    return str(re.search(r"arn:aws:iam::(\d+):", made["boundary"])[1])  # type: ignore[index]


def test_the_helper_sees_an_open_policy(trust: Callable[[bool], dict[str, str]]) -> None:
    """The most reported mistake, a wildcard after the repository, would be noticed."""
    wide = trust(False)[PROD].replace("StringEquals", "StringLike")
    wide = wide.replace(":environment:prod", ":*")
    said = claims("deploy", MAIN, "environment:prod")
    assert trusted(wide, said | {"sub": f"repo:{REPOSITORY}:ref:refs/heads/feature"})


# Every workflow that asks for a role, with each event that starts it.
STARTED = [
    ("review.yml", "pull_request", {}),
    ("review.yml", "workflow_dispatch", {}),
    ("deploy.yml", "push", {}),
    ("deploy.yml", "workflow_dispatch", {"run": "1"}),
    ("rollback.yml", "workflow_dispatch", {"environment": "prod", "commit": "0123456"}),
    ("destroy.yml", "workflow_dispatch", {"environment": "prod", "confirm": "prod"}),
    ("event.yml", "workflow_dispatch", {"event": "example-hackweek", "room": "extend"}),
    ("nightly.yml", "schedule", {}),
    ("weekly.yml", "schedule", {}),
    ("janitor.yml", "schedule", {}),
    ("monthly.yml", "schedule", {}),
]
CLOCK = {
    "nightly.yml": "17 9 * * *",
    "weekly.yml": "43 9 * * 1",
    "janitor.yml": "13 10 * * 1",
    "monthly.yml": "43 9 5 * *",
}


def test_the_workflows_are_exactly_those_that_their_roles_accept(
    trust: Callable[[bool], dict[str, str]], tmp_path: Path
) -> None:
    policies = trust(False)
    stage = staged(tmp_path)
    stage.github.variables.update(
        PANGEO_TARGET="aws", AWS_REGION="us-west-2", AWS_ACCOUNT_ID="123456789012"
    )
    stage.runner.dry = True
    stage.runner.trust = lambda role, said: trusted(policies[role], said)
    main = stage.main()
    stage.runner.told = {"run": "1", "commit": main, "environment": "staging"}

    def start(workflow: str, name: str, inputs: dict[str, Any], **changes: Any) -> str:
        head = {"sha": main, "repo": {"full_name": changes.pop("owner", REPOSITORY)}}
        if name == "pull_request":
            changes.setdefault("ref", "refs/pull/1/merge")
        pull = {"number": 1, "head": head, "user": {"login": changes.pop("login", "ann")}}
        payload = {"pull_request": pull} if name == "pull_request" else {"inputs": inputs}
        clock = CLOCK.get(workflow, "") if name == "schedule" else ""
        event = Event(name, main, payload=payload, schedule=clock, **changes)
        return stage.runner.run(workflow, event).result

    for workflow, name, inputs in STARTED:
        assert start(workflow, name, inputs) == "success", (workflow, name)
    assert all(one.accepted for one in stage.runner.assumed)
    assert {
        (one.role, one.subject.removeprefix(f"repo:{REPOSITORY}:")) for one in stage.runner.assumed
    } == {
        (PLAN, "pull_request"),
        (PLAN, "ref:refs/heads/main"),
        (STAGING, "environment:staging"),
        (PROD, "environment:prod"),
        *((role, "ref:refs/heads/main") for role in ACCESS),
    }

    # Who must not get one: a fork and Dependabot do not ask; another branch asks in vain.
    stage.runner.assumed.clear()
    assert start("review.yml", "pull_request", {}, owner="someone/fork", fork=True) == "success"
    assert start("review.yml", "pull_request", {}, login="dependabot[bot]") == "success"
    assert stage.runner.assumed == []
    feature = "refs/heads/feature"
    assert start("review.yml", "workflow_dispatch", {}, ref=feature) == "failure"
    assert [one.accepted for one in stage.runner.assumed] == [False, False]
