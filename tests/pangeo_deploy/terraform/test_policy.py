"""The rules: the deployments keep them, and each fires on the one change that breaks it."""

import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from pangeo_deploy.terraform import policy
from pangeo_deploy.terraform.code_rules import CODE_RULES
from pangeo_deploy.terraform.plan_rules import RULES, Rule

Shown = dict[str, Any]


def document(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


PUBLIC = document(Principal="*", Action="s3:GetObject", Resource="arn:aws:s3:::b/*")
ANYTHING = document(Action="*", Resource="*")
GITHUB = {
    "Federated": "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
}
ANY_BRANCH = document(
    Principal=GITHUB,
    Action="sts:AssumeRoleWithWebIdentity",
    Condition={"StringLike": {"token.actions.githubusercontent.com:sub": "repo:o/n:*"}},
)

# For each rule, values that break it.
BAD: dict[str, list[Any]] = {
    "bucket-block-public-acls": [False],
    "bucket-block-public-policy": [False],
    "bucket-encrypted": [None, "none"],
    "bucket-ignore-public-acls": [False],
    "bucket-policy-closed": [PUBLIC, document(Principal={"AWS": "*"}, Action="*", Resource="*")],
    "bucket-restrict-public-buckets": [False, None],
    "cluster-access-entries": ["CONFIG_MAP", "API_AND_CONFIG_MAP", None],
    "cluster-api-closed": [["0.0.0.0/0"], ["192.0.2.0/24", "0.0.0.0/0"]],
    "cluster-no-implicit-admin": [True, None],
    "cluster-secrets-encrypted": [None, []],
    "cluster-standard-support": ["EXTENDED", None],
    "disk-encrypted": ["false", None],
    "group-closed": [[{"cidr_blocks": ["0.0.0.0/0"]}], [{"ipv6_cidr_blocks": ["::/0"]}]],
    "homes-encrypted": [False, None],
    "images-encrypted": [None],
    "images-immutable": ["MUTABLE", None],
    "images-scanned": [False],
    "ingress-closed": ["0.0.0.0/0"],
    "ingress-closed-ipv6": ["::/0"],
    "key-rotates": [False, None],
    "logs-expire": [0, None],
    "node-metadata-hop": [2, None],
    "node-metadata-token": ["optional", None],
    "policy-fits": [document(Action="s3:GetObject", Resource="x" * 6200)],
    "policy-named": [ANYTHING, document(NotAction="iam:*", Resource=["*"])],
    "queue-encrypted": [False],
    "queue-policy-closed": [PUBLIC],
    "role-policy-fits": [document(Action="s3:GetObject", Resource="x" * 10300)],
    "role-policy-named": [ANYTHING],
    "tagged": [{}, {"Name": "x"}, None],
    "topic-policy-closed": [PUBLIC],
    "trust-fits": [document(Principal={"Service": "x" * 2100}, Action="sts:AssumeRole")],
    "trust-named": [
        document(Principal={"AWS": "*"}, Action="sts:AssumeRole"),
        document(Principal=GITHUB, Action="sts:AssumeRoleWithWebIdentity"),
        ANY_BRANCH,
        ANY_BRANCH.replace("StringLike", "StringEquals"),
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["staging", "prod", "bootstrap"])
def test_no_plan_breaks_a_rule(planned: Callable[[str], Shown], name: str) -> None:
    assert policy.check(planned(name)) == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["staging", "bootstrap"])
def test_no_state_breaks_a_rule(applied: Callable[[str], Shown], name: str) -> None:
    assert policy.check(applied(name)) == ()


@pytest.mark.parametrize("folder", ["", "bootstrap"])
def test_no_code_breaks_a_rule(hcl: Path, folder: str) -> None:
    assert policy.check_code(hcl / folder) == ()


def test_every_rule_has_a_change_that_breaks_it() -> None:
    assert BAD.keys() == {rule.id for rule in RULES}
    assert len(BAD) == len(RULES)


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_fires_on_what_breaks_it(applied: Callable[[str], Shown], rule: Rule) -> None:
    """Break the value in the state of real resources, one at a time: that rule names that one."""
    good = applied("staging")
    addresses = [
        one["address"]
        for one in resources(good)
        if fnmatch(one["type"], rule.type) and place(one["values"], rule.path) is not None
    ]
    assert addresses, f"staging has no {rule.type} with {rule.path}"
    for bad in BAD[rule.id]:
        state = copy.deepcopy(good)
        broken = next(one for one in resources(state) if one["address"] == addresses[0])
        holder, name = place(broken["values"], rule.path) or ({}, "")
        holder[name] = bad
        found = [one for one in policy.check(state) if one.rule == rule.id]
        assert [one.address for one in found] == [addresses[0]], bad
        assert found[0].why
        assert found[0].fix


def resources(shown: Shown) -> list[dict[str, Any]]:
    def within(module: Shown) -> list[dict[str, Any]]:
        mine = [one for one in module.get("resources", ()) if one["mode"] == "managed"]
        return mine + [one for child in module.get("child_modules", ()) for one in within(child)]

    return within(shown["values"]["root_module"])


def place(values: Any, path: str) -> tuple[dict[str, Any], str] | None:
    """Return the object that holds the last name of a dotted path, and that name."""
    *way, last = path.split(".")
    for name in way:
        values = values.get(name)
        values = values[0] if isinstance(values, list) and values else values
        if not values:
            return None
    return (values, last) if last in values else None


def test_a_block_left_out_breaks_a_rule_and_what_is_not_known_yet_does_not() -> None:
    def plan(**values: Any) -> Shown:
        one = {"address": "x", "mode": "managed", "type": "aws_eks_cluster", "values": values}
        return {"planned_values": {"root_module": {"child_modules": [{"resources": [one]}]}}}

    assert {one.rule for one in policy.check(plan(upgrade_policy=[]))} == {
        "cluster-standard-support"
    }
    assert policy.check(plan()) == ()
    assert policy.check({}) == ()


# For each rule on the code: a file, and what to write in it for what.
CHANGES = {
    "bucket-complete": (
        "modules/storage/buckets.tf",
        'resource "aws_s3_bucket_public_access_block"',
        'resource "aws_s3_bucket_acl"',
    ),
    "described": ("variables.tf", "  description =", "  # description ="),
    "no-anything-anywhere": (
        "modules/identity/policies.tf",
        'actions   = ["ecr:GetAuthorizationToken"]',
        'actions   = ["*"]',
    ),
    "no-long-lived-keys": (
        "modules/cost/main.tf",
        'resource "aws_sns_topic" "alerts"',
        'resource "aws_iam_access_key" "alerts"',
    ),
    "own-modules": (
        "main.tf",
        'source = "./modules/registry"',
        'source = "terraform-aws-modules/ecr/aws"',
    ),
    "roles-bounded": ("modules/nodes/karpenter.tf", "  permissions_boundary =", "  path ="),
}


def test_every_rule_on_the_code_has_a_change_that_breaks_it() -> None:
    assert CHANGES.keys() == {rule.id for rule in CODE_RULES}


@pytest.mark.parametrize("rule", CHANGES)
def test_a_rule_on_the_code_fires_on_what_breaks_it(hcl: Path, tmp_path: Path, rule: str) -> None:
    name, good, bad = CHANGES[rule]
    root = shutil.copytree(hcl, tmp_path / "terraform")
    text = (root / name).read_text()
    assert good in text
    (root / name).write_text(text.replace(good, bad, 1))
    found = policy.check_code(root)
    assert {one.rule for one in found} == {rule}
    assert len(found) == 1


@pytest.mark.slow
def test_make_check_says_what_breaks_a_rule(hcl: Path, tmp_path: Path) -> None:
    """The script, as `make check` runs it: on a project with one mistake in code and in plans."""
    shutil.copytree(hcl, tmp_path / "terraform")
    (tmp_path / "tools").mkdir()
    shutil.copy(hcl.parent / "tools" / "check_policy.py", tmp_path / "tools")
    launch = tmp_path / "terraform/modules/nodes/main.tf"
    text = launch.read_text().replace("hop_limit = 1", "hop_limit = 2")
    launch.write_text(text.replace("  permissions_boundary = ", '  path = "/" # '))
    done = subprocess.run(
        [sys.executable, str(tmp_path / "tools/check_policy.py")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    *told, last = done.stdout.splitlines()[::2]
    assert last.startswith("Policy: 3 findings")
    assert told == [
        "terraform: modules/nodes/main.tf: aws_iam_role.node: roles-bounded",
        *(
            f"plan of {name}: module.nodes.aws_launch_template.core: node-metadata-hop"
            for name in ("prod", "staging")
        ),
    ]
