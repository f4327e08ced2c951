"""The saved plan and its record: what it was made from, and whether it may be applied."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pangeo_core.errors import BadInput
from pangeo_core.files import write_whole
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.terraform.plans import Plan
from pangeo_deploy.terraform.protection import IRREPLACEABLE
from pangeo_deploy.terraform.workspace import sources_digest

Record = Mapping[str, Any]


def save(plan: Plan, sources: str) -> None:
    """Write the record beside the plan: what it does, and the digests that seal it."""
    content = {
        **plan.as_dict(),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "sources_sha256": sources,
        "plan_sha256": _sha256(plan.file),
    }
    write_whole(_record(plan.file), json.dumps(content, indent=2), mode=0o600)


def forget(file: Path) -> None:
    """Remove a plan and its record; no plan without a record is ever applied."""
    _record(file).unlink(missing_ok=True)
    file.unlink(missing_ok=True)


def check(deployment: Deployment, file: Path, *, named: bool = False) -> Record:
    """Return the record of a plan that may be applied to `deployment`; `named`: by the user.

    Raises `BadInput` where it is missing, altered, of another deployment, or of other files.
    """
    again = f"Run: pangeo-deploy plan {deployment.environment}"
    try:
        record: Record = json.loads(_record(file).read_text())
        found = {
            key: record[key]
            for key in ("environment", "target", "sources_sha256", "plan_sha256", "resources")
        }
        actual = _sha256(file)
    except FileNotFoundError as error:
        what = (
            f"There is no saved plan {file}."
            if named
            else f"There is no saved plan for {deployment.environment}."
        )
        why = f"{error.filename} is missing." if named else ""
        raise BadInput(what, why=why, fix=again) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{_record(file)} is not readable.", why=str(error), fix=again) from error
    made_for = (found["environment"], found["target"])
    if made_for != (deployment.environment, deployment.target):
        raise BadInput(
            f"The plan is for {' on '.join(made_for)}, not {deployment.environment} on "
            f"{deployment.target}.",
            fix=again,
        )
    if found["plan_sha256"] != actual:
        raise BadInput(f"{file} is not the plan that was saved.", fix=again)
    if found["sources_sha256"] != sources_digest(deployment):
        raise BadInput(
            f"The files under terraform/ changed after {deployment.environment} was planned.",
            why="Only a plan of the present files is applied.",
            fix=again,
        )
    return record


def require_confirmed_removals(deployment: Deployment, record: Record, confirm: str) -> None:
    """Refuse a plan that removes what cannot be made again, unless its environment is named."""
    removed = [
        f"{resource['action']} {resource['address']}"
        for resource in record["resources"]
        if resource["type"] in IRREPLACEABLE and resource["action"] in ("delete", "replace")
    ]
    if (removed or confirm) and confirm != deployment.environment:
        raise BadInput(
            f"This plan removes what cannot be made again in {deployment.environment}."
            if removed
            else f"This is {deployment.environment}, not {confirm}.",
            why="\n".join(removed),
            fix=f"If that is meant, add: --confirm {deployment.environment}",
        )


def _record(file: Path) -> Path:
    return file.with_suffix(".json")


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
