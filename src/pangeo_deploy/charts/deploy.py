"""Install the charts in an environment's cluster: check, secrets, CRDs, Helm, smoke test."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pangeo_core.errors import BadInput, CheckFailed, MissingPrerequisite
from pangeo_core.progress import Event, Progress, silent
from pangeo_deploy.charts import dependencies, entrances, secrets, volumes
from pangeo_deploy.charts.check import Checked, check
from pangeo_deploy.charts.programs import (
    ClusterRefused,
    apply,
    get,
    helm_major,
    require_programs,
    run,
    warnings,
)
from pangeo_deploy.charts.render import NAMESPACES
from pangeo_deploy.charts.trees import Values
from pangeo_deploy.charts.values import CHARTS, complete, platform
from pangeo_deploy.deployment import Deployment

__all__ = ["ClusterRefused", "Deployed", "deploy", "require_cluster", "revision"]

TIMEOUT = "15m"
OLDEST_MINOR = 32  # of Kubernetes 1: kubeVersion of both charts
OWNER = "pangeo.io/environment"  # annotation of the namespaces: whose they are
# A release that Helm left in the middle belongs to a deploy that still runs, or to one that died.
STALE = timedelta(minutes=30)

Smoke = Callable[[], bool]


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
    read_secret: secrets.ReadSecret | None = None,
    smoke: Smoke | None = None,
    progress: Progress = silent,
    on: str = "eks",
    ready: Callable[[], None] | None = None,
) -> Deployed:
    """Install or upgrade the charts in the cluster that kubectl's context names.

    `outputs` are Terraform's, empty without it. `read_secret(name)` returns a secret of AWS Secrets
    Manager, where there is one. `smoke` visits the hub and tells whether all is well: if not, the
    hub goes back to the revision before, and `CheckFailed` is raised. `on` is the platform that the
    environment must be made for; `ready` raises where something else is missing. Raises
    `CheckFailed` for charts that do not pass their checks, `ClusterRefused` with Helm's words (Helm
    itself has then undone it).
    """
    begun = time.monotonic()
    project, environment = deployment.project, deployment.environment
    require_cluster(deployment, on)
    for chart in CHARTS:
        dependencies.require_lock(project / "helm" / chart)
        dependencies.build(project / "helm" / chart)
    require_well(check(project, environment, outputs))
    if ready:
        ready()
    require_namespaces(environment)
    login = secrets.login_secret(deployment, outputs, read_secret)
    for name in NAMESPACES.values():
        space = {"name": name, "annotations": {OWNER: environment}}
        apply({"apiVersion": "v1", "kind": "Namespace", "metadata": space})
    secrets.apply_login(login)
    values = {chart: complete(project, chart, environment, outputs) for chart in CHARTS}
    tokens = secrets.ensure_hub_secret(values["pangeo"])
    secrets.share_metrics_token(tokens)
    secrets.ensure_grafana_login(values["support"])
    secrets.with_hub_secret(values["pangeo"], tokens)
    revisions = {}
    for chart in CHARTS:
        progress(Event(chart, "start"))
        since = time.monotonic()
        revisions[chart] = install(deployment, chart, values[chart])
        progress(Event(chart, "done", f"revision {revisions[chart][1]}", time.monotonic() - since))
    entrances.await_load_balancer(progress)
    well: bool | None = None
    before, why = revisions["pangeo"][0], ""
    try:
        well = smoke() if smoke else None
    except entrances.NotReached as error:
        if not before:  # nobody made the record yet: that is no fault of the charts
            raise
        well, why = False, f"{error.what} {error.why} "
    if well is False:
        raise CheckFailed(
            "The smoke test failed after the deploy.", why=f"{why}{undo('pangeo', before, tokens)}"
        )
    return Deployed(environment, revisions, well, time.monotonic() - begun)


def require_well(checked: Checked) -> None:
    """Refuse charts that do not pass their checks."""
    if not checked.ok:
        first = checked.findings[0]
        raise CheckFailed(
            f"{len(checked.findings)} findings in the charts: nothing was deployed.",
            why=f"The first: {first.chart} {first.where}: {first.message}",
            fix=f"pangeo-deploy charts check {checked.environment}",
        )


def require_cluster(deployment: Deployment, on: str) -> None:
    """Refuse an environment made for another platform than `on`, and the wrong cluster."""
    made_for = platform(deployment.project, deployment.environment)
    if on != made_for:
        raise BadInput(
            f"The environment {deployment.environment} is not made for {deployment.target}.",
            why=f"Its values are for {made_for or 'any Kubernetes'}.",
            fix=f"See the key `platform` in helm/environments/{deployment.environment}.yaml.",
        )
    require_programs()
    context = run("kubectl", "config", "current-context").strip()
    # EKS' context is an ARN that ends in the cluster's name, or the name that somebody gave it.
    if on == "eks" and context.rpartition("/")[2] != deployment.name:
        raise BadInput(
            f"kubectl points at {context}, not at the cluster of {deployment.environment}.",
            fix=f"aws eks update-kubeconfig --name {deployment.name}",
        )
    told = json.loads(run("kubectl", "version", "--output", "json")).get("serverVersion") or {}
    minor = int("".join(filter(str.isdigit, told.get("minor", "0"))) or 0)
    if minor < OLDEST_MINOR:
        raise MissingPrerequisite(
            f"The cluster runs Kubernetes {told.get('gitVersion', 'of an unknown version')}.",
            why=f"The charts need 1.{OLDEST_MINOR} or newer.",
            fix="Upgrade the cluster, or point kubectl at another.",
        )


def require_namespaces(environment: str) -> None:
    """Refuse namespaces that hold another environment's hub, or something that is not ours."""
    for chart, name in NAMESPACES.items():
        space = get("namespace", name)
        if not space or (revision(chart) and OWNER not in _annotations(space)):
            continue
        owner = _annotations(space).get(OWNER)
        if owner == environment:
            continue
        if owner:
            raise BadInput(
                f"The namespace {name} of this cluster holds the environment {owner}.",
                why=f"A cluster has one hub, and {environment} would replace it.",
                fix="Point kubectl at the right cluster, or remove the other one first.",
            )
        if get("pods", namespace=name).get("items"):
            raise BadInput(
                f"The namespace {name} of this cluster is in use, and not by a hub of ours.",
                fix=f"If it may be used: kubectl annotate namespace {name} {OWNER}={environment}",
            )


