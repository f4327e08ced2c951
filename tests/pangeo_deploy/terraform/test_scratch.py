"""Who may do what in the scratch bucket, by the policies that an apply of staging leaves behind."""

import json
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ALICE = {"kubernetes-pod-name": "jupyter-alice"}
WORKER = {"kubernetes-pod-name": "dask-worker-1b2c-x7"}


@pytest.fixture(scope="module")
def policies(applied: Callable[[str], dict[str, Any]]) -> dict[str, dict[str, Any]]:
    root = applied("staging")["values"]["root_module"]
    identity = next(one for one in root["child_modules"] if one["address"] == "module.identity")
    return {
        one["index"]: json.loads(one["values"]["policy"])
        for one in identity["resources"]
        if one["type"] == "aws_iam_role_policy"
    }


def allowed(
    policy: dict[str, Any], tags: dict[str, str], action: str, key: str, prefix: str | None = None
) -> bool:
    """Evaluate an identity policy for one S3 request, with the session's tags filled in."""

    def matches(patterns: Any, value: str) -> bool:
        for pattern in patterns if isinstance(patterns, list) else [patterns]:
            for name, tag in tags.items():
                pattern = pattern.replace(f"${{aws:PrincipalTag/{name}}}", tag)
            if "${" not in pattern and fnmatchcase(value, pattern):
                return True
        return False

    bucket = "arn:aws:s3:::pangeo-staging-scratch-" + account(policy)
    return any(
        statement["Effect"] == "Allow"
        and matches(statement["Action"], action)
        and matches(statement["Resource"], f"{bucket}/{key}" if key else bucket)
        and all(
            prefix is not None and matches(patterns, prefix)
            for test, keys in statement.get("Condition", {}).items()
            for name, patterns in keys.items()
            if (test, name) == ("StringLike", "s3:prefix")
        )
        for statement in policy["Statement"]
    )


def account(policy: dict[str, Any]) -> str:
    text = json.dumps(policy)
    return text.split("pangeo-staging-scratch-", 1)[1][:12]


@pytest.mark.parametrize(
    ("workload", "tags", "key", "may"),
    [
        ("notebook", ALICE, "users/jupyter-alice/a.zarr/.zarray", True),
        ("notebook", ALICE, "users/jupyter-bob/a.zarr/.zarray", False),
        ("notebook", ALICE, "users/jupyter-alice-2/a", False),
        ("notebook", ALICE, "users/", False),
        ("notebook", ALICE, "anything-else", False),
        ("notebook", ALICE, "shared/a", True),
        ("notebook", {}, "users/jupyter-alice/a", False),
        ("dask", WORKER, "shared/a", True),
        ("dask", WORKER, "users/jupyter-alice/a", False),
        ("dask", WORKER, "users/dask-worker-1b2c-x7/a", False),
    ],
)
def test_a_user_has_one_prefix_and_meets_workers_in_another(
    policies: dict[str, Any], workload: str, tags: dict[str, str], key: str, may: bool
) -> None:
    for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"):
        assert allowed(policies[workload], tags, action, key) == may


@pytest.mark.parametrize(
    ("prefix", "may"),
    [
        ("users/jupyter-alice/", True),
        ("users/jupyter-alice/deep/er/", True),
        ("shared/", True),
        ("users/", False),
        ("users/jupyter-bob/", False),
        ("", False),
        (None, False),
    ],
)
def test_a_user_lists_only_these(policies: dict[str, Any], prefix: str | None, may: bool) -> None:
    assert allowed(policies["notebook"], ALICE, "s3:ListBucket", "", prefix) == may


def test_nobody_changes_the_bucket_itself(policies: dict[str, Any]) -> None:
    for workload in ("notebook", "dask"):
        for action in ("s3:DeleteBucket", "s3:PutBucketPolicy", "s3:PutLifecycleConfiguration"):
            assert not allowed(policies[workload], ALICE, action, "", "shared/")
