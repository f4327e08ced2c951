"""What the workflows are, read as files: pins, permissions, secrets, what a step may do."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from pangeo_deploy.delivery.turn import CHANGING
from tests.conftest import PROJECT
from tests.pangeo_deploy.delivery.actions import INPUTS, PLAYED
from tests.pangeo_deploy.delivery.conftest import Stage
from tests.pangeo_deploy.delivery.queues import Queue, arrived
from tests.pangeo_deploy.delivery.results import Event
from tests.pangeo_deploy.delivery.runner import Loader

FILES = sorted((PROJECT / ".github").rglob("*.yml"))
WORKFLOWS = {
    file.name: yaml.load(file.read_text(), Loader)
    for file in FILES
    if file.parent.name == "workflows"
}
DEPLOYING = ("deploy.yml", "destroy.yml", "event.yml", "rollback.yml")


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, workflow in WORKFLOWS.items():
        yield from ((name, key, job) for key, job in workflow["jobs"].items())


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, _, job in jobs():
        yield from ((name, step) for step in job["steps"])
    for file in FILES:
        if file.name == "action.yml":
            action = yaml.load(file.read_text(), Loader)
            yield from ((file.parent.name, step) for step in action["runs"]["steps"])


def test_every_action_is_pinned_by_a_commit_with_its_version_beside_it() -> None:
    uses = [line for file in FILES for line in file.read_text().splitlines() if "uses: " in line]
    foreign = [line for line in uses if "uses: $/" not in line]
    assert len(foreign) > 20
    for line in foreign:
        name = re.fullmatch(r"\s*(?:- )?uses: (\S+)@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)
        assert name, line
        assert name[1] in PLAYED


def test_a_job_has_only_what_it_declares_and_an_end() -> None:
    for workflow, name, job in jobs():
        assert WORKFLOWS[workflow]["permissions"] == {}
        assert job["permissions"], (workflow, name)
        assert 0 < job["timeout-minutes"] <= 120, (workflow, name)
    writers = {
        (workflow, name): sorted(k for k, v in job["permissions"].items() if v == "write")
        for workflow, name, job in jobs()
    }
    # A job that can become somebody in AWS can write nothing at GitHub, and the other way round.
    for where, granted in writers.items():
        assert granted in ([], ["id-token"]) or "id-token" not in granted or where[0] == "book.yml"


def test_what_changes_a_deployment_waits_its_turn_and_is_never_lost_or_cut_off() -> None:
    """The old code had one group for all, in which GitHub cancels all that wait but the last."""
    changing = [
        (workflow, job)
        for workflow, _, job in jobs()
        if workflow in DEPLOYING and "environment" in job
    ]
    assert len(changing) == 5
    for workflow, job in changing:
        kind = "deploy" if workflow == "deploy.yml" else workflow.removesuffix(".yml")
        group = job["concurrency"].pop("group")
        assert job["concurrency"] == {"cancel-in-progress": False, "queue": "max"}
        assert group == f"{job['environment']}-{kind}", workflow
        assert job["name"].startswith(CHANGING), job["name"]
        assert job["name"].endswith(f" {job['environment']}"), job["name"]
        assert job["permissions"]["actions"] == "read"
        names = [step["name"] for step in flat(job["steps"])]
        assert names.index("Turn") < names.index("Credentials")
        job["concurrency"]["group"] = group
    for name in DEPLOYING:
        assert "github.run_id" in WORKFLOWS[name]["concurrency"]["group"]


def flat(listed: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield steps, with those of this repository's own actions in place of their use."""
    for step in listed:
        if str(step.get("uses", "")).startswith("$/"):
            path = step["uses"].removeprefix("$/")
            inner = yaml.load((PROJECT / path / "action.yml").read_text(), Loader)
            yield from flat(inner["runs"]["steps"])
        else:
            yield step


