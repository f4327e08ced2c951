"""A plan that one job makes, people review, and another job applies: sealed, and checked again.

A bundle is a folder: Terraform's plan and its record as `lifecycle.plan` saved them, and
`review.json`, which says what the plan does, costs and breaks, and seals both with a sha256.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pangeo_core.errors import BadInput, CheckFailed
from pangeo_core.files import read_json, write_whole
from pangeo_core.progress import Progress, silent
from pangeo_core.terraform_json import everything, everything_before
from pangeo_deploy.charts.check import check as check_charts
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.terraform import lifecycle, policy

SCHEMA = 1
PLAN, RECORD, REVIEW = "plan.tfplan", "plan.json", "review.json"
MOST_LINES = 10  # of the price difference; the plan's own resources are all listed


def make(
    deployment: Deployment, commit: str, out: Path, progress: Progress = silent
) -> dict[str, Any]:
    """Plan the deployment at `commit`, seal the plan in the folder `out`, and return its review.

    Nothing is refused for what the plan does: that is `gate`'s part, after people can read it.
    Raises `BadInput` for a plan that holds secrets: whoever may read artifacts would have them.
    """
    plan = lifecycle.plan(deployment, progress)
    if hidden := sorted(secrets(plan.shown)):
        plan.file.unlink()
        raise BadInput(
            f"The plan of {deployment.environment} holds secrets, and would be read by others.",
            why=f"Marked as sensitive: {', '.join(hidden)}.",
            fix="Let the secret live in Secrets Manager, and Terraform know its name only.",
        )
    charts = check_charts(deployment.project, deployment.environment, progress=progress)
    code = policy.check_code(deployment.project / "terraform")
    findings = (*policy.check(plan.shown), *code)
    if out.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True)
    shutil.copy(plan.file, out / PLAN)
    shutil.copy(plan.file.with_suffix(".json"), out / RECORD)
    record = read_json(out / RECORD)
    review = {
        "schema": SCHEMA,
        "environment": deployment.environment,
        "target": deployment.target,
        "commit": commit,
        "made": record["made"],
        "files": {name: _sha256(out / name) for name in (PLAN, RECORD)},
        **{key: plan.as_dict()[key] for key in ("create", "update", "replace", "delete")},
        "resources": plan.as_dict()["resources"],
        "cost": cost(plan.shown, deployment.environment, deployment.project),
        "policy": [asdict(one) for one in findings],
        "charts": [asdict(one) for one in charts.findings],
    }
    write_whole(out / REVIEW, json.dumps(review, indent=1) + "\n")
    return review


def cost(shown: Mapping[str, Any], environment: str, project: Path | None = None) -> dict[str, Any]:
    """Return what stands before and after the plan costs, USD a month, and the plan's budget."""
    from hub_costs.budgeting import budget_gate
    from hub_costs.estimates import estimate
    from pangeo_deploy.monthly_cost import change_of

    before, after = change_of(environment, shown, project=project)
    lines = [
        {key: value if isinstance(value, str) else format(value, "f") for key, value in row.items()}
        for row in estimate.difference(before, after)
    ]
    try:
        held = budget_gate.gate(budget_gate.budget_of(shown), floor=after.floor).as_dict()
    except BadInput as error:
        held = {"ok": False, "budget": None, "checks": [], "why": str(error)}
    return {
        "floor_before": format(before.floor, "f"),
        "floor_after": format(after.floor, "f"),
        "use_before": format(before.use, "f"),
        "use_after": format(after.use, "f"),
        "difference": lines[:MOST_LINES],
        "unpriced": len(after.unpriced),
        "gate": held,
    }


def secrets(shown: Mapping[str, Any]) -> set[str]:
    """Return the addresses of what `terraform show -json` marks as sensitive and gives a value."""
    found = set()
    for resource in shown.get("resource_changes", ()):
        change = resource["change"]
        for side in ("before", "after"):
            if _holds(change.get(side), change.get(f"{side}_sensitive")):
                found.add(resource["address"])
    for resource in (*everything(shown), *everything_before(shown)):
        if _holds(resource.values, resource.sensitive):
            found.add(resource.address)
    declared = shown.get("configuration", {}).get("root_module", {}).get("variables", {})
    for name, variable in declared.items():
        given = shown.get("variables", {}).get(name, {}).get("value")
        if variable.get("sensitive") and given is not None:
            found.add(f"var.{name}")
    return found


def _holds(value: Any, mark: Any) -> bool:
    """Tell whether something under `value` is marked, and is there."""
    if mark is True:
        return value is not None
    if isinstance(mark, Mapping) and isinstance(value, Mapping):
        return any(_holds(value.get(key), one) for key, one in mark.items())
    if isinstance(mark, list) and isinstance(value, list):
        return any(_holds(one, its) for one, its in zip(value, mark, strict=False))
    return False


def read(folder: Path) -> dict[str, Any]:
    """Return a bundle's review. Raises `BadInput` where there is none, or a newer one."""
    review = read_json(folder / REVIEW)
    if not isinstance(review, dict) or review.get("schema") != SCHEMA:
        raise BadInput(
            f"{folder / REVIEW} is not a review that this version reads.",
            fix="Plan again with this version: pangeo-deploy delivery plan",
        )
    return review


def problems(review: Mapping[str, Any]) -> list[str]:
    """Return why a plan may not be applied, a sentence each."""
    found = [f"{one['rule']}: {one['address']}. {one['why']}" for one in review["policy"]]
    found += [f"{one['chart']} {one['where']}: {one['message']}" for one in review["charts"]]
    held = review["cost"]["gate"]
    if not held["ok"]:
        over = [f"{one['name']} is {one['usd']} USD" for one in held["checks"] if not one["ok"]]
        passed = f"the budget of {held['budget']} USD a month is passed: {'; '.join(over)}"
        found.append(passed if held["budget"] else held["why"])
    return found


def gate(folders: list[Path]) -> None:
    """Refuse (`CheckFailed`) plans that break a rule or pass their budget."""
    reviews = [read(folder) for folder in folders]
    found = [f"{one['environment']}: {what}" for one in reviews for what in problems(one)]
    if found:
        raise CheckFailed(
            f"{len(found)} findings: this change may not be deployed.",
            why="\n".join(found),
            fix="Correct the change. Nothing was applied.",
        )


def verify(deployment: Deployment, folder: Path, commit: str) -> dict[str, Any]:
    """Return the review of a bundle that is the one reviewed, or raise `CheckFailed`.

    The bundle must be whole and unaltered, made for this deployment and of `commit`, and break no
    rule. Whether files and state are still those that it was made from is checked by `apply`.
    """
    review = read(folder)
    made_for = (review["environment"], review["target"])
    asked = (deployment.environment, deployment.target)
    again = "Plan again, have it reviewed, and deploy that plan. Nothing was applied."
    if made_for != asked:
        raise CheckFailed(
            f"This plan is for {' on '.join(made_for)}, not for {' on '.join(asked)}.",
            why="A pull request from a fork is planned in the rehearsal, never on aws.",
            fix=again,
        )
    if review["commit"] != commit:
        raise CheckFailed(
            f"The plan was made of {review['commit'][:12]}, and {commit[:12]} is deployed.",
            fix=again,
        )
    for name, sealed in review["files"].items():
        if not (folder / name).is_file() or _sha256(folder / name) != sealed:
            raise CheckFailed(f"{folder / name} is not the file that was reviewed.", fix=again)
    gate([folder])
    return review


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
