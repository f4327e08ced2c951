"""Helm values: the base, an environment's, and what the deploy command adds."""

from pathlib import Path
from typing import Any

import yaml

from pangeo_deploy.errors import BadInput

Values = dict[str, Any]


def settings(project: Path, environment: str) -> Values:
    """Return an environment's `pangeo` values: what hub and gateway get as PANGEO_SETTINGS."""
    return dict(load(project, "pangeo", environment)["pangeo"])


def load(project: Path, chart: str, environment: str) -> Values:
    """Return the values of `helm/<chart>` with `helm/environments/<environment>.yaml` over them.

    The environment's file has one key a chart. Raises `BadInput` for a missing or broken file.
    """
    file = project / "helm" / "environments" / f"{environment}.yaml"
    return merged(read(project / "helm" / chart / "values.yaml"), read(file).get(chart) or {})


def read(file: Path) -> Values:
    """Return what a YAML file of values holds."""
    try:
        content = yaml.safe_load(file.read_text())
    except FileNotFoundError:
        raise BadInput(
            f"There are no Helm values {file.name}.", why=f"{file} is missing."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} is not YAML.", why=str(error)) from None
    if not isinstance(content, dict):
        raise BadInput(f"{file} holds no values.", why="Its top level is not a mapping.")
    return content


def merged(base: Values, over: Values) -> Values:
    """Return `base` with `over` laid on it, mapping by mapping, as Helm does (null removes)."""
    result = dict(base)
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result
