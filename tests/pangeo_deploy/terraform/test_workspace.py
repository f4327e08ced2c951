"""What a workspace holds on to: the provider that was locked, and a lock of the state."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pangeo_core.errors import MissingPrerequisite, TerraformFailed
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets.protocol import Cloud
from pangeo_deploy.terraform import lifecycle, workspace
from tests.conftest import PROJECT

PLATFORM = "linux_amd64"
LOCK_ID = "12345678-0000-0000-0000-123456789abc"
# A provider as a program of its own, which Terraform starts and talks to: a release says which.
PROVIDER = """#!{python}
from tf.iface import Provider
from tf.runner import run_provider
from tf.schema import Attribute, Schema
from tf.types import String


class Note:
    def __init__(self, provider):
        pass

    @classmethod
    def get_name(cls):
        return "note"

    @classmethod
    def get_schema(cls):
        return Schema(attributes=[
            Attribute("text", String(), required=True),
            Attribute("release", String(), computed=True),
        ])

    def validate(self, diags, type_name, config):
        pass

    def plan(self, ctx, current, planned):
        return planned

    def create(self, ctx, planned):
        return {{**planned, "release": "{version}"}}

    def read(self, ctx, current):
        return current

    def update(self, ctx, current, planned):
        return planned

    def delete(self, ctx, current):
        pass

    def upgrade(self, ctx, version, old):
        return old


class Thing(Provider):
    def get_model_prefix(self):
        return "thing_"

    def get_provider_schema(self, diags):
        return Schema(attributes=[])

    def full_name(self):
        return "example.test/x/thing"

    def validate_config(self, diags, config):
        pass

    def configure_provider(self, diags, config):
        pass

    def get_data_sources(self):
        return []

    def get_resources(self):
        return [Note]

    def get_functions(self):
        return []

    def new_resource(self, klass):
        return klass(self)


run_provider(Thing())
"""
# As Terraform itself holds the lock of a local state.
HOLD = """
import fcntl, sys
file = open(sys.argv[1], "r+")
fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
print("held", flush=True)
sys.stdin.read()
"""
MAIN = """
terraform {
  required_providers {
    thing = {
      source  = "example.test/x/thing"
      version = "~> 6.62"
    }
  }
}

resource "thing_note" "this" {
  text = "a"
}
"""


def publish(mirror: Path, version: str) -> None:
    """Put a release of the provider into the mirror, as a registry would serve it from now on."""
    folder = mirror / "example.test" / "x" / "thing" / version / PLATFORM
    folder.mkdir(parents=True)
    program = folder / f"terraform-provider-thing_v{version}"
    program.write_text(PROVIDER.format(python=sys.executable, version=version))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    folder = tmp_path / "mirror"
    (tmp_path / "settings.tfrc").write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{folder}"\n  }}\n}}\n'
    )
    publish(folder, "6.62.0")
    return folder


@pytest.fixture
def project(tmp_path: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one resource, whose provider comes from the mirror as AWS' from the registry."""
    folder = tmp_path / "project"
    (folder / "terraform" / "environments").mkdir(parents=True)
    (folder / "terraform" / "main.tf").write_text(MAIN)
    (folder / "terraform" / "modules").mkdir()
    (folder / "terraform" / "environments" / "staging.tfvars").write_text("")

    @contextmanager
    def connect(deployment: Deployment) -> Iterator[Cloud]:
        settings = {"TF_CLI_CONFIG_FILE": str(tmp_path / "settings.tfrc")}
        local = 'terraform {\n  backend "local" {\n    path = "../terraform.tfstate"\n  }\n}\n'
        state = deployment.folder / "terraform.tfstate"
        yield Cloud(lambda service: None, settings, local, (), state, frozenset(), locked=True)

    monkeypatch.setattr(workspace, "connect", connect)
    return folder


def lock(project: Path, mirror: Path) -> None:
    """Run what `make provider-lock` runs."""
    tool = [sys.executable, str(PROJECT / "tools" / "provider_lock.py")]
    folder = str(project / "terraform")
    subprocess.run([*tool, folder, PLATFORM, f"-fs-mirror={mirror}"], check=True)


@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="the mirror")
def test_a_release_between_review_and_merge_changes_nothing(
    project: Path, mirror: Path, tmp_path: Path
) -> None:
    """The old code resolved the provider anew in each job, and refused the plan of the review."""
    reviewer = Deployment("staging", project=project, state=tmp_path / "reviewer")
    with pytest.raises(MissingPrerequisite, match="not locked") as refused:
        lifecycle.plan(reviewer)
    assert "make provider-lock" in refused.value.fix
    lock(project, mirror)
    plan = lifecycle.plan(reviewer)
    publish(mirror, "6.63.0")

    deployer = Deployment("staging", project=project, state=tmp_path / "deployer")
    again = lifecycle.plan(deployer)
    assert again.shown["resource_changes"] == plan.shown["resource_changes"]
    assert len(lifecycle.apply(deployer).resources) == 1
    (resource,) = lifecycle.recorded(deployer)["resources"]
    assert resource["instances"][0]["attributes"]["release"] == "6.62.0"

    # Nor does another program under the same version: its checksum is not the locked one.
    for program in mirror.rglob("*_v6.62.0"):
        program.write_text(program.read_text() + "# altered\n")
    stranger = Deployment("staging", project=project, state=tmp_path / "stranger")
    with pytest.raises(TerraformFailed, match="checksum"):
        lifecycle.plan(stranger)


def test_a_lock_left_behind_is_told_with_its_owner_and_the_way_out(tmp_path: Path) -> None:
    deployment = Deployment("staging", project=PROJECT, state=tmp_path)
    deployment.folder.mkdir(parents=True)
    state = deployment.folder / "terraform.tfstate"
    state.write_text("")
    info = {"ID": LOCK_ID, "Who": "runner@lost", "Created": "2026-11-26T12:00:00.5Z"}
    (deployment.folder / ".terraform.tfstate.lock.info").write_text(json.dumps(info))
    # Another process, as a lock of this one would end with the first look into the file.
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdin
    assert holder.stdout
    try:
        assert holder.stdout.readline() == b"held\n"
        with workspace.open_workspace(deployment) as opened:
            given = ("-input=false", f"-var-file={opened.variables}", "-json")
            with pytest.raises(
                TerraformFailed, match=r"runner@lost has held the state's lock"
            ) as told:
                opened.terraform.stream("apply", "-auto-approve", *given)
    finally:
        holder.communicate()
    assert f"force-unlock {LOCK_ID}" in told.value.fix
