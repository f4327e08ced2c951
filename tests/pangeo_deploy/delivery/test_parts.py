"""The decisions between plan and production, one by one."""

import io
import json
import re
import shutil
import tarfile
from datetime import date, timedelta
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
    charts_diff,
    deployment_record,
    event_calendar,
    notices,
    plan_match,
    plan_review,
)
from pangeo_deploy.delivery.api_access import Access
from pangeo_deploy.delivery.notices import Notice, upkeep
from pangeo_deploy.delivery.public_values import HIDDEN, public, words_of
from pangeo_deploy.delivery.published_site import assemble
from pangeo_deploy.delivery.pull_request_comment import LONGEST, code, comment
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.terraform.plans import Plan, changes, drifted
from tests.conftest import PROJECT


def review(**changes: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "schema": 2, "environment": "staging", "target": "rehearsal", "commit": "c" * 40,
        "made": "2026-11-26T12:00:00+00:00", "changes": {},
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


def test_the_comment_says_what_changes_inside_and_why() -> None:
    """The old one named attributes alone, and showed neither moves nor imports nor outputs."""
    values = [
        {"attribute": "arn", "before": "x", "after": "(known after apply)", "replaces": False},
        {"attribute": "size", "before": "", "after": [2, "`@ann`"], "replaces": False},
        {"attribute": "encrypted", "before": False, "after": True, "replaces": True},
    ]
    homes = {
        "address": "aws_efs.homes", "action": "replace", "changes": values,
        "reason": "replace because cannot update", "moved_from": "aws_efs.old", "import_id": "",
    }  # fmt: skip
    taken = {"address": "aws_s3.x", "action": "import", "changes": [], "import_id": "ours"}
    output = {"name": "zones", "action": "update", "changes": values[1:2]}
    left = {"address": "aws_sqs.y", "action": "forget", "changes": []}
    resources = [homes, taken, left]
    counts = {"replace": 1, "import": 1, "forget": 1}
    text = comment([review(resources=resources, outputs=[output], **counts)])
    assert (
        """
- `aws_efs.homes` (`replace because cannot update`; from `aws_efs.old`)
  - `encrypted`: `false` → `true` (forces replacement)
  - `size`: `""` → `[2, "'@ann'"]`
  - known after apply: `arn`
"""
        in text
    )
    assert "- `aws_s3.x` (import of `ours`)" in text
    assert "1 left to themselves</summary>\n\n- `aws_sqs.y`" in text
    assert "1 outputs changed</summary>\n\n- `zones`\n  - `size`" in text
    assert HIDDEN not in text
    many = [{**values[1], "attribute": f"a{number}"} for number in range(40)]
    assert "  - and 28 more" in comment([review(resources=[{**homes, "changes": many}])])


def test_a_change_of_the_state_alone_is_not_called_none() -> None:
    moved = {"address": "aws_s3.x", "action": "move", "changes": [], "moved_from": "aws_s3.y"}
    text = comment([review(move=1, resources=[moved])])
    assert "This change touches 1 resources" in text
    assert "- `aws_s3.x` (from `aws_s3.y`)" in text


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
    assert plan_review.secrets(plan) == found


def planned(
    *actions: str, before: Any = None, after: Any = None, unknown: Any = None, **more: Any
) -> dict[str, Any]:
    """Return `terraform show -json` of a plan that changes one thing."""
    change = {"actions": list(actions), "before": before, "after": after, "after_unknown": unknown}
    return {"resource_changes": [{"address": "aws_x.y", "type": "aws_x", "change": change, **more}]}


NEW = planned("create", after={"name": "a", "tags": {"k": "v"}}, unknown={"arn": True, "l": [True]})
OLD = {"arn": "arn:1", "name": "a"}


@pytest.mark.parametrize(
    ("reviewed", "fresh"),
    [
        (NEW, NEW),
        (NEW, {"resource_changes": []}),  # done already
        (  # what was unknown is known by now
            NEW,
            planned("create", after={"name": "a", "tags": {"k": "v"}, "arn": "arn:9", "l": ["x"]}),
        ),
        (  # half-made by the attempt before
            NEW,
            planned(
                "delete",
                "create",
                before={"arn": "arn:9"},
                after={"name": "a", "tags": {"k": "v"}},
                unknown={"arn": True, "l": [True]},
                action_reason="replace_because_tainted",
            ),
        ),
        (  # removed by the attempt before, and not made yet
            planned("delete", "create", before=OLD, after={"name": "b"}),
            planned("create", after={"name": "b"}),
        ),
    ],
)
def test_a_plan_that_does_what_was_reviewed_is_covered(
    reviewed: dict[str, Any], fresh: dict[str, Any]
) -> None:
    found = [plan_match.fingerprints(each) for each in (fresh, reviewed)]
    assert plan_match.differences(*found) == []


@pytest.mark.parametrize(
    ("reviewed", "fresh", "told"),
    [
        ({"resource_changes": []}, NEW, "create was not in the review"),
        (NEW, planned("create", after={"name": "b", "tags": {"k": "v"}}), "values.*name"),
        (NEW, planned("create", after={"name": "a", "tags": {"k": "w"}}), "values.*tags/k"),
        (NEW, planned("create", after={"name": "a", "tags": {"k": "v", "n": "x"}}), "tags/n"),
        (NEW, planned("create", after={"name": "a"}), "tags/k"),
        (NEW, planned("create", after={"tags": {"k": "v"}}, unknown={"name": True}), "name"),
        (NEW, planned("update", before=OLD, after={"name": "a"}), "create was reviewed, it is upd"),
        (
            planned("update", before=OLD, after={"name": "b"}),
            planned("delete", before=OLD),
            "update was reviewed, it is delete",
        ),
        (  # the same address, another thing
            planned("delete", before=OLD),
            planned("delete", before={"arn": "arn:2"}),
            "another resource",
        ),
        (  # nobody says that it was made a moment ago
            NEW,
            planned("delete", "create", before=OLD, after={"name": "a", "tags": {"k": "v"}}),
            "create was reviewed, it is replace",
        ),
    ],
)
def test_a_plan_that_does_anything_else_is_not(
    reviewed: dict[str, Any], fresh: dict[str, Any], told: str
) -> None:
    made, seen = (
        review(changes=plan_match.fingerprints(each), environment="staging")
        for each in (fresh, reviewed)
    )
    with pytest.raises(CheckFailed) as refused:
        plan_review.require_covered(made, seen)
    assert re.search(told, refused.value.why), refused.value.why


def test_a_review_of_another_environment_target_or_schema_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match="for staging on rehearsal, not for staging on aws"):
        plan_review.require_covered(review(target="aws"), review())
    file = plan_review.write(tmp_path, review(schema=1))
    with pytest.raises(BadInput, match="not a review that this version reads"):
        plan_review.read(file)
    finding = {"rule": "closed", "address": "aws_s3_bucket.x", "why": "Anybody could read it."}
    with pytest.raises(CheckFailed, match="1 findings"):
        plan_review.gate([review(), review(policy=[finding])])


