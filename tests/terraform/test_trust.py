"""Who may assume the deploying roles: each role's trust policy against the subjects GitHub sends.

Subjects: https://docs.github.com/en/actions/reference/security/oidc; the form with numbers is that
of repositories made, renamed or moved since July 2026
(https://github.blog/changelog/2026-04-23-immutable-subject-claims-for-github-actions-oidc-tokens/).
"""

import json
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import pytest

from pangeo_deploy.terraform.engine import Terraform

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
            ids = ["-var=github_repository_ids={owner=11,repository=22}"] if numbers else []
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
