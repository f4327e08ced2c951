"""The HCL itself: `terraform test` over the rehearsal, and that it is formatted."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from emulated_aws import facts
from pangeo_core.errors import PangeoDeployError
from pangeo_deploy.terraform.engine import Message, Terraform
from pangeo_deploy.terraform.inventory import blocks

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
