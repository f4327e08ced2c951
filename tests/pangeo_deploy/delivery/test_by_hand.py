"""What runs by the clock and by hand, on one rehearsed deployment: drift, rollback, destroy."""

import json
from pathlib import Path
from typing import Any

import pytest

from pangeo_deploy.delivery import deployment_record
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets import connect
from pangeo_deploy.terraform import lifecycle
from tests.conftest import PROJECT
from tests.pangeo_deploy.delivery.conftest import Stage
from tests.pangeo_deploy.delivery.results import Event, Run

ENVIRONMENTS = ("staging", "prod")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


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
        "book": "failure",
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
    assert run.results == {"reviewed": "failure", "back": "skipped", "keep": "success"}
    assert "staging was never deployed at 0123456789" in run.log

    good = stage.main()
    kept = deployment_record.make(deployed, "deploy", good)
    stage.github.files[f"deployments/{deployment_record.name(kept)}"] = json.dumps(kept).encode()
    values = "helm/environments/staging.yaml"
    stage.commit({values: lambda text: text.replace("servers: 20", "servers: 9")})
    run = stage.by_hand("rollback.yml", environment="staging", commit=good[:10])
    assert run.result == "success", run.log
    assert "No resource changes" in run.jobs["reviewed"].summary
    folder = Deployment("staging", project=PROJECT, state=stage.state()).folder
    hub = json.loads((folder / "hub" / "hub.json").read_text())
    assert hub["settings"]["limits"]["servers"] == 20
    last = [json.loads(one) for one in stage.github.files.values()][-1]
    assert (last["kind"], last["commit"], last["smoke"]) == ("rollback", good, True)


@pytest.mark.parametrize(("room", "servers"), [("extend", 100), ("shrink", 9)])
def test_an_event_gets_room_at_a_stated_price_and_gives_it_back(
    stage: Stage, deployed: Deployment, room: str, servers: int
) -> None:
    run = stage.by_hand("event.yml", event="example-hackweek", room=room)
    assert run.result == "success", run.log
    assert "example-hackweek" in run.jobs["price"].summary
    assert "USD" in run.jobs["price"].summary
    assert run.jobs["room"].environment == "staging"
    folder = Deployment("staging", project=PROJECT, state=stage.state()).folder
    hub = json.loads((folder / "hub" / "hub.json").read_text())
    assert hub["settings"]["limits"]["servers"] == servers
    last = [json.loads(one) for one in stage.github.files.values()][-1]
    assert (last["kind"], last["commit"], last["smoke"]) == ("event", stage.main(), True)


def test_an_event_that_is_not_in_the_calendar_changes_nothing(stage: Stage) -> None:
    run = stage.by_hand("event.yml", event="no-such-week", room="extend")
    assert run.results["price"] == "failure"
    assert run.results["room"] == "skipped"
    assert "example-hackweek" in run.log


def test_each_week_what_nobody_owns_and_what_becomes_dear_is_looked_for(
    stage: Stage, deployed: Deployment
) -> None:
    run = stage.runner.run("weekly.yml", Event("schedule", stage.main(), schedule="43 9 * * 1"))
    assert run.result == "success", run.log
    looked = {f"{what} {one}" for what in ("sweep", "support", "janitor") for one in ENVIRONMENTS}
    assert set(run.results) == {*looked, "book", "notify"}
    assert stage.github.open_issues() == {}


def test_each_month_its_figures_are_kept_for_the_book(stage: Stage, deployed: Deployment) -> None:
    run = stage.runner.run("monthly.yml", Event("schedule", stage.main(), schedule="43 9 5 * *"))
    assert run.result == "success", run.log
    assert any(name.startswith("months/") for name in stage.github.files)


def test_destroy_wants_the_name_twice_and_keeps_the_data(
    stage: Stage, deployed: Deployment
) -> None:
    wrong = stage.by_hand("destroy.yml", environment="staging", confirm="prod")
    assert wrong.jobs["destroy"].failed == "Charts"
    assert "This removes staging on rehearsal" in wrong.log
    assert present(stage) == (True, 2)

    run = stage.by_hand("destroy.yml", environment="staging", confirm="staging")
    assert run.result == "success", run.log
    assert run.jobs["destroy"].environment == "staging"
    assert present(stage) == (False, 2)  # homes and buckets stay unless asked otherwise
    last = [json.loads(one) for one in stage.github.files.values()][-1]
    assert last["kind"] == "destroy"


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
    head = stage.commit({"terraform/environments/staging.s3.tfbackend": lambda _: 'bucket = "b"\n'})
    bundle = stage.github.folder / "artifacts" / "1" / "plan-staging"
    bundle.mkdir(parents=True)
    sealed(bundle, head)
    stage.github.runs[1] = {
        "id": 1,
        "file": "review.yml",
        "head_sha": head,
        "conclusion": "success",
    }
    stage.github.variables.update(
        PANGEO_TARGET="aws", AWS_REGION="us-west-2", AWS_ACCOUNT_ID="123456789012"
    )
    stage.runner.trust = lambda role, subject: True
    stage.runner.extra["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{server.server_port}"
    try:
        late = stage.by_hand("deploy.yml", run="1")
    finally:
        server.shutdown()
        server.server_close()
        stage.github.variables.clear()
        stage.runner.extra.clear()
    assert late.jobs["staging"].failed == "Apply", late.log
    assert "The AWS credentials have expired." in late.log, late.log
    assert late.results["production"] == "skipped"


def sealed(folder: Path, commit: str) -> None:
    """Write a bundle for aws: a plan that would be applied if AWS let it."""
    import hashlib

    (folder / "plan.tfplan").write_bytes(b"plan")
    (folder / "plan.json").write_text("{}")
    files = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("plan.tfplan", "plan.json")
    }
    review = {
        "schema": 1, "environment": "staging", "target": "aws", "commit": commit, "made": "now",
        "files": files, "policy": [], "charts": [], "cost": {"gate": {"ok": True}},
    }  # fmt: skip
    (folder / "review.json").write_text(json.dumps(review))
