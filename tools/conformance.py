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
import platform
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY))  # the tables of explained differences are the tests' own

from tests.emulated_aws.conformance import (  # noqa: E402
    IN_PLANS,
    IN_STATES,
    NOT_RECORDED,
    by_address,
    compare,
    masked,
    planned,
    unexplained,
)

from emulated_aws import Account, open_account, serve_account, serve_provider  # noqa: E402
from emulated_aws.schema import load  # noqa: E402
from pangeo_core.terraform_json import everything, resource_changes  # noqa: E402
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
SAMPLE_SECONDS = 0.1
EXAMPLE = "example/hub"  # whom the bootstrap trusts
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}  # as Go names them


@dataclass(frozen=True)
class Took:
    """What a step took.

    Processor seconds of Terraform with what it starts (the real provider), and of this process (the
    account, and the stand-in); the most memory (MiB) that both held together, each shared page
    counted once.
    """

    seconds: float
    started_cpu: float
    here_cpu: float
    memory: float


@dataclass
class Life:
    """What one provider planned, recorded and found, and what each step took."""

    plan: Any
    state: Any
    second: list[str]
    drift: dict[str, str]
    left: list[str]
    steps: dict[str, Took]


@contextmanager
def measured(steps: dict[str, Took], step: str) -> Iterator[None]:
    """Note what the work inside takes as `step`."""
    done, most = threading.Event(), [0.0]

    def watch() -> None:
        while not done.wait(SAMPLE_SECONDS):
            most[0] = max(most[0], memory())

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    started, here, others = time.monotonic(), time.process_time(), children_cpu()
    try:
        yield
    finally:
        done.set()
        watching.join()
        steps[step] = Took(
            time.monotonic() - started,
            children_cpu() - others,
            time.process_time() - here,
            most[0],
        )


def children_cpu() -> float:
    """Return the processor seconds of all that this process started and that has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def memory() -> float:
    """Return the MiB that this process and all that it started hold."""
    total = 0
    here = psutil.Process()
    for process in (here, *here.children(recursive=True)):
        with suppress(psutil.Error):
            full = process.memory_full_info()
            total += getattr(full, "pss", full.rss)
    return total / 2**20


def live(
    folder: Path, root: Path, account: Account, environment: Mapping[str, str], given: str
) -> Life:
    """Take one provider through a life of the root module in `root`; `given` sets its variables."""
    work = folder / "work"
    work.mkdir()
    for path in root.iterdir():
        if path.suffix == ".tf":  # a life ends, what the bootstrap protects too
            text = path.read_text().replace("prevent_destroy = true", "prevent_destroy = false")
            (work / path.name).write_text(text)
        elif path.name in ("modules", "environments"):
            (work / path.name).symlink_to(path)
    (work / "emulated_override.tf").write_text(SETTINGS)
    steps: dict[str, Took] = {}

    def terraform(step: str, *arguments: str) -> str:
        with measured(steps, step):
            return Terraform(find_engine(), work, environment).read(*arguments)

    def plan(step: str) -> Any:
        terraform(step, "plan", "-input=false", given, "-out=tfplan")
        return json.loads(terraform("show", "show", "-json", "tfplan"))

    terraform("init", "init", "-input=false")
    first = plan("plan")
    terraform("apply", "apply", "-input=false", "tfplan")
    second = plan("second plan")
    refresh = ("apply", "-refresh-only", "-auto-approve", "-input=false", given)
    terraform("refresh", *refresh)
    state = json.loads(terraform("show", "show", "-json"))
    change_by_hand(account)
    drifted = plan("drift")
    destroy = ("destroy", "-auto-approve", "-input=false", given)
    terraform("destroy", *destroy)
    return Life(first, state, list(actions(second)), actions(drifted), left(account), steps)


def actions(plan: Any) -> dict[str, str]:
    """Return what a plan would do, by address."""
    return {
        changed.address: "+".join(changed.actions)
        for changed in resource_changes(plan)
        if changed.actions not in (("no-op",), ("read",))
    }


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


def mirrored(built: Path, mirror: Path) -> None:
    """Lay out the provider that was built in `built` as Terraform's mirror of the registry.

    By the version that the stand-in has the schema of, whichever source it was built from.
    """
    version = load().origin.split()[1].rstrip(",")
    target = f"{platform.system().lower()}_{MACHINES.get(platform.machine(), platform.machine())}"
    place = mirror / "registry.terraform.io/hashicorp/aws" / version
    place.mkdir(parents=True)
    (place / target).symlink_to(built)


def real(overrides: Path | None) -> Callable[[Path], Any]:
    """Return what yields an account and the environment of the real provider."""

    @contextmanager
    def opened(folder: Path) -> Iterator[tuple[Account, Mapping[str, str]]]:
        with serve_account(folder / "account") as account:
            environment = dict(account.provider_environment)
            if overrides:
                settings, mirror = folder / "terraformrc", folder / "mirror"
                named = f'filesystem_mirror {{\n    path = "{mirror}"\n  }}'
                settings.write_text(f"provider_installation {{\n  {named}\n}}\n")
                mirrored(overrides.resolve(), mirror)
                environment["TF_CLI_CONFIG_FILE"] = str(settings)
            yield account, environment

    return opened


def differences(theirs: Life, ours: Life) -> list[str]:
    """Return what no table explains."""
    found, _ = unexplained(compare(planned(theirs.plan), planned(ours.plan)), IN_PLANS)
    states = [by_address(everything(life.state)) for life in (theirs, ours)]
    found += unexplained(compare(*states), (*IN_STATES, *NOT_RECORDED))[0]
    for what in ("second", "drift", "left"):
        one, other = getattr(theirs, what), getattr(ours, what)
        if masked(one) != masked(other):
            found.append(f"{what}: the real provider {one}, the stand-in {other}")
    found += [f"the second plan is not empty: {address}" for address in theirs.second]
    return found


STEPS = ("plan", "apply", "second plan", "drift", "destroy")


def row(took: Took) -> str:
    """Return what a step took as cells of the table."""
    figures = (took.seconds, took.started_cpu, took.here_cpu)
    return " | ".join([*(f"{figure:.1f}" for figure in figures), f"{took.memory:.0f}"])


def report(environment: str, theirs: Life, ours: Life, found: list[str]) -> str:
    """Return the comparison as Markdown."""
    steps = "\n".join(
        f"| {step} | {row(theirs.steps[step])} | {row(ours.steps[step])} |" for step in STEPS
    )
    listed = "\n".join(f"- {one}" for one in found) or "None that is not explained."
    return f"""# The real provider and the stand-in: {environment}

