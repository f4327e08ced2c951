"""What runs by the clock and by hand, on one rehearsed deployment: drift, rollback, destroy."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pangeo_deploy.delivery import deployment_record, plan_review
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets import connect
from pangeo_deploy.terraform import lifecycle
from tests.conftest import PROJECT
from tests.pangeo_deploy.delivery.conftest import REPOSITORY, Stage, guard
from tests.pangeo_deploy.delivery.results import Event, Run
from tests.pangeo_deploy.delivery.triggers import git

ENVIRONMENTS = ("staging", "prod")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def nightly(stage: Stage) -> Run:
    event = Event("schedule", stage.main(), schedule="17 9 * * *")
    return stage.runner.run("nightly.yml", event)


@pytest.fixture(scope="module")
def deployed(stage: Stage) -> Deployment:
    """Staging as the runner's machine keeps it, applied from main."""
    home = stage.runner.folder / "home" / ".local" / "state" / "pangeo-deploy"
    content = stage.github.folder / "caches" / "first"
    deployment = Deployment("staging", project=PROJECT, state=content / mark(stage))
    lifecycle.plan(deployment)
    lifecycle.apply(deployment)
    assert home.parts[-2:] == ("state", "pangeo-deploy")
    stage.github.caches.append(("rehearsal-first", "refs/heads/main", content))
    return deployment


def mark(stage: Stage) -> str:
    """Return how a checkout's state folder is called on the runner."""
    import hashlib

    workspace = stage.runner.workspace.resolve()
    return f"{workspace.name}-{hashlib.sha256(str(workspace).encode()).hexdigest()[:8]}"


def scratch(cloud: Any) -> tuple[Any, str]:
    s3 = cloud.client("s3")
    return s3, next(one["Name"] for one in s3.list_buckets()["Buckets"] if "scratch" in one["Name"])


def opened(deployment: Deployment, opened: bool) -> None:
    """Open the scratch bucket to the public by hand, or close it again."""
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    with connect(deployment) as cloud:
        s3, bucket = scratch(cloud)
        s3.put_public_access_block(
            Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(names, not opened)
        )


def test_drift_opens_one_issue_keeps_it_up_to_date_and_closes_it(
    stage: Stage, deployed: Deployment
) -> None:
    opened(deployed, True)
    stage.runner.extra["FAILING"] = "book"
    assert nightly(stage).results == {
        "drift staging": "success",
        "drift prod": "success",
        "access": "skipped",  # there is no API in the rehearsal
        "book": "failure",
        "seeds": "success",
        "notify": "success",
    }
    found = stage.github.open_issues()
    assert set(found) == {
        "staging: 4 attributes were changed outside of Terraform",
        "nightly fails: book",
    }
    body = found["staging: 4 attributes were changed outside of Terraform"]
    assert "aws_s3_bucket_public_access_block" in body
    assert "| `block_public_acls` | `True` | `False` |" in body
    assert stage.github.refused == []

    opened(deployed, False)
    stage.runner.extra.clear()
    assert nightly(stage).result == "success"
    assert stage.github.open_issues() == {}
    assert len(stage.github.issues) == 2


def test_going_back_takes_a_recorded_deployment_and_plans_it_anew(
    stage: Stage, deployed: Deployment
) -> None:
    run = stage.by_hand("rollback.yml", environment="staging", commit="0123456789")
    assert run.results["reviewed"] == "failure"
    assert run.results["back"] == "skipped"
    assert "staging was never deployed at 0123456789" in run.log

    # Somebody who may write pushes a branch, and a record that says it was deployed.
    theirs = stage.commit({"helm/files/hub.py": lambda text: f"{text}\n# theirs\n"}, "theirs")
    stage.record(deployment_record.make(deployed, "deploy", theirs))
    run = stage.by_hand("rollback.yml", environment="staging", commit=theirs)
    assert run.jobs["reviewed"].failed == "Find"
    assert f"{theirs[:12]} is not a commit of main" in run.log
    assert run.results["back"] == "skipped"

    good = stage.main()
    stage.merged_earlier(90, good)
    stage.record(deployment_record.make(deployed, "deploy", good))
    values = "helm/environments/staging.yaml"
    # What goes back is Terraform and charts; they are carried out by the programs of main.
    changes = {values: lambda text: text.replace("servers: 20", "servers: 9")}
    stage.commit({"src/pangeo_deploy/cli/app.py": lambda text: f"{text}\n# newer\n", **changes})
    run = stage.by_hand("rollback.yml", environment="staging", commit=good[:10])
    assert run.result == "success", run.log
    assert "No resource changes" in run.jobs["reviewed"].summary
    folder = Deployment("staging", project=PROJECT, state=stage.state()).folder
    hub = json.loads((folder / "hub" / "hub.json").read_text())
    assert hub["settings"]["limits"]["servers"] == 20
    last = [json.loads(one) for one in stage.github.files.values()][-1]
    assert (last["kind"], last["commit"], last["smoke"]) == ("rollback", good, True)


