"""Take the charts out of a cluster, with everything that they made in it and in AWS."""

import time

from pangeo_core.progress import Event, Progress, silent
from pangeo_deploy.charts.deploy import require_cluster, revision
from pangeo_deploy.charts.programs import ClusterRefused, get, run, warnings
from pangeo_deploy.charts.render import NAMESPACES
from pangeo_deploy.charts.values import CHARTS
from pangeo_deploy.deployment import Deployment

__all__ = ["remove"]

PATIENCE = "--timeout=15m"
LAST_PATIENCE_SECONDS = 180.0
KARPENTER = (
    "nodepools.karpenter.sh",
    "nodeclaims.karpenter.sh",
    "ec2nodeclasses.karpenter.k8s.aws",
)
# What would stay in AWS and be billed: nothing may be left of these.
BILLED = ("persistentvolumes", "nodeclaims.karpenter.sh")
SECRETS = {"pangeo": ("pangeo-login", "pangeo-hub"), "support": ("hub-metrics", "grafana-admin")}


def remove(deployment: Deployment, progress: Progress = silent, on: str = "eks") -> None:
    """Take the charts out of the cluster, with what they made in AWS; homes stay.

    Load balancers, volumes and machines belong to things in the cluster: gone with them, and not
    found by Terraform, which would leave them behind. So what people run ends first, then the nodes
    that it ran on, and what ends a thing goes after that thing. Can be run again at any point.
    Raises `ClusterRefused` naming what is left.
    """
    require_cluster(deployment, on)
    hub = NAMESPACES["pangeo"]
    kinds = _kinds()
    progress(Event("people's pods", "start"))
    if "daskclusters.gateway.dask.org" in kinds:
        _delete("daskclusters.gateway.dask.org", "--namespace", hub)
    for label in ("component=singleuser-server", "component=binderhub-build"):
        _delete("pods", "--namespace", hub, f"--selector={label}")
    _delete("secrets", "--namespace", hub, "--selector=gateway.dask.org/cluster")
    progress(Event("people's pods", "done"))
    if KARPENTER[0] in kinds:  # foreground: only then does it wait for the machines
        progress(Event("nodes", "start"))
        _delete(KARPENTER[0], "--cascade=foreground")
        progress(Event("nodes", "done"))
    for chart in reversed(CHARTS):
        progress(Event(chart, "start"))
        if chart == "support" and KARPENTER[2] in kinds:  # its finalizer is Karpenter's
            _delete(KARPENTER[2])
        if revision(chart):
            space = ("--namespace", NAMESPACES[chart])
            _explained(chart, "helm", "uninstall", chart, *space, "--wait", PATIENCE)
        _delete("persistentvolumeclaims", "--namespace", NAMESPACES[chart])
        words = ("secret", *SECRETS[chart], "--ignore-not-found")
        run("kubectl", "delete", *words, "--namespace", NAMESPACES[chart])
        progress(Event(chart, "done"))
    _require_nothing_left(kinds)


def _kinds() -> set[str]:
    listed = run("kubectl", "api-resources", "--output", "name", "--cached=false")
    return {*listed.split()}


def _delete(kind: str, *words: str) -> None:
    space = words[words.index("--namespace") + 1] if "--namespace" in words else "support"
    chart = next((chart for chart, name in NAMESPACES.items() if name == space), "support")
    all_of = () if any(word.startswith("--selector") for word in words) else ("--all",)
    _explained(chart, "kubectl", "delete", kind, *all_of, *words, "--wait", PATIENCE)


def _explained(chart: str, *command: str) -> None:
    try:
        run(*command)
    except ClusterRefused as error:
        if told := warnings(NAMESPACES[chart]):
            error.why = f"{error.why}\nKubernetes' own warnings, the newest first:\n{told}"
        raise


def _require_nothing_left(kinds: set[str]) -> None:
    until = time.monotonic() + LAST_PATIENCE_SECONDS  # volumes go a little after their claims
    while left := _left(kinds):
        if time.monotonic() > until:
            raise ClusterRefused(
                "The charts are gone, but not everything that they made.",
                why=f"Left: {', '.join(left)}.",
                fix="Run the command again in a few minutes: what stays is billed.",
            )
        time.sleep(2)


def _left(kinds: set[str]) -> list[str]:
    left = []
    for kind in BILLED:
        if kind in kinds or kind == "persistentvolumes":
            for item in get(kind).get("items") or ():
                claim = (item.get("spec") or {}).get("claimRef") or {}
                if kind != "persistentvolumes" or claim.get("namespace") in NAMESPACES.values():
                    left.append(f"{kind.partition('.')[0]} {item['metadata']['name']}")
    return left