Seconds; processor seconds of Terraform with the real provider and of this process with the account
and the stand-in; the most memory of all of them, MiB.

| step | real: s | CPU s | here | MiB | stand-in: s | CPU s | here | MiB |
|---|---|---|---|---|---|---|---|---|
{steps}

## Differences

{listed}
"""


def lived(provider: str, overrides: Path | None, root: Path, given: str) -> Life:
    """Take a provider, `real` or `stand-in`, through a life of its own."""
    opened = stand_in if provider == "stand-in" else real(overrides)
    with tempfile.TemporaryDirectory() as name, opened(Path(name)) as (account, environment):
        return live(Path(name), root, account, environment, given)


def main() -> None:
    """Compare the two, each in a process that holds nothing of the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    named = "a file in terraform/environments, or bootstrap"
    parser.add_argument("--environment", default="staging", help=named)
    parser.add_argument("--root", type=Path, default=REPOSITORY / "terraform")
    parser.add_argument("--values", type=Path, help="a tfvars file, instead of the environment's")
    parser.add_argument("--overrides", type=Path, help="the folder of a provider that was built")
    parser.add_argument("--stand-in", action="store_true", help="in the real provider's place too")
    parser.add_argument("--out", type=Path, help="where the report goes")
    options = parser.parse_args()
    root, values = options.root.resolve(), options.values
    if options.environment == "bootstrap" and not values:
        root, given = root / "bootstrap", f"-var=github_repository={EXAMPLE}"
    else:
        values = values or root / f"environments/{options.environment}.tfvars"
        given = f"-var-file={values.resolve()}"
    lives = []
    for provider in ("stand-in" if options.stand_in else "real", "stand-in"):
        with ProcessPoolExecutor(1, get_context("spawn")) as alone:
            asked = (provider, options.overrides, root, given)
            lives.append(alone.submit(lived, *asked).result())
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
