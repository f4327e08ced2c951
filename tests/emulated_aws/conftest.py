"""Run real Terraform on a folder of HCL, with the stand-in and an account of the test's own."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from emulated_aws import Account, open_account, serve_provider
from pangeo_deploy.terraform.engine import Terraform, find_engine
from tests.conftest import PROJECT

# How long an example takes depends on what else the machine does.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

HEAD = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {
  region = "us-west-2"
  default_tags {
    tags = { project = "test" }
  }
}
"""


class Rehearsal:
    """An open account and a Terraform beside it."""

    def __init__(self, account: Account, terraform: Terraform, arguments: tuple[str, ...]) -> None:
        self.account, self.terraform, self.arguments = account, terraform, arguments

    def hcl(self, text: str) -> None:
        """Replace the configuration."""
        (self.terraform.folder / "main.tf").write_text(HEAD + text)

    def plan(self) -> dict[str, str]:
        """Plan; return what would happen: by address, the actions joined by a plus."""
        self.terraform.read("plan", "-input=false", "-out=tfplan", *self.arguments)
        changes = self.shown_plan().get("resource_changes", [])
        actions = {change["address"]: "+".join(change["change"]["actions"]) for change in changes}
        return {
            address: action
            for address, action in actions.items()
            if action not in ("no-op", "read")
        }

    def shown_plan(self) -> dict[str, Any]:
        return json.loads(self.terraform.read("show", "-json", "tfplan"))

    def apply(self) -> None:
        self.terraform.read("apply", "-input=false", "-auto-approve", *self.arguments)

    def destroy(self) -> None:
        self.terraform.read("destroy", "-input=false", "-auto-approve", *self.arguments)

    def state(self) -> dict[str, dict[str, Any]]:
        """Return every resource's attributes by address."""
        shown = json.loads(self.terraform.read("show", "-json"))
        found = {}

        def visit(module: dict[str, Any]) -> None:
            for resource in module.get("resources", ()):
                if resource["mode"] == "managed":
                    found[resource["address"]] = resource["values"] | {"type": resource["type"]}
            for child in module.get("child_modules", ()):
                visit(child)

        visit(shown.get("values", {}).get("root_module", {}))
        return found


@contextmanager
def rehearse(folder: Path, *arguments: str) -> Iterator[Rehearsal]:
    """Open the account in `folder`, Terraform's root module in `folder/hcl`."""
    (folder / "hcl").mkdir(exist_ok=True)
    with (
        open_account(folder / "account") as account,
        serve_provider(account, project=folder / "hcl") as environment,
    ):
        environment |= {"TF_DATA_DIR": str(folder / "data")}
        terraform = Terraform(find_engine(), folder / "hcl", environment)
        yield Rehearsal(account, terraform, arguments)


def use_repository(folder: Path, root_module: str = ".") -> None:
    """Make one of the repository's root modules that of `folder`, its state beside it."""
    root = folder / "hcl"
    root.mkdir(exist_ok=True)
    for path in (PROJECT / "terraform" / root_module).iterdir():
        if path.suffix == ".tf" or path.name in ("modules", "environments"):
            (root / path.name).symlink_to(path)
    state = folder / "terraform.tfstate"
    backend = f'terraform {{\n  backend "local" {{\n    path = "{state}"\n  }}\n}}\n'
    (root / "backend_override.tf").write_text(backend)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Callable[[str], Rehearsal]]:
    """A function that takes HCL and returns an initialised rehearsal of it."""
    with rehearse(tmp_path) as rehearsal:

        def start(hcl: str) -> Rehearsal:
            rehearsal.hcl(hcl)
            rehearsal.terraform.read("init", "-input=false")
            return rehearsal

        yield start


def flat(text: str) -> str:
    """Return Terraform's boxed, coloured and wrapped messages on one plain line."""
    return re.sub(r"(\x1b\[\d+m|[\s│╷╵])+", " ", text)
