"""Run the rules over a deployment and say what was found."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pangeo_core.errors import CheckFailed
from pangeo_core.terraform_json import planned, planned_outputs
from pangeo_deploy.charts.check import Finding as ChartFinding
from pangeo_deploy.charts.render import render
from pangeo_deploy.charts.values import CHARTS, complete, platform
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.preflight.facts import Facts, facts_of, gather
from pangeo_deploy.preflight.rules import RULES


@dataclass(frozen=True)
class Finding:
    """What would fail after an apply: by which rule, where, what is wrong, the way out."""

    rule: str
    where: str
    message: str
    fix: str


@dataclass(frozen=True)
class Preflight:
    """The answer for one environment. `skipped` says what could not be looked at, and why."""

    environment: str
    rules: int
    nodes: tuple[str, ...]
    findings: tuple[Finding, ...]
    skipped: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing must be corrected."""
        return not self.findings

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {"ok": self.ok, **asdict(self)}


def preflight(
    deployment: Deployment, plan: Callable[[], Mapping[str, Any]], for_real: bool = False
) -> Preflight:
    """Join Terraform's plan with the rendered charts, and look for what one names in vain.

    `plan` returns `terraform show -json` of a plan; it is not called for an environment without
    Terraform. `for_real`: people will reach it, and no example's name may be in it.
    """
    project, environment = deployment.project, deployment.environment
    if platform(project, environment) == "":
        values = {chart: complete(project, chart, environment) for chart in CHARTS}
        rendered = {chart: render(project, chart, values[chart]) for chart in CHARTS}
        return judge(facts_of(project, environment, rendered, values, (), {}, for_real))
    shown = plan()
    resources, outputs = planned(shown), planned_outputs(shown)
    return judge(gather(project, environment, resources, outputs, for_real))


def require_own_names(deployment: Deployment, outputs: Mapping[str, Any]) -> None:
    """Refuse to deploy an example's host, address or team, and what the charts name in vain.

    Raises `CheckFailed` with the first finding.
    """
    project, environment = deployment.project, deployment.environment
    found = judge(gather(project, environment, (), outputs, for_real=True))
    if not found.ok:
        first = found.findings[0]
        raise CheckFailed(
            f"{environment} is not ready: {len(found.findings)} findings, nothing was deployed.",
            why=f"The first: {first.where}: {first.message}. {first.fix}",
            fix=f"pangeo-deploy preflight {environment} --target {deployment.target}",
        )


def unready(deployment: Deployment) -> list[ChartFinding]:
    """Return what keeps the charts from being deployed for people, without a look at Terraform."""
    facts = gather(deployment.project, deployment.environment, (), {}, for_real=True)
    return [
        ChartFinding(one.where.partition(".")[0], one.where, one.rule, f"{one.message}. {one.fix}")
        for one in judge(facts).findings
        if one.rule == "placeholders"
    ]


def judge(facts: Facts) -> Preflight:
    """Return what the rules say of the facts."""
    findings = [Finding(name, *told) for name, rule in RULES.items() for told in rule(facts)]
    skipped = []
    if not facts.whole:
        skipped.append(
            "The charts' dependencies are not in helm/*/charts: of their pods only what our values "
            "say was looked at."
        )
    if not facts.for_real:
        skipped.append("Whether names are examples: pass --target aws.")
    nodes = tuple(node.name for node in facts.nodes)
    return Preflight(facts.environment, len(RULES), nodes, tuple(findings), tuple(skipped))
