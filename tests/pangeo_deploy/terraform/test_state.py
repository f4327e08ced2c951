"""Nothing is lost: no accidental destroy, no mixed checkouts, a state that survives."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import psutil
import pytest

from emulated_aws import open_account
from pangeo_core.errors import BadInput
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets import connect
from pangeo_deploy.terraform import lifecycle, protection, saved_plan, workspace
from pangeo_deploy.terraform.engine import Terraform
from tests.conftest import Cli, Ran, cli_with, command
from tests.pangeo_deploy.terraform.small import RESOURCES, copied, environment, small_project

pytestmark = pytest.mark.slow


def good(ran: Ran) -> Ran:
    assert ran.code == 0, ran.err
    return ran


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small project and the state folder in which it was applied: copy the latter."""
    project = small_project(tmp_path_factory.mktemp("small"))
    state = tmp_path_factory.mktemp("base") / "state"
    cli = cli_with(state)
    good(cli("plan", "staging", cwd=project))
    good(cli("apply", "staging", cwd=project))
    return project, state


@pytest.fixture
def applied(base: tuple[Path, Path], state: Path) -> Callable[..., Ran]:
    """The command line in a project of the test's own, applied in a state of the test's own."""
    copied(base[1], state)
    project = small_project(state.parent / "project")
    cli = cli_with(state)
    return lambda *words, **env: cli(*words, cwd=env.pop("cwd", project), **env)


def project_of(state: Path) -> Path:
    return state.parent / "project"


def homes(state: Path) -> int:
    """Return how many file systems the account has."""
    with connect(Deployment("staging", project=project_of(state), state=state)) as cloud:
        return len(cloud.client("efs").describe_file_systems()["FileSystems"])


