"""Checks of an AWS account before a deployment: credentials, quotas, supported versions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pangeo_core.errors import PangeoDeployError
from pangeo_core.files import read_json
from pangeo_core.units import HOURS_PER_MONTH, PriceOf
from pangeo_deploy.charts.render import kubernetes_version
from pangeo_deploy.identity import whoami
from pangeo_deploy.targets.aws_environment_checks import (
    account_checks,
    environment_checks,
    project_checks,
)
from pangeo_deploy.targets.check import Check
from pangeo_deploy.targets.program_checks import programs

NOTICE_DAYS = 90  # an upgrade of a hub in use takes planning


@dataclass(frozen=True)
class Quota:
    """One quota by AWS's codes, and what a small hub needs of it."""

    name: str
    service: str
    code: str
    needed: int


# A new account often starts below these, and an increase takes days. Needed: a class of 25 on
# machines of four cores, as many cores for Dask on spot, one cluster, an address for a NAT gateway
# in each of three zones.
QUOTAS = (
    Quota("vCPUs, on-demand standard instances", "ec2", "L-1216C47A", 64),
    Quota("vCPUs, spot standard instances", "ec2", "L-34B43A08", 64),
    Quota("Elastic IP addresses", "ec2", "L-0263D0A3", 3),
    Quota("EKS clusters", "eks", "L-1194D53C", 1),
)


def cloud(
    open_session: Callable[[], Any],
    project: Path,
    today: date,
    price: PriceOf,
) -> Iterator[Check]:
    """Yield a finding for each prerequisite of the first-deployment page, and each version.

    `open_session` returns the boto3 session to check.
    """
    major, minor = kubernetes_version(project).split(".")
    yield from programs((int(major), int(minor)), with_aws=True)
    try:
        session = open_session()
        me = whoami(session)
    except PangeoDeployError as error:
        yield Check("AWS credentials", False, error.what, error.fix)
    else:
        yield Check("AWS credentials", True, f"{me.arn}, {me.region}")
        client = session.client("service-quotas")
        for quota in QUOTAS:
            yield _quota(client, quota)
        yield from account_checks(session, project, today)
    yield from project_checks(project)
    yield from environment_checks(project)
    yield from versions(project, today, price)


def _quota(client: Any, quota: Quota) -> Check:
    name = f"quota: {quota.name}"
    try:
        found = client.get_service_quota(ServiceCode=quota.service, QuotaCode=quota.code)
    except (BotoCoreError, ClientError) as error:
        fix = "Allow servicequotas:GetServiceQuota, or look in the console."
        return Check(name, False, f"cannot be asked: {error}", fix, required=False)
    value = float(found["Quota"]["Value"])
    ok = value >= quota.needed
    fix = "" if ok else f"Ask AWS for {quota.needed} (code {quota.code}); it takes days."
    return Check(name, ok, f"{value:g}, {quota.needed} needed", fix)


def versions(project: Path, today: date, price: PriceOf) -> Iterator[Check]:
    """Yield how long each Kubernetes version that the HCL accepts stays in standard support."""
    file = project / "terraform/modules/cluster/kubernetes_versions.json"
    standard, extended = price("eks", "cluster-hour"), price("eks", "extended-cluster-hour")
    if standard is None or extended is None:
        more = "more, which the price list does not say"
    else:
        more = f"{(extended - standard) * HOURS_PER_MONTH:.0f} USD a month more"
    for version, text in sorted(read_json(file).items()):
        left = (date.fromisoformat(text) - today).days
        detail = f"standard support until {text}, {left} days left; after that it costs {more}"
        fix = "" if left > NOTICE_DAYS else "Upgrade the clusters that run it."
        yield Check(f"Kubernetes {version}", left > NOTICE_DAYS, detail, fix, required=False)
