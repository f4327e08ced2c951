"""What a plan does, costs and breaks, as a document that people review.

Terraform's plan file never leaves the machine that made it: it holds every value of the state, and
whoever applies it runs what is in it. What travels is the review: which resources change and how,
with a digest of each value (`plan_match`), and the values that are public (`public_values`). The
job that applies plans anew, with main's own code, and applies its own plan if the review covers it.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pangeo_core.errors import BadInput, CheckFailed
from pangeo_core.files import read_json, write_whole
from pangeo_core.progress import Progress, silent
from pangeo_core.terraform_json import (
    everything,
    everything_before,
    resource_changes,
    sensitive_variables,
)
from pangeo_deploy.charts.check import check as check_charts
from pangeo_deploy.delivery import charts_diff, plan_match
from pangeo_deploy.delivery.public_values import public, words_of
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.preflight import preflight
from pangeo_deploy.targets import target_of
from pangeo_deploy.terraform import lifecycle, policy
from pangeo_deploy.terraform.plans import ORDER, Plan

SCHEMA = 2
MAX_LINES = 10  # of the price difference; the plan's own resources are all listed


def make(
    deployment: Deployment, commit: str, progress: Progress = silent, base: Path | None = None
) -> dict[str, Any]:
    """Plan the deployment at `commit`, keep the plan for `apply`, and return its review.

    `base` is a checkout of what the change is compared with; the review then shows the charts too.
    Nothing is refused for what the plan does: that is `gate`'s part, after people can read it.
    Raises `BadInput` for a plan that holds secrets: its digests are public, and can be guessed.
    """
    plan = lifecycle.plan(deployment, progress)
    if hidden := sorted(secrets(plan.shown)):
        plan.file.unlink()
        raise BadInput(
            f"The plan of {deployment.environment} holds secrets.",
            why=f"Marked as sensitive: {', '.join(hidden)}.",
            fix="Let the secret live in Secrets Manager, and Terraform know its name only.",
        )
    charts = check_charts(deployment.project, deployment.environment, progress=progress)
    findings = (
        *policy.check(plan.shown),
        *policy.check_code(deployment.project / "terraform"),
    )
    return {
        **_described(deployment, plan, commit, base),
        "policy": [asdict(finding) for finding in findings],
        "charts": [
            *(asdict(finding) for finding in charts.findings),
            *(unmet(deployment, plan.shown) if charts.ok else ()),
        ],
        "charts_diff": charts_diff.changes(base, deployment.project, deployment.environment)
        if base
        else {},
    }


def unmet(deployment: Deployment, shown: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what the charts would look for in vain once the plan is applied, as findings."""
    joined = preflight(deployment, lambda: shown, target_of(deployment).for_real)
    return [
        {
            "chart": "preflight",
            "where": one.where,
            "rule": one.rule,
            "message": f"{one.message}. {one.fix}",
        }
        for one in joined.findings
    ]


def make_destroy(
    deployment: Deployment, commit: str, keep_data: bool, progress: Progress = silent
) -> dict[str, Any]:
    """Return the review of what `destroy` would remove. Saves no plan and judges nothing."""
    plan = lifecycle.plan_destroy(deployment, keep_data=keep_data, progress=progress)
    review = {**_described(deployment, plan, commit), "policy": [], "charts": []}
    review["cost"]["gate"] = {"ok": True, "budget": None, "checks": []}  # nothing is left to pay
    return review


def _described(
    deployment: Deployment, plan: Plan, commit: str, base: Path | None = None
) -> dict[str, Any]:
    document = plan.as_dict()
    words = words_of([deployment.project, *([base] if base else [])])
    return {
        "schema": SCHEMA,
        "environment": deployment.environment,
        "target": deployment.target,
        "commit": commit,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        **{key: document[key] for key in ORDER},
        "resources": [_with_attributes(public(one, words)) for one in document["resources"]],
        "outputs": [public(one, words) for one in document["outputs"]],
        "changes": plan_match.fingerprints(plan.shown),
        "cost": cost(plan.shown, deployment.environment, deployment.project),
    }


