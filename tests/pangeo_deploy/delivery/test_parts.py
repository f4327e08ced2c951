"""The decisions between plan and production, one by one."""

import io
import json
import shutil
import tarfile
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulated_aws import open_account
from pangeo_core.errors import BadInput, CheckFailed
from pangeo_deploy.charts.check import check as check_charts
from pangeo_deploy.charts.values import settings
from pangeo_deploy.delivery import (
    api_access,
    deployment_record,
    event_calendar,
    notices,
    plan_bundle,
)
from pangeo_deploy.delivery.notices import Notice, upkeep
from pangeo_deploy.delivery.published_site import assemble
from pangeo_deploy.delivery.pull_request_comment import LONGEST, code, comment
from pangeo_deploy.deployment import Deployment
from tests.conftest import PROJECT


def review(**changes: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "schema": 1, "environment": "staging", "target": "rehearsal", "commit": "c" * 40,
        "made": "2026-11-26T12:00:00+00:00", "files": {"plan.tfplan": "f" * 64},
        "create": 0, "update": 0, "replace": 0, "delete": 0, "resources": [],
        "cost": {
            "floor_before": "100", "floor_after": "130.5", "use_before": "0", "use_after": "0",
            "difference": [], "unpriced": 0, "gate": {"ok": True, "budget": "250", "checks": []},
        },
        "policy": [], "charts": [],
    }  # fmt: skip
    return known | changes


def test_what_is_destroyed_stands_before_what_is_made() -> None:
    resources = [
        {"address": f"aws_vpc.{action}", "action": action}
        for action in ("create", "update", "replace", "delete")
    ]
    text = comment([review(create=1, update=1, replace=1, delete=1, resources=resources)])
    places = [text.index(f"aws_vpc.{one}`") for one in ("delete", "replace", "update", "create")]
    assert places == sorted(places)
    assert "destroys or replaces 2 resources" in text
    assert "| **1** | **1** | 1 | 1 | 100.00 → 130.50 |" in text


@given(st.text(max_size=60))
def test_no_name_becomes_markup(name: str) -> None:
    shown = code(name)
    assert shown[0] == shown[-1] == "`"
    assert "`" not in shown[1:-1]
    assert "\n" not in shown
    assert "|" not in shown.replace("\\|", "")


def test_a_long_comment_is_cut_to_what_github_takes() -> None:
    findings = [{"rule": "r", "address": "a" * 300, "why": "w"}] * 400
    text = comment([review(policy=findings)])
    assert len(text) < 65_536
    assert len(text) > LONGEST
    assert text.endswith("the run has it whole.\n")


def shown(**change: Any) -> dict[str, Any]:
    return {"resource_changes": [{"address": "aws_db.x", "change": change}]}


@pytest.mark.parametrize(
    ("plan", "found"),
    [
        (shown(after={"a": "x"}, after_sensitive={}), set()),
        (shown(after={"a": "x"}, after_sensitive={"a": True}), {"aws_db.x"}),
        (shown(after={"a": None}, after_sensitive={"a": True}), set()),
        (shown(before={"l": [{"p": "x"}]}, before_sensitive={"l": [{"p": True}]}), {"aws_db.x"}),
        (
            {
                "configuration": {"root_module": {"variables": {"key": {"sensitive": True}}}},
                "variables": {"key": {"value": "hush"}},
            },
            {"var.key"},
        ),
        (
            {
                "prior_state": {
                    "values": {
                        "root_module": {
                            "child_modules": [
                                {
                                    "resources": [
                                        {
                                            "address": "m.y",
                                            "values": {"s": 1},
                                            "sensitive_values": {"s": True},
                                        }
                                    ]
                                }
                            ]
                        }
                    }
                }
            },
            {"m.y"},
        ),
    ],
)
def test_a_secret_in_a_plan_is_seen(plan: dict[str, Any], found: set[str]) -> None:
    assert plan_bundle.secrets(plan) == found


