"""A deployment sleeps and wakes: what is paid for goes, and people find what they had."""

import runpy
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub_user.user import HubRefused, User, log_in
from local_hub import control, hub_status
from pangeo_core.errors import BadInput
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.monthly_cost import estimate_of
from pangeo_deploy.targets import target_of
from pangeo_deploy.targets.rehearsal import hub_place
from pangeo_deploy.terraform import lifecycle, seasons, sweep
from pangeo_deploy.terraform.plans import Change
from tests.conftest import PROJECT, Cli

BACKUP = runpy.run_path(str(PROJECT / "helm" / "files" / "hub_backup.py"))


@pytest.fixture
def awake(state: Path, cli: Cli) -> Iterator[Deployment]:
    """Staging, applied and deployed in a rehearsal of its own."""
    staging = Deployment("staging", project=PROJECT, state=state)
    for words in (("plan",), ("apply",), ("charts", "deploy")):
        done = cli(*words, "staging")
        assert done.code == 0, done.err
    yield staging
    control.down(hub_place(staging))


def enter(deployment: Deployment, name: str) -> User:
    place = hub_place(deployment)
    url = target_of(deployment).hub_status().url
    return log_in(url, name, hub_status.password(place, name))


def types_in_state(deployment: Deployment) -> set[str]:
    found = lifecycle.recorded(deployment)["resources"]
    return {one["type"] for one in found if one["mode"] == "managed"}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_users_tokens_and_homes_are_there_after_a_season(awake: Deployment, cli: Cli) -> None:
    ann = enter(awake, "ann")
    home = hub_place(awake).folder / "homes" / "ann"
    home.mkdir(parents=True, exist_ok=True)
    (home / "thesis.txt").write_text("half of it")
    before = types_in_state(awake)

    slept = cli("hibernate", "staging", "--json")
    assert slept.code == 0, slept.err
    assert not target_of(awake).hub_status().running
    gone = before - types_in_state(awake)
    assert {"aws_eks_cluster", "aws_eks_node_group", "aws_launch_template"} <= gone
    assert not gone & {"aws_efs_file_system", "aws_s3_bucket", "aws_ecr_repository", "aws_kms_key"}
    left = {one.type for one in sweep.sweep(awake)}
    assert not any(kind.startswith("eks:") for kind in left), left
    assert cli("hibernate", "staging").code == 0  # and nothing happens

    woken = cli("wake", "staging", "--json")
    assert woken.code == 0, woken.err
    assert types_in_state(awake) == before
    again = User(target_of(awake).hub_status().url, "ann", ann.token)
    assert again.whoami()["name"] == "ann"
    assert (home / "thesis.txt").read_text() == "half of it"
    with pytest.raises(HubRefused):
        User(again.url, "ann", "0" * 32).whoami()


@pytest.mark.slow
def test_sleep_costs_less_than_the_night_and_homes_and_images_stay(
    planned: Callable[[str], dict[str, Any]],
) -> None:
    estimate = estimate_of("staging", planned("staging"))
    asleep = float(seasons.asleep_usd(estimate))
    assert 0 <= asleep < 0.2 * float(estimate.floor)
    lines = [line.address for line in estimate.lines if seasons.sleeps_without(line.address)]
    assert any("aws_eks_cluster" in address for address in lines)


@pytest.mark.parametrize(
    ("address", "goes"),
    [
        ("module.cluster.aws_eks_cluster.this", True),
        ('module.cluster.aws_eks_addon.before["vpc-cni"]', True),
        ('module.network.aws_nat_gateway.this["us-west-2a"]', True),
        ('module.network.aws_vpc_endpoint.interface["ecr.api"]', True),
        ("module.network.aws_vpc_endpoint.s3", False),
        ("module.storage.aws_efs_file_system.homes", False),
        ("module.cluster.aws_kms_key.cluster", False),
        ("module.cluster.data.aws_eks_addon_version.this", False),
        ("module.cluster.aws_cloudwatch_log_group.control_plane", False),
    ],
)
def test_what_goes_costs_and_holds_nothing(address: str, goes: bool) -> None:
    assert seasons.sleeps_without(address) is goes


def test_waking_does_nothing_that_a_person_must_see() -> None:
    made = Change("aws_eks_cluster.this", "aws_eks_cluster", "create")
    seasons.require_creations([made], "staging")
    lost = Change("aws_efs_file_system.homes", "aws_efs_file_system", "replace")
    with pytest.raises(BadInput, match="would remove or replace 1") as refused:
        seasons.require_creations([made, lost], "staging")
    assert "aws_efs_file_system.homes" in refused.value.why


def database(file: Path, name: str) -> Path:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE users (name TEXT)")
        connection.execute("INSERT INTO users VALUES (?)", (name,))
    connection.close()
    return file


def names(file: Path) -> list[str]:
    connection = sqlite3.connect(file)
    found = [name for (name,) in connection.execute("SELECT name FROM users")]
    connection.close()
    return found


def test_a_copy_is_made_while_the_database_is_open_and_brought_back(tmp_path: Path) -> None:
    first, copies = database(tmp_path / "hub.sqlite", "ann"), tmp_path / ".hub-backup"
    held = sqlite3.connect(first)
    held.execute("SELECT * FROM users").fetchone()
    BACKUP["save"](first, copies)
    held.close()
    other = tmp_path / "other" / "hub.sqlite"
    other.parent.mkdir()
    assert BACKUP["restore"](other, copies)
    assert names(other) == ["ann"]


def test_a_database_that_is_there_is_left_alone(tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    BACKUP["save"](database(tmp_path / "old.sqlite", "ann"), copies)
    now = database(tmp_path / "now.sqlite", "bob")
    assert BACKUP["restore"](now, copies) is None
    assert names(now) == ["bob"]


def test_without_a_copy_a_hub_begins_anew(tmp_path: Path) -> None:
    assert BACKUP["restore"](tmp_path / "hub.sqlite", tmp_path / "none") is None
    assert not (tmp_path / "hub.sqlite").exists()


def test_the_newest_copies_are_kept(tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    for day in range(10, 20):
        (copies / f"hub-202011{day}T030000Z.sqlite").touch()
    copy = BACKUP["save"](database(tmp_path / "hub.sqlite", "ann"), copies)
    kept = sorted(copies.iterdir())
    assert len(kept) == BACKUP["KEPT"]
    assert kept[-1] == copy
