"""The folder Terraform runs in: the project's HCL by link, state and data of our own beside it.

Nothing is written into `terraform/`: the stand-in's lock file, data and state would be wrong there.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pangeo_core.errors import BadInput
from pangeo_core.files import digest, write_whole
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets import Cloud, connect
from pangeo_deploy.terraform.engine import Engine, Terraform, find_engine

ROOM_BYTES = 50_000_000


@dataclass(frozen=True)
class Workspace:
    """An initialised Terraform for one deployment, held by one process at a time."""

    deployment: Deployment
    terraform: Terraform
    cloud: Cloud

    @property
    def plan_file(self) -> Path:
        """The saved plan, as Terraform wrote it."""
        return self.deployment.folder / "plan.tfplan"

    @property
    def variables(self) -> Path:
        """The environment's variables, as Terraform's messages shall name them."""
        return self.terraform.folder / "environments" / self.deployment.tfvars.name


@contextmanager
def open_workspace(deployment: Deployment) -> Iterator[Workspace]:
    """Lock the deployment, connect its target and initialise Terraform for it."""
    engine = find_engine()
    folder = deployment.folder
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise BadInput(
            f"Cannot write to {folder}.",
            why=str(error),
            fix="Set PANGEO_DEPLOY_STATE to a folder that can be written.",
        ) from error
    _check_room(folder)
    with _locked(folder / "lock", deployment), connect(deployment) as cloud:
        root = folder / "root"
        _link(deployment.project / "terraform", root, cloud.backend)
        terraform = Terraform(
            engine, root, {**cloud.terraform, "TF_DATA_DIR": str(folder / "terraform-data")}
        )
        if cloud.state_file and cloud.state_file.exists():
            # Read as it is: Terraform, asked for it, would write its own version into it.
            text = cloud.state_file.read_text()
            cut_short = not text and cloud.state_file.with_suffix(".tfstate.backup").exists()
            _check_state(deployment, engine, "{" if cut_short else text)
        terraform.read(
            "init", "-input=false", "-no-color", "-reconfigure", *cloud.backend_arguments
        )
        if not cloud.state_file:
            _check_state(deployment, engine, terraform.read("state", "pull"))
        yield Workspace(deployment, terraform, cloud)


def _check_room(folder: Path) -> None:
    """Refuse to start where Terraform could make things and then not write down that it did."""
    if shutil.disk_usage(folder).free < ROOM_BYTES:
        raise BadInput(
            f"There is no space left for Terraform's state in {folder}.",
            why=f"Less than {ROOM_BYTES // 10**6} MB are free; a state cut short would lose track.",
            fix="Free some, or set PANGEO_DEPLOY_STATE to a folder on another disk.",
        )


def _check_state(deployment: Deployment, engine: Engine, text: str) -> None:
    """Refuse a state that is damaged, of a newer Terraform, or of another environment."""
    try:
        state = json.loads(text) if text.strip() else {}
        made_by = _version(state.get("terraform_version", "0.0"))
        name = state.get("outputs", {}).get("name", {}).get("value", deployment.name)
    except (ValueError, AttributeError) as error:
        raise BadInput(
            f"The state of {deployment.environment} ({deployment.target}) cannot be read.",
            why=str(error),
            fix=f"Nothing was changed. In {deployment.folder}, terraform.tfstate.backup is the one "
            "before; the state bucket on aws keeps every version.",
        ) from error
    if made_by > _version(engine.version):
        raise BadInput(
            f"The state of {deployment.environment} was written by a newer Terraform, "
            f"{state['terraform_version']}.",
            why=f"This is {engine.version}. Nothing was changed.",
            fix=f"Use Terraform {state['terraform_version']} or newer.",
        )
    if name != deployment.name:
        raise BadInput(
            f"The state of {deployment.environment} is that of {name}.",
            why="Applying it would destroy what belongs to the other. Nothing was changed.",
            fix="Restore the right state file.",
        )


def _version(text: str) -> tuple[int, ...]:
    """Return the release a version text names: its first two numbers."""
    return tuple(int(part) for part in text.split(".")[:2])


def sources_digest(deployment: Deployment) -> str:
    """Return a digest of every file that decides what a plan says."""
    terraform = deployment.project / "terraform"
    files = [
        file
        for pattern in ("*.tf", "modules/**/*", f"environments/{deployment.environment}.*")
        for file in terraform.glob(pattern)
        if file.is_file()
    ]
    return digest(terraform, files)


def _link(source: Path, root: Path, backend: str | None) -> None:
    """Make `root` a folder of links to the root module's files, with the target's backend."""
    if root.exists():
        shutil.rmtree(root)
    root.mkdir()
    for name in (*(file.name for file in source.glob("*.tf")), "modules", "environments"):
        (root / name).symlink_to(source / name)
    if backend:
        write_whole(root / "backend_override.tf", backend)


@contextmanager
def _locked(path: Path, deployment: Deployment) -> Iterator[None]:
    """Hold the deployment's lock; the system frees it when this process ends in whatever way."""
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise BadInput(
                f"Another command is at work on {deployment.environment} ({deployment.target}).",
                why=f"Process {file.read().strip() or 'unknown'} holds its lock.",
                fix="Wait until it has finished and try again.",
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
