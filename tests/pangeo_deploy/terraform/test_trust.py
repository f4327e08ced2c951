"""Who may assume the deploying roles: each role's trust policy against the subjects GitHub sends.

Subjects: https://docs.github.com/en/actions/reference/security/oidc; the form with numbers is that
of repositories made, renamed or moved since July 2026
(https://github.blog/changelog/2026-04-23-immutable-subject-claims-for-github-actions-oidc-tokens/).
"""

import json
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from pangeo_deploy.terraform.engine import Terraform
from tests.pangeo_deploy.delivery.conftest import staged
from tests.pangeo_deploy.delivery.results import Event

pytestmark = pytest.mark.slow

ISSUER = "token.actions.githubusercontent.com"
REPOSITORY = "NCAR/ncar-pangeo-binder-terraform-deploy"
PLAN, STAGING, PROD = "pangeo-plan", "pangeo-staging-apply", "pangeo-prod-apply"

BY_NAME = [
    (f"repo:{REPOSITORY}:pull_request", {PLAN}),
    (f"repo:{REPOSITORY}:ref:refs/heads/main", {PLAN}),  # push, and the scheduled drift check
    (f"repo:{REPOSITORY}:ref:refs/heads/feature", set()),
    (f"repo:{REPOSITORY}:ref:refs/heads/main-2", set()),
    (f"repo:{REPOSITORY}:ref:refs/tags/v1", set()),
    (f"repo:{REPOSITORY}:environment:staging", {STAGING}),
    (f"repo:{REPOSITORY}:environment:prod", {PROD}),
    (f"repo:{REPOSITORY}:environment:production", set()),
    (f"repo:{REPOSITORY}:environment:github-pages", set()),
    ("repo:someone/ncar-pangeo-binder-terraform-deploy:pull_request", set()),
    ("repo:someone/ncar-pangeo-binder-terraform-deploy:environment:prod", set()),
    ("repo:NCAR/another:environment:prod", set()),
    ("repo:NCAR/ncar-pangeo-binder-terraform-deploy-2:environment:prod", set()),
    ("repo:ncar/ncar-pangeo-binder-terraform-deploy:environment:prod", set()),
    ("repo:NCAR@11/ncar-pangeo-binder-terraform-deploy@22:environment:prod", set()),
    ("", set()),
]
BY_NUMBER = [
    ("repo:NCAR@11/ncar-pangeo-binder-terraform-deploy@22:pull_request", {PLAN}),
    ("repo:NCAR@11/ncar-pangeo-binder-terraform-deploy@22:ref:refs/heads/main", {PLAN}),
    ("repo:NCAR@11/ncar-pangeo-binder-terraform-deploy@22:environment:staging", {STAGING}),
    ("repo:NCAR@11/ncar-pangeo-binder-terraform-deploy@22:environment:prod", {PROD}),
    ("repo:NCAR@11/ncar-pangeo-binder-terraform-deploy@23:environment:prod", set()),
    ("repo:NCAR@12/ncar-pangeo-binder-terraform-deploy@22:environment:prod", set()),
    (f"repo:{REPOSITORY}:environment:prod", set()),
]


def accepts(policy: str, claims: dict[str, str]) -> bool:
    """Evaluate a trust policy as STS does for AssumeRoleWithWebIdentity of GitHub's provider."""
    return any(
        statement["Effect"] == "Allow"
        and statement["Action"] == "sts:AssumeRoleWithWebIdentity"
        and statement["Principal"]["Federated"].endswith(f":oidc-provider/{ISSUER}")
        and all(
            any(
                _matches(test, claims.get(key.removeprefix(f"{ISSUER}:"), ""), one)
                for one in _list(value)
            )
            for test, keys in statement.get("Condition", {}).items()
            for key, value in keys.items()
        )
        for statement in _list(json.loads(policy)["Statement"])
    )


