"""A real control plane with the nodes that Terraform and the NodePools describe.

`make cluster-test` builds its programs and sets KUBEBUILDER_ASSETS; without it nothing here runs.
"""

import json
import os
from collections.abc import Iterator

import pytest

from pangeo_core.terraform_json import planned, planned_outputs
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.preflight import Facts, NodeKind, gather
from pangeo_deploy.terraform.lifecycle import show
from tests.cluster.control_plane import ASSETS, ControlPlane, control_plane
from tests.conftest import PROJECT

collect_ignore_glob = [] if "KUBEBUILDER_ASSETS" in os.environ else ["test_*.py"]
PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
    "helm",
)


@pytest.fixture(scope="session")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """Staging: Terraform's plan joined with the charts."""
    state = tmp_path_factory.mktemp("state")
    shown = show(Deployment("staging", project=PROJECT, state=state))
    return gather(PROJECT, "staging", planned(shown), planned_outputs(shown))


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory, facts: Facts) -> Iterator[ControlPlane]:
    """A control plane with a node of each kind: of the core group, and as Karpenter makes them."""
    missing = [name for name in PROGRAMS if not (ASSETS / name).exists()]
    assert not missing, f"KUBEBUILDER_ASSETS lacks {missing}: run make cluster-test"
    with control_plane(tmp_path_factory.mktemp("plane")) as started:
        first: dict[str, NodeKind] = {}
        for node in facts.nodes:
            first.setdefault(node.name.partition(" ")[0], node)
        for name, node in first.items():
            add_node(started, f"{name}-0", node)
        yield started


def add_node(plane: ControlPlane, name: str, kind: NodeKind) -> None:
    """Add a node that is ready, as its kubelet would."""
    room = {"cpu": str(kind.room.cpu), "memory": f"{int(kind.room.memory_mib)}Mi", "pods": "58"}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    spec = {"taints": list(kind.taints)} if kind.taints else {}
    places = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": "us-west-2a"}
    metadata = {"name": name, "labels": {**kind.labels, **places}}
    plane.apply({"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec})
    status = {"capacity": room, "allocatable": room, "conditions": [ready]}
    words = ("patch", "node", name, "--subresource=status", "--type=merge", "--patch")
    plane.run(*words, json.dumps({"status": status}))
    plane.run("taint", "nodes", name, "node.kubernetes.io/not-ready-", check=False)
