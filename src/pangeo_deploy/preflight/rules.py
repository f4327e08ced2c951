"""What the charts name in the cluster: nodes, classes, accounts, services, room."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pangeo_deploy.charts.dependencies import BRINGS, declared, enabled
from pangeo_deploy.charts.manifest_policy import containers, pod_of
from pangeo_deploy.charts.secrets import LOGIN, METRICS
from pangeo_deploy.charts.volumes import bytes_of
from pangeo_deploy.preflight import cloud_rules
from pangeo_deploy.preflight.facts import Facts, Manifest, NodeKind, Placement

Told = tuple[str, str, str]  # where, what is wrong, the way out

# What Kubernetes, or a deploy, has before the charts are installed.
GIVEN = {
    "PriorityClass": {"system-cluster-critical", "system-node-critical"},
    "ServiceAccount": {"default"},
    "ConfigMap": {"kube-root-ca.crt"},
}
LEAST_USED = 0.6  # of a node, by the workers of one size that fit it


def scheduling(facts: Facts) -> Iterator[Told]:
    """Every pod finds a node whose labels it selects and whose taints it tolerates."""
    if not facts.resources:
        return  # nobody says which nodes there are
    for pod in facts.placements:
        if not any(_fits(pod, node) for node in facts.nodes):
            kinds = sorted({node.name.partition(" ")[0] for node in facts.nodes})
            yield (
                pod.where,
                f"no node has {dict(pod.selector) or list(pod.terms)} or tolerates it: "
                f"there are {', '.join(kinds)}",
                "Correct the selector or the tolerations, or the labels of the node group "
                "(terraform/modules/nodes) and pools (helm/support/templates/nodepools.yaml).",
            )


def _fits(pod: Placement, node: NodeKind) -> bool:
    selected = pod.selector.items() <= node.labels.items()
    matched = not pod.terms or any(_matches(term, node.labels) for term in pod.terms)
    hard = [one for one in node.taints if one["effect"] != "PreferNoSchedule"]
    return selected and matched and all(_tolerated(taint, pod.tolerations) for taint in hard)


def _matches(term: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    for need in term.get("matchExpressions") or ():
        value, operator = labels.get(need["key"]), need["operator"]
        if operator == "In" and value not in need["values"]:
            return False
        if operator == "NotIn" and value in need["values"]:
            return False
        if operator == "Exists" and value is None:
            return False
        if operator == "DoesNotExist" and value is not None:
            return False
    return True


def _tolerated(taint: Mapping[str, str], tolerations: tuple[Mapping[str, Any], ...]) -> bool:
    return any(
        one.get("key", taint["key"]) == taint["key"]
        and (one.get("operator") == "Exists" or one.get("value", "") == taint.get("value", ""))
        and one.get("effect") in (None, "", taint["effect"])
        for one in tolerations
    )


def named_things(facts: Facts) -> Iterator[Told]:
    """Whatever a manifest names is made by a manifest, by a deploy, or by Kubernetes."""
    made = {kind: set(names) for kind, names in GIVEN.items()}
    for one in facts.all_manifests:
        made.setdefault(one["kind"], set()).add(one["metadata"]["name"])
    made.setdefault("Secret", set()).update(
        {LOGIN, METRICS, facts.values["pangeo"]["janitor"]["secret"], "grafana-admin"}
    )
    ours = {"Secret", "ConfigMap", "ServiceAccount", "PersistentVolumeClaim"}
    for where, kind, name in _names(facts):
        if kind in ours and not facts.whole:
            continue  # the dependency that makes it may not be here
        if name not in made.get(kind, set()):
            yield (
                where,
                f"{kind} {name} is made by nobody",
                f"Name one that exists, or add the {kind} to helm/support or helm/pangeo.",
            )


def custom_resources(facts: Facts) -> Iterator[Told]:
    """Every custom resource is of a kind that an enabled dependency's CRDs define."""
    defined = {one["spec"]["group"] for one in facts.of_kind("CustomResourceDefinition")}
    on = {
        dependency["name"]
        for chart, values in facts.values.items()
        for dependency in declared(facts.project / "helm" / chart)
        if enabled(dependency, values)
    }
    for manifest in facts.all_manifests:
        group, _, version = manifest["apiVersion"].rpartition("/")
        brings = BRINGS.get(group)
        if not version or brings is None or brings in on or group in defined:
            continue  # Kubernetes' own kinds are for `charts check`, which has their schemas
        yield (
            f"{manifest['kind']}/{manifest['metadata']['name']}",
            f"no CRD defines {manifest['apiVersion']}: the chart {brings}, which brings it, is off",
            f"Switch {brings} on, or remove what makes the {manifest['kind']}.",
        )


