"""What one deployment did, as data: kept for the book, and for going back to it."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pangeo_core.errors import BadInput, CheckFailed
from pangeo_core.files import read_json, write_whole
from pangeo_deploy.deployment import Deployment

__all__ = ["read"]

SCHEMA = 1
KINDS = ("deploy", "rollback", "event", "destroy")
FOLDER = "data/deployments"  # of the project: where the book finds them


def make(
    deployment: Deployment,
    kind: str,
    commit: str,
    *,
    review: Mapping[str, Any] | None = None,
    parts: Mapping[str, Mapping[str, Any]] | None = None,
    run: str = "",
    outcome: str = "success",
) -> dict[str, Any]:
    """Return the record of a deployment, whether it went through or not (`outcome`).

    `parts` are the JSON documents of its steps by name (`apply`, `charts`, `benchmark`, `destroy`),
    `review` that of the plan that was applied. Times are seconds, money is USD a month, `finished`
    is UTC.
    """
    if kind not in KINDS:
        raise BadInput(f"There is no kind {kind!r}.", fix=f"Use one of: {', '.join(KINDS)}.")
    known = dict(parts or {})
    charts = known.get("charts", {})
    return {
        "schema": SCHEMA,
        "kind": kind,
        "environment": deployment.environment,
        "target": deployment.target,
        "commit": commit,
        "run": run,
        "outcome": outcome,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "plan_sha256": review_digest(review) if review else None,
        "planned": review["made"] if review else None,
        "planned_commit": review["commit"] if review else None,
        "resources": {key: review[key] for key in ("create", "update", "replace", "delete")}
        if review
        else None,
        "floor_usd_per_month": review["cost"]["floor_after"] if review else None,
        "seconds": {
            name: round(float(part["seconds"]), 3)
            for name, part in known.items()
            if "seconds" in part
        },
        "revisions": charts.get("revisions", {}),
        "smoke": charts.get("smoke"),
        "benchmark": known.get("benchmark"),
        "versions": versions(deployment),
    }


def review_digest(review: Mapping[str, Any]) -> str:
    """Return the digest of what a plan does, whenever and by whom it was made."""
    return hashlib.sha256(json.dumps(review["changes"], sort_keys=True).encode()).hexdigest()


def versions(deployment: Deployment) -> dict[str, str]:
    """Return what ran: this package, Terraform, and the charts as their files pin them."""
    import yaml

    from pangeo_deploy.charts.values import CHARTS
    from pangeo_deploy.terraform.engine import find_engine

    charts = {}
    for chart in CHARTS:
        text = (deployment.project / "helm" / chart / "Chart.yaml").read_text()
        found = yaml.safe_load(text)
        charts[chart] = str(found["version"])
        charts |= {one["name"]: str(one["version"]) for one in found.get("dependencies", ())}
    return {"terraform": find_engine().version, **charts}


def name(record: Mapping[str, Any]) -> str:
    """Return the name that a record is kept under: environment, moment, commit."""
    moment = record["finished"].replace("-", "").replace(":", "").split("+")[0]
    return f"{record['environment']}-{moment}Z-{record['commit'][:8]}.json"


def write(folder: Path, record: Mapping[str, Any]) -> Path:
    """Write a record into `folder` under its name, and return the file."""
    file = folder / name(record)
    write_whole(file, json.dumps(record, indent=1) + "\n")
    return file


def read(folder: Path) -> list[dict[str, Any]]:
    """Return the records in `folder`, the oldest first; `BadInput` for one of another schema."""
    found = [(file, read_json(file)) for file in sorted(folder.glob("*.json"))]
    for file, record in found:
        if not isinstance(record, dict) or record.get("schema") != SCHEMA:
            raise BadInput(f"{file} is not a deployment record that this version reads.")
    return sorted((record for _, record in found), key=lambda each: str(each["finished"]))


def find(folder: Path, environment: str, commit: str) -> dict[str, Any]:
    """Return the newest record of `environment` at `commit` (its first characters will do).

    Raises `CheckFailed` where there is none: only what was deployed once is gone back to.
    """
    if len(commit) < 7:
        raise BadInput(f"{commit!r} does not name one commit.", fix="Give 7 characters or more.")
    standing = [
        record
        for record in read(folder)
        if record["environment"] == environment
        and record["kind"] in ("deploy", "rollback")
        and record.get("outcome", "success") == "success"
    ]
    if found := [each for each in standing if str(each["commit"]).startswith(commit)]:
        return found[-1]
    known = ", ".join(each["commit"][:12] for each in standing[-5:]) or "none"
    raise CheckFailed(
        f"{environment} was never deployed at {commit}.",
        why=f"The last that are recorded: {known}.",
        fix="Name one of them.",
    )