def dated(first: int, last: int) -> Callable[[str], str]:
    """Return a change of the calendar: the event is from and to so many days from today."""
    today = datetime.now(UTC).date()

    def change(text: str) -> str:
        for key, days in (("first_day", first), ("last_day", last)):
            text = re.sub(rf"{key}: \S+", f"{key}: {today + timedelta(days=days)}", text)
        return text

    return change


def servers(stage: Stage) -> int:
    """Return how many servers at once the hub of staging allows."""
    folder = Deployment("staging", project=PROJECT, state=stage.state()).folder
    return int(
        json.loads((folder / "hub" / "hub.json").read_text())["settings"]["limits"]["servers"]
    )


def test_an_event_has_its_room_by_the_calendar_alone(stage: Stage, deployed: Deployment) -> None:
    """The old code took it back with the next merge, with the people inside."""
    stage.commit({"helm/events.yaml": dated(10, 12)})
    early = stage.by_hand("event.yml", event="example-hackweek", room="extend")
    assert early.jobs["price"].failed == "Price"
    assert "gets no room" in early.log

    stage.commit({"helm/events.yaml": dated(-1, 2)})
    run = stage.by_hand("event.yml", event="example-hackweek", room="extend")
    assert run.result == "success", run.log
    assert "example-hackweek" in run.jobs["price"].summary
    assert "USD" in run.jobs["price"].summary
    assert run.jobs["room"].environment == "staging"
    assert servers(stage) == 100
    last = [json.loads(content) for content in stage.github.files.values()][-1]
    assert (last["kind"], last["commit"], last["smoke"]) == ("event", stage.main(), True)

    # Somebody goes back to an older deployment meanwhile: the people keep their room.
    first = git(stage.work, "rev-list", "--max-parents=0", "origin/main").strip()
    stage.merged_earlier(91, first)  # whose calendar does not have the event
    stage.record(deployment_record.make(deployed, "deploy", first))
    back = stage.by_hand("rollback.yml", environment="staging", commit=first)
    assert back.result == "success", back.log
    assert servers(stage) == 100


def test_an_event_that_is_not_in_the_calendar_changes_nothing(stage: Stage) -> None:
    before = stage.github.open_issues()
    run = stage.by_hand("event.yml", event="no-such-week", room="extend")
    assert run.results["price"] == "failure"
    assert run.results["room"] == "skipped"
    assert "example-hackweek" in run.log
    assert set(stage.github.open_issues()) - set(before) == {"event fails: price"} - set(before)
    stage.github.issues.clear()


def test_each_week_what_nobody_owns_and_what_becomes_dear_is_looked_for(
    stage: Stage, deployed: Deployment
) -> None:
    run = stage.runner.run("weekly.yml", Event("schedule", stage.main(), schedule="43 9 * * 1"))
    assert run.result == "success", run.log
    looked = {f"{what} {name}" for what in ("sweep", "support") for name in ENVIRONMENTS}
    assert set(run.results) == {*looked, "book", "notify"}  # nobody has to approve any of it
    assert {job.environment for job in run.jobs.values()} == {""}
    event = Event("schedule", stage.main(), schedule="13 10 * * 1")
    run = stage.runner.run("janitor.yml", event)
    assert run.result == "success", run.log
    assert set(run.results) == {"janitor staging", "janitor prod", "notify"}
    assert stage.github.open_issues() == {}


def test_each_month_its_figures_are_kept_for_the_book(stage: Stage, deployed: Deployment) -> None:
    run = stage.runner.run("monthly.yml", Event("schedule", stage.main(), schedule="43 9 5 * *"))
    assert run.result == "success", run.log
    assert any(name.startswith("months/") for name in stage.github.files)


