"""What the rules look at: nodes and roles that Terraform plans, manifests that the charts make."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub_costs.machines import Room, machine, room
from pangeo_core.terraform_json import Resource
from pangeo_deploy.charts.manifest_policy import hooks, pod_of
from pangeo_deploy.charts.render import NAMESPACES, Rendered, render
from pangeo_deploy.charts.trees import Values
from pangeo_deploy.charts.values import CHARTS, complete

Manifest = dict[str, Any]


@dataclass(frozen=True)
class NodeKind:
    """A kind of node: a node group, or a pool of Karpenter's with one of its machine types."""

    name: str
    labels: Mapping[str, str]
    taints: tuple[Mapping[str, str], ...]
    room: Room
    count: int = 1


@dataclass(frozen=True)
class Placement:
    """A pod as the scheduler sees it. `where` names the value or manifest that it comes from."""

    where: str
    selector: Mapping[str, str]
    tolerations: tuple[Mapping[str, Any], ...]
    terms: tuple[Mapping[str, Any], ...] = ()  # required node affinity: any of these


@dataclass(frozen=True)
class Facts:
    """All that a rule may look at. `whole` tells whether the dependencies were rendered too."""

    project: Path
    environment: str
    manifests: Mapping[str, tuple[Manifest, ...]]
    values: Mapping[str, Values]
    nodes: tuple[NodeKind, ...]
    resources: tuple[Resource, ...]
    outputs: Mapping[str, Any]
    whole: bool
    for_real: bool = False  # on an account, and not in the rehearsal
    placements: tuple[Placement, ...] = field(default=())

    @property
    def all_manifests(self) -> tuple[Manifest, ...]:
        """Every manifest, with the namespace that it is installed in."""
        return tuple(
            {**one, "metadata": {"namespace": NAMESPACES[chart], **one["metadata"]}}
            for chart, manifests in self.manifests.items()
            for one in manifests
            if "test" not in hooks(one)
        )

    def of_kind(self, *kinds: str) -> list[Manifest]:
        """Return the manifests of these kinds."""
        return [one for one in self.all_manifests if one["kind"] in kinds]

    def of_type(self, kind: str) -> list[Mapping[str, Any]]:
        """Return the values of Terraform's resources of a type."""
        return [resource.values for resource in self.resources if resource.type == kind]


def gather(
    project: Path,
    environment: str,
    resources: tuple[Resource, ...],
    outputs: Mapping[str, Any],
    for_real: bool = False,
) -> Facts:
    """Return the facts of an environment, from a plan's managed resources and its outputs.

    `outputs` are complete only after an apply; what the charts need of them before is made up.
    """
    told = {**made_up(outputs), **outputs}
    values = {chart: complete(project, chart, environment, told) for chart in CHARTS}
    rendered = {chart: render(project, chart, values[chart]) for chart in CHARTS}
    return facts_of(project, environment, rendered, values, resources, told, for_real)


def facts_of(
    project: Path,
    environment: str,
    rendered: Mapping[str, Rendered],
    values: Mapping[str, Values],
    resources: tuple[Resource, ...],
    outputs: Mapping[str, Any],
    for_real: bool = False,
) -> Facts:
    """Join the two sides."""
    manifests = {chart: rendered[chart].manifests for chart in rendered}
    core = [_node_group(one.values) for one in resources if one.type == "aws_eks_node_group"]
    pools = [one for one in manifests["support"] if one["kind"] == "NodePool"]
    kinds = [kind for pool in pools for kind in _of_pool(pool)]
    placements = [*_of_values(values), *_of_manifests(manifests)]
    return Facts(
        project,
        environment,
        manifests,
        values,
        (*core, *kinds),
        resources,
        outputs,
        all(one.whole for one in rendered.values()),
        for_real,
        tuple(placements),
    )


def made_up(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return stand-ins for outputs that are known only after an apply."""
    name = str(outputs.get("name", "pangeo"))
    return {
        "name": name,
        "region": "us-west-2",
        "scratch_bucket": f"{name}-scratch",
        "homes_volume": "fs-00000000000000000::fsap-00000000000000000",
        "binder_prefix": f"000000000000.dkr.ecr.us-west-2.amazonaws.com/{name}/binder/",
        "alerts_topic": f"arn:aws:sns:us-west-2:000000000000:{name}-alerts",
        "karpenter": {"queue": name, "instance_profile": name, "discovery_tag": name},
        "tags": {},
    }


def _node_group(values: Mapping[str, Any]) -> NodeKind:
    kind = values["instance_types"][0]
    labels = {**(values.get("labels") or {}), **_always(kind)}
    taints = tuple(
        {"key": one["key"], "value": one.get("value") or "", "effect": one["effect"]}
        for one in values.get("taint") or ()
    )
    count = int(values["scaling_config"][0]["desired_size"])
    return NodeKind(values["node_group_name"], labels, taints, room(machine(kind)), count)


def _of_pool(pool: Manifest) -> Iterator[NodeKind]:
    template = pool["spec"]["template"]
    needs = {one["key"]: one["values"] for one in template["spec"]["requirements"]}
    for kind in needs["node.kubernetes.io/instance-type"]:
        for capacity in needs["karpenter.sh/capacity-type"]:
            labels = {
                **template["metadata"]["labels"],
                **_always(kind),
                "karpenter.sh/capacity-type": capacity,
                "karpenter.sh/nodepool": pool["metadata"]["name"],
            }
            taints = tuple(template["spec"].get("taints") or ())
            name = f"{pool['metadata']['name']} ({kind})"
            yield NodeKind(name, labels, taints, room(machine(kind)))


def _always(kind: str) -> dict[str, str]:
    return {
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": kind,
    }


# What the charts tolerate unasked (z2jh: scheduling.*.tolerations; BinderHub: its build pods).
USER_TOLERATIONS = ({"key": "hub.jupyter.org/dedicated", "operator": "Equal", "value": "user"},)
UNASKED = {"KubernetesBuildExecutor": USER_TOLERATIONS, "singleuser": USER_TOLERATIONS}


def _of_values(values: Mapping[str, Values]) -> Iterator[Placement]:
    """Yield what the values say of pods: those that the charts make only when somebody asks."""
    for chart, tree in values.items():
        yield from _selectors(tree, (chart,))


def _selectors(tree: Any, way: tuple[str, ...]) -> Iterator[Placement]:
    if not isinstance(tree, dict):
        return
    for key in ("nodeSelector", "node_selector"):
        if isinstance(tree.get(key), dict):
            known = tree.get("tolerations") or tree.get("extraTolerations") or ()
            tolerations = (*known, *UNASKED.get(way[-1], ()))
            yield Placement(".".join((*way, key)), tree[key], tolerations)
    for key, value in tree.items():
        yield from _selectors(value, (*way, str(key)))


def _of_manifests(manifests: Mapping[str, Iterable[Manifest]]) -> Iterator[Placement]:
    for chart, listed in manifests.items():
        for manifest in listed:
            pod = pod_of(manifest)
            if pod is None:
                continue
            affinity = (pod.get("affinity") or {}).get("nodeAffinity") or {}
            required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
            yield Placement(
                f"{chart} {manifest['kind']}/{manifest['metadata']['name']}",
                pod.get("nodeSelector") or {},
                tuple(pod.get("tolerations") or ()),
                tuple(required.get("nodeSelectorTerms") or ()),
            )
