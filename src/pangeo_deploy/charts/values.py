"""Helm values: the base, an environment's, and what is added to them before they reach Helm."""

import tarfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from pangeo_core.errors import BadInput
from pangeo_deploy.charts import alerts
from pangeo_deploy.charts.code import add_code, add_settings
from pangeo_deploy.charts.trees import Values, at, copied, merged

__all__ = ["settings"]

CHARTS = ("support", "pangeo")  # in the order of installing
LOAD_BALANCER_TAGS = "service.beta.kubernetes.io/aws-load-balancer-additional-resource-tags"


def settings(project: Path, environment: str) -> Values:
    """Return an environment's `pangeo` values: what hub and gateway get as PANGEO_SETTINGS."""
    return dict(load(project, "pangeo", environment)["pangeo"])


def load(project: Path, chart: str, environment: str) -> Values:
    """Return the values of `helm/<chart>` with those of the platform and the environment over them.

    Raises `BadInput` for a missing or broken file.
    """
    values = read(project / "helm" / chart / "values.yaml")
    for over in overlays(project, chart, environment):
        values = merged(values, over)
    return values


def overlays(project: Path, chart: str, environment: str) -> list[Values]:
    """Return what is laid over a chart's values, in order: the platform's, the environment's."""
    helm = project / "helm"
    files = [helm / "environments" / f"{environment}.yaml"]
    if name := platform(project, environment):
        files.insert(0, helm / "platforms" / f"{name}.yaml")
    return [_of_chart(file, chart) for file in files]


def platform(project: Path, environment: str) -> str:
    """Return the platform that an environment is made for: eks, or "" for any Kubernetes."""
    name = _read_charts(project / "helm" / "environments" / f"{environment}.yaml").get("platform")
    known = {file.stem for file in (project / "helm" / "platforms").glob("*.yaml")}
    if name is not None and name not in known:
        raise BadInput(
            f"helm/environments/{environment}.yaml: there is no platform {name!r}.",
            why=f"helm/platforms has: {', '.join(sorted(known))}.",
            fix="Name one of them, or leave the key out for any Kubernetes.",
        )
    return name or ""


def _read_charts(file: Path) -> Values:
    content = read(file)
    if unknown := set(content) - {*CHARTS, "platform"}:
        raise BadInput(
            f"{file.name}: {', '.join(sorted(map(str, unknown)))} is not a chart.",
            why=f"The file holds values of {' and '.join(CHARTS)}, and may name a platform.",
            fix="Correct the spelling: Helm would never see these values.",
        )
    return content


def _of_chart(file: Path, chart: str) -> Values:
    over = _read_charts(file).get(chart) or {}
    if not isinstance(over, dict):
        raise BadInput(f"{file}: {chart} holds no values.", why="It is not a mapping.")
    return over


def removed_defaults(project: Path, chart: str, environment: str, values: Values) -> Values:
    """Return `values` with a null wherever an overlay removes a default of a dependency's own.

    Helm removes a default for a null, but keeps the null itself where there is no default: so only
    those are added that the dependency has. Without the dependencies at hand, none is.
    """
    result = copied(values)
    for over in overlays(project, chart, environment):
        for path in _nulls(over):
            defaults: Any = dependency_values(project / "helm" / chart, path[0])
            for key in path[1:]:
                defaults = defaults.get(key) if isinstance(defaults, dict) else None
            place: Any = result
            for key in path[:-1]:
                place = place.get(key) if isinstance(place, dict) else None
            if defaults is not None and isinstance(place, dict) and path[-1] not in place:
                place[path[-1]] = None
    return dict(result)


def dependency_values(chart: Path, name: str) -> Values:
    """Return the default values of a chart's dependency, empty where it is not at hand."""
    return dict(yaml.safe_load(text_of(chart, name, "values.yaml")) or {})


def text_of(chart: Path, name: str, file: str) -> str:
    """Return a file of a chart's dependency, packed or not; "" where it is not at hand."""
    unpacked = chart / "charts" / name / file
    if unpacked.exists():
        return unpacked.read_text()
    for packed in sorted((chart / "charts").glob(f"{name}-*.tgz")):
        with tarfile.open(packed) as archive, suppress(KeyError):
            if member := archive.extractfile(f"{name}/{file}"):
                return member.read().decode()
    return ""


def _nulls(values: Values, way: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in values.items():
        if value is None:
            yield (*way, key)
        elif isinstance(value, dict):
            yield from _nulls(value, (*way, key))


def complete(
    project: Path, chart: str, environment: str, outputs: Mapping[str, Any] | None = None
) -> Values:
    """Return the values as Helm gets them: with the Python, the settings, and Terraform's outputs.

    `outputs` are Terraform's, empty before the first apply and where there is no Terraform.
    """
    values = load(project, chart, environment)
    if platform(project, environment) == "eks":
        values = merged(values, from_outputs(chart, outputs or {}))
        if chart == "support":  # Karpenter's chart does not render without
            named = at(values, ("karpenter", "settings"))
            named.setdefault("clusterName", f"not-applied-yet-{environment}")
    if chart == "pangeo":
        add_settings(values)
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
    return removed_defaults(project, chart, environment, values)


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
            "tags": dict(outputs["tags"]),
        }
        if zone := outputs.get("homes_zone"):
            cluster["homes_zone"] = zone
        named = {"clusterName": outputs["name"], "interruptionQueue": karpenter["queue"]}
        return {"cluster": cluster, "karpenter": {"settings": named}}
    tags = ",".join(f"{key}={value}" for key, value in sorted(outputs["tags"].items()))
    return {
        "pangeo": {
            "region": outputs["region"],
            "scratch": {"bucket": outputs["scratch_bucket"]},
            "homes": {"file_system": outputs["homes_volume"]},
            "binder": {"registry_prefix": outputs["binder_prefix"]},
        },
        "jupyterhub": {"proxy": {"service": {"annotations": {LOAD_BALANCER_TAGS: tags}}}},
    }


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