def test_a_review_holds_no_value_of_the_plan() -> None:
    known = planned("create", after={"address": "10.9.8.7", "account": "123456789012"})
    assert not re.search("10.9.8.7|123456789012", json.dumps(plan_match.fingerprints(known)))


def test_a_review_shows_the_values_that_the_repository_holds_and_no_others(tmp_path: Path) -> None:
    """Its JSON is an artifact that anybody may download; it held every changed value."""
    terraform = tmp_path / "terraform" / "environments"
    terraform.mkdir(parents=True)
    (terraform / "staging.tfvars").write_text('type = "m6a.large"\nzones = { us-west-2a = {} }\n')
    base = tmp_path / "base"
    (base / "terraform").mkdir(parents=True)
    (base / "terraform/main.tf").write_text('policy = jsonencode({ Effect = "Deny" })\n')
    before = {
        "type": "t3.large", "zone": "us-west-2a", "open": False, "size": 1, "key": "hush",
        "policy": '{"Effect": "Deny", "Who": {"arn:aws:iam::1:user/ann": "x"}}',
        "role": "arn:aws:iam::123456789012:role/x", "list": ["us-west-2a", "10.9.8.7"],
    }  # fmt: skip
    after = before | {
        "type": "m6a.large", "open": True, "size": 2, "key": "secret", "zone": None,
        "policy": '{"Effect": "Allow", "Who": {"arn:aws:iam::1:user/ann": "y"}}',
        "role": "arn:aws:iam::210987654321:role/x", "list": [],
    }  # fmt: skip
    shown = planned("update", before=before, after=after, unknown={"arn": True})
    shown["resource_changes"][0]["change"]["after_sensitive"] = {"key": True}
    plan = Plan("staging", "aws", tmp_path, changes(shown, frozenset()), shown)
    (found,) = plan.as_dict()["resources"]
    words = words_of([tmp_path, base])
    told = {
        one["attribute"]: (one["before"], one["after"]) for one in public(found, words)["changes"]
    }
    assert told == {
        "arn": (None, "(known after apply)"),
        "type": (HIDDEN, "m6a.large"),
        "zone": ("us-west-2a", None),
        "open": (False, True),
        "size": (1, 2),
        "key": ("(sensitive)", "(sensitive)"),
        "policy.Effect": ("Deny", HIDDEN),
        f"policy.{HIDDEN}": (HIDDEN, HIDDEN),
        "role": (HIDDEN, HIDDEN),
        "list": (["us-west-2a", HIDDEN], []),
    }
    imported = {**found, "changes": [], "import_id": "fs-0123"}
    assert public(imported, words)["import_id"] == HIDDEN
    assert public({**imported, "import_id": "m6a.large"}, words)["import_id"] == "m6a.large"


