"""What every target must do alike. A new target passes these before it is one."""

import ast
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest

from hub_user.janitor import make_round
from pangeo_core.errors import BadInput, MissingPrerequisite
from pangeo_deploy.charts.values import load, settings
from pangeo_deploy.deployment import Deployment, TargetName
from pangeo_deploy.targets import Cloud, NotOnThisTarget, image_checks, named, target_of
from pangeo_deploy.terraform import sweep
from tests.conftest import PROJECT
from tests.targets.conftest import HAS, OPERATIONS, SITES, Site


def price(_service: str, _item: str) -> Decimal | None:
    return None


def test_the_suite_knows_every_target() -> None:
    assert set(get_args(TargetName)) == set(HAS) == set(SITES)


def test_it_is_found_by_its_name_and_says_where_a_plan_was_made(site: Site) -> None:
    kind = named(site.deployment.target)
    assert kind.name == site.deployment.target
    assert isinstance(site.target, kind)
    assert site.target.deployment is site.deployment
    assert kind.where.split()[0] in ("in", "on")


def test_a_name_that_is_none_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="no target 'azure'") as refused:
        named("azure")
    assert "rehearsal" in refused.value.fix


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_what_it_does_not_have_it_says_so(site: Site, operation: str, tmp_path: Path) -> None:
    if operation in site.has:
        assert operation in dir(site.target)
        return
    with pytest.raises(NotOnThisTarget) as refused:
        OPERATIONS[operation](site.target, tmp_path)
    assert site.deployment.target in refused.value.what
    assert refused.value.exit_code == 2


def test_nothing_is_removed_under_a_wrong_name(site: Site) -> None:
    target, environment = site.target, site.deployment.environment
    target.require_confirmation(environment)
    with pytest.raises(BadInput, match=f"removes {environment}"):
        target.require_confirmation(f"{environment}s")
    if target.confirms:
        with pytest.raises(BadInput, match=f"removes {environment}") as refused:
            target.require_confirmation("")
        assert f"--confirm {environment}" in refused.value.fix
    else:
        target.require_confirmation("")


def test_prerequisites_are_findings_that_name_the_way_out(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_checks, "SCHEME", "nowhere")  # no registry is asked
    for check in named(site.deployment.target).doctor_checks(price):
        assert check.name
        assert check.detail
        assert check.ok or check.fix or not check.required


def test_an_account_that_is_opened_is_the_deployments(site: Site) -> None:
    if "connect" not in site.has:
        return
    with site.target.connect() as cloud:
        assert isinstance(cloud, Cloud)
        account = cloud.client("sts").get_caller_identity()["Account"]
        assert account == site.deployment.account_id or site.deployment.account_id is None
        assert cloud.kept_types <= site.target.known_types().taggable | cloud.kept_types
        # What a deployment left is found by its tags, and nothing else is.
        vpc = cloud.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        assert not sweep.sweep_account(cloud, site.deployment)
        tags = [{"Key": key, "Value": value} for key, value in site.deployment.tags.items()]
        cloud.client("ec2").create_tags(Resources=[vpc], Tags=tags)
        assert [left.id for left in sweep.sweep_account(cloud, site.deployment)] == [vpc]
        cloud.client("ec2").delete_vpc(VpcId=vpc)


def test_resource_types_are_known(site: Site) -> None:
    if "known_types" in site.has:
        types = site.target.known_types()
        assert "aws_vpc" in types.taggable
        assert not types.kept & {"aws_vpc"}


@pytest.mark.slow
def test_a_hub_is_entered_as_an_ordinary_user(inhabited: Site) -> None:
    entrance = inhabited.target.entrance()
    me = entrance.enter().whoami()
    assert me["name"].startswith("smoke")
    assert me["admin"] is False


@pytest.mark.slow
def test_a_persons_own_token_goes_before_the_services(
    inhabited: Site, hub: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    if inhabited.deployment.target == "rehearsal":
        return  # whose people have passwords
    monkeypatch.setenv("PANGEO_HUB_TOKEN", target_of(hub).entrance("bob").enter().token)
    assert inhabited.target.entrance().enter().name == "bob"


@pytest.mark.slow
@pytest.mark.parametrize("ask", ["entrance", "janitor"])
def test_without_a_cluster_or_a_token_the_way_out_is_named(
    inhabited: Site, ask: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if inhabited.deployment.target == "rehearsal":
        return  # which is its own cluster
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingPrerequisite, match="No token") as refused:
        getattr(inhabited.target, ask)()
    assert "charts" in refused.value.fix


@pytest.mark.slow
def test_the_janitor_sees_servers_and_may_stop_them(inhabited: Site) -> None:
    deployment = inhabited.deployment
    service, clusters = inhabited.target.janitor()
    assert clusters == []
    pools = load(deployment.project, "support", "staging")["pools"]
    shapes = {name: pool["shapes"][0] for name, pool in pools.items()}
    values = settings(deployment.project, "staging")
    seen = make_round(service, clusters, values, shapes, price)
    assert (seen.servers, seen.clusters) == (1, 0)
    short = {**values, "culling": {**values["culling"], "max_age_seconds": -86400}}
    cleaned = make_round(service, clusters, short, shapes, price, True)
    assert [one.owner for one in cleaned.outstayed] == ["ann"]
    assert cleaned.ok


@pytest.mark.slow
def test_a_gateway_is_reached_with_a_users_token(inhabited: Site) -> None:
    if "gateway" in inhabited.has:
        access = inhabited.target.gateway("ann")
        assert access.address.startswith("http")
        assert access.token


@pytest.mark.slow
def test_usage_is_recorded_since_the_hub_runs(inhabited: Site) -> None:
    if "usage_records" in inhabited.has:
        records = inhabited.target.usage_records()
        assert records.since < datetime.now(UTC)
        assert records.log.exists()


def test_a_bill_carries_its_origin(site: Site, tmp_path: Path) -> None:
    if "monthly_bill" not in site.has:
        return
    if site.target.confirms:
        with site.target.connect() as cloud:
            s3 = cloud.client("s3")
            place = {"LocationConstraint": "us-west-2"}
            s3.create_bucket(Bucket="bills", CreateBucketConfiguration=place)
            key = "cur/data/BILLING_PERIOD=2026-10/bill.csv"
            s3.put_object(Bucket="bills", Key=key, Body=b"line_item_usage_start_date\n")
            manifest = {"key": "cur/metadata/BILLING_PERIOD=2026-10/manifest.json"}
            s3.put_object(Bucket="bills", Key=manifest["key"], Body=b"{}")
    bill = site.target.monthly_bill("2026-10", tmp_path, outputs=lambda: {"bills_bucket": "bills"})
    assert all(file.exists() for file in bill.files)
    assert bill.origin == ("measured" if site.target.confirms else "sample")


def test_nothing_else_asks_for_a_targets_name() -> None:
    names = set(get_args(TargetName))
    inside = PROJECT / "src/pangeo_deploy/targets"
    asked = []
    for file in (PROJECT / "src").rglob("*.py"):
        if inside in file.parents:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Compare | ast.Match) and _names_in(node) & names:
                asked.append(f"{file.relative_to(PROJECT)}:{node.lineno}")
    assert asked == []


def _names_in(node: ast.Compare | ast.Match) -> set[object]:
    parts = node.cases if isinstance(node, ast.Match) else [node.left, *node.comparators]
    return {
        each.value
        for part in parts
        for each in ast.walk(part)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }
