"""The switch between the two targets: what a command needs to reach `rehearsal` or `aws`.

The only place that imports the rehearsal.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from pangeo_core.errors import MissingPrerequisite
from pangeo_deploy.deployment import Deployment


@dataclass(frozen=True)
class Cloud:
    """An open connection to a target's AWS account.

    `client(service)` makes a boto3 client for it; `terraform` is the environment that makes
    Terraform reach the same account; `backend` is HCL that replaces the root module's backend
    (None: as written), `backend_arguments` go to `terraform init`, and `state_file` is the state
    where that is a file of this machine. `kept_types` are those the rehearsal does not emulate.
    """

    client: Callable[[str], Any]
    terraform: Mapping[str, str]
    backend: str | None
    backend_arguments: tuple[str, ...] = ()
    state_file: Path | None = None
    kept_types: frozenset[str] = frozenset()


@contextmanager
def connect(deployment: Deployment) -> Iterator[Cloud]:
    """Open the deployment's account for the time of the `with` block."""
    with _TARGETS[deployment.target](deployment) as cloud:
        yield cloud


@contextmanager
def _rehearsal(deployment: Deployment) -> Iterator[Cloud]:
    import emulated_aws as rehearsal

    state = deployment.folder / "terraform.tfstate"
    with (
        rehearsal.open_account(deployment.root / "account") as account,
        rehearsal.serve_provider(account) as environment,
    ):
        yield Cloud(
            client=account.client,
            terraform=environment,
            # Relative to the root module's folder: a plan holds it, and is applied elsewhere too.
            backend=f'terraform {{\n  backend "local" {{\n    path = "../{state.name}"\n  }}\n}}\n',
            state_file=state,
            kept_types=rehearsal.kept_types(),
        )


@contextmanager
def _aws(deployment: Deployment) -> Iterator[Cloud]:
    from pangeo_deploy.identity import open_session, require_account, whoami

    settings = deployment.tfvars.with_suffix(".s3.tfbackend")
    if not settings.exists():
        raise MissingPrerequisite(
            f"No state bucket is named for {deployment.environment} on AWS.",
            why=f"terraform/environments/{settings.name} is missing.",
            fix='Write it with the lines: bucket = "...", key = "...", region = "...".',
        )
    session = open_session()
    require_account(whoami(session), deployment.account_id)
    yield Cloud(
        client=session.client,
        terraform={},
        backend=None,
        backend_arguments=(f"-backend-config={settings}",),
    )


def known_types() -> tuple[frozenset[str], frozenset[str]]:
    """Return the resource types that can carry tags, and those the rehearsal only keeps."""
    import emulated_aws as rehearsal
    from emulated_aws import schema

    types = schema.load().resources
    taggable = frozenset(name for name, one in types.items() if "tags" in one.block.attributes)
    return taggable, rehearsal.kept_types()


def rehearsed_hub() -> ModuleType:
    """Return the module with the rehearsal's `up`, `down`, `status` and `running`."""
    from local_hub import control

    return control


def rehearsed_clusters() -> ModuleType:
    """Return the module that lists the rehearsed hub's Dask clusters."""
    from local_hub import dask_clusters

    return dask_clusters


@contextmanager
def emulated_objects(bucket: str) -> Iterator[str]:
    """Serve an emulated S3 with one empty bucket that counts its requests; give its address."""
    from emulated_aws import counted_s3

    with counted_s3.serve(bucket) as address:
        yield address


_TARGETS = {"rehearsal": _rehearsal, "aws": _aws}
