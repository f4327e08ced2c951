"""A plan of what is not emulated says that it is the rehearsal's limit, and where."""

from pathlib import Path

import pytest

from pangeo_core.errors import BadInput
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.terraform.lifecycle import plan
from tests.pangeo_deploy.terraform.small import small_project


def test_types_that_are_not_emulated_are_named(tmp_path: Path) -> None:
    project = small_project(tmp_path / "project")
    main = project / "terraform/main.tf"
    lines = main.read_text().count("\n")
    main.write_text(main.read_text() + 'resource "aws_route53_zone" "this" { name = "a.org" }\n')
    deployment = Deployment("staging", "rehearsal", project, tmp_path / "state")
    with pytest.raises(BadInput) as refusal:
        plan(deployment)
    assert "The rehearsal does not emulate aws_route53_zone" in refusal.value.what
    assert f"main.tf:{lines + 1}: aws_route53_zone" in refusal.value.why
    assert "--target aws" in refusal.value.fix
