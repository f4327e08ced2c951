"""What Prometheus watches, with an environment's own limits, and whom Alertmanager tells.

The rules are helm/files/alerts.yaml, the way to people is helm/files/alertmanager.yaml.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

LIMIT = "pangeo:limit"  # the series that rules compare with
Labels = dict[str, str]


def rule_groups(project: Path, limits: list[tuple[Labels, float]]) -> list[dict[str, Any]]:
    """Return the groups of rules, those that state the limits first."""
    rules = [{"record": LIMIT, "expr": f"vector({value:g})", "labels": of} for of, value in limits]
    watched = yaml.safe_load((project / "helm" / "files" / "alerts.yaml").read_text())["groups"]
    return [{"name": "limits", "rules": rules}, *watched]


def limits(project: Path, settings: Mapping[str, Any]) -> list[tuple[Labels, float]]:
    """Return what a hub's settings limit, and when support of a Kubernetes ends (Unix time)."""
    known = {
        "servers": settings["limits"]["servers"],
        "age_seconds": settings["culling"]["max_age_seconds"],
        "dask_cores": settings["dask"]["quota"]["cores"],
    }
    file = project / "terraform" / "modules" / "cluster" / "kubernetes_versions.json"
    ends = {
        version.partition(".")[2]: datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
        for version, day in json.loads(file.read_bytes()).items()
    }
    return [
        *(({"of": name}, float(value)) for name, value in known.items()),
        *(({"of": "end_of_support", "minor": minor}, end) for minor, end in ends.items()),
    ]


def budget(project: Path, environment: str) -> list[tuple[Labels, float]]:
    """Return what the environment may cost a month, in USD, as its Terraform variables say."""
    file = project / "terraform" / "environments" / f"{environment}.tfvars"
    if not file.exists():
        return []  # an environment without Terraform has no bill either
    found = re.search(r"^\s*monthly_budget_usd\s*=\s*([\d.]+)", file.read_text(), re.MULTILINE)
    return [({"of": "budget_usd_per_month"}, float(found[1]))] if found else []


def told(project: Path, topic: str) -> dict[str, Any]:
    """Return Alertmanager's configuration that tells `topic` (an ARN; "": nobody yet)."""
    found: dict[str, Any] = yaml.safe_load(
        (project / "helm" / "files" / "alertmanager.yaml").read_text()
    )
    for receiver in found["receivers"]:
        if not topic:
            del receiver["sns_configs"]
        for one in receiver.get("sns_configs", ()):
            one |= {"topic_arn": topic, "sigv4": {"region": topic.split(":")[3]}}
    return found
