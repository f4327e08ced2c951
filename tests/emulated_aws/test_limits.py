"""What is not emulated is said to be the rehearsal's limit, by name and place."""

from pathlib import Path

import pytest

from emulated_aws.limits import require_emulated, unemulated
from pangeo_core.errors import BadInput
from tests.conftest import PROJECT

HCL = """
# resource "aws_comment" "x" {}
/*
resource "aws_block_comment" "x" {}
*/
resource "aws_vpc" "this" { cidr_block = "10.0.0.0/16" }
resource "aws_route53_zone" "this" { name = "a.org" }
data "aws_ami" "this" {}
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


def test_names_and_places(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(HCL)
    (tmp_path / "below").mkdir()
    (tmp_path / "below/main.tf").write_text('\nresource "aws_dynamodb_table" "t" {}\n')
    with pytest.raises(BadInput) as refusal:
        require_emulated(tmp_path)
    said = [line.removeprefix(f"{tmp_path}/") for line in refusal.value.why.splitlines()]
    assert said == [
        "main.tf:7: aws_route53_zone",
        "main.tf:8: data.aws_ami",
        "main.tf:10: provider::aws::arn_parse()",
        "below/main.tf:2: aws_dynamodb_table",
    ]
    assert "does not emulate aws_dynamodb_table, aws_route53_zone" in refusal.value.what


def test_the_repository_uses_nothing_else() -> None:
    assert unemulated(PROJECT / "terraform") == unemulated(PROJECT / "terraform/bootstrap") == []
