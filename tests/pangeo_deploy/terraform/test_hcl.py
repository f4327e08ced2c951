"""The HCL itself: `terraform test` over the rehearsal, and that it is formatted."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from emulated_aws import facts
from pangeo_core.errors import PangeoDeployError, TerraformFailed
from pangeo_deploy.terraform.engine import Message, Terraform
from pangeo_deploy.terraform.inventory import blocks
from tests.emulated_aws.conftest import HEAD, rehearse

pytestmark = pytest.mark.slow

Rooted = Callable[[str], Terraform]


@pytest.mark.parametrize("folder", [".", "bootstrap"])
def test_what_terraform_test_says(rooted: Rooted, folder: str) -> None:
    terraform = rooted(folder)
    runs: dict[tuple[str, str], str] = {}
    told: list[str] = []

    def take(message: Message) -> None:
        if run := message.get("test_run"):
            runs[run["path"], run["run"]] = run.get("status", runs.get((run["path"], run["run"])))
        if message.get("type") == "diagnostic":
            told.append(json.dumps(message["diagnostic"]))

    with suppress(PangeoDeployError):  # what failed is in the runs, by name
        terraform.stream("test", "-json", on_message=take)
    assert {run: status for run, status in runs.items() if status != "pass"} == {}, told
    files = {path for path, _ in runs}
    assert files == {
        file.relative_to(terraform.folder).as_posix()
        for file in terraform.folder.glob("tests/*.tftest.hcl")
    }


def test_every_validation_has_a_run_that_fails_it(rooted: Rooted) -> None:
    """A validation without a negative test may refuse nothing."""
    root = rooted(".").folder
    tests = "".join(file.read_text() for file in root.rglob("*.tftest.hcl"))
    refused = "".join(re.findall(r"expect_failures = \[([^]]*)\]", tests))
    validated = {
        name
        for file in root.rglob("*.tf")
        for kind, block in blocks(file)
        if kind == "variable"
        for name, body in block.items()
        if "validation" in body
    }
    assert {name for name in validated if not re.search(rf"\bvar\.{name}\b", refused)} == set()


def test_logs_may_be_kept_as_long_as_cloudwatch_can(hcl: Path) -> None:
    """The list of the real provider's source, without 0, which is for ever."""
    attributes = facts.content()["types"]["aws_cloudwatch_log_group"]["attributes"]
    (known,) = (
        check[1:] for check in attributes["retention_in_days"]["checks"] if check[0] == "one_of"
    )
    code = (hcl / "modules/cluster/variables.tf").read_text()
    (listed,) = re.findall(r"contains\(\[([\d, ]+)\], var\.log_retention_days\)", code)
    assert listed == ", ".join(str(days) for days in known if days)
    assert f"CloudWatch knows: {listed}." in code


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_environments_differ_only_in_values(
    planned: Callable[[str], dict[str, object]], environment: str
) -> None:
    """The plan of each holds the same root module; what differs is in the tfvars."""
    one, other = planned("staging"), planned(environment)
    assert one["configuration"] == other["configuration"]


def test_it_is_formatted(rooted: Rooted) -> None:
    assert rooted(".").read("fmt", "-check", "-recursive", "-list=true") == ""


HOMES = """
variable "homes_zone" {
  type    = string
  default = null
}
resource "aws_vpc" "this" { cidr_block = "10.1.0.0/16" }
resource "aws_subnet" "this" {
  for_each          = toset(["us-west-2a", "us-west-2b"])
  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.key == "us-west-2a" ? "10.1.0.0/24" : "10.1.1.0/24"
}
resource "aws_security_group" "this" {
  name   = "homes"
  vpc_id = aws_vpc.this.id
}
module "storage" {
  source            = "%s"
  name              = "pangeo-test"
  zones             = ["us-west-2a", "us-west-2b"]
  subnet_ids        = { for zone, subnet in aws_subnet.this : zone => subnet.id }
  security_group_id = aws_security_group.this.id
  homes_zone        = var.homes_zone
}
"""


def test_homes_in_one_zone_are_not_spread_by_a_plan(tmp_path: Path, hcl: Path) -> None:
    """AWS refuses it at the apply (AvailabilityZonesMismatch), when the other zone is half made."""
    (tmp_path / "hcl").mkdir()
    module = hcl / "modules/storage"
    (tmp_path / "hcl/storage").symlink_to(module)
    (tmp_path / "hcl/main.tf").write_text(HEAD + HOMES % "./storage")
    with rehearse(tmp_path, "-var=homes_zone=us-west-2b") as rehearsal:
        rehearsal.terraform.read("init", "-input=false")
        rehearsal.apply()
        assert rehearsal.plan() == {}
        rehearsal.arguments = ()
        with pytest.raises(TerraformFailed) as refused:
            rehearsal.plan()
        assert 'set homes_zone = "us-west-2b"' in str(refused.value)
    assert [path.name for path in module.glob("*.tfstate*")] == []


def test_homes_in_every_zone_are_planned_and_stay(tmp_path: Path, hcl: Path) -> None:
    (tmp_path / "hcl").mkdir()
    (tmp_path / "hcl/storage").symlink_to(hcl / "modules/storage")
    (tmp_path / "hcl/main.tf").write_text(HEAD + HOMES % "./storage")
    with rehearse(tmp_path) as rehearsal:
        rehearsal.terraform.read("init", "-input=false")
        rehearsal.apply()
        assert rehearsal.plan() == {}
        zones = [one for one in rehearsal.state() if "mount_target" in one]
        assert len(zones) == 2