def _names(facts: Facts) -> Iterator[tuple[str, str, str]]:
    for manifest in facts.all_manifests:
        where = f"{manifest['kind']}/{manifest['metadata']['name']}"
        for spec in _claims(manifest):
            if spec.get("storageClassName"):
                yield where, "StorageClass", spec["storageClassName"]
        pod = pod_of(manifest)
        if pod is None:
            continue
        for kind, name in _in_pod(pod):
            yield where, kind, name
    for where, kind, name in _in_values(facts):
        yield where, kind, name


def _claims(manifest: Manifest) -> list[Manifest]:
    spec = manifest.get("spec") or {}
    if manifest["kind"] == "PersistentVolumeClaim":
        return [spec]
    return [one["spec"] for one in spec.get("volumeClaimTemplates") or ()]


def _in_pod(pod: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if pod.get("priorityClassName"):
        yield "PriorityClass", pod["priorityClassName"]
    if pod.get("serviceAccountName"):
        yield "ServiceAccount", pod["serviceAccountName"]
    for volume in pod.get("volumes") or ():
        secret, config = volume.get("secret") or {}, volume.get("configMap") or {}
        if secret and not secret.get("optional"):
            yield "Secret", secret["secretName"]
        if config and not config.get("optional"):
            yield "ConfigMap", config["name"]
        if claim := volume.get("persistentVolumeClaim"):
            yield "PersistentVolumeClaim", claim["claimName"]
    for container in containers(dict(pod)):
        for variable in container.get("env") or ():
            source = variable.get("valueFrom") or {}
            for key, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
                if key in source and not source[key].get("optional"):
                    yield kind, source[key]["name"]


def _in_values(facts: Facts) -> Iterator[tuple[str, str, str]]:
    """Yield what pods will name that the gateway and the hub make later."""
    pangeo = facts.values["pangeo"]
    storage = pangeo["jupyterhub"]["hub"]["db"]["pvc"].get("storageClassName")
    if storage:
        yield "pangeo.jupyterhub.hub.db.pvc", "StorageClass", storage
    server = facts.values["support"]["prometheus"]["server"]["persistentVolume"]
    if storage := server.get("storageClass"):
        yield "support.prometheus.server.persistentVolume", "StorageClass", storage
    worker = pangeo["dask-gateway"]["gateway"]["backend"]["worker"]["extraPodConfig"]
    yield "pangeo.dask-gateway...worker", "PriorityClass", worker["priorityClassName"]
    yield "pangeo.dask-gateway...worker", "ServiceAccount", worker["serviceAccountName"]
    account = pangeo["jupyterhub"]["singleuser"]["serviceAccountName"]
    yield "pangeo.jupyterhub.singleuser", "ServiceAccount", account


def policy_peers(facts: Facts) -> Iterator[Told]:
    """An egress peer that is behind a Service is chosen by labels that the Service selects by.

    AWS' policy engine opens a Service's address only for a peer that matches the Service's own
    selector, not merely its pods.
    """
    if not facts.whole:
        return
    services = [one for one in facts.of_kind("Service") if one["spec"].get("selector")]
    labels = [(one["metadata"]["namespace"], _pod_labels(one)) for one in facts.all_manifests]
    pods = [(space, found) for space, found in labels if found]
    for policy in facts.of_kind("NetworkPolicy"):
        space = policy["metadata"]["namespace"]
        for rule in policy["spec"].get("egress") or ():
            for peer in rule.get("to") or ():
                wanted = (peer.get("podSelector") or {}).get("matchLabels") or {}
                if not wanted or "namespaceSelector" in peer:
                    continue
                reached = [
                    found for at, found in pods if at == space and wanted.items() <= found.items()
                ]
                behind = [
                    one["spec"]["selector"]
                    for one in services
                    if one["metadata"]["namespace"] == space
                    and any(one["spec"]["selector"].items() <= found.items() for found in reached)
                ]
                if behind and not any(wanted.items() <= selector.items() for selector in behind):
                    yield (
                        f"NetworkPolicy/{policy['metadata']['name']}",
                        f"its peer {wanted} has pods behind a Service that selects by {behind[0]}",
                        "Choose the peer by labels that the Service's own selector has.",
                    )


def _pod_labels(manifest: Manifest) -> dict[str, str]:
    template = (manifest.get("spec") or {}).get("template") or {}
    found = (template.get("metadata") or {}).get("labels") if pod_of(manifest) else None
    return dict(found or {})


def core_room(facts: Facts) -> Iterator[Told]:
    """What always runs fits the nodes that always run, with one of several away."""
    core = [node for node in facts.nodes if node.labels.get("pangeo.io/pool") == "core"]
    if not core or not facts.whole:
        return
    node = core[0]
    nodes = max(1, node.count - 1)
    cpu, memory = 0.0, 0.0
    for manifest in facts.of_kind("Deployment", "StatefulSet"):
        pod = pod_of(manifest) or {}
        if (pod.get("nodeSelector") or {}).items() <= node.labels.items() and pod.get(
            "nodeSelector"
        ):
            copies = int(manifest["spec"].get("replicas") or 1)
            asked = [
                (one.get("resources") or {}).get("requests") or {} for one in pod["containers"]
            ]
            cpu += copies * sum(bytes_of(one.get("cpu", 0)) for one in asked)
            memory += copies * sum(bytes_of(one.get("memory", 0)) for one in asked) / 2**20
    has_cpu, has_mib = node.room.cpu * nodes, node.room.memory_mib * nodes
    for what, asks, there in (("CPU", cpu, has_cpu), ("MiB", memory, has_mib)):
        if asks > float(there):
            yield (
                f"node group {node.name}",
                f"the core pods request {asks:.2f} {what} and {nodes} node(s) have {there:.2f}",
                "Raise core_instance_type or core_nodes in the environment's tfvars.",
            )


def waste(facts: Facts) -> Iterator[Told]:
    """No choice that a user has leaves half of a node unused, or fits none."""
    dask = facts.values["pangeo"]["pangeo"]["dask"]
    workers = [node for node in facts.nodes if node.labels.get("pangeo.io/pool") == "dask"]
    per_core = dask["worker_memory_gib"] / dask["worker_cores"]
    largest = (dask["worker_cores_max"], dask["worker_memory_gib_max"])
    sizes = [(cores, per_core * cores) for cores in range(1, dask["worker_cores_max"] + 1)]
    for node in workers:
        for cores, gib in {*sizes, largest}:
            fit = min(int(node.room.cpu // cores), int(node.room.memory_mib // int(gib * 1024)))
            used = fit * max(cores / float(node.room.cpu), gib * 1024 / float(node.room.memory_mib))
            if used < LEAST_USED:
                yield (
                    "pangeo.pangeo.dask.worker_cores_max",
                    f"{fit} workers of {cores} cores and {gib:g} GiB fit {node.name}: "
                    f"{1 - used:.0%} of it stays unused",
                    "Lower the maximum, or choose machine types for the pool that it divides.",
                )


RULES: dict[str, Callable[[Facts], Iterator[Told]]] = {
    "scheduling": scheduling,
    "named things": named_things,
    "custom resources": custom_resources,
    "policy peers": policy_peers,
    "core room": core_room,
    "waste": waste,
    "pod identity": cloud_rules.pod_identity,
    "permissions": cloud_rules.permissions,
    "tags": cloud_rules.tags,
    "versions": cloud_rules.versions,
    "policies enforced": cloud_rules.policies_enforced,
    "placeholders": cloud_rules.placeholders,
}
