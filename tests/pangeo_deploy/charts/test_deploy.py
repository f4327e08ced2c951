"""The deploy command against a helm and a kubectl that write down what they were told."""

import json
import shutil
import stat
from pathlib import Path

import pytest

from pangeo_core.errors import BadInput, CheckFailed, MissingPrerequisite
from pangeo_deploy.charts import deploy as deploying
from pangeo_deploy.charts.values import CHARTS
from pangeo_deploy.deployment import Deployment
from tests.conftest import PROJECT
from tests.pangeo_deploy.charts.test_charts import OUTPUTS

# Each call becomes a line: program, arguments, and what came over stdin.
PROGRAM = """#!/bin/sh
given=""
case "$*" in *" -"*) given=$(cat | tr -d '\\n');; esac
echo "$(basename $0) $* <<< $given" >> "$CALLS"
case "$*" in
  "config current-context") echo arn:aws:eks:us-west-2:123456789012:cluster/$CLUSTER ;;
  "get secret hub "*) [ ! -e "$CALLS.pangeo" ] || \
    echo '{"data": {"hub.services.prometheus.apiToken": "bWV0cmljcy1odXNo"}}' ;;
  "status "*) [ -e "$CALLS.$2" ] || { echo "release: not found" >&2; exit 1; }
              echo '{"version": 4}' ;;
  upgrade*) touch "$CALLS.pangeo" "$CALLS.support"
            [ -z "$FAIL" ] || { echo "$FAIL" >&2; exit 1; } ;;
esac
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("helm", "kubectl"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(PROGRAM)
        program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("CLUSTER", "pangeo-prod")
    monkeypatch.delenv("OAUTH_CLIENT_SECRET", raising=False)
    monkeypatch.setattr(deploying, "check", lambda *_: type("Checked", (), {"ok": True}))
    return tmp_path / "calls"


def read_secret(name: str) -> str:
    assert name == "pangeo-prod/hub/login"
    return json.dumps({"client-id": "id-1", "client-secret": "hush-hush"})


@pytest.fixture
def prod(tmp_path: Path) -> Deployment:
    """Production of a project whose charts' dependencies are locked."""
    project = tmp_path / "project"
    for folder in ("helm", "terraform/environments", "terraform/modules/cluster"):
        shutil.copytree(PROJECT / folder, project / folder)
    for chart in CHARTS:
        (project / "helm" / chart / "Chart.lock").write_text("dependencies: []\n")
    return Deployment("prod", "aws", project=project)


def test_it_installs_both_charts_and_shows_no_secret(calls: Path, prod: Deployment) -> None:
    done = deploying.deploy(prod, OUTPUTS, read_secret, smoke=lambda: True)
    assert done.smoke is True
    assert done.revisions == {"support": (0, 4), "pangeo": (4, 4)}
    told = calls.read_text()
    upgrades = [line for line in told.splitlines() if line.startswith("helm upgrade")]
    assert [line.split()[9] for line in upgrades] == ["support", "pangeo"]
    assert all("--atomic --wait" in line for line in upgrades)
    assert "pangeo-prod-scratch" in upgrades[1]
    arguments = [line.partition(" <<< ")[0] for line in told.splitlines()]
    assert not [line for line in arguments if "hush-hush" in line]
    holding = [line for line in told.splitlines() if "hush-hush" in line]
    assert [line.split()[:2] for line in holding] == [["kubectl", "apply"]]
    assert "hush-hush" not in json.dumps(done.as_dict())
    given = [line.partition(" <<< ")[2] for line in told.splitlines()]
    shared = [json.loads(one) for one in given if '"Secret", "metadata": {"name": "hub-m' in one]
    assert [one["data"]["token"] for one in shared] == ["", "bWV0cmljcy1odXNo"]
    assert not [line for line in arguments if "bWV0cmljcy1odXNo" in line]


def test_a_failed_smoke_test_rolls_back(calls: Path, prod: Deployment) -> None:
    deploying.deploy(prod, OUTPUTS, read_secret, smoke=lambda: True)
    with pytest.raises(CheckFailed, match="smoke test failed"):
        deploying.deploy(prod, OUTPUTS, read_secret, smoke=lambda: False)
    assert "helm rollback pangeo 4 --wait" in calls.read_text()


def test_helms_refusal_is_told_and_nothing_more_is_done(
    calls: Path, prod: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIL", "UPGRADE FAILED: timed out")
    with pytest.raises(deploying.ClusterRefused, match="timed out"):
        deploying.deploy(prod, OUTPUTS, read_secret, smoke=lambda: True)
    assert calls.read_text().count("helm upgrade") == 1


def test_dependencies_that_are_not_locked_are_not_deployed(calls: Path, prod: Deployment) -> None:
    (prod.project / "helm" / "pangeo" / "Chart.lock").unlink()
    with pytest.raises(MissingPrerequisite, match="pangeo are not locked") as refused:
        deploying.deploy(prod, OUTPUTS, read_secret)
    assert "helm dependency update" in refused.value.fix
    assert "upgrade" not in calls.read_text()


def test_the_wrong_cluster_is_refused(
    calls: Path, prod: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLUSTER", "pangeo-staging")
    with pytest.raises(BadInput, match="pangeo-staging"):
        deploying.deploy(prod, OUTPUTS, read_secret)
    assert "helm" not in calls.read_text()


def test_a_secret_without_its_keys_is_refused(calls: Path, prod: Deployment) -> None:
    with pytest.raises(BadInput, match="client-id") as refused:
        deploying.deploy(prod, OUTPUTS, lambda _: '{"client-secret": "hush-hush"}')
    assert "hush-hush" not in str(refused.value)
    assert "helm upgrade" not in calls.read_text()


def test_shown_values_have_their_secrets_struck_out() -> None:
    values = {"a": {"apiToken": "x1", "list": [{"password": "x2"}], "name": "ann"}}
    assert "x1" not in str(deploying.redacted(values))
    assert "x2" not in str(deploying.redacted(values))
    assert "ann" in str(deploying.redacted(values))


def test_removing_ends_the_nodes_first_and_leaves_no_volume(calls: Path, prod: Deployment) -> None:
    deploying.deploy(prod, OUTPUTS, read_secret, smoke=lambda: True)
    calls.write_text("")
    deploying.remove(prod)
    told = [line.split(" <<<")[0] for line in calls.read_text().splitlines()]
    done = [line for line in told if line.split()[1] in ("uninstall", "delete")]
    assert [" ".join(line.split()[:3]) for line in done] == [
        "kubectl delete nodepools.karpenter.sh",
        "helm uninstall pangeo",
        "kubectl delete persistentvolumeclaims",
        "helm uninstall support",
        "kubectl delete persistentvolumeclaims",
    ]
