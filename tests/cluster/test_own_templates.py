"""Our own templates in a real API server: admitted, permitted, scheduled, counted."""

import json
from typing import Any

import pytest

from pangeo_deploy.charts.check import is_foreign
from pangeo_deploy.charts.render import NAMESPACES
from pangeo_deploy.preflight import Facts
from tests.cluster.control_plane import ControlPlane

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "daskclusters.gateway.dask.org"},
    "spec": {
        "group": "gateway.dask.org",
        "scope": "Namespaced",
        "names": {"kind": "DaskCluster", "plural": "daskclusters", "singular": "daskcluster"},
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}


@pytest.fixture(scope="module")
def installed(plane: ControlPlane, facts: Facts) -> ControlPlane:
    """The charts' own templates, and what a deploy makes before them."""
    spaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        for name in NAMESPACES.values()
    ]
    plane.apply(*spaces, CRD)
    built_in = [one for one in facts.all_manifests if not is_foreign(one)]
    plane.apply(*built_in, words=("--force-conflicts",))
    return plane


def pod(name: str, spec: dict[str, Any], cpu: str, memory: str) -> dict[str, Any]:
    """Return a pod as the gateway or the hub would make it from `spec`, the values' own part."""
    requests = {"cpu": cpu, "memory": memory}
    container = {
        "name": "main",
        "image": "quay.io/pangeo/pangeo-notebook:0",
        "resources": {"requests": requests, "limits": {"memory": memory}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "pangeo"},
        "spec": {**spec, "containers": [container]},
    }


def node_of(plane: ControlPlane, name: str) -> str:
    words = ("get", "pod", name, "--namespace", "pangeo")
    return str(plane.wait(f"{name} on a node", lambda: plane.json(*words)["spec"].get("nodeName")))


def test_the_servers_version_is_the_one_that_the_charts_are_written_for(
    plane: ControlPlane, facts: Facts
) -> None:
    version = json.loads(plane.run("version", "--output", "json"))["serverVersion"]
    cluster = next(iter(facts.of_type("aws_eks_cluster")))
    assert f"{version['major']}.{version['minor']}" == cluster["version"]


def test_what_is_admitted_once_is_admitted_again_unchanged(
    installed: ControlPlane, facts: Facts
) -> None:
    kinds = ("ResourceQuota", "NetworkPolicy", "StorageClass", "CronJob", "PersistentVolume")
    again = [one for one in facts.all_manifests if one["kind"] in kinds]
    told = installed.apply(*again, words=("--force-conflicts", "--dry-run=server"))
    assert len(told.splitlines()) == len(again) >= 5


def test_homes_are_bound(installed: ControlPlane) -> None:
    words = ("get", "persistentvolumeclaim", "homes", "--namespace", "pangeo")
    phase = installed.wait(
        "homes", lambda: installed.json(*words)["status"].get("phase") == "Bound"
    )
    assert phase


def test_the_class_of_volumes_can_grow_them(installed: ControlPlane) -> None:
    gp3 = installed.json("get", "storageclass", "gp3")
    assert gp3["allowVolumeExpansion"] is True
    assert gp3["volumeBindingMode"] == "WaitForFirstConsumer"


def test_the_janitors_pod_lands_on_a_core_node(installed: ControlPlane) -> None:
    space = ("--namespace", "pangeo")
    installed.run("create", "job", "round", "--from=cronjob/janitor", *space)
    label = ("get", "pods", *space, "--selector=job-name=round")
    pods = installed.wait("the job's pod", lambda: installed.json(*label)["items"])
    name = pods[0]["metadata"]["name"]
    assert node_of(installed, name) == "core-0"
    assert pods[0]["spec"]["automountServiceAccountToken"] is True


def test_workers_and_schedulers_land_in_their_pools(installed: ControlPlane, facts: Facts) -> None:
    backend = facts.values["pangeo"]["dask-gateway"]["gateway"]["backend"]
    for part, node in (("worker", "dask-0"), ("scheduler", "users-0")):
        installed.apply(pod(f"one-{part}", backend[part]["extraPodConfig"], "1", "1Gi"))
        assert node_of(installed, f"one-{part}") == node


def test_a_build_lands_where_its_daemon_is(installed: ControlPlane, facts: Facts) -> None:
    binder = facts.values["pangeo"]["binderhub-service"]
    selector = binder["config"]["KubernetesBuildExecutor"]["node_selector"]
    spec = {"nodeSelector": selector, "tolerations": binder["dockerApi"]["tolerations"]}
    assert selector == binder["dockerApi"]["nodeSelector"]
    installed.apply(pod("build", spec, "500m", "1Gi"))
    assert node_of(installed, "build") == "users-0"


def test_two_of_the_largest_workers_share_a_node(installed: ControlPlane, facts: Facts) -> None:
    dask = facts.values["pangeo"]["pangeo"]["dask"]
    spec = facts.values["pangeo"]["dask-gateway"]["gateway"]["backend"]["worker"]["extraPodConfig"]
    installed.run("delete", "pod", "one-worker", "--namespace", "pangeo", "--force", check=False)
    cpu, memory = str(dask["worker_cores_max"]), f"{dask['worker_memory_gib_max']}Gi"
    for number in (1, 2):
        installed.apply(pod(f"large-{number}", spec, cpu, memory))
        assert node_of(installed, f"large-{number}") == "dask-0"


def test_the_quota_counts_workers_and_nobody_else(installed: ControlPlane, facts: Facts) -> None:
    quota = facts.values["pangeo"]["pangeo"]["dask"]["quota"]
    worker = facts.values["pangeo"]["dask-gateway"]["gateway"]["backend"]["worker"][
        "extraPodConfig"
    ]
    cores = str(quota["cores"])
    refused = installed.run(
        "apply", "-f", "-", given=pod("too-much", worker, cores, "1Gi"), check=False
    )
    assert "exceeded quota: dask-workers" in refused
    installed.apply(pod("a-server", {}, cores, "1Gi"))  # a user's, of another priority


@pytest.mark.parametrize(
    ("account", "verb", "resource", "answer"),
    [
        ("janitor", "list", "daskclusters.gateway.dask.org", "yes"),
        ("janitor", "patch", "daskclusters.gateway.dask.org", "yes"),
        ("janitor", "delete", "pods", "no"),
        ("janitor", "get", "secrets", "no"),
        ("notebook", "list", "pods", "no"),
        ("notebook", "get", "secrets", "no"),
        ("dask", "create", "pods", "no"),
        ("default", "get", "secrets", "no"),
    ],
)
def test_an_account_may_do_what_it_needs(
    installed: ControlPlane, account: str, verb: str, resource: str, answer: str
) -> None:
    who = ("--as", f"system:serviceaccount:pangeo:{account}", "--namespace", "pangeo")
    told = installed.run("auth", "can-i", verb, resource, *who, check=False)
    assert told.split()[0] == answer


def test_a_claim_of_a_class_that_nobody_makes_stays_pending(installed: ControlPlane) -> None:
    """What a first deployment met before helm/support made the class gp3."""
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "lost", "namespace": "pangeo"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "gp2-csi",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    installed.apply(claim)
    words = ("get", "events", "--namespace", "pangeo", "--field-selector=involvedObject.name=lost")

    def told() -> bool:
        events = installed.json(*words)["items"]
        return any('"gp2-csi" not found' in one["message"] for one in events)

    assert installed.wait("the event", told)