def _annotations(resource: dict[str, Any]) -> dict[str, str]:
    return dict(resource["metadata"].get("annotations") or {})


def install(deployment: Deployment, chart: str, values: Values) -> tuple[int, int]:
    """Install or upgrade one chart and wait for it; return the revision before and after.

    CRDs go first and server-side: Helm never upgrades them.
    """
    folder = deployment.project / "helm" / chart
    space = NAMESPACES[chart]
    recover(chart)
    before = revision(chart)
    dependencies.apply_crds(folder, values)
    back = "--rollback-on-failure" if helm_major() > 3 else "--atomic"  # the same thing renamed
    with dependencies.copied(folder) as copy:
        if before:
            volumes.require_growth_alone(chart, copy, values)
        words = ["upgrade", "--install", back, "--wait", "--timeout", TIMEOUT, *forced()]
        words += ["--namespace", space, chart, str(copy), "--values", "-"]
        try:
            run("helm", *words, given=json.dumps(values))
        except ClusterRefused as error:
            if told := warnings(space):
                error.why = f"{error.why}\nKubernetes' own warnings, the newest first:\n{told}"
            raise
    return before, revision(chart)


def forced() -> list[str]:
    """Return what has Helm overwrite edits made by kubectl: Helm 3 does so unasked."""
    return ["--force-conflicts"] if helm_major() > 3 else []


def recover(chart: str) -> None:
    """Undo what an earlier deploy left in the middle when it was killed.

    Helm refuses to touch such a release. Raises `ClusterRefused` if that deploy may still run.
    """
    status = _status(chart)
    state = str(status.get("info", {}).get("status", ""))
    if not state.startswith("pending"):
        return
    since = datetime.fromisoformat(str(status["info"]["last_deployed"])[:19]).replace(tzinfo=UTC)
    if datetime.now(UTC) - since < STALE:
        raise ClusterRefused(
            f"The release {chart} is {state} since {since:%H:%M} UTC.",
            why="Another deploy runs, or one was killed.",
            fix=f"Wait: {STALE.seconds // 60} minutes after its start this command undoes it.",
        )
    space = ("--namespace", NAMESPACES[chart])
    if state == "pending-install":
        run("helm", "uninstall", chart, *space, "--wait", "--timeout", TIMEOUT)
    else:
        run("helm", "rollback", chart, *space, "--wait", "--timeout", TIMEOUT, *forced())


def _status(chart: str) -> dict[str, Any]:
    try:
        words = ("status", chart, "--namespace", NAMESPACES[chart], "--output", "json")
        return dict(json.loads(run("helm", *words)))
    except ClusterRefused as error:
        if "not found" in error.why:
            return {}
        raise


def revision(chart: str) -> int:
    """Return a release's revision, 0 where it is not installed."""
    return int(_status(chart).get("version", 0))


def undo(chart: str, before: int, tokens: Mapping[str, str]) -> str:
    """Go back to the revision before, and tell what was done.

    The chart's own Secret comes back as it was then, with a proxy's token that may have been
    replaced since: it is set again.
    """
    if not before:
        return "It was the first deploy: with no revision to go back to, it was left as it is."
    space = NAMESPACES[chart]
    words = ("rollback", chart, str(before), "--wait", "--timeout", TIMEOUT, *forced())
    run("helm", *words, "--namespace", space)
    if secrets.restore_proxy_token(tokens):
        for name in ("proxy", "hub"):
            run("kubectl", "rollout", "restart", f"deployment/{name}", "--namespace", space)
    return f"{chart} went back to revision {before}."