def _matches(test: str, claim: str, value: str) -> bool:
    if test == "StringEquals":
        return claim == value
    if test == "StringLike":
        return fnmatchcase(claim, value.replace("[", "[[]"))
    raise AssertionError(f"a condition that this helper does not know: {test}")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.fixture(scope="module")
def trust(rooted: Callable[[str], Terraform]) -> Callable[[bool], dict[str, str]]:
    """Give the trust policies that the bootstrap makes, for subjects with or without numbers."""
    made: dict[bool, dict[str, str]] = {}

    def policies(numbers: bool) -> dict[str, str]:
        if numbers not in made:
            terraform = rooted("bootstrap")
            file = terraform.folder / "trust.tfplan"
            ids = [f"-var=github_repository={REPOSITORY}"]
            if numbers:
                ids.append("-var=github_repository_ids={owner=11,repository=22}")
            terraform.read("plan", "-input=false", "-no-color", f"-out={file}", *ids)
            shown = json.loads(terraform.read("show", "-json", str(file)))
            made[numbers] = shown["planned_values"]["outputs"]["trust_policies"]["value"]
        return made[numbers]

    return policies


@pytest.mark.parametrize(
    ("numbers", "subject", "roles"),
    [(False, *row) for row in BY_NAME] + [(True, *row) for row in BY_NUMBER],
)
def test_only_these_subjects_take_a_role(
    trust: Callable[[bool], dict[str, str]], numbers: bool, subject: str, roles: set[str]
) -> None:
    claims = {"sub": subject, "aud": "sts.amazonaws.com"}
    assert {role for role, policy in trust(numbers).items() if accepts(policy, claims)} == roles


def test_a_token_for_somebody_else_takes_none(
    trust: Callable[[bool], dict[str, str]],
) -> None:
    claims = {"sub": f"repo:{REPOSITORY}:environment:prod", "aud": "https://github.com/NCAR"}
    assert not any(accepts(policy, claims) for policy in trust(False).values())


def test_the_helper_sees_an_open_policy(trust: Callable[[bool], dict[str, str]]) -> None:
    """The most reported mistake, a wildcard after the repository, would be noticed."""
    wide = (
        trust(False)[PROD].replace("StringEquals", "StringLike").replace(":environment:prod", ":*")
    )
    claims = {"sub": f"repo:{REPOSITORY}:ref:refs/heads/feature", "aud": "sts.amazonaws.com"}
    assert accepts(wide, claims)


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
    ("monthly.yml", "schedule", {}),
]
CLOCK = {"nightly.yml": "17 9 * * *", "weekly.yml": "43 9 * * 1", "monthly.yml": "43 9 5 * *"}


def test_the_workflows_send_exactly_the_subjects_that_their_roles_accept(
    trust: Callable[[bool], dict[str, str]], tmp_path: Path
) -> None:
    policies = trust(False)
    stage = staged(tmp_path)
    stage.github.variables.update(
        PANGEO_TARGET="aws", AWS_REGION="us-west-2", AWS_ACCOUNT_ID="123456789012"
    )
    stage.runner.dry = True
    stage.runner.trust = lambda role, subject: accepts(
        policies[role], {"sub": subject, "aud": "sts.amazonaws.com"}
    )
    main = stage.main()
    stage.runner.told = {"run": "1", "commit": main, "environment": "staging"}

    def start(workflow: str, name: str, inputs: dict[str, Any], **changes: Any) -> str:
        head = {"sha": main, "repo": {"full_name": changes.pop("owner", REPOSITORY)}}
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
    }

    # Who must not get one: a fork and Dependabot do not ask; another branch asks in vain.
    stage.runner.assumed.clear()
    assert start("review.yml", "pull_request", {}, owner="someone/fork", fork=True) == "success"
    assert start("review.yml", "pull_request", {}, login="dependabot[bot]") == "success"
    assert stage.runner.assumed == []
    feature = "refs/heads/feature"
    assert start("review.yml", "workflow_dispatch", {}, ref=feature) == "failure"
    assert [one.accepted for one in stage.runner.assumed] == [False, False]
