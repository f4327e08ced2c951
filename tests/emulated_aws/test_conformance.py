"""The stand-in beside the real provider, attribute by attribute, on our own Terraform.

`recorded/` holds what hashicorp/aws planned and wrote into its state for the Terraform beside it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pangeo_core.terraform_json import everything, everything_before, resource_changes

from .conformance import (
    IN_PLANS,
    IN_STATES,
    by_address,
    compare,
    planned,
    recorded,
    unexplained,
    unpack_hcl,
)
from .conftest import Rehearsal, rehearse

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    unpack_hcl(folder)
    return folder / "terraform"


def planning(folder: Path, root: Path, recording: Any) -> Iterator[Rehearsal]:
    """Yield a rehearsal of a root module with the recording's variables, planned."""
    (folder / "hcl").symlink_to(root)
    state = folder / "terraform.tfstate"
    backend = f'terraform {{\n  backend "local" {{\n    path = "{state}"\n  }}\n}}\n'
    (root / "backend_override.tf").write_text(backend)
    chosen = folder / "chosen.tfvars.json"
    values = {name: one["value"] for name, one in recording["variables"].items()}
    chosen.write_text(json.dumps(values))
    with rehearse(folder, f"-var-file={chosen}") as rehearsal:
        rehearsal.terraform.read("init", "-input=false")
        rehearsal.plan()
        yield rehearsal


def assert_alike(recording: Any, shown: Any) -> None:
    left, _ = unexplained(compare(planned(recording), planned(shown)), IN_PLANS)
    assert left == []
    read = by_address(everything_before(shown))
    left, _ = unexplained(compare(recording["prior_state"], read), ())
    assert left == []
    actions = [
        {changed.address: changed.actions for changed in resource_changes(plan)}
        for plan in (recording, shown)
    ]
    assert actions[0] == actions[1]
    assert recording["output_changes"] == shown["output_changes"]


@pytest.mark.parametrize("environment", ["prod", "bootstrap"])
def test_a_plan_from_nothing(environment: str, tmp_path: Path, source: Path) -> None:
    recording = recorded(f"{environment}-plan")
    root = source / "bootstrap" if environment == "bootstrap" else source
    for rehearsal in planning(tmp_path, root, recording):
        assert_alike(recording, rehearsal.shown_plan())


def test_staging_from_plan_to_state(tmp_path: Path, source: Path) -> None:
    recording = recorded("staging-plan")
    for rehearsal in planning(tmp_path, source, recording):
        assert_alike(recording, rehearsal.shown_plan())
        terraform = rehearsal.terraform
        terraform.read("apply", "-input=false", "tfplan")
        refresh = ("-refresh-only", "-auto-approve", "-input=false")
        terraform.read("apply", *refresh, *rehearsal.arguments)
        shown = json.loads(terraform.read("show", "-json"))
        ours = by_address(everything(shown))
        real = recorded("staging-state")["resources"]
        left, unused = unexplained(compare(real, ours), IN_STATES)
        assert left == []
        assert unused == set(), "explains what is no longer different"
