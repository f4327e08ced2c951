"""AWS: EKS by Terraform, the charts by Helm, the bill from the deployment's own bucket."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from hub_user.janitor import Cluster
from hub_user.user import Entrance, User
from pangeo_core.errors import BadInput, MissingPrerequisite
from pangeo_core.progress import Progress, silent
from pangeo_core.units import PriceOf
from pangeo_deploy.charts import backup, entrances
from pangeo_deploy.charts.deploy import Deployed, deploy
from pangeo_deploy.charts.remove import remove
from pangeo_deploy.charts.secrets import secret_reader
from pangeo_deploy.charts.values import settings
from pangeo_deploy.deployment import find_project
from pangeo_deploy.identity import open_session, require_account, whoami
from pangeo_deploy.preflight import require_own_names
from pangeo_deploy.targets import kubernetes_access
from pangeo_deploy.targets.aws_checks import cloud as cloud_checks
from pangeo_deploy.targets.check import Check
from pangeo_deploy.targets.protocol import (
    AwsClient,
    Cloud,
    GatewayAccess,
    KnownTypes,
    MonthlyBill,
    ReadOutputs,
    SmokeTest,
    Target,
    UsageRecords,
    no_outputs,
    taggable_types,
)

# The variables of a user's server that describe its cluster, by column of the run file.
SERVER_ENVIRONMENT = {
    "image": "JUPYTER_IMAGE",
    "instance_type": "PANGEO_WORKER_INSTANCE_TYPE",
    "capacity": "PANGEO_WORKER_CAPACITY",
    "zone": "PANGEO_WORKER_ZONE",
}
PRICE_LIST_REGION = "us-east-1"  # it answers in a few regions only, for all of them


class Aws(Target):
    """The AWS account whose credentials are in this shell."""

    name = "aws"
    where = "on AWS"
    confirms = True

    @classmethod
    def doctor_checks(cls, price: PriceOf) -> Iterator[Check]:
        """Yield each prerequisite of the first-deployment page, and supported versions."""
        yield from cloud_checks(open_session, find_project(), datetime.now(UTC).date(), price)

    @classmethod
    def price_list(cls) -> AwsClient:
        """Return a client of the price list."""
        client: AwsClient = open_session().client("pricing", region_name=PRICE_LIST_REGION)
        return client

    @classmethod
    def known_types(cls) -> KnownTypes:
        """Return the types of the provider's schema; all of them are real here."""
        return KnownTypes(taggable_types())

    @contextmanager
    def connect(self) -> Iterator[Cloud]:
        """Open the credentials' account; refuse it if it is not the environment's."""
        deployment = self.deployment
        backend = deployment.tfvars.with_suffix(".s3.tfbackend")
        if not backend.exists():
            raise MissingPrerequisite(
                f"No state bucket is named for {deployment.environment} on AWS.",
                why=f"terraform/environments/{backend.name} is missing.",
                fix='Write it with the lines: bucket = "...", key = "...", region = "...".',
            )
        session = open_session()
        require_account(whoami(session), deployment.account_id)
        yield Cloud(
            client=session.client,
            terraform={},
            backend=None,
            backend_arguments=(f"-backend-config={backend}",),
            locked=True,
        )

    def entrance(self, user: str = "smoke") -> Entrance:
        """Return how to enter the hub as the smoke test's own user, or by `PANGEO_HUB_TOKEN`."""
        return kubernetes_access.entrance(self._url())

    def gateway(self, user: str) -> GatewayAccess:
        """Refuse: the gateway's addresses exist in the cluster only."""
        raise self.lacks(
            "a gateway that can be reached from here",
            why="A campaign runs in a server of the hub: only there are the gateway's addresses "
            "and the user's token.",
            fix="Open a terminal in the hub, and give the same command.",
        )

    def janitor(self) -> tuple[User, list[Cluster]]:
        """Return the janitor by its token in the cluster's Secret, and kubectl's clusters."""
        return kubernetes_access.janitor(self._url())

    def usage_records(self) -> UsageRecords:
        """Refuse: records in a cluster can be read from outside only by port forwarding."""
        raise self.lacks(
            "Prometheus that answers outside of its cluster",
            fix="Run kubectl -n support port-forward service/support-prometheus-server 9090:80 "
            "and pass --prometheus http://localhost:9090",
        )

    def bench_columns(self) -> Mapping[str, str]:
        """Return the columns that the environment of a user's server has about its cluster."""
        return {
            column: value
            for column, name in SERVER_ENVIRONMENT.items()
            if (value := os.environ.get(name))
        }

    def deploy_charts(
        self,
        smoke: SmokeTest | None = None,
        progress: Progress = silent,
        outputs: ReadOutputs = no_outputs,
    ) -> Deployed:
        """Install the charts with Helm into the cluster that kubectl's context names."""
        made = outputs()
        with self.connect() as cloud:
            reader = secret_reader(cloud.client("secretsmanager"))
            ready = partial(require_own_names, self.deployment, made)
            visited = smoke and entrances.once_reached(self._url(), smoke, progress)
            return deploy(self.deployment, made, reader, visited, progress, ready=ready)

    def save_hub(self) -> None:
        """Save the hub's database by the chart's own job."""
        backup.save()

    def remove_charts(self) -> None:
        """Uninstall the charts, with the load balancers and volumes that they created."""
        remove(self.deployment)

    def monthly_bill(
        self,
        month: str,
        folder: Path,
        sessions: Path | None = None,
        outputs: ReadOutputs = no_outputs,
    ) -> MonthlyBill:
        """Fetch the export from the deployment's own bucket."""
        from hub_costs.bills import fetch

        bucket = outputs().get("bills_bucket")
        if not bucket:
            raise BadInput(
                f"{self.deployment.environment} has no bill export yet.",
                fix=f"Apply it first: pangeo-deploy plan {self.deployment.environment}",
            )
        with self.connect() as cloud:
            fetch.fetch_export(f"s3://{bucket}/", folder / "fetched", cloud.client("s3"))
        return MonthlyBill((folder / "fetched",), sessions, "measured")

    def _url(self) -> str:
        return str(settings(self.deployment.project, self.deployment.environment)["url"])
