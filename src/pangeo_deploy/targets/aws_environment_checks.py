"""Checks of the first-deployment page, for each environment, before the first apply."""

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hcl2
from botocore.exceptions import BotoCoreError, ClientError

from pangeo_core.errors import PangeoDeployError
from pangeo_deploy.charts import dependencies
from pangeo_deploy.charts.render import kubernetes_version
from pangeo_deploy.charts.values import CHARTS, load, platform
from pangeo_deploy.deployment import Deployment, environments
from pangeo_deploy.preflight.cloud_rules import examples
from pangeo_deploy.targets import image_checks
from pangeo_deploy.targets.check import Check
from pangeo_deploy.targets.cluster_age_checks import cluster_age

GITHUB_SUBJECT = "token.actions.githubusercontent.com:sub"
MISSING = ("NoSuchEntity", "ResourceNotFoundException")
COST_EXPLORER_FIX = "Enable Cost Explorer in the billing console; its data come within a day."


def project_checks(project: Path) -> Iterator[Check]:
    """Yield the checks of files for all environments: the locks of charts and provider."""
    for chart in CHARTS:
        try:
            dependencies.require_lock(project / "helm" / chart)
            yield Check(f"Chart.lock of {chart}", True, "committed, as Chart.yaml asks")
        except PangeoDeployError as error:
            yield Check(f"Chart.lock of {chart}", False, f"{error.what} {error.why}", error.fix)
    lock = project / "terraform" / ".terraform.lock.hcl"
    fix = "" if lock.exists() else "Run: make provider-lock, and commit what it writes."
    detail = "committed" if lock.exists() else f"{lock.name} is missing"
    yield Check("provider lock", lock.exists(), detail, fix)


def environment_checks(project: Path) -> Iterator[Check]:
    """Yield the checks of each AWS environment's files.

    Looks up its host in DNS, and its images in their registries.
    """
    yield from _images(project)
    for deployment in on_eks(project):
        name = deployment.environment
        values = load(project, "pangeo", name)
        if found := [f"{where}: {what}" for where, what, _ in examples(name, values)]:
            fix = f"Write your own into helm/environments/{name}.yaml."
            yield Check(f"{name}: names", False, "; ".join(found), fix)
        else:
            yield Check(f"{name}: names", True, values["pangeo"]["url"])
            yield _resolved(name, str(values["pangeo"]["url"]))
        backend = deployment.tfvars.with_suffix(".s3.tfbackend")
        ok = backend.exists()
        fix = "" if ok else "Write it from: terraform output backends, in terraform/bootstrap."
        where = backend.relative_to(project)
        yield Check(f"{name}: state", ok, f"{where}{'' if ok else ' is missing'}", fix)
        yield _people(deployment)


def account_checks(session: Any, project: Path, today: date) -> Iterator[Check]:
    """Yield the checks of the account of a boto3 session, for each environment on AWS."""
    yield _cost_explorer(session, today)
    charts = [load(project, "support", one.environment) for one in on_eks(project)]
    for alias in sorted({values["cluster"]["ami"] for values in charts}):
        yield image_checks.ami(session, alias, kubernetes_version(project))
    iam, secrets = session.client("iam"), session.client("secretsmanager")
    for deployment in on_eks(project):
        yield _role(iam, deployment)
        yield _login(secrets, deployment)
        yield from cluster_age(session, deployment.name)


def on_eks(project: Path) -> list[Deployment]:
    """Return the deployments of the environments that are made for EKS."""
    return [
        Deployment(name, "aws", project)
        for name in environments(project)
        if platform(project, name) == "eks"
    ]


def _images(project: Path) -> Iterator[Check]:
    found: dict[str, Check] = {}
    for deployment in on_eks(project):
        values = load(project, "pangeo", deployment.environment)
        found |= {image.name: image for image in image_checks.images(values)}
    yield from found.values()