def test_what_the_provider_writes_as_null_and_reads_as_empty_is_no_drift() -> None:
    """As hashicorp/aws does with tags, lists and names that nobody set."""
    made = {"tags": None, "user": [{"ids": None, "uid": 1}], "policy": "", "name": "a", "on": None}
    read = {"tags": {}, "user": [{"ids": [], "uid": 1}], "policy": "x", "name": "", "on": False}
    change = {"before": made, "after": read}
    shown = {"resource_drift": [{"address": "c", "type": "aws_x", "change": change}]}
    assert [each.attribute for each in drifted(shown)] == ["name", "on", "policy"]


def test_what_jobs_open_for_a_while_is_no_drift() -> None:
    """AWS keeps the addresses after the API is closed; the old code reported it every night."""
    closed = {"vpc_config": [{"endpoint_public_access": False, "public_access_cidrs": []}], "v": 1}
    left = {"vpc_config": [{"endpoint_public_access": True, "public_access_cidrs": ["x"]}], "v": 2}
    change = {"before": closed, "after": left}
    shown = {"resource_drift": [{"address": "c", "type": "aws_eks_cluster", "change": change}]}
    assert [each.attribute for each in drifted(shown)] == ["v"]


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
    failed = deployment_record.make(deployment, "deploy", "e" * 40, outcome="failure")
    deployment_record.write(tmp_path, failed)
    with pytest.raises(CheckFailed, match="never deployed"):
        deployment_record.find(tmp_path, "staging", "eeeeeee")
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
    event = event_calendar.find(tmp_path, "example-hackweek")
    day = timedelta(days=1)
    for today in (event.first_day - 2 * day, event.last_day + day):
        assert event_calendar.lay_current(tmp_path, "staging", today) == []
        with pytest.raises(BadInput, match="gets no room"):
            event_calendar.require_room(event, True, today)
    assert event_calendar.lay_current(tmp_path, "prod", event.first_day) == []
    assert event_calendar.lay_current(tmp_path, "staging", event.first_day) == [event.name]
    with pytest.raises(BadInput, match="has its room"):
        event_calendar.require_room(event, False, event.last_day)
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


