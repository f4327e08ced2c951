"""A volume that grows cannot shrink again: what a deploy must know before it changes one."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pangeo_core.errors import BadInput
from pangeo_deploy.charts.programs import run
from pangeo_deploy.charts.render import NAMESPACES
from pangeo_deploy.charts.trees import Values

__all__ = ["bytes_of", "require_growth_alone"]

Manifest = dict[str, Any]
FACTORS: dict[str, float] = {"": 1, "m": 0.001, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
FACTORS |= {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


@dataclass(frozen=True)
class Claims:
    """The volumes that a release asks for (name -> size), and all else that it consists of."""

    sizes: Mapping[str, str]
    others: Mapping[str, str]


def bytes_of(quantity: object) -> float:
    """Return a Kubernetes quantity, such as 1Gi or 500m, as a number."""
    found = re.fullmatch(r"([0-9.]+(?:e[0-9]+)?)([a-zA-Z]*)", str(quantity))
    if not found or found[2] not in FACTORS:
        raise BadInput(f"{quantity!r} is not a quantity of Kubernetes.")
    return float(found[1]) * FACTORS[found[2]]


def require_growth_alone(chart: str, folder: Path, values: Values) -> None:
    """Refuse a deploy that shrinks a volume, or grows one together with any other change.

    Kubernetes cannot make a volume smaller, so a release that grew one cannot be rolled back: it
    must hold nothing that one might want to roll back.
    """
    space = ("--namespace", NAMESPACES[chart])
    now = claims(run("helm", "get", "manifest", chart, *space))
    words = ("upgrade", chart, str(folder), *space, "--dry-run=server", "--output", "json")
    planned = json.loads(run("helm", *words, "--values", "-", given=json.dumps(values)))
    then = claims(planned["manifest"])
    for name in sorted(now.sizes.keys() & then.sizes.keys()):
        before, after = now.sizes[name], then.sizes[name]
        if bytes_of(after) < bytes_of(before):
            raise BadInput(
                f"The volume of {name} would shrink from {before} to {after}.",
                why="Kubernetes can only make a volume larger.",
                fix=f"Set its size back to {before}, or more.",
            )
        if bytes_of(after) > bytes_of(before) and now.others != then.others:
            changed = sorted(
                key
                for key in now.others.keys() | then.others.keys()
                if now.others.get(key) != then.others.get(key)
            )
            raise BadInput(
                f"The volume of {name} would grow from {before} to {after} with other changes.",
                why="A volume cannot shrink, so this deploy could not be rolled back. "
                f"Also changed: {', '.join(changed)}.",
                fix="Deploy the new size alone, then the rest.",
            )


def claims(text: str) -> Claims:
    """Return what the manifests of a release ask for; Secrets are left out, since drawn anew."""
    sizes, others = {}, {}
    for manifest in yaml.safe_load_all(text):
        if not manifest or manifest["kind"] == "Secret":
            continue
        name = f"{manifest['kind']}/{manifest['metadata']['name']}"
        for which, spec in _claim_specs(manifest):
            requests = spec["resources"]["requests"]
            sizes[which or name] = str(requests.pop("storage"))
        others[name] = json.dumps(manifest, sort_keys=True)
    return Claims(sizes, others)


def _claim_specs(manifest: Manifest) -> Iterable[tuple[str, Manifest]]:
    if manifest["kind"] == "PersistentVolumeClaim":
        yield "", manifest["spec"]
    if manifest["kind"] == "StatefulSet":
        for template in manifest["spec"].get("volumeClaimTemplates") or ():
            name = f"StatefulSet/{manifest['metadata']['name']}/{template['metadata']['name']}"
            yield name, template["spec"]