def sealed(folder: Path, **changes: Any) -> Path:
    folder.mkdir()
    for name in (plan_bundle.PLAN, plan_bundle.RECORD):
        (folder / name).write_text(name)
    files = {
        name: plan_bundle._sha256(folder / name) for name in (plan_bundle.PLAN, plan_bundle.RECORD)
    }
    (folder / plan_bundle.REVIEW).write_text(json.dumps(review(files=files) | changes))
    return folder


def test_only_the_reviewed_bundle_is_verified(tmp_path: Path) -> None:
    deployment = Deployment("staging", project=PROJECT)
    good = sealed(tmp_path / "good")
    assert plan_bundle.verify(deployment, good, "c" * 40)["environment"] == "staging"
    with pytest.raises(CheckFailed, match="was made of"):
        plan_bundle.verify(deployment, good, "d" * 40)
    with pytest.raises(CheckFailed, match="not for staging on aws"):
        plan_bundle.verify(Deployment("staging", "aws", project=PROJECT), good, "c" * 40)
    (good / plan_bundle.PLAN).write_text("another plan")
    with pytest.raises(CheckFailed, match="not the file that was reviewed"):
        plan_bundle.verify(deployment, good, "c" * 40)
    finding = {"rule": "closed", "address": "aws_s3_bucket.x", "why": "Anybody could read it."}
    with pytest.raises(CheckFailed, match="1 findings"):
        plan_bundle.verify(deployment, sealed(tmp_path / "bad", policy=[finding]), "c" * 40)
    with pytest.raises(BadInput, match="not a review"):
        plan_bundle.verify(deployment, sealed(tmp_path / "newer", schema=2), "c" * 40)


def test_an_issue_is_opened_updated_and_closed_once() -> None:
    bad, good = Notice("drift staging", False, "T", "B"), Notice("drift staging", True, "T", "")
    assert upkeep(bad, []).action == "open"
    mine = {"number": 5, "title": "T", "body": upkeep(bad, []).body}
    other = {"number": 4, "title": "T", "body": "<!-- pangeo-deploy: drift prod -->\nB"}
    assert upkeep(bad, [other, mine]).action == "nothing"
    changed = upkeep(Notice("drift staging", False, "T", "C"), [other, mine])
    assert (changed.action, changed.number) == ("update", 5)
    assert (upkeep(good, [other, mine]).action, upkeep(good, [other]).action) == (
        "close",
        "nothing",
    )


@pytest.mark.parametrize(("days", "warned"), [(91, False), (90, True), (1, True), (-3, True)])
def test_the_price_of_an_old_kubernetes_is_told_90_days_ahead(days: int, warned: bool) -> None:
    today, end = date(2026, 12, 27), date(2027, 3, 27)
    today = date.fromordinal(end.toordinal() - days)
    notice = notices.support_ends("prod", "1.35", end, today, "365")
    assert notice.ok is not warned
    assert "365 USD a month more" in notice.body


def test_what_was_never_deployed_is_not_gone_back_to(tmp_path: Path) -> None:
    deployment = Deployment("staging", project=PROJECT)
    for commit, kind in (("a" * 40, "deploy"), ("b" * 40, "event")):
        deployment_record.write(
            tmp_path, deployment_record.make(deployment, kind, commit, review=review())
        )
    assert deployment_record.find(tmp_path, "staging", "aaaaaaa")["commit"] == "a" * 40
    with pytest.raises(CheckFailed, match="never deployed"):
        deployment_record.find(tmp_path, "staging", "bbbbbbb")
    with pytest.raises(CheckFailed, match="never deployed"):
        deployment_record.find(tmp_path, "prod", "aaaaaaa")
    with pytest.raises(BadInput, match="7 characters"):
        deployment_record.find(tmp_path, "staging", "aaa")


def test_an_event_costs_whole_machines_for_its_hours() -> None:
    event = event_calendar.find(PROJECT, "example-hackweek")
    cost = event_calendar.expected(PROJECT, event)
    users = next(one for one in cost["lines"] if one["what"] == "user: small")
    # 8 on an r5a.2xlarge at 0.452 USD: 10 machines for 5 days of 9 hours.
    assert (users["machines"], users["hours"], users["usd"]) == (10, "45", "203.40")
    assert sum(Decimal(one["usd"]) for one in cost["lines"]) == Decimal(cost["usd"])
    assert cost["origin"] == "modelled"


