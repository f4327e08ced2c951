"""The charts that ours depend on: locked versions, their repositories, their CRDs."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from pangeo_core.errors import BadInput, MissingPrerequisite
from pangeo_deploy.charts.programs import run
from pangeo_deploy.charts.trees import Values, at

__all__ = [
    "BRINGS",
    "apply_crds",
    "at_hand",
    "build",
    "copied",
    "declared",
    "enabled",
    "require_lock",
]


# API groups that Kubernetes itself does not have, and the dependency that brings each.
BRINGS = {
    "karpenter.sh": "karpenter",
    "karpenter.k8s.aws": "karpenter",
    "traefik.io": "dask-gateway",
    "gateway.dask.org": "dask-gateway",
}


def declared(chart: Path) -> list[dict[str, Any]]:
    """Return the dependencies that Chart.yaml names."""
    return list(yaml.safe_load((chart / "Chart.yaml").read_text()).get("dependencies") or ())


def at_hand(chart: Path) -> bool:
    """Tell whether all dependencies lie in the chart's folder, packed or not."""
    names = [dependency["name"] for dependency in declared(chart)]
    return bool(names) and all(_place(chart, name) for name in names)


def _place(chart: Path, name: str) -> Path | None:
    unpacked = chart / "charts" / name
    if unpacked.is_dir():
        return unpacked
    return next(iter(sorted((chart / "charts").glob(f"{name}-*.tgz"))), None)


def require_lock(chart: Path) -> None:
    """Refuse a chart whose dependencies' versions are not those of a lock that was reviewed."""
    file = chart / "Chart.lock"
    if not file.exists():
        raise MissingPrerequisite(
            f"The dependencies of the chart {chart.name} are not locked.",
            why="Without Chart.lock, Helm takes whatever fits the ranges of Chart.yaml that day.",
            fix=f"Run: helm dependency update helm/{chart.name}, and commit its Chart.lock.",
        )
    locked = {
        one["name"]: one["version"] for one in yaml.safe_load(file.read_text())["dependencies"]
    }
    wanted = {one["name"]: one["version"] for one in declared(chart)}
    if locked != wanted:
        raise BadInput(
            f"Chart.yaml and Chart.lock of the chart {chart.name} name other versions.",
            why=f"Chart.yaml: {wanted}. Chart.lock: {locked}.",
            fix=f"Run: helm dependency update helm/{chart.name}, and commit its Chart.lock.",
        )


def build(chart: Path) -> None:
    """Bring the dependencies into the chart's folder, by its lock.

    Helm builds only from repositories that it was told of, and a fresh machine knows none. Nothing
    is fetched where all of them lie there unpacked.
    """
    if all((chart / "charts" / one["name"]).is_dir() for one in declared(chart)):
        return
    for dependency in declared(chart):
        address = str(dependency["repository"])
        if not address.startswith("oci://"):  # these need no index
            run("helm", "repo", "add", "--force-update", dependency["name"], address)
    run("helm", "dependency", "build", str(chart))


def apply_crds(chart: Path, values: Values) -> None:
    """Give the cluster the dependencies' CRDs, as they are now: Helm itself never upgrades them."""
    for dependency in declared(chart):
        name = dependency["name"]
        if not enabled(dependency, values):
            continue
        if place := _place(chart, name):
            text = run("helm", "show", "crds", str(place))
            if text.strip():
                words = ("apply", "--server-side", "--force-conflicts", "-f", "-")
                run("kubectl", *words, given=text)


def enabled(dependency: dict[str, Any], values: Values) -> bool:
    """Tell whether the values switch a dependency on."""
    *path, last = str(dependency.get("condition") or "").split(".")
    return not last or bool(at(values, tuple(path)).get(last, True))


@contextmanager
def copied(chart: Path) -> Iterator[Path]:
    """Give a copy of a chart without values of its own.

    What we pass is complete. Without this, Helm would put back what an environment removed.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / chart.name
        shutil.copytree(chart, copy)
        (copy / "values.yaml").write_text("{}\n")
        yield copy
