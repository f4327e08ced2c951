"""Terraform's plan and the charts fit each other; each rule finds the fault that it is for."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pangeo_core import terraform_json
from pangeo_deploy.charts.trees import at
from pangeo_deploy.charts.values import LOAD_BALANCER_TAGS
from pangeo_deploy.delivery import plan_review
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.preflight import RULES, Facts, gather
from pangeo_deploy.preflight.cloud_rules import documents
from pangeo_deploy.preflight.facts import Placement, facts_of
from pangeo_deploy.preflight.report import judge
from tests.conftest import PROJECT
from tests.pangeo_deploy.terraform.conftest import Shown

pytestmark = pytest.mark.slow


def from_plan(plan: Shown, environment: str) -> Facts:
    return gather(
        PROJECT, environment, terraform_json.planned(plan), terraform_json.planned_outputs(plan)
    )


@pytest.fixture(scope="module")
def facts(planned: Callable[[str], Shown]) -> Facts:
    return from_plan(planned("staging"), "staging")


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_both_environments_are_clear(planned: Callable[[str], Shown], environment: str) -> None:
    found = judge(from_plan(planned(environment), environment))
    assert found.findings == ()
    assert len(found.nodes) == 11  # the core group, four shapes for users, six for Dask


def rule(name: str, facts: Facts) -> list[str]:
    return [f"{where}: {message}" for where, message, fix in RULES[name](facts) if fix]


def with_resource(facts: Facts, kind: str, path: str, value: object) -> Facts:
    """Return the facts with one value of every resource of a type changed."""
    resources = copy.deepcopy(facts.resources)
    for resource in resources:
        if resource.type == kind:
            *way, last = path.split(".")
            values: Any = resource.values
            at(values, tuple(way))[last] = value
    return replace(facts, resources=resources)


def rejoined(facts: Facts) -> Facts:
    """Return the facts joined anew, after their resources or values changed."""
    rendered: Any = {
        chart: type("Rendered", (), {"manifests": manifests, "whole": False})
        for chart, manifests in facts.manifests.items()
    }
    values: Any = facts.values
    return facts_of(
        facts.project, facts.environment, rendered, values, facts.resources, facts.outputs
    )


def with_value(facts: Facts, path: str, value: object) -> Facts:
    values: Any = copy.deepcopy(facts.values)
    *way, last = path.split("/")
    at(values, tuple(way))[last] = value
    return replace(facts, values=values)


def with_manifest(facts: Facts, chart: str, manifest: dict[str, Any]) -> Facts:
    manifests = {**facts.manifests, chart: (*facts.manifests[chart], manifest)}
    return replace(facts, manifests=manifests)


def test_a_node_group_without_the_label_that_core_pods_select(facts: Facts) -> None:
    labels = {"hub.jupyter.org/node-purpose": "core"}
    told = rule(
        "scheduling", rejoined(with_resource(facts, "aws_eks_node_group", "labels", labels))
    )
    assert any(one.startswith("pangeo.jupyterhub.hub.nodeSelector") for one in told)
    assert any("CronJob/janitor" in one for one in told)


def test_a_daemon_that_does_not_tolerate_the_users_taint(facts: Facts) -> None:
    changed = with_value(facts, "pangeo/binderhub-service/dockerApi/tolerations", [])
    told = rule("scheduling", rejoined(changed))
    assert [one for one in told if one.startswith("pangeo.binderhub-service.dockerApi")]


def test_an_affinity_that_no_node_has(facts: Facts) -> None:
    expressions = [{"key": "hub.jupyter.org/node-purpose", "operator": "In", "values": ["gpu"]}]
    pod = Placement("a pod", {}, ({"operator": "Exists"},), ({"matchExpressions": expressions},))
    assert len(rule("scheduling", replace(facts, placements=(pod,)))) == 1


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("pangeo/jupyterhub/hub/db/pvc/storageClassName", "StorageClass"),
        ("support/prometheus/server/persistentVolume/storageClass", "StorageClass"),
        (
            "pangeo/dask-gateway/gateway/backend/worker/extraPodConfig/priorityClassName",
            "PriorityClass",
        ),
    ],
)
def test_something_that_nobody_makes(facts: Facts, path: str, kind: str) -> None:
    told = rule("named things", with_value(facts, path, "nobody"))
    assert [one for one in told if f"{kind} nobody" in one]


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap", "ServiceAccount"])
def test_a_pod_that_names_what_nobody_makes(facts: Facts, kind: str) -> None:
    pod: dict[str, Any] = {"containers": [{"name": "c"}]}
    if kind == "ServiceAccount":
        pod["serviceAccountName"] = "nobody"
    else:
        key, name = {"Secret": ("secret", "secretName"), "ConfigMap": ("configMap", "name")}[kind]
        pod["volumes"] = [{"name": "v", key: {name: "nobody"}}]
    manifest = {"kind": "Pod", "metadata": {"name": "one"}, "spec": pod}
    changed = replace(with_manifest(facts, "pangeo", manifest), whole=True)
    assert f"Pod/one: {kind} nobody is made by nobody" in rule("named things", changed)


def test_node_pools_without_the_chart_whose_crds_they_need(facts: Facts) -> None:
    assert rule("custom resources", facts) == []
    told = rule("custom resources", with_value(facts, "support/karpenter/enabled", False))
    assert "NodePool/users" in " ".join(told)
    assert "the chart karpenter, which brings it, is off" in told[0]


def test_a_review_holds_what_the_charts_would_look_for_in_vain(
    planned: Callable[[str], Shown],
) -> None:
    staging, shown = Deployment("staging", project=PROJECT), planned("staging")
    assert plan_review.unmet(staging, shown) == []
    planted = json.loads(json.dumps(shown).replace('"pangeo.io/pool": "core"', '"pool": "core"'))
    found = plan_review.unmet(staging, planted)
    assert {one["rule"] for one in found} == {"scheduling"}
    assert any("hub.nodeSelector" in one["where"] for one in found)


def workload(name: str, labels: dict[str, str], **spec: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "c"}], **spec}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {"kind": "Deployment", "metadata": {"name": name}, "spec": {"template": template}}


@pytest.mark.parametrize("labels", [{"app.kubernetes.io/name": "hub"}, {"component": "hub"}])
def test_a_peer_that_a_services_selector_does_not_match(
    facts: Facts, labels: dict[str, str]
) -> None:
    both = {"app.kubernetes.io/name": "hub", "component": "hub"}
    service = {
        "kind": "Service",
        "metadata": {"name": "hub"},
        "spec": {"selector": {"component": "hub"}},
    }
    peer = {"podSelector": {"matchLabels": labels}}
    policy = {
        "kind": "NetworkPolicy",
        "metadata": {"name": "one"},
        "spec": {"egress": [{"to": [peer]}]},
    }
    changed = replace(facts, whole=True)
    for manifest in (workload("hub", both), service, policy):
        changed = with_manifest(changed, "pangeo", manifest)
    told = [one for one in rule("policy peers", changed) if "NetworkPolicy/one" in one]
    assert bool(told) is (labels != {"component": "hub"})


def test_core_pods_that_do_not_fit(facts: Facts) -> None:
    container = {"name": "c", "resources": {"requests": {"cpu": "3", "memory": "1Gi"}}}
    core = {"nodeSelector": {"pangeo.io/pool": "core"}, "containers": [container]}
    changed = replace(with_manifest(facts, "pangeo", workload("big", {}, **core)), whole=True)
    assert [one for one in rule("core room", changed) if " CPU" in one]
    assert not rule("core room", replace(facts, whole=True))


def test_a_worker_that_wastes_half_a_node(facts: Facts) -> None:
    changed = with_value(facts, "pangeo/pangeo/dask/worker_cores_max", 4)
    changed = with_value(changed, "pangeo/pangeo/dask/worker_memory_gib_max", 16)
    assert [one for one in rule("waste", changed) if "1 workers of 4 cores" in one]


def test_a_role_tied_to_an_account_that_no_chart_makes(facts: Facts) -> None:
    kind = "aws_eks_pod_identity_association"
    changed = with_resource(facts, kind, "namespace", "kube-system")
    assert [one for one in rule("pod identity", changed) if "kube-system/karpenter" in one]


@pytest.mark.parametrize("on", [False, True])
def test_a_role_of_a_chart_that_is_switched_off_is_no_fault(facts: Facts, on: bool) -> None:
    # As where the dependencies lie in helm/pangeo/charts: all is rendered that is switched on.
    changed = with_value(facts, "pangeo/binderhub-service/enabled", on)
    found = rule("pod identity", replace(changed, whole=True))
    assert any("pangeo/binderhub:" in one for one in found) is on


@pytest.mark.parametrize(
    ("action", "file"),
    [
        ("sns:Publish", "bootstrap/policies.tf"),
        ('"secretsmanager:GetSecretValue", ', "bootstrap/policies.tf"),
    ],
)
def test_an_action_that_is_not_allowed(
    facts: Facts, tmp_path: Path, action: str, file: str
) -> None:
    for folder in ("bootstrap", "modules/identity", "modules/nodes", "modules/registry"):
        for source in (PROJECT / "terraform" / folder).glob("*.tf"):
            target = tmp_path / "terraform" / folder / source.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(source.read_text())
    whole = tmp_path / "terraform" / file
    whole.write_text(whole.read_text().replace(action.strip('", '), "sts:Nothing"))
    told = rule("permissions", replace(facts, project=tmp_path))
    assert [one for one in told if action.strip('", ') in one]


def test_policy_documents_are_read_with_the_lists_they_name() -> None:
    found = documents(PROJECT / "terraform" / "bootstrap" / "policies.tf")
    assert "ec2:Describe*" in found["apply"]
    assert "secretsmanager:GetSecretValue" not in found["workload_boundary"]


def test_machines_without_the_deployments_tags(facts: Facts) -> None:
    manifests: Any = copy.deepcopy(facts.manifests)
    for one in manifests["support"]:
        if one["kind"] == "EC2NodeClass":
            one["spec"]["tags"] = {"Deployment": "pangeo-staging"}
    told = rule("tags", replace(facts, manifests=manifests))
    assert len([one for one in told if "deployment" in one and "EC2NodeClass" in one]) == 2


def test_a_load_balancer_without_the_deployments_tags(facts: Facts) -> None:
    values: Any = copy.deepcopy(facts.values)
    del values["pangeo"]["jupyterhub"]["proxy"]["service"]["annotations"][LOAD_BALANCER_TAGS]
    assert [one for one in rule("tags", replace(facts, values=values)) if "load balancer" in one]


def test_a_karpenter_that_does_not_know_the_kubernetes(facts: Facts) -> None:
    changed = with_resource(facts, "aws_eks_cluster", "version", "1.99")
    assert [one for one in rule("versions", changed) if "1.99" in one]


def test_policies_that_nobody_enforces(facts: Facts) -> None:
    changed = with_resource(facts, "aws_eks_addon", "configuration_values", None)
    assert rule("policies enforced", changed)


def test_examples_are_refused_on_an_account_only(facts: Facts) -> None:
    assert rule("placeholders", facts) == []
    told = rule("placeholders", replace(facts, for_real=True))
    assert [one.partition(":")[0] for one in told] == [
        "pangeo.pangeo.url",
        "pangeo.jupyterhub.proxy.https.hosts",
        "pangeo.jupyterhub.proxy.https.letsencrypt.contactEmail",
        "pangeo.pangeo.login.teams",
    ]


def test_every_rule_has_its_fault_here() -> None:
    text = Path(__file__).read_text()
    assert [name for name in RULES if f'rule("{name}"' not in text] == []


def test_what_is_said_is_json(facts: Facts) -> None:
    assert json.loads(json.dumps(judge(facts).as_dict()))["ok"] is True
