"""The switch between the two targets: what a command needs to reach `rehearsal` or `aws`.

The only place that imports the rehearsal.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from pangeo_deploy.charts.values import settings
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.errors import CheckFailed, MissingPrerequisite
from pangeo_deploy.hub import daskclusters
from pangeo_deploy.hub.janitor import Cluster
from pangeo_deploy.hub.user import Entrance, User, log_in


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
    from pangeo_deploy import rehearsal

    state = deployment.folder / "terraform.tfstate"
    with (
        rehearsal.open_account(deployment.root / "account") as account,
        rehearsal.serve_provider(account) as environment,
    ):
        yield Cloud(
            client=account.client,
            terraform=environment,
            backend=f'terraform {{\n  backend "local" {{\n    path = "{state}"\n  }}\n}}\n',
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


def rehearsed_hub() -> ModuleType:
    """Return the module with the rehearsal's `up`, `down`, `status` and `running`."""
    from pangeo_deploy.rehearsal import hub

    return hub


def entrance(deployment: Deployment, user: str = "smoke") -> Entrance:
    """Return how to enter the deployment's hub as an ordinary user.

    In the rehearsal as `user`, one of its people. On aws as whoever the token in
    `PANGEO_HUB_TOKEN` belongs to; it is made at the hub's own page `/hub/token`.
    Raises `CheckFailed` without a running hub, `MissingPrerequisite` without a token.
    """
    if deployment.target == "aws":
        url, token = settings(deployment.project, deployment.environment)["url"], _token(deployment)
        return Entrance(url, lambda: User(url, User(url, "", token).whoami()["name"], token))
    hub = rehearsed_hub()
    if not (status := hub.status(deployment)).running:
        raise CheckFailed(
            f"No hub is up for {deployment.environment}.",
            fix=f"Start it: pangeo-deploy hub up {deployment.environment}",
        )
    return Entrance(
        status.url,
        lambda: log_in(status.url, user, hub.password(deployment, user)),
        lambda part: hub.log_tail(deployment, part),
    )


def janitors_view(deployment: Deployment) -> tuple[User, list[Cluster]]:
    """Return the hub's service `janitor` and the Dask clusters that run.

    On aws the token is in `PANGEO_JANITOR_TOKEN` and the clusters are kubectl's.
    """
    if deployment.target == "aws":
        token = os.environ.get("PANGEO_JANITOR_TOKEN")
        if not token:
            raise MissingPrerequisite(
                "No token of the hub's service janitor.",
                why="PANGEO_JANITOR_TOKEN is not set.",
                fix="The chart keeps it in the Secret hub, key hub.services.janitor.apiToken.",
            )
        url = settings(deployment.project, deployment.environment)["url"]
        return User(url, "janitor", token), daskclusters.clusters("pangeo")
    from pangeo_deploy.rehearsal import hub_clusters

    hub = rehearsed_hub()
    url = entrance(deployment).url
    janitor = User(url, "janitor", hub.janitor_token(deployment))
    return janitor, hub_clusters.clusters(hub.folder_of(deployment))


def _token(deployment: Deployment) -> str:
    if token := os.environ.get("PANGEO_HUB_TOKEN"):
        return token
    url = settings(deployment.project, deployment.environment)["url"]
    raise MissingPrerequisite(
        "No token of a user of the hub.",
        why="PANGEO_HUB_TOKEN is not set.",
        fix=f"Log in at {url}/hub/token, request a token, and set the variable to it.",
    )


_TARGETS = {"rehearsal": _rehearsal, "aws": _aws}