def test_no_deployment_is_lost_behind_an_approval_that_nobody_gives() -> None:
    """Five merges, of which the first waits in production; then somebody rolls production back."""
    deploy = WORKFLOWS["deploy.yml"]["jobs"]
    back = WORKFLOWS["rollback.yml"]["jobs"]["back"]["concurrency"]
    back = {**back, "group": back["group"].replace("${{ inputs.environment }}", "prod")}
    merges = [(f"staging {n}", deploy["staging"]["concurrency"]) for n in range(5)]
    queues = arrived([*merges, ("back", back)])
    staging = queues["staging-deploy"]
    for n in range(5):
        assert staging.running == f"staging {n}"
        staging.finish()
    # What is shown to who approves is planned in production's queue, after the change before.
    prod = queues["prod-deploy"] = Queue()
    prod.arrive("preview 0", deploy["preview"]["concurrency"])
    prod.finish()
    prod.arrive("production 0", deploy["production"]["concurrency"])
    for n in range(1, 5):
        prod.arrive(f"preview {n}", deploy["preview"]["concurrency"])
    assert prod.running == "production 0"
    assert prod.pending == [f"preview {n}" for n in range(1, 5)]
    # Unless it was there before that one: it shows both, and does what of them is left (`replan`).
    both = Queue()
    for n in range(2):
        both.arrive(f"preview {n}", deploy["preview"]["concurrency"])
    both.finish()
    both.arrive("production 0", deploy["production"]["concurrency"])
    assert (both.running, both.pending) == ("preview 1", ["production 0"])
    assert queues["prod-rollback"].running == "back"
    assert [name for queue in queues.values() for name in queue.cancelled] == []
    # As it was: one group for all, and one place to wait in.
    old = {"group": "deployment", "cancel-in-progress": False}
    lost = arrived([(name, old) for name, _ in [*merges, ("back", back)]])["deployment"]
    assert len(lost.cancelled) == 4


def test_production_does_what_was_shown_to_who_approved_it() -> None:
    """The old code compared with the pull request's review, which the pull request's code makes."""
    deploy = WORKFLOWS["deploy.yml"]["jobs"]
    given = deploy["production"]["steps"][-1]["with"]
    assert (given["run"], given["reviewed"]) == ("${{ github.run_id }}", "${{ github.sha }}")
    kept = deploy["preview"]["steps"][-1]["with"]
    assert (kept["name"], kept["path"]) == ("plan-prod", "planned")
    assert {"preview", "staging"} <= set(deploy["production"]["needs"])


def test_a_workflow_starts_by_what_it_names(stage: Stage) -> None:
    book = stage.commit({"README.md": lambda text: text + "\nMore.\n"})
    with pytest.raises(ValueError, match="Deploy is not started by a push"):
        stage.runner.run("deploy.yml", Event("push", book))
    bootstrap = stage.commit({"terraform/bootstrap/main.tf": lambda text: text + "\n"})
    with pytest.raises(ValueError, match="Deploy is not started by a push"):
        stage.runner.run("deploy.yml", Event("push", bootstrap))
    pull = {"number": 4, "head": {"sha": book}, "base": {"ref": "evil-base"}}
    with pytest.raises(ValueError, match="Review is not started by a pull request to evil-base"):
        stage.runner.run("review.yml", Event("pull_request", book, payload={"pull_request": pull}))


def test_an_action_is_given_only_inputs_that_it_has() -> None:
    """GitHub warns about another one and goes on without it; actionlint knows tags, not commits."""
    given = [
        (where, step["uses"].partition("@")[0], set(step.get("with") or {}))
        for where, step in steps()
        if "@" in step.get("uses", "")
    ]
    assert len(given) > 50
    wrong = [(where, name, extra) for where, name, has in given if (extra := has - INPUTS[name])]
    assert wrong == []
    for plant in ({"if-no-file-found"}, {"retention-day"}):
        assert plant - INPUTS["actions/upload-artifact"]


def test_a_job_that_takes_no_role_has_no_word_on_who_it_is() -> None:
    for workflow, name, job in jobs():
        takes = any("configure-aws" in step.get("uses", "") for step in flat(job["steps"]))
        allowed = takes or (workflow, name) == ("book.yml", "publish")
        assert ("id-token" in job["permissions"]) == allowed, (workflow, name)


def test_no_workflow_runs_a_forks_code_with_the_repositorys_rights() -> None:
    for workflow in WORKFLOWS.values():
        assert not {"pull_request_target", "workflow_run"} & set(workflow["on"])
        if "issue_comment" in workflow["on"]:  # it runs for strangers' words
            for job in workflow["jobs"].values():
                assert "id-token" not in job["permissions"]
                assert all("ref" not in (step.get("with") or {}) for step in job["steps"])
    for workflow, name, job in jobs():
        for step in flat(job["steps"]):
            if "configure-aws" in step.get("uses", ""):
                asked = f"{step.get('if', '')} {job.get('if', '')}"
                assert re.search(r"(TARGET|target) == 'aws'", asked), (workflow, name)


