"""Render the charts: with their dependencies where those are at hand, else our own templates."""

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import util
from pathlib import Path
from typing import Any

import yaml

from pangeo_core.errors import BadInput, MissingPrerequisite
from pangeo_deploy.charts import dependencies, programs
from pangeo_deploy.charts.trees import Values

__all__ = ["render"]

NAMESPACES = {"pangeo": "pangeo", "support": "support"}

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Rendered:
    """A chart's manifests; `whole` when its dependencies were rendered with it."""

    chart: str
    manifests: tuple[Manifest, ...]
    whole: bool
    engine: str


def kubernetes_version(project: Path) -> str:
    """Return the Kubernetes version that terraform/ asks for: manifests are written for it."""
    text = (project / "terraform" / "variables.tf").read_text()
    found = re.search(
        r'variable "kubernetes_version" \{.*?default\s*=\s*"([0-9.]+)"', text, re.DOTALL
    )
    if not found:
        raise BadInput("terraform/variables.tf gives kubernetes_version no default.")
    return found[1]


def render(project: Path, chart: str, values: Values) -> Rendered:
    """Render `helm/<chart>` with `values`.

    Dependencies are rendered if `helm/<chart>/charts` holds them (`helm dependency build`, where
    the repositories can be reached); else they are left out with their values. Raises `BadInput`
    with Helm's own words when chart or values are wrong, `MissingPrerequisite` without Helm.
    """
    source = project / "helm" / chart
    whole = dependencies.at_hand(source)
    engine, run = find_helm(kubernetes_version(project))
    with dependencies.copied(source) as copy:
        if not whole:
            values = without_dependencies(copy, values)
        text = run(copy, values, NAMESPACES[chart])
    manifests = tuple(one for one in yaml.safe_load_all(text) if one)
    return Rendered(chart, manifests, whole, engine)


def find_helm(kubernetes: str) -> tuple[str, Callable[[Path, Values, str], str]]:
    """Return the name of a Helm and a function that renders with it, for a Kubernetes version."""
    if program := programs.find("helm"):
        return program, partial(with_program, program, kubernetes)
    if util.find_spec("helm_python"):
        return "helm-python-sdk", with_library
    raise MissingPrerequisite(
        "There is no Helm.",
        why="`helm` is not on PATH and the package helm-python-sdk is not installed.",
        fix="Install Helm, or: pip install helm-python-sdk",
    )


def with_program(program: str, kubernetes: str, chart: Path, values: Values, namespace: str) -> str:
    """Render with the `helm` program."""
    words = ["template", chart.name, str(chart), "--namespace", namespace, "--values", "-"]
    done = subprocess.run(
        [program, *words, "--skip-tests", "--kube-version", kubernetes],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise unrendered(chart.name, done.stderr)
    return done.stdout


def with_library(chart: Path, values: Values, namespace: str) -> str:
    """Render with Helm as a library."""
    import helm_python as helm

    try:
        with helm.Chart.load(chart) as loaded:
            loaded.validate_schema(values)
            found = loaded.render(values, name=chart.name, namespace=namespace)
    except helm.HelmError as error:
        raise unrendered(chart.name, str(error)) from None
    return "\n---\n".join(text for name, text in sorted(found.items()) if name.endswith(".yaml"))


def unrendered(chart: str, why: str) -> BadInput:
    """Return the refusal of a chart or its values."""
    return BadInput(
        f"The chart {chart} does not render.",
        why=why.strip(),
        fix=f"Correct helm/{chart} or the values under helm/environments.",
    )


def without_dependencies(chart: Path, values: Values) -> Values:
    """Take the dependencies out of a copy of a chart, and return the values without theirs."""
    metadata = yaml.safe_load((chart / "Chart.yaml").read_text())
    names = {one["name"] for one in metadata.pop("dependencies", ())}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(metadata))
    return {key: value for key, value in values.items() if key not in names}
