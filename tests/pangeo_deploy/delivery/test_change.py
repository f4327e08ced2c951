"""One change after another through the workflows, step by step, in the rehearsal.

The tests are one story on one account and stand in its order; what each needs is a fixture, so any
of them also runs alone.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from pangeo_deploy.delivery import plan_review
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets import connect
from tests.conftest import PROJECT
from tests.pangeo_deploy.delivery.conftest import Stage
from tests.pangeo_deploy.delivery.results import Event, Run

# However long it takes: a machine may be busy.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

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


def reviewed(stage: Stage, run: Run, environment: str, least: int = 100) -> dict[str, Any]:
    """Return the review that a run has left of an environment's first plan."""
    folder = stage.github.folder / "artifacts" / str(run.id) / f"plan-{environment}"
    review = plan_review.read(folder / f"{environment}.json")
    assert review["create"] >= least
    return review


def row(review: dict[str, Any]) -> str:
    """Return how the comment's table begins for an environment of which all is made anew."""
    floor = Decimal(review["cost"]["floor_after"])
    return f"| {review['environment']} | 0 | 0 | 0 | {review['create']} | 0.00 → {floor:.2f} |"


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
    stage.runner.extra["FAILING"] = "delivery plan prod"
    try:
        return stage.runner.run("review.yml", event)
    finally:
        stage.github.variables.clear()
        del stage.runner.extra["FAILING"]


@pytest.fixture(scope="module")
def failed(stage: Stage, pull: tuple[Event, Run], forked: Run) -> tuple[Event, Run]:
    """The first attempt at a deployment: applied in staging, and stopped at its charts."""
    push = stage.merge(7, "squash")
    stage.runner.extra["FAILING"] = "charts deploy"
    try:
        return push, stage.runner.run("deploy.yml", push)
    finally:
        del stage.runner.extra["FAILING"]


@pytest.fixture(scope="module")
def seen(stage: Stage, failed: tuple[Event, Run]) -> dict[str, Any]:
    """What stood where after the first attempt."""
    return {
        "issues": stage.github.open_issues(),
        "records": [json.loads(content) for content in stage.github.files.values()],
    }


@pytest.fixture(scope="module")
def merged(stage: Stage, failed: tuple[Event, Run], seen: dict[str, Any]) -> Run:
    """The second attempt, as `Re-run failed jobs` makes it."""
    return stage.runner.run_again("deploy.yml", *failed)


def test_a_pull_request_gets_one_comment_that_says_what_it_does(
    stage: Stage, pull: tuple[Event, Run]
) -> None:
    event, run = pull
    assert run.result == "success", run.log
    (text,) = stage.github.comment_texts(7)
    for environment in ("staging", "prod"):
        assert row(reviewed(stage, run, environment)) in text
    assert "within | none |" in text
    assert "`module.cluster.aws_eks_cluster.this`" in text
    assert "/artifacts/book-preview" in text
    assert "- rehearse: success" in text
    assert event.payload["pull_request"]["head"]["sha"][:12] in text
    assert stage.github.refused == []
    assert run.jobs["comment"].summary == text
    folder = stage.github.folder / "artifacts" / str(run.id) / "plan-staging"
    # No plan leaves the machine that made it: it holds every value of the state.
    assert [file.name for file in folder.iterdir()] == ["staging.json"]
    assert plan_review.read(folder / "staging.json")["commit"][:12] in text


def test_a_fork_gets_a_review_in_the_rehearsal_and_no_role_secret_or_comment(
    stage: Stage, forked: Run
) -> None:
    assert forked.results["rehearse staging"] == "success", forked.log
    assert stage.runner.assumed == []
    assert stage.github.comment_texts(8) == []
    assert "Planned in the rehearsal" in forked.jobs["comment"].summary
    assert row(reviewed(stage, forked, "staging")) in forked.jobs["comment"].summary
    names = [one.name for one in forked.jobs["comment"].steps if one.outcome == "skipped"]
    assert "Say it on the pull request" in names
    assert stage.github.refused == []  # it did not even try


def test_one_of_two_plans_that_fails_leaves_the_other_in_the_comment(
    stage: Stage, forked: Run
) -> None:
    """The old code said that no plan was made: one artifact alone is put elsewhere than two."""
    assert forked.results["rehearse prod"] == "failure"
    text = forked.jobs["comment"].summary
    assert row(reviewed(stage, forked, "staging")) in text
    assert "- rehearse: failure" in text
    assert "No plan was made" not in text


def test_a_deployment_that_fails_is_recorded_and_told_once(
    stage: Stage, pull: tuple[Event, Run], failed: tuple[Event, Run], seen: dict[str, Any]
) -> None:
    run = failed[1]
    assert run.results == {
        "reviewed": "success",
        "staging": "failure",
        "preview": "skipped",
        "production": "skipped",
        "keep": "success",
        "notify": "success",
    }
    assert run.jobs["staging"].failed == "Charts and smoke test"
    (record,) = seen["records"]
    made = reviewed(stage, pull[1], "staging")["create"]
    assert (record["outcome"], record["resources"]["create"]) == ("failure", made)
    assert record["seconds"].keys() == {"apply"}
    ((title, body),) = seen["issues"].items()
    assert title == "deploy fails: staging"
    assert "Run the failed jobs again" in body


