"""The deploy command against a helm and a kubectl that write down what they were told.

The values are checked as they are; `helm template` renders nothing unless a test asks for it, and
is then answered by Helm's own library. What the real programs and a real API server do is in
tests/cluster.
"""

import base64
import http.server
import json
import re
import shutil
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pangeo_core.errors import BadInput, CheckFailed, MissingPrerequisite
from pangeo_core.progress import Event, silent
from pangeo_deploy.charts import deploy as deploying
from pangeo_deploy.charts import entrances, programs, secrets
from pangeo_deploy.charts import remove as removing
from pangeo_deploy.charts.programs import ClusterRefused
from pangeo_deploy.charts.values import load
from pangeo_deploy.deployment import Deployment
from tests.conftest import PROJECT
from tests.pangeo_deploy.charts.test_charts import OUTPUTS

# Each call becomes a line: program, arguments, and what came over stdin. Where a file of the folder
# `answers` is named like the call (spaces as _), its content is the answer.
RENDER = """
import json, pathlib, sys
from pangeo_deploy.charts.render import with_library
print(with_library(pathlib.Path(sys.argv[1]), json.loads(sys.argv[3]), sys.argv[2]))
"""
PROGRAM = f"""#!{sys.executable} -IS
import json, os, pathlib, sys
name, words = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
answers = pathlib.Path(os.environ["ANSWERS"])
given = sys.stdin.read() if "-" in words else ""
told = " ".join(words)
with open(os.environ["CALLS"], "a") as file:
    print(name, told, "<<<", " ".join(given.split()), file=file)
if name == "helm" and words[0] == "template" and (answers / "render").exists():
    os.execv(sys.executable, [sys.executable, "-c", {RENDER!r}, words[2], words[4], given])
for file in sorted(answers.iterdir(), key=lambda one: -len(one.name)):
    if told.replace(" ", "_").startswith(file.name):
        code, _, text = file.read_text().partition("\\n")
        print(text, file=sys.stderr if int(code) else sys.stdout)
        sys.exit(int(code))
if words[0] == "upgrade":
    for chart in ("support", "pangeo"):
        deployed = {{"version": 4, "info": {{"status": "deployed"}}}}
        (answers / f"status_{{chart}}").write_text("0\\n" + json.dumps(deployed))
if name == "kubectl" and words[0] == "apply" and '"Secret"' in given:
    secret = json.loads(given)
    held = answers / f"get_secret_{{secret['metadata']['name']}}"
    held.write_text("0\\n" + json.dumps({{"data": secret["data"]}}))
"""
VERSION = '{"serverVersion": {"minor": "%s", "gitVersion": "%s"}}'
PENDING = '{"version": 1, "info": {"status": "%s", "last_deployed": "%s-01-01T00:00:00Z"}}'
CONTEXT = "arn:aws:eks:us-west-2:123456789012:cluster/pangeo-prod"


class Cluster:
    """The programs' answers, and what they were told."""

    def __init__(self, folder: Path) -> None:
        self.calls, self.answers = folder / "calls", folder / "answers"
        self.calls.touch()
        self.answers.mkdir()

    def answer(self, call: str, text: str, code: int = 0) -> None:
        (self.answers / call.replace(" ", "_")).write_text(f"{code}\n{text}")

    def told(self, start: str = "") -> list[str]:
        """Return the calls that start so, without what they were given."""
        lines = [line.partition(" <<< ")[0] for line in self.calls.read_text().splitlines()]
        return [line for line in lines if line.startswith(start)]

    def given(self, start: str) -> list[Any]:
        lines = [line.partition(" <<< ") for line in self.calls.read_text().splitlines()]
        return [yaml.safe_load(given) for told, _, given in lines if told.startswith(start)]