def test_room_for_an_event_is_laid_over_its_environment_and_passes_the_checks(
    tmp_path: Path,
) -> None:
    for folder in ("helm", "terraform"):
        shutil.copytree(PROJECT / folder, tmp_path / folder)
    before = settings(tmp_path, "staging")
    event_calendar.lay(tmp_path, event_calendar.find(tmp_path, "example-hackweek"))
    after = settings(tmp_path, "staging")
    assert (before["limits"]["servers"], after["limits"]["servers"]) == (20, 100)
    assert {k: v for k, v in after.items() if k != "limits"} == {
        k: v for k, v in before.items() if k != "limits"
    }
    assert check_charts(tmp_path, "staging").ok


def test_a_wrong_calendar_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "helm").mkdir()
    file = tmp_path / event_calendar.CALENDAR
    text = (PROJECT / event_calendar.CALENDAR).read_text()
    for old, new, told in (
        ("people: 80", "people: none", "people"),
        ("last_day: 2027-03-19", "last_day: 2027-03-01", "ends before it begins"),
        ("hours_a_day: 9", "hours_a_day: 25", "hours_a_day"),
        ("people: 80", "persons: 80", "persons"),
    ):
        file.write_text(text.replace(old, new))
        with pytest.raises(BadInput, match=told):
            event_calendar.read(tmp_path)


def archive(name: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    return buffer.getvalue()


def test_a_releases_book_cannot_leave_its_folder(tmp_path: Path) -> None:
    book = tmp_path / "book"
    (book / "notebooks").mkdir(parents=True)
    good = ("book-v1.0.tar.gz", archive("index.html"))
    assert assemble(book, [good, ("notes.txt", b"")], tmp_path / "site") == ["v1.0"]
    assert (tmp_path / "site" / "v1.0" / "index.html").read_text() == "x"
    for name, content in (
        ("book-v2.tar.gz", archive("../../out")),
        ("book-notebooks.tar.gz", archive("index.html")),
        ("book-v3.tar.gz", b"no archive"),
    ):
        with pytest.raises(BadInput):
            assemble(book, [(name, content)], tmp_path / "site")
    assert not (tmp_path / "out").exists()


def test_the_apis_door_is_open_for_one_machine_and_then_as_it_was(tmp_path: Path) -> None:
    with open_account(tmp_path / "account") as account:
        eks = account.client("eks")
        ec2 = account.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(
                VpcId=vpc, CidrBlock=f"10.9.{n}.0/24", AvailabilityZone=f"us-west-2{z}"
            )
            for n, z in enumerate("ab")
        ]
        ids = [one["Subnet"]["SubnetId"] for one in subnets]
        shut = {"subnetIds": ids, "endpointPublicAccess": False, "endpointPrivateAccess": True}
        role = "arn:aws:iam::123456789012:role/pangeo-staging-cluster"
        name = "pangeo-staging"
        eks.create_cluster(name=name, roleArn=role, resourcesVpcConfig=shut)
        assert api_access.seen(eks, name).public is False
        mine, another, shut_again = "192.0.2.7/32", "192.0.2.8/32", api_access.Door(False)
        assert api_access.open_to(eks, name, mine) == api_access.Door(True, frozenset({mine}))
        both = api_access.open_to(eks, name, another)
        assert both.networks == {mine, another}
        assert api_access.shut_to(eks, name, mine, shut_again).networks == {another}
        assert api_access.shut_to(eks, name, another, shut_again).public is False
        assert api_access.shut_to(eks, "pangeo-gone", mine, shut_again) == shut_again

    config = {"endpoint_public_access": True, "public_access_cidrs": ["198.51.100.0/24"]}
    cluster = {"mode": "managed", "type": "aws_eks_cluster"}
    state = {"resources": [{**cluster, "instances": [{"attributes": {"vpc_config": [config]}}]}]}
    assert api_access.declared(state) == api_access.Door(True, frozenset({"198.51.100.0/24"}))
    assert api_access.declared({}) == api_access.Door(False)
