"""What is not emulated is said to be the rehearsal's limit, by name and place."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from emulated_aws.limits import require_emulated, types_named, unemulated
from emulated_aws.schema import load, load_with
from pangeo_core.errors import BadInput, TerraformFailed
from tests.conftest import PROJECT

from .conftest import Rehearsal, flat

HCL = """
# resource "aws_comment" "x" {}
/*
resource "aws_block_comment" "x" {}
*/
resource "aws_vpc" "this" { cidr_block = "10.0.0.0/16" }
resource "aws_route53_zone" "this" { name = "a.org" }
resource "aws_of_next_year" "this" {}
data "aws_of_next_year" "this" {}
data "aws_region" "this" {}
locals { x = provider::aws::arn_parse("arn") }
module "below" {
  source = "./below"
}
module "again" {
  source = "./below"
}
module "registry" { source = "terraform-aws-modules/vpc/aws" }
"""


def test_what_no_schema_has_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(HCL)
    (tmp_path / "below").mkdir()
    (tmp_path / "below/main.tf").write_text('\nresource "aws_of_2030" "t" {}\n')
    with pytest.raises(BadInput) as refusal:
        require_emulated(tmp_path)
    said = [line.removeprefix(f"{tmp_path}/") for line in refusal.value.why.splitlines()]
    assert said == [
        "main.tf:8: aws_of_next_year",
        "main.tf:9: data.aws_of_next_year",
        "main.tf:11: provider::aws::arn_parse()",
        "below/main.tf:2: aws_of_2030",
    ]
    assert "does not emulate aws_of_2030, aws_of_next_year" in refusal.value.what


def test_the_repository_uses_nothing_else() -> None:
    assert unemulated(PROJECT / "terraform") == unemulated(PROJECT / "terraform/bootstrap") == []
    emulated = load()
    named = load_with(types_named(PROJECT / "terraform"))
    assert named.resources.keys() == emulated.resources.keys()


def test_types_are_found_wherever_terraform_reads_them(tmp_path: Path) -> None:
    root, beside, installed = (tmp_path / name for name in ("root", "beside", "root/.terraform"))
    for folder in (root, beside, installed / "modules/vpc"):
        folder.mkdir(parents=True)
    (root / "main.tf").write_text('module "m" {\n  source = "../beside"\n}\n')
    written = {"resource": {"aws_route53_zone": {"x": {"name": "a.org"}}}}
    (root / "more.tf.json").write_text(json.dumps(written))
    (beside / "main.tf").write_text('data "aws_ami" "x" {}\nmodule "m" {\n source = "../root"\n}\n')
    (installed / "modules/vpc/main.tf").write_text('resource "aws_flow_log" "x" {}')
    assert types_named(root) == {"aws_route53_zone", "aws_ami", "aws_flow_log"}


FOR_THOSE_WHO_ASK = """
variable "zone" { default = false }
resource "aws_route53_zone" "this" {
  count = var.zone ? 1 : 0
  name  = "a.org"
}
data "aws_ami" "this" {
  count  = var.zone ? 1 : 0
  owners = ["self"]
}
resource "aws_sqs_queue" "this" { name = "jobs" }
"""


def test_what_is_declared_for_nothing_passes_and_what_is_used_is_refused_by_the_plan(
    small: Callable[[str], Rehearsal],
) -> None:
    rehearsal = small(FOR_THOSE_WHO_ASK)
    rehearsal.apply()
    assert rehearsal.plan() == {}
    rehearsal.hcl(FOR_THOSE_WHO_ASK.replace("default = false", "default = true"))
    with pytest.raises(TerraformFailed) as refusal:
        rehearsal.plan()
    said = flat(refusal.value.why)
    assert "The rehearsal does not emulate aws_route53_zone with aws_route53_zone.this[0]" in said
    assert "The rehearsal does not emulate data.aws_ami" in said
    assert "nothing is wrong with the configuration" in said
