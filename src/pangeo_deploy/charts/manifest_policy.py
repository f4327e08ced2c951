"""What no rendered manifest and no values may do, as two tables of rules."""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from hub_costs.machines import fits, of_size
from pangeo_deploy.charts.render import Manifest
from pangeo_deploy.charts.trees import Values, at

LONG_RUNNING = ("Deployment", "StatefulSet", "DaemonSet")
METADATA = "169.254.169.254"
# The one pod that must be privileged: it runs the Docker that builds Binder's images.
PRIVILEGED = ("docker-api",)
# What the charts that we depend on do and let no value change: (name's beginning, rule) -> why it
# stays. Looked at when a chart's version changes.
ACCEPTED = {
    ("binderhub-", "metadata address"): "the nodes' hop limit of 1 keeps pods from it all the same",
    ("binderhub", "probes"): "the chart has a probe only where it is not a hub's service",
    ("controller-pangeo-dask-gateway", "probes"): "its port serves a health check alone",
    ("controller-pangeo-dask-gateway", "privileges"): "the chart has no value for it",
    ("controller-pangeo-dask-gateway", "seccomp"): "the chart has no value for it",
    ("api-pangeo-dask-gateway", "privileges"): "the chart has no value for it",
    ("api-pangeo-dask-gateway", "seccomp"): "the chart has no value for it",
    ("traefik-pangeo-dask-gateway", "privileges"): "the chart has no value for it",
    ("traefik-pangeo-dask-gateway", "seccomp"): "the chart has no value for it",
    ("autohttps", "probes"): "the chart has no value for it",
}


def accepted(manifest: Manifest, rule: str) -> bool:
    """Tell whether a chart's manifest may break this rule."""
    name = manifest["metadata"]["name"]
    return any(rule == known and name.startswith(start) for start, known in ACCEPTED)


def hooks(manifest: Manifest) -> list[str]:
    """Return when Helm applies a manifest, if not with the others: before an upgrade, as a test."""
    annotations = manifest["metadata"].get("annotations") or {}
    return str(annotations.get("helm.sh/hook", "")).split(",")


