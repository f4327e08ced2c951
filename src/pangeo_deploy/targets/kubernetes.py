"""Any Kubernetes that kubectl's context reaches: the same charts, no Terraform and no bill."""

import os
from collections.abc import Iterator
from typing import Any

from hub_user.janitor import Cluster, PriceOf
from hub_user.user import Entrance, User, log_in
from pangeo_core.errors import MissingPrerequisite
from pangeo_core.progress import Progress, silent
from pangeo_deploy.charts import secrets
from pangeo_deploy.charts.deploy import Deployed, deploy
from pangeo_deploy.charts.programs import ClusterRefused, require_programs, run
from pangeo_deploy.charts.remove import remove
from pangeo_deploy.charts.values import settings
from pangeo_deploy.targets import kubernetes_clusters
from pangeo_deploy.targets.check import Check
from pangeo_deploy.targets.protocol import ReadOutputs, SmokeTest, Target, no_outputs

PLATFORM = ""  # of the environments that are made for any Kubernetes


class Kubernetes(Target):
    """The cluster of kubectl's context, whoever made it."""

    name = "kubernetes"
    where = "on Kubernetes"
    confirms = True

    @classmethod
    def doctor_checks(cls, price: PriceOf) -> Iterator[Check]:
        """Yield helm, kubectl, and the cluster that they reach."""
        try:
            require_programs()
        except MissingPrerequisite as error:
            yield Check("helm and kubectl", False, error.what, error.fix)
            return
        yield Check("helm and kubectl", True, "on PATH")
        try:
            context = run("kubectl", "config", "current-context").strip()
            run("kubectl", "get", "--raw", "/readyz", "--request-timeout=10s")
        except ClusterRefused as error:
            yield Check("cluster", False, error.why, "Choose one: kubectl config use-context NAME")
            return
        yield Check("cluster", True, context)

    def entrance(self, user: str = "smoke") -> Entrance:
        """Return how to enter the hub: by the local login, else by the token in `PANGEO_HUB_TOKEN`.

        The token is made at the hub's own page `/hub/token`.
        """
        url, provider = self._setting("url"), self._setting("login")["provider"]
        if provider == "local":
            password = secrets.local_password()
            return Entrance(url, lambda: log_in(url, user, password))
        token = os.environ.get("PANGEO_HUB_TOKEN", "")
        if not token:
            raise MissingPrerequisite(
                "No token of a user of the hub.",
                why="PANGEO_HUB_TOKEN is not set.",
                fix=f"Log in at {url}/hub/token, request a token, and set the variable to it.",
            )
        return Entrance(url, lambda: User(url, User(url, "", token).whoami()["name"], token))

    def janitor(self) -> tuple[User, list[Cluster]]:
        """Return the janitor by its token in the cluster's Secret, and kubectl's clusters."""
        token = os.environ.get("PANGEO_JANITOR_TOKEN") or secrets.service_token("janitor")
        if not token:
            raise MissingPrerequisite(
                "No token of the hub's service janitor.",
                why=f"The Secret {secrets.HUB} of the namespace pangeo does not hold it.",
                fix="Deploy the charts: pangeo-deploy charts deploy, with --target kubernetes.",
            )
        url = self._setting("url")
        return User(url, "janitor", token), kubernetes_clusters.clusters("pangeo")

    def deploy_charts(
        self,
        smoke: SmokeTest | None = None,
        progress: Progress = silent,
        outputs: ReadOutputs = no_outputs,
    ) -> Deployed:
        """Install the charts with Helm into the cluster that kubectl's context names.

        A hub at localhost is reached only once somebody forwards its port: it is not visited.
        """
        visited = None if self._setting("login")["provider"] == "local" else smoke
        return deploy(self.deployment, {}, None, visited, progress, on=PLATFORM)

    def remove_charts(self) -> None:
        """Uninstall the charts, with the load balancers and volumes that they created."""
        remove(self.deployment, on=PLATFORM)

    def _setting(self, key: str) -> Any:
        return settings(self.deployment.project, self.deployment.environment)[key]
