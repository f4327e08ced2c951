"""Say whether an environment's charts can be installed: schemas, manifests, policies."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pangeo_core.errors import BadInput, MissingPrerequisite
from pangeo_core.progress import Event, Progress, silent
from pangeo_deploy.charts import dependencies, manifest_policy
from pangeo_deploy.charts.render import Manifest, Rendered, kubernetes_version, render
from pangeo_deploy.charts.trees import Values, merged
from pangeo_deploy.charts.values import CHARTS, complete, overlays, read, text_of

__all__ = ["check"]

# Below these keys any key may stand: Kubernetes' maps of labels and the like, lists, programs.
FREE_KEYS = re.compile(
    r"(nodeSelector|node_selector|[aA]nnotations|[lL]abels|matchLabels|resources|extraEnv|limits|requests"
    r"|[sS]ecurityContext|config|services|extraConfig|serverFiles|pools|parameters)$"
)
# Kinds that other software brings, of which Kubernetes has no schema.
FOREIGN = tuple(f"{group}/" for group in dependencies.BRINGS)


@dataclass(frozen=True)
class Finding:
    """Something that must be corrected: in which chart, where in it, by which rule, what."""

    chart: str
    where: str
    rule: str
    message: str


@dataclass(frozen=True)
class Checked:
    """The answer for one environment. `skipped` says what could not be looked at, and why."""

    environment: str
    manifests: int
    whole: bool
    findings: tuple[Finding, ...]
    skipped: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing must be corrected."""
        return not self.findings

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {"ok": self.ok, **asdict(self)}