def change(state: Path, file: str, old: str, new: str) -> None:
    path = project_of(state) / "terraform" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_destroy_killed_after_its_plan_leaves_nothing_to_apply(
    applied: Callable[..., Ran], state: Path
) -> None:
    good(applied("plan", "staging"))  # a harmless plan is saved, and is not what comes back
    plan = state / "rehearsal/staging/destroy.tfplan"
    with subprocess.Popen(
        command("destroy", "staging"), cwd=project_of(state), env=environment(state),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as child:  # fmt: skip
        while child.poll() is None and not plan.exists():
            pass
        family = psutil.Process(child.pid).children(recursive=True)
        child.kill()
    psutil.wait_procs(family, timeout=30)
    ran = applied("apply", "staging", "--json")
    assert ran.code == 0 or "no saved plan" in ran.json["error"]["what"]
    assert ran.code or ran.json["resources"] == []
    assert homes(state) == 1


def test_keeping_data_that_cannot_be_kept_refuses_and_leaves_no_plan(
    applied: Callable[..., Ran], state: Path
) -> None:
    queue = 'bucket = aws_sqs_queue.this.name == "" ? "x" : "${local.name}-scratch"'
    change(state, "main.tf", 'bucket = "${local.name}-scratch"', queue)
    good(applied("plan", "staging"))
    good(applied("apply", "staging"))
    ran = applied("destroy", "staging", "--keep-data", "--json")
    assert ran.code == 2
    assert "aws_s3_bucket.scratch" in ran.json["error"]["why"]
    assert applied("apply", "staging", "--json").code == 2
    assert not list((state / "rehearsal/staging").glob("*.tfplan"))
    assert homes(state) == 1


def test_a_plan_that_removes_homes_says_so_and_needs_the_name(
    applied: Callable[..., Ran], state: Path
) -> None:
    change(state, "main.tf", '"homes" {}', '"homes" { encrypted = true }')
    plan = good(applied("plan", "staging", "--json")).json
    (replaced,) = (one for one in plan["resources"] if one["type"] == "aws_efs_file_system")
    assert (replaced["action"], replaced["reason"]) == ("replace", "replace because cannot update")
    (encrypted,) = (one for one in replaced["changes"] if one["attribute"] == "encrypted")
    assert (encrypted["before"], encrypted["after"], encrypted["replaces"]) == (False, True, True)
    ran = applied("apply", "staging", "--json")
    assert ran.code == 2
    assert "replace aws_efs_file_system.homes" in ran.json["error"]["why"]
    assert "--confirm staging" in ran.json["error"]["fix"]
    assert applied("apply", "staging", "--confirm", "prod").code == 2
    good(applied("apply", "staging", "--confirm", "staging"))


def test_protection_is_read_before_anything_is_deleted(tmp_path: Path) -> None:
    project = small_project(tmp_path)
    locked = {
        "mode": "managed", "module": "module.cluster", "type": "aws_eks_cluster", "name": "this",
        "instances": [{"attributes": {"deletion_protection": True}}],
    }  # fmt: skip
    deployment = Deployment("staging", project=project)
    with pytest.raises(BadInput, match="protected") as refused:
        protection.require_unprotected(deployment, {"resources": [locked]})
    assert "module.cluster.aws_eks_cluster.this" in refused.value.why
    assert "deletion_protection = false" in refused.value.fix
    locked["instances"] = [{"attributes": {"deletion_protection": False}}]
    protection.require_unprotected(deployment, {"resources": [locked]})


@pytest.mark.parametrize("kind", ["aws_s3_bucket", "aws_kms_key", "aws_eks_cluster"])
def test_what_cannot_be_made_again_is_not_removed_unasked(tmp_path: Path, kind: str) -> None:
    deployment = Deployment("staging", project=small_project(tmp_path))
    removal = {"address": f"{kind}.this", "type": kind, "action": "delete"}
    with pytest.raises(BadInput, match="cannot be made again"):
        saved_plan.require_confirmed_removals(deployment, {"resources": [removal]}, "")
    saved_plan.require_confirmed_removals(deployment, {"resources": [removal]}, "staging")
    saved_plan.require_confirmed_removals(
        deployment, {"resources": [removal | {"action": "update"}]}, ""
    )


def test_another_project_name_works_from_plan_to_sweep(cli: Cli, tmp_path: Path) -> None:
    project = small_project(tmp_path / "project", 'project = "climate"\n')
    assert good(cli("plan", "staging", "--json", cwd=project)).json["create"] == RESOURCES
    good(cli("apply", "staging", cwd=project))
    assert good(cli("plan", "staging", "--json", cwd=project)).json["resources"] == []
    assert good(cli("drift", "staging", "--json", cwd=project)).json == {"drifted": []}
    swept = cli("sweep", "staging", "--json", cwd=project)
    assert swept.code == 3
    assert len(swept.json["left"]) >= 6
    renamed = project / "terraform/environments/staging.tfvars"
    renamed.write_text(renamed.read_text().replace("climate", "weather"))
    ran = cli("plan", "staging", "--json", cwd=project)
    assert ran.code == 2
    assert "climate-staging" in ran.json["error"]["what"]
    assert "old name" in ran.json["error"]["fix"]
    renamed.write_text(renamed.read_text().replace("weather", "climate"))
    assert good(cli("destroy", "staging", "--json", cwd=project)).json["left"] == []


def test_the_modules_are_those_of_the_checkout_that_plans(
    applied: Callable[..., Ran], state: Path, tmp_path: Path
) -> None:
    other = small_project(tmp_path / "other")
    module = other / "terraform/modules/network/main.tf"
    module.write_text(module.read_text().replace("= var.dns", "= !var.dns"))
    good(applied("plan", "staging"))
    assert good(applied("plan", "staging", "--json", cwd=other)).json["update"] == 1
    shutil.rmtree(project_of(state))
    assert good(applied("plan", "staging", "--json", cwd=other)).json["update"] == 1


def test_a_plan_shows_moves_removals_and_outputs(applied: Callable[..., Ran], state: Path) -> None:
    change(state, "main.tf", 'resource "aws_sqs_queue" "this" { name = local.name }', """
moved {
  from = aws_s3_bucket.scratch
  to   = aws_s3_bucket.moved
}
removed {
  from = aws_sqs_queue.this
  lifecycle { destroy = false }
}
output "more" { value = "one more" }
""")  # fmt: skip
    change(state, "main.tf", 'aws_s3_bucket" "scratch"', 'aws_s3_bucket" "moved"')
    ran = good(applied("plan", "staging", "--json"))
    plan = ran.json
    seen = {one["action"]: one["address"] for one in plan["resources"]}
    assert seen == {"forget": "aws_sqs_queue.this", "move": "aws_s3_bucket.moved"}
    assert plan["forget"] == plan["move"] == 1
    (output,) = plan["outputs"]
    assert (output["name"], output["changes"][0]["after"]) == ("more", "one more")
    human = good(applied("plan", "staging")).out
    assert "Saved as" in human
    assert "from aws_s3_bucket.scratch" in human
    assert applied("plan", "staging", "--detailed-exitcode").code == 2
    good(applied("apply", "staging"))
    assert applied("plan", "staging", "--detailed-exitcode").code == 0
    assert applied("plan", "nowhere", "--detailed-exitcode").code == 1


def test_terraform_runs_in_the_workspace(applied: Callable[..., Ran], state: Path) -> None:
    listed = good(applied("terraform", "staging", "--", "state", "list")).out.split()
    assert "aws_efs_file_system.homes" in listed
    good(applied("terraform", "staging", "--", "state", "rm", "aws_sqs_queue.this"))
    assert good(applied("plan", "staging", "--json")).json["create"] == 1
    url = "https://sqs.us-west-2.amazonaws.com/123456789012/pangeo-staging"
    good(applied("terraform", "staging", "--", "import", "aws_sqs_queue.this", url))
    assert good(applied("plan", "staging", "--json")).json["create"] == 0
    assert len(list((state / "rehearsal/staging/state-copies").glob("*.tfstate"))) >= 3
    assert applied("terraform", "staging", "--", "nonsense").code == 1
    assert applied("terraform", "staging", "--", "destroy", "-auto-approve").code == 2


def test_a_state_that_terraform_could_not_persist_is_pushed(
    applied: Callable[..., Ran], state: Path
) -> None:
    folder = state / "rehearsal/staging"
    now = json.loads((folder / "terraform.tfstate").read_text())
    now["serial"] += 7
    (folder / "root/errored.tfstate").write_text(json.dumps(now))
    ran = good(applied("plan", "staging", "--json"))
    assert "pushed" in ran.err
    assert ran.json["resources"] == []
    assert json.loads((folder / "terraform.tfstate").read_text())["serial"] == now["serial"]
    assert not list(folder.rglob("errored.tfstate"))
    # One that the backend's state has overtaken is kept, and named.
    now["serial"] -= 7
    (folder / "root/errored.tfstate").write_text(json.dumps(now))
    ran = applied("plan", "staging", "--json")
    assert ran.code == 2
    assert "state push -force" in ran.json["error"]["fix"]
    assert (folder / "errored.tfstate").exists()


@pytest.mark.parametrize("left", [0, 5000])
def test_a_state_cut_short_is_recovered_from_its_last_copy(
    applied: Callable[..., Ran], state: Path, left: int
) -> None:
    file = state / "rehearsal/staging/terraform.tfstate"
    whole = file.read_bytes()
    file.write_bytes(whole[:left])
    ran = good(applied("plan", "staging", "--json"))
    assert ran.json["resources"] == []
    assert "cut short" in ran.err
    assert file.read_bytes() == whole


def terraform_of(child: psutil.Process) -> psutil.Process | None:
    """Return the Terraform that applies for a command, None while there is none."""
    for process in child.children(recursive=True):
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if "apply" in words and "child.py" not in " ".join(words[:4]):
            return process
    return None


def test_a_second_interrupt_is_gentle(cli: Cli, state: Path, tmp_path: Path) -> None:
    """As when a workflow is cancelled (SIGINT, later SIGTERM) while Terraform waits for AWS.

    Here Terraform is stopped instead of waiting, so that both signals come before it goes on.
    """
    project = small_project(tmp_path / "project")
    good(cli("plan", "staging", cwd=project))
    with subprocess.Popen(
        command("apply", "staging"), cwd=project, env=environment(state), text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        assert child.stderr
        for line in child.stderr:
            if "create" in line:
                break
        terraform = terraform_of(psutil.Process(child.pid))
        assert terraform
        terraform.suspend()
        child.send_signal(signal.SIGINT)
        words = _until(child.stderr, "finishes what it is doing")
        child.send_signal(signal.SIGTERM)
        words += _until(child.stderr, "one more interrupt")
        assert terraform.is_running()
        terraform.resume()
        words += child.stderr.read()
        assert child.wait(60) == 130
    assert "is recorded" in words
    recorded: dict[str, Any] = json.loads(
        (state / "rehearsal/staging/terraform.tfstate").read_text()
    )
    assert recorded["resources"]
    good(cli("plan", "staging", cwd=project))
    good(cli("apply", "staging", cwd=project))
    assert good(cli("destroy", "staging", "--json", cwd=project)).json["left"] == []


def _until(stream: IO[str], words: str) -> str:
    seen = ""
    for line in stream:
        seen += line
        if words in line:
            return seen
    raise AssertionError(seen)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_who_ends_our_process_does_not_end_terraform_in_the_midst(
    cli: Cli, state: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """A closed terminal, a killed job: the output that nobody reads any more ends nothing."""
    project = small_project(tmp_path / "project")
    good(cli("plan", "staging", cwd=project))
    with subprocess.Popen(
        command("apply", "staging"), cwd=project, env=environment(state), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        assert child.stderr
        for line in child.stderr:
            if "create" in line:
                break
        family = psutil.Process(child.pid).children(recursive=True)
        for stream in (child.stdout, child.stderr):
            assert stream
            stream.close()
        os.kill(child.pid, number)
    _gone, alive = psutil.wait_procs(family, timeout=60)
    assert not alive
    text = (state / "rehearsal/staging/terraform.tfstate").read_text()
    assert json.loads(text)["serial"] > 0
    good(cli("plan", "staging", cwd=project))
    good(cli("apply", "staging", cwd=project))
    assert good(cli("destroy", "staging", "--json", cwd=project)).json["left"] == []


def test_what_a_failed_apply_made_is_no_drift(cli: Cli, state: Path, tmp_path: Path) -> None:
    project = small_project(tmp_path / "project")
    deployment = Deployment("staging", project=project, state=state)
    with connect(deployment) as cloud:  # somebody has the bucket's name already
        where = {"LocationConstraint": "us-west-2"}
        cloud.client("s3").create_bucket(
            Bucket="pangeo-staging-scratch", CreateBucketConfiguration=where
        )
    good(cli("plan", "staging", cwd=project))
    ran = cli("apply", "staging", "--json", cwd=project)
    assert ran.code == 2
    assert "BucketAlready" in ran.json["error"]["why"]
    assert good(cli("drift", "staging", "--json", cwd=project)).json == {"drifted": []}


def test_only_what_an_apply_may_have_changed_is_read_again(
    applied: Callable[..., Ran], state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old code read all that stands, after each apply."""
    deployment = Deployment("staging", project=project_of(state), state=state)
    commands: list[tuple[str, ...]] = []
    stream = Terraform.stream

    def recorded(self: Terraform, *arguments: str, **more: Any) -> None:
        commands.append(arguments)
        stream(self, *arguments, **more)

    monkeypatch.setattr(Terraform, "stream", recorded)

    def read_again() -> list[list[str]]:
        lifecycle.plan(deployment)
        commands.clear()
        lifecycle.apply(deployment)
        (_apply, *after) = commands
        assert lifecycle.drift(deployment) == ()
        assert all("-refresh-only" in one for one in after)
        return [[word for word in one if word.startswith("-target=")] for one in after]

    change(state, "main.tf", '"this" { name = local.name }', """"this" {
  name        = local.name
  max_message_size = 2048
}""")  # fmt: skip
    assert read_again() == []  # nothing hangs on a queue
    change(state, "modules/network/main.tf", "from_port         = 443", "from_port = 442")
    group = [f"-target=module.network.aws_{kind}.this" for kind in ("security_group", "vpc")]
    assert read_again() == [group]
    change(state, "modules/network/main.tf", "  count             = 2\n  security_group_id", """
  count             = 1
  security_group_id""")  # fmt: skip
    assert read_again() == [group]


def test_all_that_terraform_reads_is_there_and_sealed(tmp_path: Path) -> None:
    """Variables that it takes by itself, JSON and templates, too; but no state."""
    project = small_project(tmp_path / "project")
    folder = project / "terraform"
    deployment = Deployment("staging", project=project, state=tmp_path / "state")
    seen = {workspace.sources_digest(deployment)}
    (folder / "templates").mkdir()
    read = ("a.auto.tfvars", "more.tf.json", "templates/user_data.sh")
    for name in read:
        (folder / name).write_text("{}")
        seen.add(workspace.sources_digest(deployment))
    assert len(seen) == 4
    (folder / "bootstrap").mkdir()
    not_read = ("bootstrap/main.tf", "terraform.tfstate", ".hidden", "environments/prod.tfvars")
    for name in not_read:
        (folder / name).write_text("")
    assert workspace.sources_digest(deployment) in seen
    with workspace.open_workspace(deployment) as opened:
        root = opened.terraform.folder
        assert [name for name in read if not (root / name).is_file()] == []
        assert [name for name in not_read[1:3] if (root / name).exists()] == []


SERVING = """
import sys
from pathlib import Path
from emulated_aws import open_account
with open_account(Path(sys.argv[1])):
    print("serving", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("kill", [False, True])
def test_an_apply_goes_on_when_the_command_that_served_the_account_ends(
    cli: Cli, state: Path, tmp_path: Path, kill: bool
) -> None:
    """Two environments at once: the one that started first serves the account of both."""
    project = small_project(tmp_path / "project")
    good(cli("plan", "staging", cwd=project))
    with subprocess.Popen(
        [sys.executable, "-c", SERVING, state / "rehearsal/account"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as first:  # fmt: skip
        assert first.stdin
        assert first.stdout
        assert first.stdout.readline() == "serving\n"
        with subprocess.Popen(
            command("apply", "staging"), cwd=project, env=environment(state), text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        ) as apply:  # fmt: skip
            assert apply.stderr
            said = _until(apply.stderr, "create")
            if kill:
                first.kill()
            first.stdin.close()
            said += apply.stderr.read()
            assert apply.wait() == 0, said
    assert good(cli("plan", "staging", "--json", cwd=project)).json["resources"] == []


def test_a_killed_terraform_is_said_and_the_account_goes_on_knowing_what_it_made(
    cli: Cli, state: Path, tmp_path: Path
) -> None:
    project = small_project(tmp_path / "project")
    good(cli("plan", "staging", cwd=project))
    with subprocess.Popen(
        command("apply", "staging", "--json"), cwd=project, env=environment(state), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        assert child.stderr
        for line in child.stderr:
            if "create" in line:
                break
        terraform = terraform_of(psutil.Process(child.pid))
        assert terraform
        terraform.kill()
        out, _err = child.communicate(timeout=60)
        assert child.returncode == 2
    assert "SIGKILL" in json.loads(out)["error"]["what"]
    with open_account(state / "rehearsal/account") as account:
        assert account.made()  # the next run is answered as this one was
    assert good(cli("plan", "staging", "--json", cwd=project)).json["create"] > 0
