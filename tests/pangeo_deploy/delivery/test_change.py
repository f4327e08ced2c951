"""One change after another through the workflows, step by step, in the rehearsal.

The tests are one story on one account and stand in its order; what each needs is a fixture, so any
of them also runs alone.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets import connect
from tests.conftest import PROJECT
from tests.pangeo_deploy.delivery.conftest import Stage
from tests.pangeo_deploy.delivery.results import Event, Run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

STAGING = "terraform/environments/staging.tfvars"
PROD = "terraform/environments/prod.tfvars"
NASTY = '"; touch /tmp/pwned; $(id) `id` ${{ github.token }} @everyone'


def added(line: str) -> Callable[[str], str]:
    return lambda text: f"{text}\n{line}\n"


def replaced(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text, f"{old} is not there"
        return text.replace(old, new)

    return change


def held(stage: Stage, environment: str) -> dict[str, Any]:
    """Return what the account and the releases hold of an environment, asked from outside."""
    deployment = Deployment(environment, project=PROJECT, state=stage.state())
    with connect(deployment) as cloud:
        ours = [{"Name": f"tag:{k}", "Values": [v]} for k, v in deployment.tags.items()]
        vpcs = cloud.client("ec2").describe_vpcs(Filters=ours)["Vpcs"]
        names = [one["Name"] for one in cloud.client("s3").list_buckets()["Buckets"]]
        clusters = cloud.client("eks").list_clusters()["clusters"]
    history = deployment.folder / "releases" / "history.json"
    return {
        "networks": len(vpcs),
        "buckets": sorted(name for name in names if name.startswith(deployment.name)),
        "cluster": deployment.name in clusters,
        "charts": json.loads(history.read_text()) if history.exists() else {},
    }


@pytest.fixture(scope="module")
def pull(stage: Stage) -> tuple[Event, Run]:
    head = stage.commit({STAGING: added("scratch_days = 5")}, "shorter-scratch")
    event = stage.open_pull(7, head)
    event.payload["pull_request"]["title"] = NASTY
    return event, stage.runner.run("review.yml", event)


@pytest.fixture(scope="module")
def forked(stage: Stage, pull: tuple[Event, Run]) -> Run:
    """A fork's pull request, opened before the first one was merged."""
    head = stage.commit({PROD: added("bills_days = 500")}, "from-a-fork")
    event = stage.open_pull(8, head, fork=True, login="someone")
    stage.github.variables["PANGEO_TARGET"] = "aws"  # the repository deploys to aws
    try:
        return stage.runner.run("review.yml", event)
    finally:
        stage.github.variables.clear()


@pytest.fixture(scope="module")
def merged(stage: Stage, pull: tuple[Event, Run], forked: Run) -> Run:
    return stage.runner.run("deploy.yml", stage.merge(7))


def test_a_pull_request_gets_one_comment_that_says_what_it_does(
    stage: Stage, pull: tuple[Event, Run]
) -> None:
    event, run = pull
    assert run.result == "success", run.log
    (text,) = stage.github.comment_texts(7)
    assert "| staging | 0 | 0 | 0 | 112 | 0.00 → 160.43 |" in text
    assert "| prod | 0 | 0 | 0 | 124 | 0.00 → 270.58 |" in text
    assert "within | none |" in text
    assert "`module.cluster.aws_eks_cluster.this`" in text
    assert "/artifacts/book-preview" in text
    assert "- plan: success" in text
    assert event.payload["pull_request"]["head"]["sha"][:12] in text
    assert stage.github.refused == []
    assert run.jobs["comment"].summary == text
    sealed = stage.github.folder / "artifacts" / str(run.id) / "plan-staging"
    assert sorted(one.name for one in sealed.iterdir()) == [
        "plan.json",
        "plan.tfplan",
        "review.json",
    ]
    review = json.loads((sealed / "review.json").read_text())
    assert review["files"]["plan.tfplan"][:16] in text


def test_a_fork_gets_a_review_in_the_rehearsal_and_no_role_secret_or_comment(
    stage: Stage, forked: Run
) -> None:
    assert forked.result == "success", forked.log
    assert stage.runner.assumed == []
    assert stage.github.comment_texts(8) == []
    assert "Planned in the rehearsal" in forked.jobs["comment"].summary
    assert "| staging | 0 | 0 | 0 | 112 |" in forked.jobs["comment"].summary
    names = [one.name for one in forked.jobs["comment"].steps if one.outcome == "skipped"]
    assert "Say it on the pull request" in names
    assert stage.github.refused == []  # it did not even try


