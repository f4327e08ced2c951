"""Killed at random points of an apply or a destroy, over and over: the next run finishes it.

Each random test has its seed in its name. Other seeds: KILL_SEEDS="13 14" pytest THIS_FILE.
"""

import json
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import pytest

from .conftest import HEAD, Rehearsal, rehearse, use_repository

pytestmark = pytest.mark.slow

SMALL = """
resource "aws_vpc" "this" {
  cidr_block           = "10.1.0.0/16"
  enable_dns_hostnames = true
}
# A file system has one mount target a zone; AWS, as moto, puts a subnet without a zone into any.
resource "aws_subnet" "this" {
  count             = 3
  vpc_id            = aws_vpc.this.id
  cidr_block        = "10.1.${count.index}.0/24"
  availability_zone = "us-west-2${substr("abc", count.index, 1)}"
}
resource "aws_internet_gateway" "this" { vpc_id = aws_vpc.this.id }
resource "aws_route_table" "this" { vpc_id = aws_vpc.this.id }
resource "aws_route" "this" {
  route_table_id         = aws_route_table.this.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}
resource "aws_security_group" "this" {
  name   = "group"
  vpc_id = aws_vpc.this.id
}
resource "aws_efs_file_system" "this" {}
resource "aws_efs_mount_target" "this" {
  count           = 2
  file_system_id  = aws_efs_file_system.this.id
  subnet_id       = aws_subnet.this[count.index].id
  security_groups = [aws_security_group.this.id]
}
resource "aws_s3_bucket" "this" { bucket = "killed" }
resource "aws_s3_bucket_public_access_block" "this" { bucket = aws_s3_bucket.this.id }
resource "aws_sqs_queue" "this" { name = "killed" }
"""
SMALL_HAS = {"vpcs": 1, "subnets": 3, "groups": 1, "systems": 1, "buckets": 1, "queues": 1}
STAGING = ("-var-file=environments/staging.tfvars",)
CHOSEN = [int(seed) for seed in os.environ.get("KILL_SEEDS", "").split()]

# Forked from a process that has imported all of it and started nothing: a second saved a kill.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["emulated_aws.moto_app", __name__])


@dataclass(frozen=True)
class Run:
    """One apply or destroy in a process of its own, and what it tells: see `work`."""

    process: Any
    messages: Connection

    def told(self) -> Iterator[tuple[str, Any]]:
        """Yield what it tells until it has ended, in whatever way."""
        while True:
            try:
                yield self.messages.recv()
            except EOFError:
                self.process.join()
                return

    def kill(self, everything: bool) -> None:
        """Kill it, and Terraform too if `everything`, which else ends with it in its own way."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        for member in family if everything else ():
            member.kill()
        _gone, alive = psutil.wait_procs(family, timeout=20)
        assert not alive


def restore_state(folder: Path) -> None:
    """Do as an operator does who is told of an empty state: put back the one before.

    Terraform killed while it writes leaves an empty file, which it takes for nothing at all, or one
    that is cut; `plan` refuses such a state and names its backup.
    """
    for state in (folder / "terraform.tfstate", folder / "hcl/terraform.tfstate"):
        backup = state.with_suffix(".tfstate.backup")
        if state.exists() and not is_json(state) and backup.exists():
            shutil.copy(backup, state)


def is_json(file: Path) -> bool:
    try:
        json.loads(file.read_bytes())
    except ValueError:
        return False
    return True


def start(folder: Path, arguments: tuple[str, ...], destroying: bool) -> Run:
    messages, theirs = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=work, args=(folder, arguments, destroying, theirs))
    process.start()
    theirs.close()
    return Run(process, messages)


def work(folder: Path, arguments: tuple[str, ...], destroying: bool, told: Connection) -> None:
    """Plan, tell the plan, and apply it, telling each thing done; at the end what there is."""
    with rehearse(folder, *arguments) as rehearsal:
        terraform = rehearsal.terraform
        if not (folder / "data").exists():
            terraform.read("init", "-input=false")
        ways = ("-destroy",) if destroying else ()
        terraform.read("plan", "-input=false", "-out=tfplan", *ways, *arguments)
        changes = rehearsal.shown_plan().get("resource_changes", [])
        managed = [change for change in changes if change["mode"] == "managed"]
        told.send(("plan", {one["address"]: one["change"]["actions"][0] for one in managed}))

        def take(message: Any) -> None:
            if message["type"] == "apply_complete":
                told.send(("done", message["hook"]["resource"]["addr"]))

        terraform.stream("apply", "-json", "-input=false", "tfplan", on_message=take)
        told.send(("finished", held(rehearsal)))


def held(rehearsal: Rehearsal) -> dict[str, int]:
    """Count what the account holds, beside AWS's own defaults."""
    client = rehearsal.account.client
    ec2 = client("ec2")
    default = [{"Name": "is-default", "Values": ["false"]}]
    vpcs = [one["VpcId"] for one in ec2.describe_vpcs(Filters=default)["Vpcs"]]
    inside = [{"Name": "vpc-id", "Values": vpcs or ["none"]}]
    groups = ec2.describe_security_groups(Filters=inside)["SecurityGroups"]
    return {
        "vpcs": len(vpcs),
        "subnets": len(ec2.describe_subnets(Filters=inside)["Subnets"]),
        "groups": sum(one["GroupName"] != "default" for one in groups),
        "systems": len(client("efs").describe_file_systems()["FileSystems"]),
        "buckets": len(client("s3").list_buckets()["Buckets"]),
        "queues": len(client("sqs").list_queues().get("QueueUrls", ())),
    }