def answered(made: Cluster) -> Cluster:
    """Have a cluster answer as one in which nothing is installed yet."""
    made.answer("config current-context", CONTEXT)
    made.answer("version --short", "v4.2.3+g43e8b7f")
    made.answer("version --output json", VERSION % ("36", "v1.36.3"))
    for chart in ("support", "pangeo"):
        made.answer(f"status {chart}", "Error: release: not found", 1)
    made.answer("get manifest", "")
    made.answer("upgrade pangeo", '{"manifest": ""}')
    made.answer("upgrade support", '{"manifest": ""}')
    balancer = {"spec": {"type": "LoadBalancer"}}
    balancer["status"] = {"loadBalancer": {"ingress": [{"hostname": "nlb.example.org"}]}}
    made.answer("get service proxy-public", json.dumps(balancer))
    return made


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    for name in ("helm", "kubectl"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(PROGRAM)
        program.chmod(program.stat().st_mode | stat.S_IEXEC)
    made = Cluster(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("CALLS", str(made.calls))
    monkeypatch.setenv("ANSWERS", str(made.answers))
    for name in secrets.LOGIN_KEYS.values():
        monkeypatch.delenv(name, raising=False)
    return answered(made)


def read_secret(name: str) -> str:
    assert name == "pangeo-prod/hub/login"
    return json.dumps({"client-id": "id-1", "client-secret": "hush-hush"})


@pytest.fixture
def prod(tmp_path: Path) -> Deployment:
    """Production, as a clone has it."""
    project = tmp_path / "project"
    for folder in ("helm", "terraform/environments", "terraform/modules/cluster"):
        ignored = shutil.ignore_patterns("charts")
        shutil.copytree(PROJECT / folder, project / folder, ignore=ignored)
    shutil.copy(PROJECT / "terraform" / "variables.tf", project / "terraform")
    return Deployment("prod", "aws", project=project)


def test_the_programs_that_a_deployment_names_come_before_those_of_the_machine(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old code took what the runner's image had that week."""
    own = tmp_path / "own" / "helm"
    own.parent.mkdir()
    own.write_text("#!/bin/sh\necho ours\n")
    own.chmod(0o755)
    assert programs.run("helm", "version", "--short").startswith("v4.2.3")
    monkeypatch.setenv("PANGEO_DEPLOY_PROGRAMS", str(own.parent))
    assert programs.run("helm", "version", "--short") == "ours\n"
    assert programs.find("kubectl") == str(tmp_path / "bin" / "kubectl")


def test_it_installs_both_charts_and_shows_no_secret(cluster: Cluster, prod: Deployment) -> None:
    done = deploying.deploy(prod, OUTPUTS, read_secret, smoke=lambda: True)
    assert done.smoke is True
    assert done.revisions == {"support": (0, 4), "pangeo": (4, 4)}
    upgrades = cluster.told("helm upgrade --install")
    assert [re.search(r"--namespace (\w+) (\w+)", line)[2] for line in upgrades] == [  # type: ignore[index]
        "support",
        "pangeo",
    ]
    assert all(
        "--rollback-on-failure --wait --timeout 15m --force-conflicts" in one for one in upgrades
    )
    assert not [line for line in cluster.told() if "hush-hush" in line]
    login, hub, metrics = cluster.given("kubectl apply --server-side --force-conflicts")[2:5]
    assert base64.b64decode(login["data"]["client-secret"]) == b"hush-hush"
    assert metrics["data"]["token"] == hub["data"]["hub.services.prometheus.apiToken"]
    assert not [line for line in cluster.told() if metrics["data"]["token"] in line]
    assert "hush-hush" not in json.dumps(done.as_dict())


def test_the_repositories_are_added_before_the_dependencies_are_built(
    cluster: Cluster, prod: Deployment
) -> None:
    deploying.deploy(prod, OUTPUTS, read_secret)
    told = [line for line in cluster.told("helm") if "repo add" in line or "dependency" in line]
    assert told[-1].startswith("helm dependency build")
    added = [line.split()[-1] for line in told if "repo add" in line]
    assert "https://jupyterhub.github.io/helm-chart/" in added
    assert not [address for address in added if address.startswith("oci:")]


def test_terraforms_outputs_reach_the_check_and_helm(cluster: Cluster, prod: Deployment) -> None:
    (cluster.answers / "render").touch()
    deploying.deploy(prod, OUTPUTS, read_secret)
    checked = cluster.given("helm template support")
    assert checked[0]["cluster"]["name"] == "pangeo-prod"
    pangeo = cluster.given("helm upgrade --install")[-1]
    assert pangeo["pangeo"]["scratch"]["bucket"] == "pangeo-prod-scratch"
    annotations = pangeo["jupyterhub"]["proxy"]["service"]["annotations"]
    tags = "service.beta.kubernetes.io/aws-load-balancer-additional-resource-tags"
    assert "deployment=pangeo-prod" in annotations[tags]


def test_a_second_deploy_gives_helm_the_same_values(cluster: Cluster, prod: Deployment) -> None:
    for _ in range(2):
        deploying.deploy(prod, OUTPUTS, read_secret)
    first, second = cluster.given("helm upgrade --install")[1::2]
    assert first == second  # random keys of the chart's own would restart hub and proxy


def test_a_token_that_is_replaced_restarts_whoever_reads_it(
    cluster: Cluster, prod: Deployment
) -> None:
    deploying.deploy(prod, OUTPUTS, read_secret)
    (cluster.answers / "get_secret_pangeo-hub").unlink()
    deploying.deploy(prod, OUTPUTS, read_secret)
    first, second = cluster.given("helm upgrade --install")[1::2]
    for path in ("jupyterhub.hub", "jupyterhub.proxy", "dask-gateway.gateway"):
        chart, part = path.split(".")
        before, after = (
            one[chart][part]["annotations"]["pangeo.io/secrets"] for one in (first, second)
        )
        assert before != after
    assert (
        first["binderhub-service"]["podAnnotations"]
        != second["binderhub-service"]["podAnnotations"]
    )


def test_a_failed_smoke_test_rolls_back_to_the_valid_tokens(
    cluster: Cluster, prod: Deployment
) -> None:
    deploying.deploy(prod, OUTPUTS, read_secret, smoke=lambda: True)
    cluster.answer("get secret hub", json.dumps({"data": {secrets.PROXY_TOKEN: "b2xk"}}))
    with pytest.raises(CheckFailed, match="smoke test failed"):
        deploying.deploy(prod, OUTPUTS, read_secret, smoke=lambda: False)
    told = cluster.told()
    back = next(line for line in told if line.startswith("helm rollback pangeo 4"))
    assert "--wait --timeout 15m --force-conflicts" in back
    restored = cluster.given("kubectl apply")[-1]
    assert restored["metadata"]["name"] == "hub"
    assert restored["data"][secrets.PROXY_TOKEN] != "b2xk"
    assert told[-2:] == [
        "kubectl rollout restart deployment/proxy --namespace pangeo",
        "kubectl rollout restart deployment/hub --namespace pangeo",
    ]


def test_helm_3_gets_its_own_words(cluster: Cluster, prod: Deployment) -> None:
    cluster.answer("version --short", "v3.21.4+gabc")
    deploying.deploy(prod, OUTPUTS, read_secret)
    upgrades = cluster.told("helm upgrade --install")
    assert all("--atomic" in one and "--force-conflicts" not in one for one in upgrades)


def test_helms_refusal_is_told_with_what_kubernetes_says(
    cluster: Cluster, prod: Deployment
) -> None:
    cluster.answer("upgrade --install", "UPGRADE FAILED: timed out", 1)
    event = {
        "lastTimestamp": "2026-11-30T08:00:00Z",
        "reason": "FailedScheduling",
        "message": "didn't match Pod's node affinity/selector",
        "involvedObject": {"kind": "Pod", "name": "grafana-0"},
    }
    cluster.answer("get events --namespace support", json.dumps({"items": [event]}))
    with pytest.raises(ClusterRefused, match="timed out") as refused:
        deploying.deploy(prod, OUTPUTS, read_secret, smoke=lambda: True)
    assert "Pod/grafana-0: FailedScheduling: didn't match" in refused.value.why
    assert len(cluster.told("helm upgrade --install")) == 1


VOLUME = """
kind: PersistentVolumeClaim
metadata: {name: hub-db-dir}
spec: {resources: {requests: {storage: %s}}}
---
kind: Deployment
metadata: {name: hub}
spec: {replicas: %s}
"""


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (VOLUME % ("2Gi", 2), "grow from 1Gi to 2Gi with other changes"),
        (VOLUME % ("500Mi", 1), "shrink from 1Gi to 500Mi"),
        (VOLUME % ("2Gi", 1), ""),
        (VOLUME % ("1Gi", 2), ""),
    ],
)
def test_a_volume_grows_alone_and_never_shrinks(
    cluster: Cluster, prod: Deployment, after: str, words: str
) -> None:
    cluster.answer("status pangeo", '{"version": 3, "info": {"status": "deployed"}}')
    cluster.answer("get manifest pangeo", VOLUME % ("1Gi", 1))
    cluster.answer("upgrade pangeo", json.dumps({"manifest": after}))
    if not words:
        deploying.deploy(prod, OUTPUTS, read_secret)
        return
    with pytest.raises(BadInput, match=words):
        deploying.deploy(prod, OUTPUTS, read_secret)
    assert not [line for line in cluster.told("helm upgrade --install") if " pangeo pangeo" in line]


def test_what_a_killed_deploy_left_is_undone_once_it_is_old(
    cluster: Cluster, prod: Deployment
) -> None:
    cluster.answer("status support", PENDING % ("pending-install", 2026))
    deploying.deploy(prod, OUTPUTS, read_secret)
    told = cluster.told("helm")
    uninstalled = next(one for one in told if one.startswith("helm uninstall support"))
    assert told.index(uninstalled) < told.index(cluster.told("helm upgrade --install")[0])


def test_a_deploy_that_may_still_run_is_left_alone(cluster: Cluster, prod: Deployment) -> None:
    cluster.answer("status support", PENDING % ("pending-upgrade", 2999))
    with pytest.raises(ClusterRefused, match="pending-upgrade"):
        deploying.deploy(prod, OUTPUTS, read_secret)


def test_dependencies_that_are_not_locked_are_not_deployed(
    cluster: Cluster, prod: Deployment
) -> None:
    (prod.project / "helm" / "pangeo" / "Chart.lock").unlink()
    with pytest.raises(MissingPrerequisite, match="pangeo are not locked") as refused:
        deploying.deploy(prod, OUTPUTS, read_secret)
    assert "helm dependency update" in refused.value.fix
    assert not cluster.told("helm upgrade")


def test_a_lock_of_other_versions_is_refused(cluster: Cluster, prod: Deployment) -> None:
    chart = prod.project / "helm" / "pangeo" / "Chart.yaml"
    chart.write_text(chart.read_text().replace("version: 4.4.0", "version: 4.5.0"))
    with pytest.raises(BadInput, match="name other versions"):
        deploying.deploy(prod, OUTPUTS, read_secret)


@pytest.mark.parametrize("context", ["pangeo-staging", "pangeo-prod-2", "minikube"])
def test_the_wrong_cluster_is_refused(cluster: Cluster, prod: Deployment, context: str) -> None:
    cluster.answer("config current-context", context)
    with pytest.raises(BadInput, match=context):
        deploying.deploy(prod, OUTPUTS, read_secret)
    assert not cluster.told("helm")


def test_a_cluster_that_is_too_old_is_refused(cluster: Cluster, prod: Deployment) -> None:
    cluster.answer("version --output json", VERSION % ("29+", "v1.29.1-eks"))
    with pytest.raises(MissingPrerequisite, match="eks"):
        deploying.deploy(prod, OUTPUTS, read_secret)


def test_another_environments_namespace_is_refused(cluster: Cluster, prod: Deployment) -> None:
    space = {"metadata": {"annotations": {"pangeo.io/environment": "staging"}}}
    cluster.answer("get namespace pangeo", json.dumps(space))
    with pytest.raises(BadInput, match="holds the environment staging"):
        deploying.deploy(prod, OUTPUTS, read_secret)


def test_a_namespace_that_something_else_uses_is_refused(
    cluster: Cluster, prod: Deployment
) -> None:
    cluster.answer("get namespace support", '{"metadata": {}}')
    cluster.answer("get pods --namespace support", '{"items": [{}]}')
    with pytest.raises(BadInput, match="in use") as refused:
        deploying.deploy(prod, OUTPUTS, read_secret)
    assert "kubectl annotate" in refused.value.fix


def test_an_environment_for_another_target_is_refused(prod: Deployment) -> None:
    file = prod.project / "helm" / "environments" / "prod.yaml"
    file.write_text(file.read_text().replace("platform: eks\n", ""))
    with pytest.raises(BadInput, match="not made for aws"):
        deploying.deploy(prod, OUTPUTS, read_secret)


def test_a_secret_without_its_keys_is_refused(cluster: Cluster, prod: Deployment) -> None:
    with pytest.raises(BadInput, match="client-id") as refused:
        deploying.deploy(prod, OUTPUTS, lambda _: '{"client-secret": "hush-hush"}')
    assert "hush-hush" not in str(refused.value)
    assert not cluster.told("helm upgrade")


def test_a_service_without_an_address_is_told(
    cluster: Cluster, prod: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.answer("get service proxy-public", '{"spec": {"type": "LoadBalancer"}}')
    cluster.answer("describe service proxy-public", "Events:\n  SyncLoadBalancerFailed no subnet")
    waiting = deploying.entrances.await_load_balancer
    monkeypatch.setattr(deploying.entrances, "await_load_balancer", lambda told: waiting(told, 0))
    with pytest.raises(ClusterRefused, match="no address") as refused:
        deploying.deploy(prod, OUTPUTS, read_secret)
    assert "no subnet" in refused.value.why


@pytest.fixture
def web() -> Iterator[str]:
    """The address of a server that answers every question, as a hub does, with an error."""
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


def test_the_visit_begins_once_the_name_is_known(cluster: Cluster, web: str) -> None:
    seen: list[Event] = []
    assert entrances.once_reached(web, lambda: True, seen.append)() is True
    assert [(one.task, one.state) for one in seen] == [("name", "start"), ("name", "done")]
    assert "CNAME record to nlb.example.org" in seen[0].message


def test_a_name_that_nobody_made_is_told_with_the_record_to_make(cluster: Cluster) -> None:
    with pytest.raises(entrances.NotReached, match="does not answer") as refused:
        entrances.await_name("https://hub.invalid", silent, patience=0)
    assert "CNAME record hub.invalid -> nlb.example.org" in refused.value.fix


def not_reached() -> bool:
    raise entrances.NotReached("hub.invalid does not answer yet.", why="no such name")


def test_a_first_deploy_waits_for_its_name_and_undoes_nothing(
    cluster: Cluster, prod: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploying, "revision", lambda chart: 0)
    with pytest.raises(entrances.NotReached):
        deploying.deploy(prod, OUTPUTS, read_secret, smoke=not_reached)
    assert not cluster.told("helm rollback")


def test_a_later_deploy_after_which_the_name_is_silent_is_undone(
    cluster: Cluster, prod: Deployment
) -> None:
    with pytest.raises(CheckFailed, match="smoke test failed") as refused:
        deploying.deploy(prod, OUTPUTS, read_secret, smoke=not_reached)
    assert "no such name" in refused.value.why
    assert cluster.told("helm rollback pangeo")


def test_shown_values_have_their_secrets_struck_out() -> None:
    values = {"a": {"apiToken": "x1", "list": [{"password": "x2"}], "name": "ann"}}
    assert "x1" not in str(secrets.redacted(values))
    assert "x2" not in str(secrets.redacted(values))
    assert "ann" in str(secrets.redacted(values))


def test_no_pod_reads_a_token_from_the_charts_own_secret() -> None:
    """What the chart keeps goes back with a rollback; its proxy's token is set again by `undo`."""
    values = load(PROJECT, "pangeo", "prod")
    auth = values["dask-gateway"]["gateway"]["auth"]["jupyterhub"]
    tokens = [one for one in values["binderhub-service"]["extraEnv"] if "valueFrom" in one]
    assert auth["apiTokenFromSecretName"] == "pangeo-hub"
    assert [one["valueFrom"]["secretKeyRef"]["name"] for one in tokens] == ["pangeo-hub"]
    assert (
        values["janitor"]["secret"] == values["jupyterhub"]["hub"]["existingSecret"] == "pangeo-hub"
    )


ALL_KINDS = "\n".join([*removing.KARPENTER, "daskclusters.gateway.dask.org"])


def test_removing_ends_what_people_run_then_nodes_then_what_ends_them(
    cluster: Cluster, prod: Deployment
) -> None:
    deploying.deploy(prod, OUTPUTS, read_secret, smoke=lambda: True)
    cluster.calls.write_text("")
    cluster.answer("api-resources", ALL_KINDS)
    removing.remove(prod)
    done = [line for line in cluster.told() if line.split()[1] in ("uninstall", "delete")]
    assert [" ".join(line.split()[:3]) for line in done] == [
        "kubectl delete daskclusters.gateway.dask.org",
        "kubectl delete pods",
        "kubectl delete pods",
        "kubectl delete secrets",
        "kubectl delete nodepools.karpenter.sh",
        "helm uninstall pangeo",
        "kubectl delete persistentvolumeclaims",
        "kubectl delete secret",
        "kubectl delete ec2nodeclasses.karpenter.k8s.aws",
        "helm uninstall support",
        "kubectl delete persistentvolumeclaims",
        "kubectl delete secret",
    ]
    waiting = [line for line in done if "--wait" in line]
    assert all("--timeout=15m" in line for line in waiting)
    assert [line for line in done if "nodepools" in line and "--cascade=foreground" in line]


def test_it_is_not_called_removed_while_something_is_billed(
    cluster: Cluster, prod: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removing, "LAST_PATIENCE_SECONDS", 0)
    cluster.answer("api-resources", ALL_KINDS)
    cluster.answer("get nodeclaims.karpenter.sh", '{"items": [{"metadata": {"name": "users-x"}}]}')
    with pytest.raises(ClusterRefused) as refused:
        removing.remove(prod)
    assert "nodeclaims users-x" in refused.value.why
