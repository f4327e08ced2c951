"""Check the HCL, and a rehearsed first plan of each environment, against the policy's rules.

    python tools/check_policy.py

Prints what breaks a rule, why it matters and what to do; exits 3 if anything does.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pangeo_core.errors import CheckFailed, PangeoDeployError
from pangeo_deploy.deployment import Deployment, environments
from pangeo_deploy.terraform import policy
from pangeo_deploy.terraform.code_rules import CODE_RULES
from pangeo_deploy.terraform.plan_rules import RULES
from pangeo_deploy.terraform.workspace import open_workspace

PROJECT = Path(__file__).resolve().parent.parent


def findings() -> Iterator[tuple[str, policy.Finding]]:
    """Yield (where, finding) for both root modules and for each environment's plan."""
    for folder in ("terraform", "terraform/bootstrap"):
        yield from ((folder, one) for one in policy.check_code(PROJECT / folder))
    with tempfile.TemporaryDirectory() as state:
        for name in environments(PROJECT):
            deployment = Deployment(name, project=PROJECT, state=Path(state))
            yield from ((f"plan of {name}", one) for one in policy.check(first_plan(deployment)))


def first_plan(deployment: Deployment) -> dict[str, object]:
    """Return `terraform show -json` of the plan that would make everything."""
    with open_workspace(deployment) as workspace:
        values = f"-var-file=environments/{deployment.tfvars.name}"
        file = workspace.plan_file
        workspace.terraform.stream("plan", "-input=false", "-json", values, f"-out={file}")
        shown: dict[str, object] = json.loads(workspace.terraform.read("show", "-json", str(file)))
        return shown


def main() -> int:
    """Print the findings and return the exit code."""
    try:
        found = list(findings())
    except PangeoDeployError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for where, one in found:
        print(f"{where}: {one.address}: {one.rule}\n  {one.why} {one.fix}")
    rules = len(RULES) + len(CODE_RULES)
    print(f"Policy: {len(found)} findings by {rules} rules.")
    return CheckFailed.exit_code if found else 0


if __name__ == "__main__":
    sys.exit(main())