def test_the_comment_shows_what_a_change_does_to_the_charts(tmp_path: Path) -> None:
    for folder in ("helm", "terraform"):
        shutil.copytree(PROJECT / folder, tmp_path / folder)
    assert charts_diff.changes(PROJECT, tmp_path, "staging") == {}
    values = tmp_path / "helm" / "environments" / "staging.yaml"
    settings_before = values.read_text()
    assert "servers: 20" in settings_before
    values.write_text(settings_before.replace("servers: 20", "servers: 9"))
    found = charts_diff.changes(PROJECT, tmp_path, "staging")
    changed = [line for line in found["pangeo"].splitlines() if line[0] in "+-"][2:]
    assert changed
    text = comment([review(charts_diff={"pangeo": f"{found['pangeo']}\n```\n@everyone"})])
    assert "<summary>The chart pangeo</summary>" in text
    assert text.count("```") == 2  # nothing in it ends the block
    values.write_text("pangeo: [")
    assert "cannot be rendered" in str(charts_diff.changes(PROJECT, tmp_path, "staging"))


def test_a_secret_of_a_chart_is_not_in_the_diff() -> None:
    secret = {"kind": "Secret", "metadata": {"name": "hub"}, "data": {"token": "hush"},
              "stringData": {"other": "hush"}}  # fmt: skip
    assert "hush" not in str(charts_diff._lines(secret))


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


def test_the_api_is_open_to_one_machine_and_then_as_it_was(tmp_path: Path) -> None:
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
        ids = [subnet["Subnet"]["SubnetId"] for subnet in subnets]
        config = {"subnetIds": ids, "endpointPublicAccess": False, "endpointPrivateAccess": True}
        role = "arn:aws:iam::123456789012:role/pangeo-staging-cluster"
        name = "pangeo-staging"
        eks.create_cluster(name=name, roleArn=role, resourcesVpcConfig=config)
        closed, mine, lost = Access(), "192.0.2.7/32", "192.0.2.8/32"
        office = Access(frozenset({"198.51.100.0/24"}))
        assert api_access.current(eks, name) == closed
        assert api_access.open_to(eks, name, lost, closed) == Access(frozenset({lost}))
        # That runner was lost; the next job takes its address out.
        opened = api_access.open_to(eks, name, mine, office)
        assert opened == Access(office.networks | {mine})
        assert api_access.set_to(eks, name, office) == office
        assert api_access.set_to(eks, name, closed) == closed
        config = eks.describe_cluster(name=name)["cluster"]["resourcesVpcConfig"]
        assert config["publicAccessCidrs"] == ["198.51.100.0/24"]  # AWS keeps the list
        assert api_access.set_to(eks, "pangeo-gone", closed) is None


def test_the_access_that_is_meant_to_be_is_read_from_the_configuration(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "terraform", tmp_path / "terraform")
    deployment = Deployment("staging", project=tmp_path)
    assert api_access.declared(deployment) == Access()
    text = deployment.tfvars.read_text()
    deployment.tfvars.write_text(f'{text}\napi_public_cidrs = ["198.51.100.0/24"]\n')
    assert api_access.declared(deployment) == Access(frozenset({"198.51.100.0/24"}))


@pytest.mark.parametrize("result", ["failure", "cancelled"])
def test_a_deployment_that_did_not_finish_is_told_with_the_way_on(result: str) -> None:
    needs = {"staging": {"result": result}, "production": {"result": "skipped"}}
    notice = notices.outcome("deploy", needs, "https://github.test/run")
    assert (notice.ok, notice.title) == (False, "deploy fails: staging")
    assert "Run the failed jobs again" in notice.body
    assert "Roll back" in notice.body
    assert notices.outcome("deploy", {"staging": {"result": "success"}}, "").ok


def test_an_api_that_was_left_open_is_told() -> None:
    left = Access(frozenset({"192.0.2.8/32"}))
    assert "`192.0.2.8/32`" in notices.left_open("prod", left, Access()).body
    assert notices.left_open("prod", left, left).ok  # somebody is at work
    assert notices.left_open("prod", None, None).ok
