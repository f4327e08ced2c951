"""A plan of what is not emulated says that it is the rehearsal's limit, and where."""

import json
from pathlib import Path

import pytest

from pangeo_core.errors import BadInput, TerraformFailed
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.terraform.lifecycle import plan
from pangeo_deploy.terraform.workspace import sources_digest
from tests.pangeo_deploy.terraform.small import small_project


def deployment(folder: Path, more: str) -> tuple[Deployment, int]:
    """Return a small deployment with more HCL at the end, and the line where that begins."""
    project = small_project(folder / "project")
    main = project / "terraform/main.tf"
    lines = main.read_text().count("\n")
    main.write_text(main.read_text() + more)
    return Deployment("staging", "rehearsal", project, folder / "state"), lines + 1


def test_what_is_not_emulated_is_named_where_it_is_planned(tmp_path: Path) -> None:
    planned, line = deployment(tmp_path, 'resource "aws_route53_zone" "this" { name = "a.org" }\n')
    with pytest.raises(TerraformFailed) as refusal:
        plan(planned)
    said = f"main.tf:{line}: The rehearsal does not emulate aws_route53_zone"
    assert said in refusal.value.why
    assert "real provider on AWS" in refusal.value.why


def test_what_no_schema_has_is_named(tmp_path: Path) -> None:
    planned, line = deployment(tmp_path, 'resource "aws_of_next_year" "this" {}\n')
    with pytest.raises(BadInput) as refusal:
        plan(planned)
    assert "The rehearsal does not emulate aws_of_next_year" in refusal.value.what
    assert f"main.tf:{line}: aws_of_next_year" in refusal.value.why
    assert "--target aws" in refusal.value.fix


def test_variables_are_read_wherever_terraform_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = """
variable "automatic" {}
variable "from_environment" {}
resource "aws_sqs_queue" "more" { name = "${var.automatic}-${var.from_environment}" }
resource "aws_sqs_queue" "text" { name = trimspace(file("${path.module}/templates/name.txt")) }
"""
    planned, _ = deployment(tmp_path, more)
    terraform = planned.project / "terraform"
    (terraform / "more.auto.tfvars").write_text('automatic = "a"\n')
    (terraform / "templates").mkdir()
    (terraform / "templates/name.txt").write_text("from-a-file\n")
    written = {"resource": {"aws_sns_topic": {"this": {"name": "from-json"}}}}
    (terraform / "more.tf.json").write_text(json.dumps(written))
    monkeypatch.setenv("TF_VAR_from_environment", "b")
    before = sources_digest(planned)
    found = plan(planned)
    names = {one.address for one in found.changes}
    assert {"aws_sqs_queue.more", "aws_sqs_queue.text", "aws_sns_topic.this"} <= names
    (terraform / "templates/name.txt").write_text("another\n")
    assert sources_digest(planned) != before
