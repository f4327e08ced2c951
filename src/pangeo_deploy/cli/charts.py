"""The verbs on the charts: render, check, deploy."""

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from pangeo_core.files import write_whole
from pangeo_deploy.cli.console import reporting, show, table
from pangeo_deploy.cli.options import ConfirmOption, EnvironmentArgument, JsonOption, TargetOption
from pangeo_deploy.cli.verbs import group
from pangeo_deploy.deployment import DEFAULT_TARGET, Deployment, find_project

CHECK_FAILED = 3

app = group(help="The Helm charts of an environment.")


@app.command()
def render(
    environment: EnvironmentArgument,
    out: Annotated[Path | None, typer.Option(help="A folder to write the files to.")] = None,
    target: TargetOption = DEFAULT_TARGET,
    json: JsonOption = False,
) -> None:
    """Render the charts; with --out, write manifests and values to files, secrets redacted."""
    import yaml

    from pangeo_deploy.charts import secrets
    from pangeo_deploy.charts import values as charts_values
    from pangeo_deploy.charts.render import render as render_chart

    project = Deployment(environment, target).project
    documents = []
    for chart in charts_values.CHARTS:
        values = charts_values.complete(project, chart, environment)
        rendered = render_chart(project, chart, values)
        documents.append(rendered)
        if out:
            text = yaml.safe_dump_all(rendered.manifests, sort_keys=False)
            write_whole(out / f"{chart}.yaml", text)
            shown = yaml.safe_dump(secrets.redacted(values), sort_keys=False)
            write_whole(out / f"{chart}.values.yaml", shown)
    human = [f"{one.chart}: {len(one.manifests)} manifests" for one in documents]
    if not out:
        human = [yaml.safe_dump_all(one.manifests, sort_keys=False) for one in documents]
    show({"charts": [asdict(one) for one in documents]}, json, human)


@app.command()
def check(
    environment: EnvironmentArgument,
    target: TargetOption = DEFAULT_TARGET,
    json: JsonOption = False,
) -> None:
    """Check values, manifests and policies as they would be deployed; exit 3 on a finding.

    On a target that people reach, names that are examples are findings too.
    """
    from pangeo_deploy.charts.check import check as check_charts
    from pangeo_deploy.preflight.report import unready
    from pangeo_deploy.targets import target_of

    deployment = Deployment(environment, target)
    with reporting(f"Checking the charts of {environment}") as progress:
        found = check_charts(deployment.project, environment, progress=progress)
        if found.ok and target_of(deployment).for_real:
            found = replace(found, findings=tuple(unready(deployment)))
    told = f"{environment}: {found.manifests} manifests, {len(found.findings)} findings."
    human: list[Any] = [told]
    if found.findings:
        rows = [(one.chart, one.where, one.rule, one.message) for one in found.findings]
        human.insert(0, table("To correct", ("chart", "where", "rule", "what"), rows))
    human += [f"Not looked at: {one}" for one in found.skipped]
    show(found.as_dict(), json, human)
    if not found.ok:
        raise typer.Exit(CHECK_FAILED)


@app.command()
def fetch(json: JsonOption = False) -> None:
    """Fetch the charts that ours depend on, in the versions of their locks; git ignores them."""
    from pangeo_deploy.charts import dependencies
    from pangeo_deploy.charts.values import CHARTS

    project = find_project()
    for chart in CHARTS:
        dependencies.require_lock(project / "helm" / chart)
        dependencies.build(project / "helm" / chart)
    show({"charts": list(CHARTS)}, json, ["The charts are in helm/*/charts."])


@app.command()
def deploy(
    environment: EnvironmentArgument,
    target: TargetOption = DEFAULT_TARGET,
    json: JsonOption = False,
) -> None:
    """Install or upgrade the charts, then run the smoke test; roll back on failure.

    In the rehearsal the hub of this machine runs from them.
    """
    from hub_user.smoke import smoke
    from pangeo_deploy.targets import target_of
    from pangeo_deploy.terraform.lifecycle import outputs

    deployment = Deployment(environment, target)
    there = target_of(deployment)
    with reporting(f"Deploying the charts of {environment}") as progress:

        def visited() -> bool:
            return smoke(there.entrance(), progress=progress).ok

        result = there.deploy_charts(visited, progress, partial(outputs, deployment))
    show(result.as_dict(), json, [f"{environment} is deployed in {result.seconds:.0f} s."])


@app.command()
def remove(
    environment: EnvironmentArgument,
    target: TargetOption = DEFAULT_TARGET,
    confirm: ConfirmOption = "",
    json: JsonOption = False,
) -> None:
    """Remove the charts and the load balancers and volumes they created; homes are kept."""
    from pangeo_deploy.targets import target_of

    there = target_of(Deployment(environment, target))
    there.require_confirmation(confirm)
    with reporting(f"Removing the charts of {environment}"):
        there.remove_charts()
    show({"environment": environment, "target": target}, json, ["The charts are gone."])
