"""A run that ends before Terraform recorded what it made: the next one takes over what exists.

AWS refuses most creates of what exists already, so each kind of thing is made, forgotten by
Terraform (as when it is killed, or its state is restored from a backup), and made again.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .conftest import HEAD, Rehearsal, rehearse, use_repository

GROUP = """
resource "aws_security_group" "this" {
  name = "group"
  tags = { Name = "%s" }
}
resource "aws_vpc_security_group_egress_rule" "this" {
  security_group_id = aws_security_group.this.id
  description       = "anywhere"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}
resource "aws_vpc_security_group_ingress_rule" "this" {
  security_group_id            = aws_security_group.this.id
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "-1"
}
"""


class Killed(Exception):
    """Stands for a kill: whoever serves the account learns nothing of how Terraform ended."""


@contextmanager
def killed(folder: Path, *arguments: str) -> Iterator[Rehearsal]:
    """Open a rehearsal for a run that ends as if it had been killed."""
    try:
        with rehearse(folder, *arguments) as rehearsal:
            if not (folder / "data").exists():
                rehearsal.terraform.read("init", "-input=false")
            yield rehearsal
            raise Killed
    except Killed:
        pass


@pytest.mark.slow
@pytest.mark.parametrize(
    ("root", "arguments"),
    [
        (".", ("-var-file=environments/staging.tfvars",)),
        ("bootstrap", ("-var=github_repository=o/r",)),
    ],
)
def test_everything_that_exists_is_taken_over(
    tmp_path: Path, root: str, arguments: tuple[str, ...]
) -> None:
    use_repository(tmp_path, root)
    state = tmp_path / "terraform.tfstate"
    with killed(tmp_path, *arguments) as rehearsal:
        rehearsal.apply()
        first = rehearsal.state()
    state.unlink()
    with killed(tmp_path, *arguments) as rehearsal:
        assert set(rehearsal.plan().values()) == {"create"}
        rehearsal.apply()
        assert {address: one["id"] for address, one in rehearsal.state().items()} == {
            address: one["id"] for address, one in first.items()
        }
        assert rehearsal.plan() == {}


def test_rules_of_a_group_that_is_taken_over_stay(tmp_path: Path) -> None:
    state = tmp_path / "hcl/terraform.tfstate"
    with killed(tmp_path) as rehearsal:
        rehearsal.hcl(GROUP % "one")
        rehearsal.apply()
        rules = {address: one["id"] for address, one in rehearsal.state().items()}
    state.unlink()
    with rehearse(tmp_path) as rehearsal:
        rehearsal.apply()
        assert {address: one["id"] for address, one in rehearsal.state().items()} == rules
        assert rehearsal.plan() == {}


def test_an_older_state_does_not_hide_what_was_made_since(tmp_path: Path) -> None:
    """A rule is made, lost, and made anew by a run whose state is then lost for an older one."""
    state, older = tmp_path / "hcl/terraform.tfstate", tmp_path / "older"
    rule = "aws_vpc_security_group_egress_rule.this"
    with killed(tmp_path) as rehearsal:
        rehearsal.hcl(GROUP % "one")
        rehearsal.apply()
        made = rehearsal.state()[rule]
        rehearsal.account.client("ec2").revoke_security_group_egress(
            GroupId=made["security_group_id"], SecurityGroupRuleIds=[made["id"]]
        )
    shutil.copy(state, older)
    with killed(tmp_path) as rehearsal:
        assert rehearsal.plan() == {rule: "create"}
        rehearsal.apply()
        again = rehearsal.state()[rule]["id"]
    shutil.copy(older, state)
    with rehearse(tmp_path) as rehearsal:
        rehearsal.apply()
        assert rehearsal.state()[rule]["id"] == again
        assert rehearsal.plan() == {}


def test_what_was_made_and_removed_since_is_made_anew(tmp_path: Path) -> None:
    """A bucket of a killed run, removed by hand: its answers must not stand for one."""
    bucket = 'resource "aws_s3_bucket" "this" {\n  bucket = "killed"\n  tags = { a = "b" }\n}\n'
    with killed(tmp_path) as rehearsal:
        rehearsal.hcl(bucket)
        rehearsal.apply()
    (tmp_path / "hcl/terraform.tfstate").unlink()
    with killed(tmp_path) as rehearsal:
        rehearsal.account.client("s3").delete_bucket(Bucket="killed")
    with rehearse(tmp_path) as rehearsal:
        rehearsal.apply()
        rehearsal.account.client("s3").head_bucket(Bucket="killed")
        assert rehearsal.plan() == {}


def test_what_was_recorded_is_not_taken_over(tmp_path: Path) -> None:
    """A state that is lost after a run that ended well: AWS refuses what exists, and so here."""
    (tmp_path / "hcl").mkdir()
    (tmp_path / "hcl/main.tf").write_text(HEAD + GROUP % "one")
    with rehearse(tmp_path) as rehearsal:
        rehearsal.terraform.read("init", "-input=false")
        rehearsal.apply()
    (tmp_path / "hcl/terraform.tfstate").unlink()
    with (
        rehearse(tmp_path) as rehearsal,
        pytest.raises(Exception, match=r"InvalidGroup.Duplicate"),
    ):
        rehearsal.apply()
