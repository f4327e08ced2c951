"""Terraform over the rehearsal, once a session: a root module's plan and its state after apply."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets import connect
from pangeo_deploy.terraform.engine import Terraform, find_engine
from tests.conftest import PROJECT

Shown = dict[str, Any]
ENVIRONMENTS = ("staging", "prod")
REPOSITORY = "example/hub"  # the bootstrap trusts none unless told


@pytest.fixture(scope="session")
def rooted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Terraform]]:
    """Give an initialised Terraform for a folder of `terraform/`, with an account of its own."""
    with ExitStack() as stack:

        @cache
        def make(folder: str) -> Terraform:
            where = tmp_path_factory.mktemp("root")
            root = where / "terraform" / folder
            shutil.copytree(PROJECT / "terraform", where / "terraform")
            (root / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
            cloud = stack.enter_context(
                connect(Deployment("staging", project=where, state=where / "state"))
            )
            terraform = Terraform(
                find_engine(), root, {**cloud.terraform, "TF_DATA_DIR": str(where / "data")}
            )
            terraform.read("init", "-input=false", "-no-color")
            return terraform

        yield make


@pytest.fixture(scope="session")
def planned(rooted: Callable[[str], Terraform]) -> Callable[[str], Shown]:
    """Give `terraform show -json` of the first plan of an environment, or of the bootstrap."""

    @cache
    def plan(name: str) -> Shown:
        terraform = rooted("bootstrap" if name == "bootstrap" else ".")
        file = terraform.folder / f"{name}.tfplan"
        values = (
            [f"-var=github_repository={REPOSITORY}"]
            if name == "bootstrap"
            else [f"-var-file=environments/{name}.tfvars"]
        )
        terraform.read("plan", "-input=false", "-no-color", f"-out={file}", *values)
        shown: Shown = json.loads(terraform.read("show", "-json", str(file)))
        return shown

    return plan


@pytest.fixture(scope="session")
def applied(
    rooted: Callable[[str], Terraform], planned: Callable[[str], Shown]
) -> Callable[[str], Shown]:
    """Give `terraform show -json` of the state after an apply of staging, or of the bootstrap."""

    @cache
    def apply(name: str) -> Shown:
        terraform = rooted("bootstrap" if name == "bootstrap" else ".")
        # All of a root's plans are from nothing, whichever test asks for one first.
        for each in [name] if name == "bootstrap" else ENVIRONMENTS:
            planned(each)
        terraform.read("apply", "-input=false", "-no-color", f"{name}.tfplan")
        shown: Shown = json.loads(terraform.read("show", "-json"))
        return shown

    return apply


@pytest.fixture(scope="session")
def hcl() -> Path:
    return PROJECT / "terraform"