def test_no_step_pastes_an_expression_into_its_shell() -> None:
    for name, step in steps():
        assert "${{" not in step.get("run", ""), (name, step["name"])


def test_charts_are_rendered_with_the_helm_that_deploys_them() -> None:
    """The old review rendered with the helm of the runner's image, which changes every week."""
    rendering = re.compile(r"pangeo-deploy (delivery (re)?plan|charts (check|deploy|render)) ")
    found = set()
    for workflow, name, job in jobs():
        if not any(rendering.search(step.get("run", "")) for step in flat(job["steps"])):
            continue
        found.add(workflow)
        assert WORKFLOWS[workflow]["env"]["PANGEO_DEPLOY_PROGRAMS"] == ".venv/programs", workflow
        for step in job["steps"]:
            if step.get("uses") == "$/.github/actions/setup":
                assert step["with"]["target"], (workflow, name)
    assert {"deploy.yml", "event.yml", "review.yml", "rollback.yml"} <= found


def test_steps_are_thin() -> None:
    allowed = (
        r"(make |(\.\./)?\.venv/bin/pangeo-deploy |mkdir |cat |aws eks |tar |gh release |gh issue |"
        r"sudo snap install )"
    )
    for name, step in steps():
        joined = re.sub(r"\s*\n(?=--)", " ", step.get("run", "").strip())
        for line in joined.splitlines():
            assert re.match(allowed, line.strip()), (name, line)


def test_secrets_are_an_environments_own() -> None:
    for workflow, name, job in jobs():
        if "secrets." in str(job):
            assert job.get("environment"), (workflow, name)


@pytest.mark.parametrize(
    ("workflow", "event", "expected"),
    [
        ("review.yml", "pull_request", {"rehearse staging", "rehearse prod", "comment"}),
        ("review.yml", "merge_group", {"check", "test", "rehearse staging", "rehearse prod"}),
        ("book.yml", "push", {"build", "publish"}),
        ("book.yml", "release", {"build", "release"}),
        ("weekly.yml", "schedule", {"sweep prod", "support staging", "notify"}),
        ("janitor.yml", "schedule", {"janitor staging", "janitor prod", "notify"}),
        ("monthly.yml", "schedule", {"figures", "keep", "notify"}),
    ],
)
def test_an_event_starts_these_jobs(
    stage: Stage, workflow: str, event: str, expected: set[str]
) -> None:
    schedule = WORKFLOWS[workflow]["on"].get("schedule", [{}])[0].get("cron", "")
    payload: dict[str, Any] = {"release": {"tag_name": "v1.0.0"}}
    if event == "pull_request":
        sha = stage.main()
        pull = {
            "number": 3,
            "head": {"sha": sha, "repo": {"full_name": "a/b"}},
            "user": {"login": "a"},
        }
        payload = {"pull_request": pull}
    stage.runner.dry, stage.runner.told = True, {"enabled": "true"}
    try:
        run = stage.runner.run(
            workflow, Event(event, stage.main(), payload=payload, schedule=schedule)
        )
    finally:
        stage.runner.dry, stage.runner.told = False, {}
    ran = {name for name, result in run.results.items() if result == "success"}
    assert expected <= ran
    assert "failure" not in run.results.values(), run.log


def test_what_its_reviewers_reject_is_not_deployed_and_told(stage: Stage) -> None:
    stage.runner.dry, stage.runner.told = True, {"run": "1", "commit": stage.main()}
    stage.runner.rejected = {"prod"}
    event = Event("workflow_dispatch", stage.main(), payload={"inputs": {"run": "1"}})
    try:
        run = stage.runner.run("deploy.yml", event)
    finally:
        stage.runner.dry, stage.runner.told, stage.runner.rejected = False, {}, set()
    assert run.results == {
        "reviewed": "success",
        "staging": "success",
        "preview": "success",
        "production": "failure",
        "keep": "success",
        "notify": "success",
    }
    assert run.jobs["production"].steps == []