def _with_attributes(resource: dict[str, Any]) -> dict[str, Any]:
    """Return the resource with the names of the attributes that an update changes."""
    if resource["action"] not in ("update", "replace"):
        return resource
    names = {re.split(r"[.\[]", one["attribute"])[0] for one in resource["changes"]}
    return {**resource, "attributes": sorted(names)}


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
        "difference": lines[:MAX_LINES],
        "unpriced": len(after.unpriced),
        "gate": held,
    }


def secrets(shown: Mapping[str, Any]) -> set[str]:
    """Return the addresses of what `terraform show -json` marks as sensitive and gives a value."""
    found = set()
    for changed in resource_changes(shown):
        for side in ("before", "after"):
            if _holds(changed.change.get(side), changed.change.get(f"{side}_sensitive")):
                found.add(changed.address)
    for resource in (*everything(shown), *everything_before(shown)):
        if _holds(resource.values, resource.sensitive):
            found.add(resource.address)
    return found | {f"var.{name}" for name in sensitive_variables(shown)}


def _holds(value: Any, mark: Any) -> bool:
    """Tell whether something under `value` is marked, and is there."""
    if mark is True:
        return value is not None
    if isinstance(mark, Mapping) and isinstance(value, Mapping):
        return any(_holds(value.get(key), inner) for key, inner in mark.items())
    if isinstance(mark, list) and isinstance(value, list):
        return any(_holds(item, inner) for item, inner in zip(value, mark, strict=False))
    return False


def write(folder: Path, review: Mapping[str, Any]) -> Path:
    """Write a review into `folder` under its environment's name, and return the file."""
    file = folder / f"{review['environment']}.json"
    write_whole(file, json.dumps(review, indent=1) + "\n")
    return file


def read(file: Path) -> dict[str, Any]:
    """Return a review. Raises `BadInput` where there is none, or one of another schema."""
    review = read_json(file)
    if not isinstance(review, dict) or review.get("schema") != SCHEMA:
        raise BadInput(
            f"{file} is not a review that this version reads.",
            fix="Plan again with this version: pangeo-deploy delivery plan",
        )
    return review


def problems(review: Mapping[str, Any]) -> list[str]:
    """Return why a plan may not be applied, a sentence each."""
    found = [f"{each['rule']}: {each['address']}. {each['why']}" for each in review["policy"]]
    found += [f"{each['chart']} {each['where']}: {each['message']}" for each in review["charts"]]
    held = review["cost"]["gate"]
    if not held["ok"]:
        over = [f"{check['name']} is {check['usd']} USD" for check in held["checks"]
                if not check["ok"]]  # fmt: skip
        passed = f"the budget of {held['budget']} USD a month is passed: {'; '.join(over)}"
        found.append(passed if held["budget"] else held["why"])
    return found


def gate(reviews: Iterable[Mapping[str, Any]]) -> None:
    """Refuse (`CheckFailed`) plans that break a rule or pass their budget."""
    found = [f"{review['environment']}: {what}" for review in reviews for what in problems(review)]
    if found:
        raise CheckFailed(
            f"{len(found)} findings: this change may not be deployed.",
            why="\n".join(found),
            fix="Correct the change. Nothing was applied.",
        )


def require_covered(fresh: Mapping[str, Any], reviewed: Mapping[str, Any]) -> list[str]:
    """Return the addresses that were reviewed and need no change any more, `fresh` being covered.

    `fresh` is the review of the plan about to be applied, `reviewed` the one that people saw.
    Raises `CheckFailed` if `fresh` does anything that `reviewed` does not say.
    """
    made_for, asked = ((one["environment"], one["target"]) for one in (reviewed, fresh))
    if made_for != asked:
        raise CheckFailed(
            f"The reviewed plan is for {' on '.join(made_for)}, not for {' on '.join(asked)}.",
            why="A pull request from a fork is planned in the rehearsal, never on aws.",
            fix=AGAIN,
        )
    if found := plan_match.differences(fresh["changes"], reviewed["changes"]):
        raise CheckFailed(
            f"{fresh['environment']}: {len(found)} changes are not those that were reviewed.",
            why="\n".join(found[:MAX_LINES]),
            fix=AGAIN,
        )
    return sorted(reviewed["changes"].keys() - fresh["changes"].keys())


AGAIN = (
    "Nothing was applied. Run the workflow Review on main, read its plans, and give Deploy its "
    "run's number."
)
