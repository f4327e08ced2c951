"""The forged bundle: what somebody who may upload any artifact can have applied. Nothing.

The old code applied the plan file of the artifact, after comparing checksums that came with it: a
plan made elsewhere, with a `local-exec` in it, ran its command with the deploying role.
"""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pangeo_core.errors import BadInput, CheckFailed
from pangeo_deploy.cli.delivery import app
from pangeo_deploy.delivery import plan_review
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.terraform import lifecycle
from tests.conftest import PROJECT
from tests.pangeo_deploy.delivery.test_workflows import WORKFLOWS, flat

pytestmark = pytest.mark.slow
COMMIT = "c" * 40


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def honest(state: Path) -> dict[str, Any]:
    """The review of staging's first plan, as the workflow Review writes it."""
    return plan_review.make(Deployment("staging", project=PROJECT, state=state), COMMIT)


def replan(folder: Path, state: Path, review: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run what Deploy runs on a downloaded artifact."""
    monkeypatch.setenv("PANGEO_DEPLOY_STATE", str(state))
    monkeypatch.chdir(PROJECT)
    file = folder / "staging.json"
    file.write_text(json.dumps(review))
    words = ["replan", "staging", str(file), "--commit", "d" * 40, "--reviewed", COMMIT]
    return CliRunner().invoke(app, [*words, "--out", str(folder / "planned")])


def forged(honest: dict[str, Any], what: str) -> Any:
    review = copy.deepcopy(honest)
    address = next(name for name in review["changes"] if "public_access_block" in name)
    if what == "says that nothing changes":
        review["changes"] = {}
    elif what == "hides one resource":
        del review["changes"][address]
    elif what == "shows another value":
        values = review["changes"][address]["values"]
        values[next(iter(values))] = "0" * 16
    elif what == "shows another action":
        review["changes"][address]["action"] = "update"
    elif what == "is of another commit":
        review["commit"] = "e" * 40
    elif what == "is of another environment":
        review["environment"] = "prod"
    elif what == "claims another target":
        review["target"] = "aws"
    elif what == "is of another version":
        review["schema"] = 1
    return review


@pytest.mark.parametrize(
    "what",
    [
        "says that nothing changes",
        "shows another value",
        "is of another commit",
        "claims another target",
        "is of another version",
    ],
)
def test_a_forged_review_applies_nothing(
    what: str,
    honest: dict[str, Any],
    state: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = replan(tmp_path, state, forged(honest, what), monkeypatch)
    assert isinstance(done.exception, CheckFailed | BadInput), done.output
    deployment = Deployment("staging", project=PROJECT, state=state)
    if isinstance(done.exception, CheckFailed) and what != "is of another commit":
        with pytest.raises(BadInput, match="no saved plan"):
            lifecycle.apply(deployment)


@pytest.mark.parametrize("what", ["hides one resource", "shows another action",
                                  "is of another environment"])  # fmt: skip
def test_a_review_that_shows_less_or_something_else_does_not_cover_the_plan(
    what: str, honest: dict[str, Any]
) -> None:
    with pytest.raises(CheckFailed):
        plan_review.require_covered(honest, forged(honest, what))


def test_an_honest_review_is_carried_out_by_mains_own_plan(
    honest: dict[str, Any], state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else is in the artifact: a plan with a command in it lies there, and is not read."""
    (tmp_path / "plan.tfplan").write_bytes(b"local-exec")
    (tmp_path / "plan.json").write_text("{}")
    done = replan(tmp_path, state, honest, monkeypatch)
    assert done.exit_code == 0, done.output
    assert "It does nothing that was not reviewed" in done.output
    plan = Deployment("staging", project=PROJECT, state=state).folder / "plan.tfplan"
    assert plan.read_bytes()[:2] == b"PK"  # Terraform's own file, made just now


def test_no_step_applies_a_file_that_came_from_elsewhere() -> None:
    applies = [
        step["run"]
        for workflow in WORKFLOWS.values()
        for job in workflow["jobs"].values()
        for step in flat(job["steps"])
        if "pangeo-deploy apply" in step.get("run", "")
    ]
    deployed = [run for run in applies if 'apply "$ENVIRONMENT" --target "$TARGET"' in run]
    assert len(deployed) == 3  # staging, production, and back; the rest rehearses
    assert all("apply staging\n" in run for run in applies if run not in deployed)
    assert all("tfplan" not in run for run in applies)