def test_a_deployment_that_is_cancelled_closes_what_it_opened(stage: Stage) -> None:
    """GitHub lets the steps with always() run before it kills the job."""
    runner, variables = stage.runner, stage.github.variables
    variables.update(PANGEO_TARGET="aws", AWS_REGION="us-west-2", AWS_ACCOUNT_ID="123456789012")
    runner.dry, runner.told = True, {"run": "1", "commit": stage.main()}
    runner.cancel, runner.trust = ("staging", "Charts and smoke test"), lambda *_: True
    event = Event("workflow_dispatch", stage.main(), payload={"inputs": {"run": "1"}})
    try:
        run = runner.run("deploy.yml", event)
    finally:
        variables.clear()
        runner.dry, runner.told, runner.cancel = False, {}, ("", "")
    job = run.jobs["staging"]
    ran = {step.name: step.outcome for step in job.steps}
    assert job.result == "cancelled"
    assert ran["Charts and smoke test"] == "cancelled"
    assert ran["Benchmark"] == "skipped"
    assert ran["Close the Kubernetes API"] == ran["Record"] == "success"
    assert run.results["production"] == "skipped"
    assert run.results["notify"] == "success"


def test_a_releases_book_stays_at_its_version_beside_mains(stage: Stage) -> None:
    payload = {"release": {"tag_name": "v1.0.0"}}
    released = stage.runner.run("book.yml", Event("release", stage.main(), payload=payload))
    assert released.result == "success", released.log
    newer = stage.commit({"README.md": lambda text: text + "\nMore.\n"})
    run = stage.runner.run("book.yml", Event("push", newer))
    assert run.result == "success", run.log
    pages = stage.github.folder / "pages"
    assert newer in (pages / "index.html").read_text()
    assert newer not in (pages / "v1.0.0" / "index.html").read_text()


def test_a_fork_without_pages_builds_its_book_and_says_that_it_is_not_published(
    stage: Stage,
) -> None:
    """The old code failed at every push until they were switched on."""
    stage.github.features["has_pages"] = False
    try:
        newer = stage.commit({"README.md": lambda text: text + "\nStill more.\n"})
        run = stage.runner.run("book.yml", Event("push", newer))
    finally:
        stage.github.features.clear()
    assert run.result == "success", run.log
    assert run.results["publish"] == "skipped"
    assert "::notice title=The book is not published::" in run.jobs["build"].log
    assert newer not in (stage.github.folder / "pages" / "index.html").read_text()


def test_credentials_outlive_the_job_that_they_are_for() -> None:
    """The old role was good for an hour, and the job might last for one and a half."""
    bootstrap = (PROJECT / "terraform" / "bootstrap" / "main.tf").read_text()
    most = max(map(int, re.findall(r"max_session_duration = (\d+)", bootstrap)))
    for workflow, name, job in jobs():
        for step in flat(job["steps"]):
            if "configure-aws" in step.get("uses", ""):
                seconds = int(step["with"].get("role-duration-seconds", 3600))
                assert 60 * job["timeout-minutes"] <= seconds <= most, (workflow, name)


def test_nobody_elses_repository_is_trusted_by_default() -> None:
    """The old default was another organisation's, and no page named the variable."""
    variables = (PROJECT / "terraform" / "bootstrap" / "variables.tf").read_text()
    text = variables.partition('variable "github_repository" {')[2].partition("\n}")[0]
    assert "type" in text
    assert not re.search(r"^\s*default\s*=", text, re.MULTILINE)
    page = (PROJECT / "book" / "operate-delivery.md").read_text()
    assert "-var github_repository=OWNER/NAME" in page
    assert "github_repository_ids=" in page


def test_the_projects_name_is_written_into_no_role() -> None:
    """`project` is a variable of the bootstrap, and its roles begin with it."""
    for file in FILES:
        assert ":role/pangeo" not in file.read_text(), file.name


def test_the_pipelines_files_are_all_checked() -> None:
    makefile = (PROJECT / "Makefile").read_text()
    for tool in (
        "github-workflows",
        "github-actions",
        "dependabot",
        "--persona auditor",
        "actionlint",
        "yamllint",
    ):
        assert tool in makefile
    assert (PROJECT / ".github/dependabot.yml").exists()
