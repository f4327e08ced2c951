"""Run the real provider and the stand-in through the same life, and say where they differ.

    python tools/conformance.py [--environment staging] [--overrides FOLDER] [--out report.md]

Both plan, apply, plan again, find the same changes made by hand, and destroy, each against an
emulated account of its own. The real provider comes from the registry by `terraform init`, or from
FOLDER, where it was built. Ends with 3 if a difference is in none of the tables of
`tests/emulated_aws/conformance.py`. `--stand-in` puts the stand-in in the real one's place, to try
this tool without a registry.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY))  # the tables of explained differences are the tests' own

from tests.emulated_aws.conformance import (  # noqa: E402
    IN_PLANS,
    IN_STATES,
    by_address,
    compare,
    planned,
    unexplained,
)

from emulated_aws import Account, open_account, serve_account, serve_provider  # noqa: E402
from pangeo_deploy.terraform.engine import Terraform, find_engine  # noqa: E402

SETTINGS = """
terraform {
  backend "local" {}
}
provider "aws" {
  skip_metadata_api_check = true
  s3_use_path_style       = true
}
"""
CHECK_SAID_NO = 3


@dataclass
class Life:
    """What one provider planned, recorded and found, and how long it took."""

    plan: Any
    state: Any
    second: list[str]
    drift: dict[str, str]
    left: list[str]
    seconds: dict[str, float]


def live(
    folder: Path, root: Path, account: Account, environment: Mapping[str, str], values: str
) -> Life:
    """Take one provider through a life of the root module in `root`."""
    work = folder / "work"
    work.mkdir()
    for path in root.iterdir():
        if path.suffix == ".tf" or path.name in ("modules", "environments"):
            (work / path.name).symlink_to(path)
    (work / "emulated_override.tf").write_text(SETTINGS)
    seconds: dict[str, float] = {}

    def terraform(step: str, *arguments: str) -> str:
        started = time.monotonic()
        said = Terraform(find_engine(), work, environment).read(*arguments)
        if step:
            seconds[step] = round(time.monotonic() - started, 1)
        return said

    def plan(step: str) -> Any:
        terraform(step, "plan", "-input=false", f"-var-file={values}", "-out=tfplan")
        return json.loads(terraform("", "show", "-json", "tfplan"))

    terraform("", "init", "-input=false")
    first = plan("plan")
    terraform("apply", "apply", "-input=false", "tfplan")
    second = plan("second plan")
    refresh = ("apply", "-refresh-only", "-auto-approve", "-input=false", f"-var-file={values}")
    terraform("", *refresh)
    state = json.loads(terraform("", "show", "-json"))
    change_by_hand(account)
    drifted = plan("drift")
    destroy = ("destroy", "-auto-approve", "-input=false", f"-var-file={values}")
    terraform("destroy", *destroy)
    return Life(first, state, list(actions(second)), actions(drifted), left(account), seconds)


def actions(plan: Any) -> dict[str, str]:
    """Return what a plan would do, by address."""
    found = {
        change["address"]: "+".join(change["change"]["actions"])
        for change in plan.get("resource_changes", ())
    }
    return {address: action for address, action in found.items() if action not in ("no-op", "read")}


def change_by_hand(account: Account) -> None:
    """Change what an operator might change in the console, where it is there."""
    ec2, s3, sqs = account.client("ec2"), account.client("s3"), account.client("sqs")
    for bucket in s3.list_buckets()["Buckets"]:
        s3.delete_public_access_block(Bucket=bucket["Name"])
    for group in ec2.describe_security_groups()["SecurityGroups"]:
        if group["GroupName"].endswith("-nodes"):
            ec2.create_tags(Resources=[group["GroupId"]], Tags=[{"Key": "by", "Value": "hand"}])
    for url in sqs.list_queues().get("QueueUrls", ()):
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"MessageRetentionPeriod": "600"})
    for key in account.client("logs").describe_log_groups()["logGroups"]:
        name = key["logGroupName"]
        account.client("logs").put_retention_policy(logGroupName=name, retentionInDays=1)


def left(account: Account) -> list[str]:
    """Return what carries tags after a destroy; a key waits a week for its end, on AWS too."""
    tagging = account.client("resourcegroupstaggingapi")
    found = [one["ResourceARN"] for one in tagging.get_resources()["ResourceTagMappingList"]]
    return sorted(arn for arn in found if ":kms:" not in arn)


@contextmanager
def stand_in(folder: Path) -> Iterator[tuple[Account, Mapping[str, str]]]:
    """Yield an account and the environment of the stand-in."""
    with open_account(folder / "account") as account, serve_provider(account) as environment:
        yield account, environment


def real(overrides: Path | None) -> Callable[[Path], Any]:
    """Return what yields an account and the environment of the real provider."""

    @contextmanager
    def opened(folder: Path) -> Iterator[tuple[Account, Mapping[str, str]]]:
        with serve_account(folder / "account") as account:
            environment = dict(account.provider_environment)
            if overrides:
                settings = folder / "terraformrc"
                named = f'dev_overrides {{ "hashicorp/aws" = "{overrides.resolve()}" }}'
                settings.write_text(f"provider_installation {{\n  {named}\n  direct {{}}\n}}\n")
                environment["TF_CLI_CONFIG_FILE"] = str(settings)
            yield account, environment

    return opened


def differences(theirs: Life, ours: Life) -> list[str]:
    """Return what no table explains."""
    found, _ = unexplained(compare(planned(theirs.plan), planned(ours.plan)), IN_PLANS)
    states = [by_address(life.state["values"]["root_module"]) for life in (theirs, ours)]
    found += unexplained(compare(*states), IN_STATES)[0]
    for what in ("second", "drift", "left"):
        one, other = getattr(theirs, what), getattr(ours, what)
        if one != other:
            found.append(f"{what}: the real provider {one}, the stand-in {other}")
    found += [f"the second plan is not empty: {address}" for address in theirs.second]
    return found


def report(environment: str, theirs: Life, ours: Life, found: list[str]) -> str:
    """Return the comparison as Markdown."""
    steps = "\n".join(
        f"| {step} | {theirs.seconds[step]} | {ours.seconds[step]} |" for step in theirs.seconds
    )
    listed = "\n".join(f"- {one}" for one in found) or "None that is not explained."
    return f"""# The real provider and the stand-in: {environment}

| step | real, s | stand-in, s |
|---|---|---|
{steps}

## Differences

{listed}
"""


def main() -> None:
    """Compare the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", default="staging", help="a file in terraform/environments")
    parser.add_argument("--root", type=Path, default=REPOSITORY / "terraform")
    parser.add_argument("--values", type=Path, help="a tfvars file, instead of the environment's")
    parser.add_argument("--overrides", type=Path, help="the folder of a provider that was built")
    parser.add_argument("--stand-in", action="store_true", help="in the real provider's place too")
    parser.add_argument("--out", type=Path, help="where the report goes")
    options = parser.parse_args()
    values = options.values or options.root / f"environments/{options.environment}.tfvars"
    lives = []
    for opened in (stand_in if options.stand_in else real(options.overrides), stand_in):
        with tempfile.TemporaryDirectory() as name, opened(Path(name)) as (account, environment):
            lives.append(
                live(Path(name), options.root, account, environment, str(values.resolve()))
            )
    theirs, ours = lives
    found = differences(theirs, ours)
    text = report(options.environment, theirs, ours, found)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text)
    print(text)
    sys.exit(CHECK_SAID_NO if found else 0)


if __name__ == "__main__":
    main()