def check(
    project: Path,
    environment: str,
    outputs: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> Checked:
    """Check the charts of an environment as they would be deployed with Terraform's `outputs`."""
    findings: list[Finding] = []
    skipped: list[str] = []
    count, whole = 0, True
    for chart in CHARTS:
        progress(Event(chart, "start"))
        values = complete(project, chart, environment, outputs)
        found, rendered = check_chart(project, chart, values, skipped)
        findings += [*unknown_keys(project, chart, environment), *found]
        count += len(rendered.manifests) if rendered else 0
        whole &= bool(rendered and rendered.whole)
        told = f"{len(found)} findings"
        progress(Event(chart, "failed" if found else "done", told if found else ""))
    return Checked(environment, count, whole, tuple(findings), tuple(skipped))


def check_chart(
    project: Path, chart: str, values: Values, skipped: list[str]
) -> tuple[list[Finding], Rendered | None]:
    """Return the findings of one chart with these values; add to `skipped` what is left out."""
    findings = list(against_schemas(project, chart, values, skipped))
    names = [one["name"] for one in dependencies.declared(project / "helm" / chart)]
    if any(one.where.split(".")[0] not in names for one in findings):
        return findings, None  # wrong values of our own: nothing after them means anything
    findings += [
        Finding(chart, "values", *found) for found in manifest_policy.values_rules(chart, values)
    ]
    try:
        rendered = render(project, chart, values)
    except BadInput as error:
        return [*findings, Finding(chart, "templates", "render", error.why)], None
    if not rendered.whole:
        skipped.append(
            f"{chart}: its dependencies are not in helm/{chart}/charts, so only our own templates "
            "are rendered (where the repositories are reached: charts deploy brings them)"
        )
    findings += [
        Finding(chart, f"{one['kind']}/{one['metadata']['name']}", *found)
        for one in rendered.manifests
        if "test" not in manifest_policy.hooks(one)
        for found in against_rules(one, kubernetes_version(project), own=not rendered.whole)
        if not (rendered.whole and manifest_policy.accepted(one, found[0]))
    ]
    if foreign := sum(is_foreign(one) for one in rendered.manifests):
        skipped.append(f"{chart}: Kubernetes has no schema for {foreign} custom resources")
    return findings, rendered


def against_schemas(
    project: Path, chart: str, values: Values, skipped: list[str]
) -> Iterator[Finding]:
    """Compare the values with our schema and with those of the charts it depends on."""
    own = json.loads((project / "helm" / chart / "values.schema.json").read_bytes())
    yield from violations(chart, "", values, own)
    missing = []
    for dependency in dependencies.declared(project / "helm" / chart):
        name = dependency["name"]
        if schema := schema_of(project, chart, name):
            yield from violations(chart, name, values.get(name) or {}, schema)
        else:
            missing.append(name)
    if missing:
        skipped.append(f"{chart}: no schema of {', '.join(missing)} on this machine")


def schema_of(project: Path, chart: str, name: str) -> dict[str, Any] | None:
    """Return the schema of a dependency that is at hand, packed or not; None if it has none."""
    text = text_of(project / "helm" / chart, name, "values.schema.json")
    return dict(partial(json.loads(text))) if text else None


def unknown_keys(project: Path, chart: str, environment: str) -> Iterator[Finding]:
    """Yield keys of a dependency that an environment sets and nobody knows: misspelt, most likely.

    Known is what our own values set and what helm/known_keys.yaml lists, since a plain clone has
    none of the dependencies. Helm itself would ignore such a key without a word.
    """
    helm = project / "helm"
    names = {one["name"] for one in dependencies.declared(helm / chart)}
    listed = read(helm / "known_keys.yaml").get(chart) or {}
    known = merged(listed, read(helm / chart / "values.yaml"))
    *platforms, environments = overlays(project, chart, environment)
    for over in platforms:
        known = merged(known, over)
    for name in sorted(names & environments.keys()):
        if schema_of(project, chart, name):
            continue  # which knows better
        for path in _beyond(environments[name], known.get(name), name):
            message = (
                f"the chart {name} is not known to have this key: correct the spelling, or list it "
                "in helm/known_keys.yaml"
            )
            yield Finding(chart, path, "unknown key", message)


def _beyond(values: Any, known: Any, way: str) -> Iterator[str]:
    if not isinstance(values, dict) or FREE_KEYS.search(way):
        return
    for key, value in values.items():
        if not isinstance(known, dict) or key not in known:
            yield f"{way}.{key}"
        else:
            yield from _beyond(value, known[key], f"{way}.{key}")


def partial(schema: Any) -> Any:
    """Return the schema without `required`: what we do not set, the chart's own values do.

    Where alternatives are told apart by what they require, it stays.
    """
    if isinstance(schema, dict):
        return {
            key: value if key in ("oneOf", "anyOf", "not", "if") else partial(value)
            for key, value in schema.items()
            if not (key == "required" and isinstance(value, list))
        }
    return [partial(one) for one in schema] if isinstance(schema, list) else schema


def violations(chart: str, at: str, values: Any, schema: dict[str, Any]) -> Iterator[Finding]:
    """Yield where `values` do not fit `schema`."""
    import jsonschema  # slow to load, and only this needs it

    def pattern(validator: Any, wanted: str, value: Any, _schema: Any) -> Iterator[Any]:
        # At `$` Python lets a line break follow, Helm does not.
        exact = f"{wanted[:-1]}\\Z" if wanted.endswith("$") else wanted
        if validator.is_type(value, "string") and not re.search(exact, value):
            yield jsonschema.ValidationError(f"{value!r} does not match {wanted!r}")

    like_helm = jsonschema.validators.extend(jsonschema.Draft7Validator, {"pattern": pattern})
    for error in like_helm(schema).iter_errors(values):
        path = [at] if at else []
        where = ".".join([*path, *map(str, error.absolute_path)]) or "values"
        yield Finding(chart, where, "schema", short(error.message))


def against_rules(manifest: Manifest, kubernetes: str, own: bool) -> Iterator[tuple[str, str]]:
    """Yield (rule, what is wrong) for one manifest, written for a version of Kubernetes."""
    if not is_foreign(manifest) and (wrong := invalid(manifest, kubernetes)):
        yield "kubernetes", wrong
    for rule, broken in (
        manifest_policy.OWN_RULES if own else manifest_policy.MANIFEST_RULES
    ).items():
        yield from ((rule, message) for message in broken(manifest))
    if pod := manifest_policy.pod_of(manifest):
        for rule, broken_in in manifest_policy.POD_RULES.items():
            yield from ((rule, message) for message in broken_in(manifest, pod))


def is_foreign(manifest: Manifest) -> bool:
    """Tell whether a manifest's kind is not Kubernetes' own."""
    return str(manifest.get("apiVersion", "")).startswith(FOREIGN)


def invalid(manifest: Manifest, kubernetes: str) -> str:
    """Return what Kubernetes' schema says against a manifest, nothing if it is valid."""
    try:
        import kubernetes_validate
    except ImportError:
        raise MissingPrerequisite(
            "Manifests cannot be checked.",
            why="The package kubernetes-validate is not installed.",
            fix="Run: pip install kubernetes-validate",
        ) from None
    try:
        kubernetes_validate.validate(manifest, kubernetes, strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        return f"Kubernetes {kubernetes} has no {manifest['apiVersion']} {manifest['kind']}"
    except kubernetes_validate.ValidationError as error:
        return short(f"{'.'.join(map(str, error.path))}: {error.message}")
    return ""


def short(message: str, most: int = 300) -> str:
    """Return a message at a length that can be read."""
    return message if len(message) <= most else f"{message[:most]} ..."
