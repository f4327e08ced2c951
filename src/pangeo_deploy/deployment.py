"""`Deployment`: which environment on which target, and where its files are."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from pangeo_core.errors import BadInput

__all__ = ["Deployment"]

TargetName = Literal["rehearsal", "kubernetes", "aws"]
# Targets that need the charts alone.
WITHOUT_TERRAFORM: frozenset[TargetName] = frozenset({"kubernetes"})
DEFAULT_TARGET: TargetName = "rehearsal"  # of every verb: it needs no account and costs nothing


PROJECT = "pangeo"  # the default of the variable `project` (terraform/variables.tf)


def find_project(start: Path | None = None) -> Path:
    """Return the checkout that holds `terraform/environments`: `start` or a parent, else ours.

    Raises `BadInput` when there is none, as with a package installed without its repository.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents, *Path(__file__).resolve().parents):
        if (folder / "terraform" / "environments").is_dir():
            return folder
    raise BadInput(
        f"No pangeo-deploy project in {here} or above it.",
        why="A project has a folder terraform/environments.",
        fix="Run the command inside a clone of the repository.",
    )


def default_state(project: Path) -> Path:
    """Return where the deployments of this checkout keep state and plans: outside its tree.

    `PANGEO_DEPLOY_STATE` names another folder. Two checkouts never share one.
    """
    if named := os.environ.get("PANGEO_DEPLOY_STATE"):
        return Path(named).expanduser().resolve()
    import hashlib  # it loads OpenSSL: help waits for none of it

    import platformdirs

    mark = hashlib.sha256(str(project).encode()).hexdigest()[:8]
    return platformdirs.user_state_path("pangeo-deploy") / f"{project.name}-{mark}"


@dataclass(frozen=True)
class Deployment:
    """One environment on one target.

    `environment` is a name under `terraform/environments`, on the target `kubernetes` one under
    `helm/environments`; `target` is `rehearsal`, `kubernetes` or `aws`.
    `project` is the checkout and `state` the folder for Terraform's state, the saved plan and the
    rehearsed account; both have defaults. Raises `BadInput` for an unknown name.
    """

    environment: str
    target: TargetName = DEFAULT_TARGET
    project: Path = field(default_factory=find_project)
    state: Path | None = None

    def __post_init__(self) -> None:
        if self.target not in get_args(TargetName):
            raise BadInput(
                f"There is no target {self.target!r}.",
                fix=f"Use one of: {_listed(get_args(TargetName))}.",
            )
        known = environments(self.project)
        where, kind = "terraform/environments", ".tfvars"
        if self.target in WITHOUT_TERRAFORM:
            known = sorted(file.stem for file in self.project.glob("helm/environments/*.yaml"))
            where, kind = "helm/environments", ".yaml"
        if self.environment not in known:
            raise BadInput(
                f"There is no environment {self.environment!r} on the target {self.target}.",
                why=f"{where} has: {_listed(known)}.",
                fix=f"Name one of them, or add a {kind} file for the new one.",
            )

    @property
    def name(self) -> str:
        """The name that every resource of the deployment starts with, as Terraform makes it."""
        return f"{self._variable('project') or PROJECT}-{self.environment}"

    @property
    def tags(self) -> dict[str, str]:
        """The tags by which everything of this deployment is found, as the provider sets them."""
        return {"deployment": self.name}

    @property
    def owner_tags(self) -> dict[str, str]:
        """The tags of what belongs to the deployment, whoever made it.

        Beside Terraform's, those that EKS, its network plug-in, Kubernetes' volumes and load
        balancers, and Karpenter's nodes put on what they make for the cluster of this name.
        """
        return {
            **self.tags,
            f"kubernetes.io/cluster/{self.name}": "owned",
            "aws:eks:cluster-name": self.name,
            "cluster.k8s.amazonaws.com/name": self.name,
            "eks:cluster-name": self.name,
        }

    @property
    def tfvars(self) -> Path:
        """The environment's variables, all that distinguishes it from another."""
        return self.project / "terraform" / "environments" / f"{self.environment}.tfvars"

    @property
    def account_id(self) -> str | None:
        """The AWS account that the environment's variables name, None if they name none."""
        return self._variable("account_id")

    def _variable(self, name: str) -> str | None:
        """Return a plain text of the environment's variables, None where they do not set it."""
        if not self.tfvars.exists():
            return None
        pattern = rf'^\s*{name}\s*=\s*"([^"]+)"'
        found = re.search(pattern, self.tfvars.read_text(), re.MULTILINE)
        return found[1] if found else None

    @property
    def root(self) -> Path:
        """The folder of everything the target keeps for this checkout (the rehearsed account)."""
        return (self.state or default_state(self.project)) / self.target

    @property
    def folder(self) -> Path:
        """The folder of this environment's own state, plan and Terraform data."""
        return self.root / self.environment


def environments(project: Path) -> list[str]:
    """Return the names of the environments that `project` declares, sorted."""
    return sorted(file.stem for file in (project / "terraform/environments").glob("*.tfvars"))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