def test_destroy_wants_the_name_twice_shows_what_goes_and_can_be_resumed(
    stage: Stage, deployed: Deployment
) -> None:
    wrong = stage.by_hand("destroy.yml", environment="staging", confirm="prod")
    assert wrong.jobs["preview"].failed == "Plan"
    assert "This removes staging on rehearsal" in wrong.log
    assert present(stage) == (True, 2)

    stage.runner.extra["FAILING"] = "destroy staging"
    inputs = {"environment": "staging", "confirm": "staging"}
    event = Event("workflow_dispatch", stage.main(), payload={"inputs": inputs})
    run = stage.runner.run("destroy.yml", event)
    del stage.runner.extra["FAILING"]
    assert run.jobs["destroy"].failed == "Destroy"
    assert "destroys or replaces" in run.jobs["preview"].summary
    assert "`module.cluster.aws_eks_cluster.this`" in run.jobs["preview"].summary
    assert run.jobs["preview"].environment == ""  # before anybody approves
    assert list(stage.github.open_issues()) == ["destroy fails: destroy"]

    run = stage.runner.run_again("destroy.yml", event, run)
    assert run.result == "success", run.log
    assert run.jobs["destroy"].environment == "staging"
    assert present(stage) == (False, 2)  # homes and buckets stay unless asked otherwise
    last = [json.loads(content) for content in stage.github.files.values()][-2:]
    assert [(each["kind"], each["outcome"]) for each in last] == [
        ("destroy", "failure"),
        ("destroy", "success"),
    ]
    assert stage.github.open_issues() == {}


def present(stage: Stage) -> tuple[bool, int]:
    """Return whether staging's cluster is there, and how many of its buckets."""
    deployment = Deployment("staging", project=PROJECT, state=stage.state())
    with connect(deployment) as cloud:
        names = [one["Name"] for one in cloud.client("s3").list_buckets()["Buckets"]]
        clusters = cloud.client("eks").list_clusters()["clusters"]
    return deployment.name in clusters, sum(name.startswith(deployment.name) for name in names)


def test_an_expired_role_changes_nothing(stage: Stage, tmp_path: Path) -> None:
    """The role is GitHub's for an hour; AWS refuses it after that, and the deployment stops."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    class Expired(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = (
                b"<ErrorResponse><Error><Code>ExpiredToken</Code>"
                b"<Message>The security token included in the request is expired</Message>"
                b"</Error></ErrorResponse>"
            )
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Expired)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    backend = "terraform/environments/{}.s3.tfbackend"
    changes = {backend.format(name): lambda _: 'bucket = "b"\n' for name in ENVIRONMENTS}
    head = stage.commit(changes)
    event = stage.open_pull(77, head)
    stage.approve(77)
    stage.github.pulls[77].update(merged_at="then", merge_commit_sha=head)
    number = 1
    stage.github.runs[number] = {
        "id": number,
        "path": ".github/workflows/review.yml",
        "event": event.name,
        "head_sha": head,
        "head_branch": "change-77",
        "head_repository": {"full_name": REPOSITORY},
        "created_at": "2026-11-26T12:00:00Z",
        "status": "completed",
    }
    stage.github.jobs[number] = [
        {"name": name, "status": "completed", "conclusion": "success"}
        for name in ("Checks", "Tests", "Plan staging", "Plan prod")
    ]
    for name in ENVIRONMENTS:
        review = {"schema": 2, "environment": name, "target": "aws", "commit": head}
        place = stage.github.folder / "artifacts" / str(number) / f"plan-{name}"
        plan_review.write(place, review)
    stage.github.variables.update(
        PANGEO_TARGET="aws", AWS_REGION="us-west-2", AWS_ACCOUNT_ID="123456789012"
    )
    stage.runner.trust = lambda role, claims: True
    stage.runner.extra["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{server.server_port}"
    try:
        unguarded = stage.runner.run("deploy.yml", Event("push", head))
        guard(stage)
        late = stage.runner.run("deploy.yml", Event("push", head))
    finally:
        server.shutdown()
        server.server_close()
        stage.github.variables.clear()
        stage.runner.extra.clear()
    assert unguarded.jobs["reviewed"].failed == "Guards"
    assert "there is no such environment" in unguarded.log
    assert unguarded.results["staging"] == "skipped"
    assert late.jobs["staging"].failed == "Plan again", late.log
    assert "The AWS credentials have expired." in late.log, late.log
    assert late.results["production"] == "skipped"