def live_killed(
    folder: Path, arguments: tuple[str, ...], kills: int, chance: random.Random
) -> list[dict[str, int]]:
    """Apply, destroy and so on, killed `kills` times; return what there was after each finish."""
    finished: list[dict[str, int]] = []
    every: set[str] = set()
    destroying = False
    while kills > 0 or destroying or not finished:
        run = start(folder, arguments, destroying)
        stop_after, done = None, 0
        for kind, said in run.told():
            if kind == "plan":
                # What exists is known and as it should be: nothing is changed or made anew.
                assert set(said.values()) <= ({"delete"} if destroying else {"create", "no-op"})
                every = every or set(said)
                assert set(said) <= every if destroying else set(said) == every
                remaining = sum(action != "no-op" for action in said.values())
                stop_after = chance.randrange(remaining) if kills > 0 and remaining else None
            elif kind == "done":
                done += 1
            else:
                finished.append(said)
                destroying = not destroying
            if stop_after == done:
                time.sleep(chance.uniform(0, 0.05))  # anywhere before or in the next one
                run.kill(everything=chance.random() < 0.5)
                restore_state(folder)
                stop_after = None
        assert run.process.exitcode in (0, -signal.SIGKILL)
        kills -= run.process.exitcode == -signal.SIGKILL
    return finished


@pytest.mark.parametrize("seed", CHOSEN or [1, 2])
def test_a_small_deployment_survives_kills_at_random_points(tmp_path: Path, seed: int) -> None:
    (tmp_path / "hcl").mkdir()
    (tmp_path / "hcl/main.tf").write_text(HEAD + SMALL)
    finished = live_killed(tmp_path, (), 22, random.Random(seed))
    nothing = dict.fromkeys(SMALL_HAS, 0)
    assert finished == [nothing if index % 2 else SMALL_HAS for index in range(len(finished))]


@pytest.mark.parametrize("seed", CHOSEN or [3])
def test_staging_survives_kills_at_random_points(tmp_path: Path, seed: int) -> None:
    use_repository(tmp_path)
    first, last = live_killed(tmp_path, STAGING, 8, random.Random(seed))[:2]
    assert first["vpcs"] == 1
    assert first["subnets"] == 4
    assert set(last.values()) == {0}
    state = json.loads((tmp_path / "terraform.tfstate").read_text())
    assert state["resources"] == []
