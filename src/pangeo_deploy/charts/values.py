"""Helm values: the base, an environment's, and what is added to them before they reach Helm."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from hub_user import idle_rules
from pangeo_core.errors import BadInput
from pangeo_deploy.charts import alerts

Values = dict[str, Any]
CHARTS = ("support", "pangeo")  # in the order of installing
# Where each chart takes Python and the settings: path of extraConfig, path of the environment.
CODE = {
    "hub.py": ("jupyterhub", "hub"),
    "gateway.py": ("dask-gateway", "gateway"),
    "binder.py": ("binderhub-service",),
}


def settings(project: Path, environment: str) -> Values:
    """Return an environment's `pangeo` values: what hub and gateway get as PANGEO_SETTINGS."""
    return dict(load(project, "pangeo", environment)["pangeo"])


def load(project: Path, chart: str, environment: str) -> Values:
    """Return the values of `helm/<chart>` with `helm/environments/<environment>.yaml` over them.

    The environment's file has one key a chart. Raises `BadInput` for a missing or broken file.
    """
    file = project / "helm" / "environments" / f"{environment}.yaml"
    over = read(file).get(chart) or {}
    if not isinstance(over, dict):
        raise BadInput(f"{file}: {chart} holds no values.", why="It is not a mapping.")
    return merged(read(project / "helm" / chart / "values.yaml"), over)


def complete(
    project: Path, chart: str, environment: str, outputs: Mapping[str, Any] | None = None
) -> Values:
    """Return the values as Helm gets them: with the Python, the settings, and Terraform's outputs.

    `outputs` are Terraform's, empty before the first apply.
    """
    values = merged(load(project, chart, environment), from_outputs(chart, outputs or {}))
    if chart == "pangeo":
        add_code(values, project / "helm" / "files")
    else:
        bounds = [
            *alerts.limits(project, settings(project, environment)),
            *alerts.budget(project, environment),
        ]
        files = at(values, ("prometheus", "serverFiles"))
        files["alerting_rules.yml"] = {"groups": alerts.rule_groups(project, bounds)}
        topic = (outputs or {}).get("alerts_topic", "")
        at(values, ("prometheus", "alertmanager"))["config"] = alerts.told(project, topic)
    return values


def from_outputs(chart: str, outputs: Mapping[str, Any]) -> Values:
    """Return what a chart needs of what Terraform made; nothing for outputs that are not there."""
    if not outputs:
        return {}
    if chart == "support":
        karpenter = outputs["karpenter"]
        cluster = {
            "name": outputs["name"],
            "instance_profile": karpenter["instance_profile"],
            "discovery_tag": karpenter["discovery_tag"],
        }
        if zone := outputs.get("homes_zone"):
            cluster["homes_zone"] = zone
        named = {"clusterName": outputs["name"], "interruptionQueue": karpenter["queue"]}
        return {"cluster": cluster, "karpenter": {"settings": named}}
    return {
        "pangeo": {
            "region": outputs["region"],
            "scratch": {"bucket": outputs["scratch_bucket"]},
            "homes": {"file_system": outputs["homes_file_system_id"]},
            "binder": {"registry_prefix": outputs["binder_prefix"]},
        }
    }


def add_code(values: Values, folder: Path) -> None:
    """Put helm/files/*.py, the settings and the image where each chart takes them."""
    pangeo = values["pangeo"]
    told = json.dumps(pangeo, sort_keys=True)
    for name, path in CODE.items():
        section = at(values, path)
        code = (folder / name).read_text()
        section.setdefault("extraConfig", {})["pangeo"] = code
        # Subcharts do not restart their pods when the environment or this code changes.
        mark = hashlib.sha256((code + told).encode()).hexdigest()[:16]
        kind = "podAnnotations" if name == "binder.py" else "annotations"
        section.setdefault(kind, {})["pangeo.io/configuration"] = mark
    at(values, ("jupyterhub", "hub")).setdefault("extraEnv", {})["PANGEO_SETTINGS"] = told
    listed = [{"name": "PANGEO_SETTINGS", "value": told}]
    at(values, ("dask-gateway", "gateway")).setdefault("env", []).extend(listed)
    at(values, ("binderhub-service",)).setdefault("extraEnv", []).extend(listed)
    name, _, tag = pangeo["image"].rpartition(":")
    image = {"name": name, "tag": tag}
    at(values, ("jupyterhub", "singleuser"))["image"] = dict(image)
    at(values, ("dask-gateway", "gateway", "backend"))["image"] = dict(image)
    binders = at(values, ("binderhub-service", "extraConfig"))
    binders["ecr"] = (folder / "ecr.py").read_text()
    janitor = {"janitor.py": folder / "janitor.py", "outstay.py": Path(idle_rules.__file__)}
    at(values, ("janitor",))["code"] = {name: file.read_text() for name, file in janitor.items()}
    binder = at(values, ("jupyterhub", "hub", "services", "binder"))
    if "oauth_redirect_uri" in binder:
        binder["oauth_redirect_uri"] = f"{pangeo['url']}/services/binder/oauth_callback"


def at(values: Values, path: tuple[str, ...]) -> Values:
    """Return the mapping at `path`, made where it is missing."""
    for key in path:
        values = values.setdefault(key, {})
    return values


def read(file: Path) -> Values:
    """Return what a YAML file of values holds."""
    try:
        content = yaml.safe_load(file.read_text())
    except FileNotFoundError:
        raise BadInput(
            f"There are no Helm values {file.name}.",
            why=f"{file} is missing.",
            fix="Write it, or name an environment that helm/environments has.",
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} is not YAML.", why=str(error)) from None
    if not isinstance(content, dict):
        raise BadInput(f"{file} holds no values.", why="Its top level is not a mapping.")
    return content


def merged(base: Values, over: Values) -> Values:
    """Return `base` with `over` laid on it, mapping by mapping, as Helm does (null removes).

    Nothing of either is shared with the result.
    """
    result = {key: _copied(value) for key, value in base.items()}
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            below = result.get(key)
            result[key] = merged(below if isinstance(below, dict) else {}, value)
        else:
            result[key] = _copied(value)
    return result


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(one) for key, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, list) else value