def test_a_merge_applies_the_reviewed_plan_in_staging_and_then_in_production(
    stage: Stage, pull: tuple[Event, Run], merged: Run
) -> None:
    assert merged.result == "success", merged.log
    for environment in ("staging", "prod"):
        found = held(stage, environment)
        assert (found["networks"], found["cluster"]) == (1, True)
        assert len(found["buckets"]) == 2
        assert found["charts"]["current"] == 1
    records = {name: json.loads(one) for name, one in stage.github.files.items()}
    assert len(records) == 2
    for one in records.values():
        sealed = stage.github.folder / "artifacts" / str(pull[1].id)
        review = json.loads((sealed / f"plan-{one['environment']}" / "review.json").read_text())
        assert one["plan_sha256"] == review["files"]["plan.tfplan"]
        assert one["commit"] == stage.main()
        assert one["smoke"] is True
        assert one["resources"]["create"] == len(review["resources"])
        assert one["seconds"].keys() == {"apply", "charts"}
        assert (one["benchmark"] is None) == (one["environment"] == "prod")
    assert {merged.jobs["staging"].environment, merged.jobs["production"].environment} == {
        "staging",
        "prod",
    }


def test_of_two_merges_at_once_the_second_waits_and_then_refuses_its_stale_plan(
    stage: Stage, merged: Run
) -> None:
    """It was planned before the first was applied; nobody has seen what both do together."""
    before = held(stage, "staging")
    second = stage.runner.run("deploy.yml", stage.merge(8))
    assert second.concurrency == merged.concurrency
    assert str(second.concurrency["cancel-in-progress"]) == "False"
    assert second.results == {
        "reviewed": "success",
        "staging": "failure",
        "production": "skipped",
        "keep": "success",
    }
    assert second.jobs["staging"].failed == "Apply"
    assert "changed after staging was planned" in second.jobs["staging"].log
    assert held(stage, "staging") == before
    assert len(stage.github.files) == 2


def test_a_failed_smoke_test_takes_the_charts_back_and_leaves_production_alone(
    stage: Stage, merged: Run
) -> None:
    broken = added("spawner.pre_spawn_hook = lambda spawner: 1 / 0")
    event = stage.open_pull(9, stage.commit({"helm/files/hub.py": broken}, "broken-hub"))
    assert stage.runner.run("review.yml", event).result == "success"
    run = stage.runner.run("deploy.yml", stage.merge(9))
    assert run.results["staging"] == "failure"
    assert run.results["production"] == "skipped"
    assert run.jobs["staging"].failed == "Charts and smoke test"
    assert "pangeo went back to revision 1" in run.jobs["staging"].log
    charts = held(stage, "staging")["charts"]
    assert charts["current"] == 1
    assert [one["status"] for one in charts["revisions"]] == ["deployed", "failed"]
    assert [one["revision"] for one in held(stage, "prod")["charts"]["revisions"]] == [1]
    assert len(stage.github.files) == 2


def test_a_broken_rule_and_a_passed_budget_stop_at_the_review_and_after_it(
    stage: Stage, merged: Run
) -> None:
    changes = {
        STAGING: replaced("monthly_budget_usd = 250", "monthly_budget_usd = 100"),
        "terraform/modules/storage/buckets.tf": replaced(
            "restrict_public_buckets = true", "restrict_public_buckets = false"
        ),
    }
    before = held(stage, "staging")
    event = stage.open_pull(10, stage.commit(changes, "too-open"))
    run = stage.runner.run("review.yml", event)
    assert run.results["plan staging"] == run.results["plan prod"] == "failure"
    assert run.jobs["plan staging"].failed == "Policy and budget"
    (text,) = stage.github.comment_texts(10)
    assert "This change may not be deployed as it is" in text
    assert "100, **PASSED**" in text
    assert "the budget of 100 USD a month is passed" in text
    assert "aws_s3_bucket_public_access_block" in text
    assert text.index("**Findings**") < text.index(" changed</summary>")

    late = stage.runner.run("deploy.yml", stage.merge(10))  # somebody merges it all the same
    assert late.results == {
        "reviewed": "failure",
        "staging": "skipped",
        "production": "skipped",
        "keep": "success",
    }
    assert "without a review that passed" in late.jobs["reviewed"].log
    assert held(stage, "staging") == before
