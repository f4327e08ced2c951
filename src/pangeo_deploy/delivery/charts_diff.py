"""What a change does to the charts: values and manifests before and after, as a diff to read."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from pangeo_core.errors import PangeoDeployError
from pangeo_deploy.charts.render import Manifest, render
from pangeo_deploy.charts.values import CHARTS, complete

CONTEXT_LINES = 2
MAX_LINES = 400


def changes(before: Path, after: Path, environment: str) -> dict[str, str]:
    """Return a unified diff of values and rendered manifests by chart; what stays is left out.

    `before` and `after` are checkouts. Where one cannot be rendered, the diff says so: whether the
    charts are right is for `charts check` to say. Dependencies are in it if both have them at hand.
    """
    found = {}
    for chart in CHARTS:
        old, new = (_rendered(project, chart, environment) for project in (before, after))
        if cannot := [each[0] for each in (old, new) if len(each) == 1]:
            found[chart] = cannot[-1]
            continue
        lines = difflib.unified_diff(old, new, "before", "after", lineterm="", n=CONTEXT_LINES)
        if text := _shortened(list(lines)):
            found[chart] = text
    return found


def _rendered(project: Path, chart: str, environment: str) -> list[str]:
    try:
        values = complete(project, chart, environment, None)
        manifests = render(project, chart, values).manifests
    except (PangeoDeployError, OSError, KeyError, TypeError, ValueError) as error:
        return [f"({chart} cannot be rendered: {str(error).splitlines()[0]})"]  # or is older
    given = ["# Values", *yaml.safe_dump(values, sort_keys=True).splitlines()]
    return [*given, *(line for each in sorted(manifests, key=_place) for line in _lines(each))]


def _place(manifest: Manifest) -> tuple[str, str, str]:
    metadata = manifest.get("metadata") or {}
    return manifest["kind"], str(metadata.get("namespace", "")), str(metadata.get("name", ""))


def _lines(manifest: Manifest) -> Iterable[str]:
    """Return a manifest's lines, without what is drawn anew at each rendering."""
    kind, _, name = _place(manifest)
    plain = _settled(manifest)
    if kind == "Secret":
        hidden = dict.fromkeys((*plain.get("data", {}), *plain.get("stringData", {})), "(hidden)")
        plain = {**plain, "data": hidden}
        plain.pop("stringData", None)
    return [f"# {kind} {name}", *yaml.safe_dump(plain, sort_keys=True).splitlines()]


def _settled(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _settled(v) for k, v in value.items() if not str(k).startswith("checksum/")}
    return [_settled(each) for each in value] if isinstance(value, list) else value


def _shortened(lines: list[str]) -> str:
    left = len(lines) - MAX_LINES
    return "\n".join([*lines[:MAX_LINES], *([f"({left} more lines)"] if left > 0 else [])])