def pod_of(manifest: Manifest) -> dict[str, Any] | None:
    """Return the pod specification that a manifest holds, whatever its kind."""
    spec = manifest.get("spec") or {}
    if manifest["kind"] == "Pod":
        return dict(spec)
    if manifest["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    pod = (spec.get("template") or {}).get("spec") or {}
    return pod if "containers" in pod else None


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a pod's containers, those that run before it included."""
    return [*pod.get("initContainers", ()), *pod["containers"]]


def limits(manifest: Manifest, pod: dict[str, Any]) -> Iterator[str]:
    """Every container asks for memory and CPU and has a limit of memory."""
    for one in pod["containers"]:
        resources = one.get("resources") or {}
        asked, limit = resources.get("requests") or {}, resources.get("limits") or {}
        if not {"cpu", "memory"} <= set(asked) or "memory" not in limit:
            yield f"container {one['name']} has no requests of CPU and memory or no memory limit"


def probes(manifest: Manifest, pod: dict[str, Any]) -> Iterator[str]:
    """What runs on and serves a port says when it is ready and when it is ill."""
    if manifest["kind"] in LONG_RUNNING:
        for one in pod["containers"]:
            if one.get("ports") and not (one.get("readinessProbe") or one.get("livenessProbe")):
                yield f"container {one['name']} serves a port and has no probe"


def privileges(manifest: Manifest, pod: dict[str, Any]) -> Iterator[str]:
    """Nothing is privileged or shares the node, but for the builder of images."""
    builder = any(part in manifest["metadata"]["name"] for part in PRIVILEGED)
    for flag in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(flag):
            yield f"{flag} is set"
    for one in containers(pod):
        security = one.get("securityContext") or {}
        if builder:
            continue
        if security.get("privileged"):
            yield f"container {one['name']} is privileged"
        if security.get("allowPrivilegeEscalation") is not False:
            yield f"container {one['name']} may gain privileges"


def seccomp(manifest: Manifest, pod: dict[str, Any]) -> Iterator[str]:
    """System calls are filtered."""
    whole = ((pod.get("securityContext") or {}).get("seccompProfile") or {}).get("type")
    for one in containers(pod):
        security = one.get("securityContext") or {}
        own = (security.get("seccompProfile") or {}).get("type")
        if (own or whole) not in ("RuntimeDefault", "Localhost") and not security.get("privileged"):
            yield f"container {one['name']} has no seccomp profile"


def images(manifest: Manifest, pod: dict[str, Any]) -> Iterator[str]:
    """An image is named by a tag or digest that does not move."""
    for one in containers(pod):
        image = str(one.get("image", ""))
        tag = image.rpartition("/")[2].partition(":")[2]
        if "@sha256:" not in image and tag in ("", "latest"):
            yield f"container {one['name']} has an image without a fixed tag: {image}"


POD_RULES: dict[str, Callable[[Manifest, dict[str, Any]], Iterator[str]]] = {
    "limits": limits,
    "probes": probes,
    "privileges": privileges,
    "seccomp": seccomp,
    "images": images,
}


def metadata_address(manifest: Manifest) -> Iterator[str]:
    """No policy opens the whole internet without leaving out the metadata address."""
    if manifest["kind"] != "NetworkPolicy":
        return
    for rule in manifest["spec"].get("egress") or ():
        for peer in rule.get("to") or ():
            block = peer.get("ipBlock") or {}
            excepted = block.get("except") or ()
            if block.get("cidr") == "0.0.0.0/0" and not any(
                one.startswith(("169.254.0.0/", METADATA)) for one in excepted
            ):
                yield f"egress to 0.0.0.0/0 does not leave out {METADATA}"


def secrets(manifest: Manifest) -> Iterator[str]:
    """Our own manifests hold no secret."""
    if manifest["kind"] == "Secret" and (manifest.get("data") or manifest.get("stringData")):
        yield "a Secret with content"


MANIFEST_RULES: dict[str, Callable[[Manifest], Iterator[str]]] = {
    "metadata address": metadata_address
}
OWN_RULES = {**MANIFEST_RULES, "secrets": secrets}


def values_rules(chart: str, values: Values) -> Iterator[tuple[str, str]]:
    """Yield (rule, what is wrong) for the values of a chart."""
    rules = {"pangeo": _pangeo, "support": _support}[chart]
    yield from rules(values)


def _pangeo(values: Values) -> Iterator[tuple[str, str]]:
    pangeo, hub = values["pangeo"], at(values, ("jupyterhub", "hub"))
    login, dask = pangeo["login"], pangeo["dask"]
    here = re.fullmatch(r"http://(localhost|127\.0\.0\.1)(:\d+)?", pangeo["url"])
    if not here and not pangeo["url"].startswith("https://"):
        yield "url", "pangeo.url must be the https address of the hub"
    if login["provider"] == "local" and not here:
        yield "login", "the login `local` is for a hub at localhost that nobody else reaches"
    yield from (("login", told) for told in _login(login))
    if classes := set(hub.get("config") or {}) - {"JupyterHub", "KubeSpawner"}:
        yield (
            "login",
            f"jupyterhub.hub.config sets {sorted(classes)}: the login is helm/files/hub.py's",
        )
    if {"authenticator_class", "spawner_class"} & set(
        (hub.get("config") or {}).get("JupyterHub") or {}
    ):
        yield "login", "jupyterhub.hub.config chooses an authenticator or spawner of its own"
    if extra := set(hub.get("extraConfig") or {}) - {"pangeo"}:
        yield "login", f"jupyterhub.hub.extraConfig has {sorted(extra)} beside helm/files/hub.py"
    user = at(values, ("jupyterhub", "singleuser", "networkPolicy"))
    if user.get("enabled") is False or at(user, ("egressAllowRules",)).get("cloudMetadataServer"):
        yield "metadata address", "servers can reach the metadata address"
    if at(values, ("jupyterhub", "cull")).get("enabled") is not False:
        yield "culling", "two cullers: helm/files/hub.py starts the one that the rehearsal tests"
    for most, one in (
        ("worker_cores_max", "worker_cores"),
        ("worker_memory_gib_max", "worker_memory_gib"),
    ):
        if dask[one] > dask[most]:
            yield "dask", f"pangeo.dask.{one} is above {most}"
    if dask["cluster_max_cores"] > dask["quota"]["cores"]:
        yield "dask", "one cluster may ask for more cores than the quota of all workers"
    scheduler = at(values, ("dask-gateway", "gateway", "backend", "scheduler", "extraPodConfig"))
    pools = at(values, ("dask-gateway", "gateway", "backend", "worker", "extraPodConfig"))
    on_demand = at(scheduler, ("nodeSelector",)).get("karpenter.sh/capacity-type") == "on-demand"
    if pools.get("nodeSelector") and not on_demand:
        yield "spot", "schedulers may land on spot nodes"
    for profile in pangeo["profiles"]:
        yield from _packs(profile)


# What a provider needs in pangeo.login.options.
NEEDED = {
    "cilogon": ("idps",),
    "oidc": ("authorize_url", "token_url", "userdata_url"),
}


def _login(login: dict[str, Any]) -> Iterator[str]:
    provider, options = login["provider"], login["options"]
    if missing := [key for key in NEEDED.get(provider, ()) if key not in options]:
        yield f"the login {provider} needs pangeo.login.options.{missing[0]}"
    if login["teams"] and provider != "github":
        yield f"pangeo.login.teams are GitHub's, and the login is {provider}"
    by_groups = options.get("allowed_groups") and options.get("manage_groups")
    if options.get("allowed_groups") and not options.get("manage_groups"):
        yield "pangeo.login.options.allowed_groups does nothing without manage_groups: true"
    by_provider = any(
        one.get("allow_all") or one.get("allowed_domains")
        for one in (options.get("idps") or {}).values()
    )
    anybody = login["teams"] or login["users"] or by_groups or by_provider
    if provider != "local" and not anybody:
        yield "nobody may log in: name teams, users, groups or domains in pangeo.login"


def _packs(profile: dict[str, Any]) -> Iterator[tuple[str, str]]:
    share, node = profile["node"]["share"], profile["node"]
    count = fits(
        of_size(node["cpu"], Decimal(node["memory_gib"])),
        Decimal(str(profile["cpu_guarantee"])),
        Decimal(profile["memory_guarantee_mib"]),
    )
    if count != share:
        yield "packing", f"profile {profile['slug']}: {count} fit its node, {share} should"
    for what in ("cpu", "memory"):
        unit = "_mib" if what == "memory" else ""
        if profile[f"{what}_guarantee{unit}"] > profile[f"{what}_limit{unit}"]:
            yield "packing", f"profile {profile['slug']} guarantees more {what} than its limit"


def _support(values: Values) -> Iterator[tuple[str, str]]:
    for name, pool in values["pools"].items():
        if pool["purpose"] == "user" and pool["capacity"] != ["on-demand"]:
            yield "spot", f"pool {name}: users' servers and schedulers must be on demand"
        if "spot" in pool["capacity"] and len(pool["shapes"]) < 4:
            yield "spot", f"pool {name}: fewer than four shapes on spot"