def test_the_failed_jobs_run_again_go_on_where_they_stopped(
    stage: Stage, pull: tuple[Event, Run], merged: Run
) -> None:
    """The old code refused the plan that it had applied itself as stale."""
    assert merged.result == "success", merged.log
    assert merged.attempt == 2
    for environment in ("staging", "prod"):
        found = held(stage, environment)
        assert (found["networks"], found["cluster"]) == (1, True)
        assert len(found["buckets"]) == 2
        assert found["charts"]["current"] == 1
    records = [json.loads(content) for content in stage.github.files.values()]
    done = {each["environment"]: each for each in records if each["outcome"] == "success"}
    assert len(records) == 3
    assert {name: each["resources"]["create"] for name, each in done.items()} == {
        "staging": 0,  # made by the first attempt
        "prod": reviewed(stage, pull[1], "prod")["create"],
    }
    steps = {"staging": merged.jobs["staging"].steps, "prod": merged.jobs["production"].steps}
    assert [one.outcome for one in steps["prod"] if one.name == "Benchmark"] == ["skipped"]
    for environment, record in done.items():
        assert record["commit"] == stage.main()
        assert record["smoke"] is True
        assert record["seconds"].keys() == {"apply", "charts"}
        measured = [step.outcome for step in steps[environment] if step.name == "Benchmark"]
        assert (record["benchmark"] is not None) == (measured == ["success"])
    assert stage.github.open_issues() == {}


def test_who_approves_production_reads_first_what_will_be_applied(
    stage: Stage, pull: tuple[Event, Run], merged: Run
) -> None:
    """Before its environment is asked for, in the run that waits; and nothing else is done."""
    text = merged.jobs["preview"].summary
    assert row(reviewed(stage, pull[1], "prod")) in text
    assert "within | none |" in text
    jobs = list(merged.jobs)
    assert jobs.index("preview") < jobs.index("production")
    assert merged.jobs["preview"].environment == ""
    assert merged.jobs["production"].environment == "prod"
    shown = stage.github.folder / "artifacts" / str(merged.id) / "plan-prod" / "prod.json"
    assert plan_review.read(shown)["commit"] == stage.main()  # not what the pull request said


def test_what_waits_for_an_approval_holds_back_neither_staging_nor_a_rollback(
    merged: Run,
) -> None:
    groups = {name: merged.jobs[name].concurrency["group"] for name in ("staging", "production")}
    assert groups == {"staging": "staging-deploy", "production": "prod-deploy"}
    assert all(merged.jobs[name].concurrency["queue"] == "max" for name in groups)
    assert str(merged.id) in merged.concurrency["group"]  # the run itself is in nobody's way


def test_a_pull_request_of_a_fork_is_deployed_after_a_review_of_main(
    stage: Stage, merged: Run
) -> None:
    """What the fork's own code planned is not believed, however it was merged."""
    before = held(stage, "prod")
    refused = stage.runner.run("deploy.yml", stage.merge(8, "rebase"))
    assert refused.jobs["reviewed"].failed == "Find"
    assert "without a review of its head" in refused.log
    assert "Run the workflow Review on main" in refused.log
    assert refused.results["staging"] == "skipped"
    assert held(stage, "prod") == before
    assert list(stage.github.open_issues()) == ["deploy fails: reviewed"]

    review = stage.by_hand("review.yml")
    assert review.result == "success", review.log
    stage.runner.extra["FAILING"] = "bench run"  # as on AWS, where no gateway is reached
    run = stage.by_hand("deploy.yml", run=str(review.id))
    del stage.runner.extra["FAILING"]
    assert run.result == "success", run.log
    records = [json.loads(content) for content in stage.github.files.values()][-2:]
    assert {record["environment"]: record["outcome"] for record in records} == {
        "staging": "success",
        "prod": "success",
    }
    assert all(record["benchmark"] is None for record in records)
    assert "| prod | 0 | 0 | 1 | 0 |" in run.jobs["preview"].summary
    assert stage.github.open_issues() == {}


def test_a_failed_smoke_test_takes_the_charts_back_and_leaves_production_alone(
    stage: Stage, merged: Run
) -> None:
    before = held(stage, "staging")["charts"]["current"]
    broken = added("spawner.pre_spawn_hook = lambda spawner: 1 / 0")
    event = stage.open_pull(9, stage.commit({"helm/files/hub.py": broken}, "broken-hub"))
    assert stage.runner.run("review.yml", event).result == "success"
    run = stage.runner.run("deploy.yml", stage.merge(9))
    assert run.results["staging"] == "failure"
    assert run.results["production"] == "skipped"
    assert run.jobs["staging"].failed == "Charts and smoke test"
    assert f"pangeo went back to revision {before}" in run.jobs["staging"].log
    charts = held(stage, "staging")["charts"]
    assert charts["current"] == before
    assert [each["status"] for each in charts["revisions"]][-1] == "failed"


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
    assert run.results["rehearse staging"] == run.results["rehearse prod"] == "failure"
    assert run.jobs["rehearse staging"].failed == "Policy and budget"
    (text,) = stage.github.comment_texts(10)
    assert "This change may not be deployed as it is" in text
    assert "100, **PASSED**" in text
    assert "the budget of 100 USD a month is passed" in text
    assert "aws_s3_bucket_public_access_block" in text
    assert text.index("**Findings**") < text.index(" changed</summary>")
    assert "  - `restrict_public_buckets`: `true` → `false`\n" in text
    review = reviewed(stage, run, "staging", least=0)
    open_buckets = [one for one in review["resources"] if one.get("attributes")]
    assert {"restrict_public_buckets"} in [set(one["attributes"]) for one in open_buckets]
    values = [value for one in review["resources"] for value in one["changes"]]
    assert not any("123456789012" in json.dumps(value) for value in values)

    late = stage.runner.run("deploy.yml", stage.merge(10))  # somebody merges it all the same
    assert late.jobs["reviewed"].failed == "Find"
    assert "did not pass" in late.jobs["reviewed"].log
    assert late.results["staging"] == late.results["production"] == "skipped"
    assert held(stage, "staging") == before