def _resolved(environment: str, url: str) -> Check:
    host, name = urlsplit(url).hostname or "", f"{environment}: DNS"
    try:
        address = socket.getaddrinfo(host, 443)[0][4][0]
    except OSError as error:
        fix = "Make the CNAME record that `charts deploy` names, once there is a load balancer."
        return Check(name, False, f"{host}: {error}", fix, required=False)
    return Check(name, True, f"{host} is {address}", required=False)


def _people(deployment: Deployment) -> Check:
    content = hcl2.loads(deployment.tfvars.read_text())
    roles = [str(role).strip('"') for role in content.get("cluster_admin_roles") or ()]
    people = [role for role in roles if role != f"{deployment.name}-apply"]
    name = f"{deployment.environment}: administrators"
    if people:
        return Check(name, True, ", ".join(people))
    fix = f"Add your own role to cluster_admin_roles in {deployment.tfvars.name}."
    detail = "no person's role may enter the cluster, only the pipeline's"
    return Check(name, False, detail, fix, required=False)


def _cost_explorer(session: Any, today: date) -> Check:
    """Request one day's cost, for which AWS charges 0.01 USD."""
    days = today - timedelta(days=3), today - timedelta(days=2)
    period = dict(zip(("Start", "End"), map(str, days), strict=True))
    try:
        client = session.client("ce", region_name="us-east-1")
        client.get_cost_and_usage(TimePeriod=period, Granularity="DAILY", Metrics=["UnblendedCost"])
    except (BotoCoreError, ClientError) as error:
        return Check("Cost Explorer", False, str(error), COST_EXPLORER_FIX, required=False)
    return Check("Cost Explorer", True, "answers")


def _role(iam: Any, deployment: Deployment) -> Check:
    role, name = f"{deployment.name}-apply", f"{deployment.environment}: trust"
    again = "Apply terraform/bootstrap with -var github_repository=OWNER/NAME."
    try:
        document = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    except (BotoCoreError, ClientError) as error:
        return Check(name, False, _said(error, f"there is no role {role}"), again, required=False)
    trusted = {plain(subject) for subject in _subjects(document)}
    if (here := repository(deployment.project)) and here.lower() not in trusted:
        detail = f"{role} trusts {', '.join(sorted(trusted)) or 'nobody'}; this clone is of {here}"
        return Check(name, False, detail, again, required=False)
    return Check(name, True, f"{role} trusts {', '.join(sorted(trusted))}")


def _login(client: Any, deployment: Deployment) -> Check:
    secret, name = f"{deployment.name}/hub/login", f"{deployment.environment}: login's secret"
    fix = f"aws secretsmanager create-secret --name {secret} --secret-string file://login.json"
    try:
        client.describe_secret(SecretId=secret)
    except (BotoCoreError, ClientError) as error:
        return Check(name, False, _said(error, f"there is no secret {secret}"), fix)
    return Check(name, True, secret)


def _said(error: Exception, missing: str) -> str:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    return missing if code in MISSING else f"cannot be asked: {error}"


def _subjects(document: Any) -> Iterator[str]:
    for statement in document.get("Statement") or ():
        for tested in (statement.get("Condition") or {}).values():
            found = tested.get(GITHUB_SUBJECT) or ()
            yield from [found] if isinstance(found, str) else found


def plain(subject: str) -> str:
    """Return OWNER/NAME of a subject that GitHub sends, which may number both."""
    return re.sub(r"@\d+", "", subject).removeprefix("repo:").partition(":")[0].lower()


def repository(project: Path) -> str:
    """Return OWNER/NAME of the GitHub repository that a clone came from, "" for another origin."""
    told = ""
    with suppress(OSError):
        words = ["git", "-C", str(project), "remote", "get-url", "origin"]
        told = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    found = re.search(r"github\.com[:/]([^/\s]+/[^/\s]+?)(\.git)?/?\s*$", told)
    return found[1] if found else ""
