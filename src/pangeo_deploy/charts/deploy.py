"""Install the charts in an environment's cluster: check, secrets, CRDs, Helm, smoke test."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pangeo_core.errors import BadInput, CheckFailed, MissingPrerequisite, PangeoDeployError
from pangeo_core.progress import Event, Progress, silent
from pangeo_deploy.charts.check import DEPENDENCIES, Checked, check
from pangeo_deploy.charts.render import NAMESPACES
from pangeo_deploy.charts.values import CHARTS, Values, complete
from pangeo_deploy.deployment import Deployment

LOGIN = "pangeo-login"  # the Secret that the hub's environment reads
LOGIN_KEYS = {"client-id": "OAUTH_CLIENT_ID", "client-secret": "OAUTH_CLIENT_SECRET"}
# The Secret that Prometheus mounts, and where the hub's chart keeps what it holds.
METRICS, METRICS_KEY = "hub-metrics", "hub.services.prometheus.apiToken"
SECRET = re.compile(r"secret|token|password|credential|private|api_?key", re.IGNORECASE)
PROGRAMS = {
    "helm": "https://helm.sh/docs/intro/install/",
    "kubectl": "https://kubernetes.io/docs/tasks/tools/",
}

Smoke = Callable[[], bool]
ReadSecret = Callable[[str], str]


class ClusterRefused(PangeoDeployError):
    """Helm or kubectl failed; `why` holds its own words."""


@dataclass(frozen=True)
class Deployed:
    """What was installed: each chart's revision before and after, and what the smoke test said."""

    environment: str
    revisions: Mapping[str, tuple[int, int]]
    smoke: bool | None
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)


def deploy(
    deployment: Deployment,
    outputs: Mapping[str, Any],
    read_secret: ReadSecret,
    smoke: Smoke | None = None,
    progress: Progress = silent,
) -> Deployed:
    """Install or upgrade the charts in the cluster that kubectl's context names.

    `outputs` are Terraform's. `read_secret(name)` returns a secret of AWS Secrets Manager. `smoke`
    visits the hub and tells whether all is well: if not, the hub goes back to the revision before,
    and `CheckFailed` is raised. Raises `CheckFailed` for charts that
    do not pass their checks, `ClusterRefused` with Helm's words (Helm itself has then undone it).
    """
    begun = time.monotonic()
    require_context(deployment)
    for chart in CHARTS:
        require_lock(deployment.project / "helm" / chart)
        run("helm", "dependency", "build", str(deployment.project / "helm" / chart))
    require_well(check(deployment.project, deployment.environment))
    apply_login(login_secret(deployment, outputs, read_secret))
    share_metrics_token()  # Prometheus mounts it, at the first deploy before there is one
    revisions = {}
    for chart in CHARTS:
        values = complete(deployment.project, chart, deployment.environment, outputs)
        progress(Event(chart, "start"))
        since = time.monotonic()
        revisions[chart] = install(deployment.project / "helm" / chart, chart, values)
        progress(Event(chart, "done", f"revision {revisions[chart][1]}", time.monotonic() - since))
    share_metrics_token()
    well = smoke() if smoke else None
    if well is False:
        back = undo("pangeo", revisions["pangeo"][0])
        raise CheckFailed("The smoke test failed after the deploy.", why=back)
    return Deployed(deployment.environment, revisions, well, time.monotonic() - begun)


def require_well(checked: Checked) -> None:
    """Refuse charts that do not pass their checks."""
    if not checked.ok:
        first = checked.findings[0]
        raise CheckFailed(
            f"{len(checked.findings)} findings in the charts: nothing was deployed.",
            why=f"The first: {first.chart} {first.where}: {first.message}",
            fix=f"pangeo-deploy charts check {checked.environment}",
        )


def remove(deployment: Deployment) -> None:
    """Take the charts out of the cluster, the last installed first, with what they made in AWS.

    Load balancers and volumes belong to things in the cluster: gone with them, and not found by
    Terraform, which would leave them behind.
    """
    require_context(deployment)
    if revision("support"):  # Karpenter ends its nodes, so it must go after them
        run("kubectl", "delete", "nodepools.karpenter.sh", "--all", "--wait")
    for chart in reversed(CHARTS):
        if revision(chart):
            run("helm", "uninstall", chart, "--namespace", NAMESPACES[chart], "--wait")
        words = ("delete", "persistentvolumeclaims", "--all", "--wait")
        run("kubectl", *words, "--namespace", NAMESPACES[chart])


def require_context(deployment: Deployment) -> None:
    """Refuse a machine without the programs, or one that points at another cluster."""
    for program, address in PROGRAMS.items():
        if not shutil.which(program):
            raise MissingPrerequisite(f"There is no {program} on PATH.", fix=f"See {address}")
    cluster = run("kubectl", "config", "current-context").strip()
    if deployment.name not in cluster:
        raise BadInput(
            f"kubectl points at {cluster}, not at the cluster of {deployment.environment}.",
            fix=f"aws eks update-kubeconfig --name {deployment.name}",
        )


