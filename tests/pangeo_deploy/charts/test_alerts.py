"""The rules that Prometheus watches: sound, told in words, and firing when they should."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pangeo_deploy.charts.alerts import limits, rule_groups
from pangeo_deploy.charts.values import complete, settings
from tests.conftest import PROJECT, needs

RULES = {
    environment: complete(PROJECT, "support", environment)["prometheus"]["serverFiles"][
        "alerting_rules.yml"
    ]
    for environment in ("staging", "prod")
}
ALERTS = [one for group in RULES["prod"]["groups"] for one in group["rules"] if "alert" in one]
needs_promtool = needs("promtool")


def promtool(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["promtool", *words], cwd=folder, capture_output=True, text=True, check=False
    )


@needs_promtool
@pytest.mark.parametrize("environment", RULES)
def test_prometheus_accepts_the_rules(tmp_path: Path, environment: str) -> None:
    (tmp_path / "rules.json").write_text(json.dumps(RULES[environment]))
    checked = promtool("check", "rules", "rules.json", folder=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("alert", ALERTS, ids=lambda one: one["alert"])
def test_an_alert_says_what_is_wrong_and_what_to_do(alert: dict[str, Any]) -> None:
    said = alert["annotations"]
    assert set(said) == {"summary", "runbook"}
    assert all(len(text) > 30 for text in said.values())
    assert alert["labels"]["severity"] in ("page", "ticket")


def test_the_limits_are_the_environments_own() -> None:
    found = {
        environment: {rule["labels"]["of"]: rule["expr"] for rule in rules["groups"][0]["rules"]}
        for environment, rules in RULES.items()
    }
    assert found["staging"]["servers"] == "vector(20)"
    assert found["prod"]["servers"] == "vector(100)"
    assert found["staging"]["budget_usd_per_month"] == "vector(250)"
    assert {"age_seconds", "end_of_support"} <= set(found["prod"])


SPAWN = 'jupyterhub_server_spawn_duration_seconds_count{status="%s"}'
POOL = '{nodepool="dask", resource_type="cpu"}'
NODE = (
    'kube_node_labels{node="%s", label_pangeo_io_pool="dask", '
    'label_node_kubernetes_io_instance_type="m5.2xlarge", label_karpenter_sh_capacity_type="spot", '
    'label_topology_kubernetes_io_zone="us-west-2a"}'
)
PRICE = (
    "karpenter_cloudprovider_instance_type_offering_price_estimate"
    '{instance_type="m5.2xlarge", capacity_type="spot", zone="us-west-2a"}'
)
VOLUME = (
    'kubelet_volume_stats_%s_bytes{namespace="support", persistentvolumeclaim="x-prometheus-y"}'
)
WORKERS = (
    'kube_pod_container_resource_requests{namespace="pangeo", pod="dask-worker-%s", resource="cpu"}'
)
WHOSE = (
    'kube_pod_annotations{namespace="pangeo", pod="dask-worker-%s", '
    'annotation_hub_jupyter_org_username="%s"}'
)
OWNED = {WHOSE % ("a", "ann"): "1x300", WHOSE % ("b", "ann"): "1x300"}
JANITOR = 'kube_cronjob_status_last_successful_time{namespace="pangeo", cronjob="janitor"}'
# Alert -> series that make it fire, series that do not, and the hours after which to look.
CASES: dict[str, tuple[dict[str, str], dict[str, str], int]] = {
    "HubDown": ({'up{job="hub"}': "0x600"}, {'up{job="hub"}': "1x600"}, 1),
    "ServersDoNotStart": (
        {SPAWN % "failure": "0+1x120", SPAWN % "success": "0+1x120"},
        {SPAWN % "failure": "0+1x120", SPAWN % "success": "0+10x120"},
        1,
    ),
    "HubNearlyFull": (
        {"jupyterhub_running_servers": "91x120"},
        {"jupyterhub_running_servers": "89x120"},
        1,
    ),
    "ServerOutstays": (
        {'kube_pod_created{namespace="pangeo", pod="jupyter-ann"}': "0x1600"},
        {'kube_pod_created{namespace="pangeo", pod="hub-1"}': "0x1600"},
        14,
    ),
    "DaskClusterOutstays": (
        {'kube_pod_created{namespace="pangeo", pod="dask-scheduler-1"}': "0x1600"},
        {'kube_pod_created{namespace="pangeo", pod="dask-scheduler-1"}': "0+60x1600"},
        14,
    ),
    "JanitorFails": (
        {JANITOR: "0x300"},
        {JANITOR: "0+60x300"},
        3,
    ),
    "NodePoolAtLimit": (
        {
            f"karpenter_nodepools_usage{POOL}": "76x120",
            f"karpenter_nodepools_limit{POOL}": "80x120",
        },
        {
            f"karpenter_nodepools_usage{POOL}": "70x120",
            f"karpenter_nodepools_limit{POOL}": "80x120",
        },
        1,
    ),
    # Of 200 cores ann holds 101 by two workers; 101 of two people are nobody's half.
    "OnePersonHoldsDask": (
        {WORKERS % "a": "60x300", WORKERS % "b": "41x300", **OWNED},
        {
            WORKERS % "a": "60x300",
            WORKERS % "b": "41x300",
            WHOSE % ("a", "ann"): "1x300",
            WHOSE % ("b", "bob"): "1x300",
        },
        3,
    ),
    "PrometheusDiskFills": (
        {VOLUME % "available": "10x120", VOLUME % "capacity": "100x120"},
        {VOLUME % "available": "20x120", VOLUME % "capacity": "100x120"},
        1,
    ),
    # 15 nodes at 0.15 USD an hour are 1,642 USD a month; production has 1,500.
    "NodesOverBudget": (
        {**{NODE % number: "1x1600" for number in range(15)}, PRICE: "0.15x1600"},
        {**{NODE % number: "1x1600" for number in range(13)}, PRICE: "0.15x1600"},
        26,
    ),
}


@needs_promtool
@pytest.mark.parametrize("alert", CASES)
def test_an_alert_fires_when_it_should_and_only_then(tmp_path: Path, alert: str) -> None:
    fires, does_not, after = CASES[alert]
    (tmp_path / "rules.json").write_text(json.dumps(RULES["prod"]))
    for series, count in ((fires, 1), (does_not, 0)):
        (rule,) = [one for one in ALERTS if one["alert"] == alert]
        test = {
            "rule_files": ["rules.json"],
            "evaluation_interval": "5m",
            "tests": [
                {
                    "interval": "1m",
                    "input_series": [{"series": k, "values": v} for k, v in series.items()],
                    "promql_expr_test": [
                        {
                            "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})',
                            "eval_time": f"{after}h",
                            "exp_samples": [{"labels": "{}", "value": count}] if count else [],
                        }
                    ],
                }
            ],
        }
        (tmp_path / "test.json").write_text(json.dumps(test))
        ran = promtool("test", "rules", "test.json", folder=tmp_path)
        assert ran.returncode == 0, (rule["expr"], ran.stdout, ran.stderr)


def test_the_rehearsal_watches_the_same_rules() -> None:
    groups = rule_groups(PROJECT, limits(PROJECT, settings(PROJECT, "staging")))
    assert groups[1:] == RULES["staging"]["groups"][1:]
