"""How to enter a deployment's hub on either target: as a user, or as its janitor."""

import os
from typing import Any

from hub_user.janitor import Cluster
from hub_user.user import Entrance, User, log_in
from pangeo_core.errors import CheckFailed, MissingPrerequisite
from pangeo_deploy.charts.values import settings
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets import kubernetes_clusters, rehearsed_clusters, rehearsed_hub


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
        lambda: hub.repository(deployment),
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
        return User(url, "janitor", token), kubernetes_clusters.clusters("pangeo")
    hub, clusters = rehearsed_hub(), rehearsed_clusters()
    url = entrance(deployment).url
    janitor = User(url, "janitor", hub.janitor_token(deployment))
    return janitor, clusters.clusters(hub.folder_of(deployment))


def records(deployment: Deployment) -> Any:
    """Return where the rehearsed hub writes down its use (`rehearsal.hub.Records`).

    Raises `CheckFailed` without a running hub, `MissingPrerequisite` on aws, where nothing of a
    cluster can be read from outside unless somebody forwards it.
    """
    if deployment.target == "aws":
        raise MissingPrerequisite(
            "No address of Prometheus was named.",
            why="It answers inside the cluster only.",
            fix="Run kubectl -n support port-forward service/support-prometheus-server 9090:80 "
            "and pass --prometheus http://localhost:9090",
        )
    entrance(deployment)
    return rehearsed_hub().records(deployment)


def _token(deployment: Deployment) -> str:
    if token := os.environ.get("PANGEO_HUB_TOKEN"):
        return token
    url = settings(deployment.project, deployment.environment)["url"]
    raise MissingPrerequisite(
        "No token of a user of the hub.",
        why="PANGEO_HUB_TOKEN is not set.",
        fix=f"Log in at {url}/hub/token, request a token, and set the variable to it.",
    )