def require_lock(chart: Path) -> None:
    """Refuse a chart whose dependencies' versions are not pinned by a lock that was reviewed."""
    if not (chart / "Chart.lock").exists():
        raise MissingPrerequisite(
            f"The dependencies of the chart {chart.name} are not locked.",
            why="Without Chart.lock, Helm takes whatever fits the ranges of Chart.yaml that day.",
            fix=f"Run: helm dependency update helm/{chart.name}, and commit its Chart.lock.",
        )


def login_secret(
    deployment: Deployment, outputs: Mapping[str, Any], read_secret: ReadSecret
) -> dict[str, str]:
    """Return GitHub's client id and secret: from the environment, else from Secrets Manager."""
    if all(os.environ.get(name) for name in LOGIN_KEYS.values()):
        return {key: os.environ[name] for key, name in LOGIN_KEYS.items()}
    name = f"{outputs.get('secrets_prefix', f'{deployment.name}/hub/')}login"
    try:
        stored = json.loads(read_secret(name))
        return {key: str(stored[key]) for key in LOGIN_KEYS}
    except (KeyError, ValueError, TypeError):
        raise BadInput(
            f"The secret {name} does not hold the login's keys.",
            why=f"It must be a JSON object with {' and '.join(LOGIN_KEYS)}.",
            fix="Write it with: aws secretsmanager put-secret-value",
        ) from None


def secret_reader(client: Any) -> ReadSecret:
    """Return a function that reads a secret with a boto3 client of Secrets Manager."""

    def read(name: str) -> str:
        try:
            return str(client.get_secret_value(SecretId=name)["SecretString"])
        except client.exceptions.ResourceNotFoundException:
            raise MissingPrerequisite(
                f"Secrets Manager has no secret {name}.",
                why="It holds the client id and secret of the GitHub OAuth application.",
                fix=f"aws secretsmanager create-secret --name {name} --secret-string ...",
            ) from None

    return read


def apply_login(secret: Mapping[str, str]) -> None:
    """Give the cluster the login's secret, over stdin: it is in no argument, file or log."""
    for name in NAMESPACES.values():
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        run("kubectl", "apply", "--server-side", "-f", "-", given=json.dumps(space))
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": LOGIN, "namespace": NAMESPACES["pangeo"]},
        "stringData": dict(secret),
    }
    words = ("apply", "--server-side", "--force-conflicts", "-f", "-")
    run("kubectl", *words, given=json.dumps(manifest), secret=True)


def share_metrics_token() -> None:
    """Give Prometheus the token of the hub's service of that name, which the hub's chart made.

    A Secret is read in its own namespace only. Prometheus reads the file anew at each scrape.
    """
    space = ("--namespace", NAMESPACES["pangeo"])
    words = ("get", "secret", "hub", *space, "--ignore-not-found", "--output", "json")
    hub = json.loads(run("kubectl", *words, secret=True) or "{}")
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": METRICS, "namespace": NAMESPACES["support"]},
        "data": {"token": hub.get("data", {}).get(METRICS_KEY, "")},
    }
    apply = ("apply", "--server-side", "--force-conflicts", "-f", "-")
    run("kubectl", *apply, given=json.dumps(manifest), secret=True)


def install(folder: Path, chart: str, values: Values) -> tuple[int, int]:
    """Install or upgrade one chart and wait for it; return the revision before and after.

    CRDs go first and server-side: Helm never upgrades them.
    """
    before = revision(chart)
    for name in DEPENDENCIES[chart]:
        if (crds := folder / "charts" / name / "crds").is_dir():
            run("kubectl", "apply", "--server-side", "--force-conflicts", "-f", str(crds))
    space = ("--namespace", NAMESPACES[chart])
    words = ("upgrade", "--install", "--atomic", "--wait", "--timeout", "15m")
    run("helm", *words, *space, chart, str(folder), "--values", "-", given=json.dumps(values))
    return before, revision(chart)


def revision(chart: str) -> int:
    """Return a release's revision, 0 where it is not installed."""
    try:
        told = run("helm", "status", chart, "--namespace", NAMESPACES[chart], "--output", "json")
    except ClusterRefused as error:
        if "not found" in error.why:
            return 0
        raise
    return int(json.loads(told)["version"])


def undo(chart: str, before: int) -> str:
    """Go back to the revision before, and tell what was done."""
    if not before:
        return "It was the first deploy: with no revision to go back to, it was left as it is."
    words = ("rollback", chart, str(before), "--wait", "--namespace", NAMESPACES[chart])
    run("helm", *words)
    return f"{chart} went back to revision {before}."


def run(*command: str, given: str | None = None, secret: bool = False) -> str:
    """Run a program and return what it prints; its words are left out of errors if `secret`."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        why = "(not shown: it may hold a secret)" if secret else done.stderr.strip()
        raise ClusterRefused(f"{' '.join(command[:2])} failed.", why=why)
    return done.stdout


def redacted(values: Any) -> Any:
    """Return values to be shown: what sits under a name of a secret is struck out."""
    if isinstance(values, dict):
        return {
            key: "***"
            if isinstance(value, str) and value and SECRET.search(key)
            else redacted(value)
            for key, value in values.items()
        }
    return [redacted(one) for one in values] if isinstance(values, list) else values
