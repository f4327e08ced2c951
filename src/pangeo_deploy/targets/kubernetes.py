"""Any Kubernetes that kubectl's context reaches: the same charts, no Terraform and no bill."""

from collections.abc import Iterator
from typing import Any

from hub_user.janitor import Cluster
from hub_user.user import Entrance, User, log_in
from pangeo_core.progress import Progress, silent
from pangeo_core.units import PriceOf
from pangeo_deploy.charts import backup, entrances, secrets
from pangeo_deploy.charts.deploy import Deployed, deploy
from pangeo_deploy.charts.remove import remove
from pangeo_deploy.charts.values import settings
from pangeo_deploy.targets import kubernetes_access, kubernetes_checks
from pangeo_deploy.targets.check import Check
from pangeo_deploy.targets.protocol import ReadOutputs, SmokeTest, Target, no_outputs

PLATFORM = ""  # of the environments that are made for any Kubernetes


class Kubernetes(Target):
    """The cluster of kubectl's context, whoever created it."""

    name = "kubernetes"
    where = "on Kubernetes"
    confirms = True

    @classmethod
    def doctor_checks(cls, price: PriceOf) -> Iterator[Check]:
        """Yield the checks of helm, kubectl and the cluster that they reach."""
        yield from kubernetes_checks.checks()

    def entrance(self, user: str = "smoke") -> Entrance:
        """Return how to enter the hub: by the local login, else as the smoke test's own user."""
        url, provider = self._setting("url"), self._setting("login")["provider"]
        if provider == "local":
            password = secrets.local_password()
            return Entrance(url, lambda: log_in(url, user, password))
        return kubernetes_access.entrance(url)

    def janitor(self) -> tuple[User, list[Cluster]]:
        """Return the janitor by its token in the cluster's Secret, and kubectl's clusters."""
        return kubernetes_access.janitor(self._setting("url"))

    def deploy_charts(
        self,
        smoke: SmokeTest | None = None,
        progress: Progress = silent,
        outputs: ReadOutputs = no_outputs,
    ) -> Deployed:
        """Install the charts with Helm into the cluster that kubectl's context names.

        A hub at localhost can be reached only by port forwarding: it is not smoke-tested.
        """
        visited = None
        if smoke and self._setting("login")["provider"] != "local":
            visited = entrances.once_reached(self._setting("url"), smoke, progress)
        return deploy(self.deployment, {}, None, visited, progress, on=PLATFORM)

    def save_hub(self) -> None:
        """Save the hub's database by the chart's own job."""
        backup.save()

    def remove_charts(self) -> None:
        """Uninstall the charts, with the load balancers and volumes that they created."""
        remove(self.deployment, on=PLATFORM)

    def _setting(self, key: str) -> Any:
        return settings(self.deployment.project, self.deployment.environment)[key]
