"""Access to a hub on Kubernetes, by a token in the shell or by the cluster's Secret."""

import os

from hub_user.janitor import Cluster
from hub_user.user import Entrance, User, visitor
from pangeo_core.errors import MissingPrerequisite
from pangeo_deploy.charts import secrets
from pangeo_deploy.charts.programs import ClusterRefused, find
from pangeo_deploy.targets import kubernetes_clusters

PERSON = "PANGEO_HUB_TOKEN"  # a token that a user created at the hub's page /hub/token
JANITOR = "PANGEO_JANITOR_TOKEN"


def entrance(url: str) -> Entrance:
    """Return how to enter the hub as the smoke test's own user, or as whoever `PERSON` is.

    The smoke test's user need not have logged in before. Raises `MissingPrerequisite` without
    either.
    """
    if token := os.environ.get(PERSON):
        return Entrance(url, lambda: User(url, User(url, "", token).whoami()["name"], token))
    service = _token("smoke", PERSON)
    return Entrance(url, lambda: visitor(url, service))


def janitor(url: str) -> tuple[User, list[Cluster]]:
    """Return the hub's service `janitor`, and the Dask clusters that kubectl lists."""
    token = os.environ.get(JANITOR) or _token("janitor", JANITOR)
    return User(url, "janitor", token), kubernetes_clusters.clusters("pangeo")


def _token(service: str, variable: str) -> str:
    token, why = "", f"kubectl is not on PATH, and {variable} is not set."
    if find("kubectl"):
        try:
            token = secrets.service_token(service)
            why = f"The Secret {secrets.HUB} of the namespace pangeo does not hold it."
        except ClusterRefused as error:
            why = f"{variable} is not set, and the cluster does not answer: {error.why}"
    if token:
        return token
    raise MissingPrerequisite(
        f"No token of the hub's service {service}.",
        why=why,
        fix=f"Point kubectl at the cluster, deploy the charts (they make it), or set {variable}.",
    )
