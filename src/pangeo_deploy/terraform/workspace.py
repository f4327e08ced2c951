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

from pangeo_core.errors import (
    BadInput,
    MissingPrerequisite,
    PangeoDeployError,
    TerraformFailed,
)
from pangeo_core.files import digest, write_whole
from pangeo_core.progress import Event, Progress, silent
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets import Cloud, connect
from pangeo_deploy.terraform.engine import Engine, Terraform, find_engine
from pangeo_deploy.terraform.state_files import State, StateFiles, parsed

ROOM_BYTES = 50_000_000
LOCK = ".terraform.lock.hcl"
NOT_IN_A_PLAN = {"README.md", "bootstrap", "environments", "tests"}


@dataclass(frozen=True)
class Workspace:
    """An initialised Terraform for one deployment, held by one process at a time.

    `state_text` is the state as it was when the workspace was opened, "" for none.
    """

    deployment: Deployment
    terraform: Terraform
    cloud: Cloud
    files: StateFiles
    state_text: str = ""

    @property
    def plan_file(self) -> Path:
        """The saved plan, as Terraform wrote it."""
        return self.deployment.folder / "plan.tfplan"

    @property
    def variables(self) -> Path:
        """The environment's variables, as Terraform's messages shall name them."""
        return self.terraform.folder / "environments" / self.deployment.tfvars.name

    @property
    def state(self) -> State:
        """The state when the workspace was opened, empty before the first apply."""
        return parsed(self.state_text) or {}

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Keep a copy of the state before and after what happens inside."""
        self.files.keep(self.state_text)
        try:
            yield
        except PangeoDeployError:
            if self.cloud.state_file:
                self.files.keep(self.read_state())
            raise
        self.files.keep(self.read_state())

    def read_state(self) -> str:
        """Return the state as it is now."""
        if file := self.cloud.state_file:
            return file.read_text() if file.exists() else ""
        return self.terraform.read("state", "pull")


@contextmanager
def open_workspace(deployment: Deployment, progress: Progress = silent) -> Iterator[Workspace]:
    """Lock the deployment, connect its target and initialise Terraform for it.

    A state that a kill left empty or cut short is recovered, and one that could not reach its
    backend is pushed there first.
    """
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

    def say(words: str) -> None:
        progress(Event("state", "info", words))

    with _locked(folder / "lock", deployment) as lock, connect(deployment) as cloud:
        root, files = folder / "root", StateFiles(folder)
        rescued = files.rescue(root)
        _link(deployment.project / "terraform", root, cloud.backend)
        data = folder / "terraform-data"
        # It names the modules by their absolute paths: those of the checkout before, if another.
        shutil.rmtree(data / "modules", ignore_errors=True)
        terraform = Terraform(
            engine, root, {**cloud.terraform, "TF_DATA_DIR": str(data)}, keep=(lock,)
        )
        text = ""
        if cloud.state_file:
            # Read as it is: Terraform, asked for it, would write its own version into it.
            text = files.recover(cloud.state_file, say)
            _check_state(deployment, engine, text)
        if cloud.locked:
            _link_lock(deployment, root)
        terraform.read(
            "init",
            "-input=false",
            "-no-color",
            "-reconfigure",
            *(["-lockfile=readonly"] if cloud.locked else []),
            *cloud.backend_arguments,
        )
        if rescued:
            _push(deployment, terraform, rescued)
            files.pushed()
            say("The state that the last run could not persist is pushed.")
            text = terraform.read("state", "pull")
        if not cloud.state_file:
            text = terraform.read("state", "pull")
            _check_state(deployment, engine, text)
        yield Workspace(deployment, terraform, cloud, files, text)


def _push(deployment: Deployment, terraform: Terraform, rescued: Path) -> None:
    try:
        terraform.read("state", "push", str(rescued))
    except TerraformFailed as error:
        name, target = deployment.environment, deployment.target
        raise BadInput(
            f"The last run on {name} could not persist its state, and it cannot be pushed now.",
            why=f"{error.why}\nIt is kept in {rescued}: the only record of what that run did.",
            fix="If the state in the backend is an older one, push it: pangeo-deploy terraform "
            f"{name} --target {target} -- state push -force {rescued}; else remove the file.",
        ) from error


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
            fix=f"Nothing was changed. {deployment.folder / 'state-copies'} holds the states "
            "before, the newest last; push one with: pangeo-deploy terraform "
            f"{deployment.environment} --target {deployment.target} -- state push FILE",
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
            fix="Restore the right state file; or, if `project` was changed in the variables, "
            "write the old name again: a name cannot change while the deployment stands.",
        )


def _version(text: str) -> tuple[int, ...]:
    """Return the release a version text names: its first two numbers."""
    return tuple(int(part) for part in text.split(".")[:2])


def sources_digest(deployment: Deployment) -> str:
    """Return a digest of every file that decides what a plan says."""
    terraform = deployment.project / "terraform"
    beside = [terraform / LOCK, *terraform.glob(f"environments/{deployment.environment}.*")]
    decisive = [path for path in _linked(terraform) if path.name not in NOT_IN_A_PLAN]
    files = [file for path in decisive for file in (path, *path.rglob("*"))]
    return digest(terraform, [file for file in (*files, *beside) if file.is_file()])


def _linked(source: Path) -> list[Path]:
    """Return all that lies in the root module's folder, but not what Terraform writes there."""
    return [
        path
        for path in sorted(source.iterdir())
        if not path.name.startswith(".") and ".tfstate" not in path.name
    ]


def _link(source: Path, root: Path, backend: str | None) -> None:
    """Make `root` a folder of links to the root module's files, with the target's backend."""
    if root.exists():
        shutil.rmtree(root)
    root.mkdir()
    for path in _linked(source):
        (root / path.name).symlink_to(path)
    if backend:
        write_whole(root / "backend_override.tf", backend)


def _link_lock(deployment: Deployment, root: Path) -> None:
    """Let Terraform install the providers that are committed with their checksums, and no others.

    The rehearsal attaches its stand-in, whose lock says nothing about the real provider.
    """
    lock = deployment.project / "terraform" / LOCK
    if not lock.exists():
        raise MissingPrerequisite(
            "The AWS provider is not locked.",
            why=f"terraform/{LOCK} is missing: whatever the registry serves that day would run "
            "with this deployment's rights, and a plan of yesterday could not be applied.",
            fix="Once, where there is a network: make provider-lock, and commit the file.",
        )
    (root / LOCK).symlink_to(lock)


@contextmanager
def _locked(path: Path, deployment: Deployment) -> Iterator[int]:
    """Hold the deployment's lock and give its descriptor.

    The system frees it when this process and the Terraform that it started have ended, in whatever
    way.
    """
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
        yield file.fileno()
