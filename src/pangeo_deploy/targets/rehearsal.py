"""The rehearsal: an emulated AWS account and a hub, all on this machine."""

import fcntl
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from hub_user.janitor import Cluster
from hub_user.user import Entrance, User, log_in
from local_hub import control, dask_clusters, hub_status
from local_hub.control import Ended
from local_hub.definition import HubDefinition, HubPlace
from local_hub.hub_status import Hub
from pangeo_core.errors import BadInput, CheckFailed, TerraformFailed
from pangeo_core.progress import Progress, silent
from pangeo_deploy.charts import alerts
from pangeo_deploy.charts.deploy import Deployed
from pangeo_deploy.charts.values import settings
from pangeo_deploy.deployment import Deployment, environments
from pangeo_deploy.targets import rehearsed_charts
from pangeo_deploy.targets.protocol import (
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

NOT_ANNOUNCED = re.compile(r"does not\s+(?:\W\s+)?support\s+(?:\W\s+)?(resource|data)")
BACKEND = """terraform {
  backend "local" {
    path = "%s"
  }
}
"""


class Rehearsal(Target):
    """The whole life of a deployment on one machine, without network or credentials."""

    name = "rehearsal"
    where = "in the rehearsal: nothing was asked of AWS"
    confirms = False
    for_real = False

    @classmethod
    def known_types(cls) -> KnownTypes:
        """Return the types of the provider's schema, and those that are not emulated."""
        import emulated_aws

        return KnownTypes(taggable_types(), emulated_aws.kept_types())

    @contextmanager
    def connect(self) -> Iterator[Cloud]:
        """Open the emulated account of the checkout, with a provider that Terraform attaches to."""
        import emulated_aws

        state = self.deployment.folder / "terraform.tfstate"
        with (
            emulated_aws.open_account(self.deployment.root / "account") as account,
            emulated_aws.serve_provider(
                account, self.deployment.project / "terraform"
            ) as environment,
        ):
            cloud = Cloud(
                client=account.client,
                terraform=environment,
                # Relative to the root module's folder: a plan holds it, and is applied elsewhere.
                backend=BACKEND % f"../{state.name}",
                state_file=state,
                kept_types=emulated_aws.kept_types(),
            )
            try:
                yield cloud
            except TerraformFailed as error:
                if NOT_ANNOUNCED.search(error.why):
                    # For Terraform, a mistake in the configuration; here, a limit.
                    emulated_aws.require_emulated(self.deployment.project / "terraform")
                raise

    def reset(self) -> Path:
        """Stop the hubs of this checkout, and remove its account, states, plans and homes."""
        root = self.deployment.root
        with ExitStack() as stack:
            for environment in environments(self.deployment.project):
                other = replace(self.deployment, environment=environment)
                place = hub_place(other)
                if place.folder.exists():
                    control.down(place)
                if other.folder.exists():
                    lock = stack.enter_context((other.folder / "lock").open("a"))
                    _require_free(lock, environment)
            if root.exists():
                shutil.rmtree(root)
        return root

    def start_hub(
        self, progress: Progress = silent, *, bound: bool = False, binder: bool = False
    ) -> Hub:
        """Start the hub of the checkout's charts; a running one is returned as it is."""
        return control.up(hub_definition(self.deployment), progress, bound, binder)

    def stop_hub(self) -> Ended:
        """Stop every process of the hub."""
        return control.down(hub_place(self.deployment))

    def hub_status(self) -> Hub:
        """Return the status of the hub and its parts."""
        return control.status(hub_place(self.deployment))

    def entrance(self, user: str = "smoke") -> Entrance:
        """Return how to enter the hub as `user`, one of the rehearsal's people."""
        place = hub_place(self.deployment)
        url = self._running().url
        return Entrance(
            url,
            lambda: log_in(url, user, hub_status.password(place, user)),
            lambda part: hub_status.log_tail(place, part),
            lambda: hub_status.repository(place),
        )

    def gateway(self, user: str) -> GatewayAccess:
        """Return how to reach the gateway as `user`."""
        entrance, place = self.entrance(user), hub_place(self.deployment)
        return GatewayAccess(
            address=hub_status.gateway_address(place),
            proxy_address=hub_status.gateway_proxy(place),
            token=entrance.enter().token,
        )

    def janitor(self) -> tuple[User, list[Cluster]]:
        """Return the janitor with its token, and the clusters of the gateway's own database."""
        url, place = self._running().url, hub_place(self.deployment)
        janitor = User(url, "janitor", hub_status.janitor_token(place))
        return janitor, dask_clusters.clusters(place.folder)

    def usage_records(self) -> UsageRecords:
        """Return where the running hub records its usage."""
        self._running()
        place = hub_place(self.deployment)
        records = hub_status.records(place)
        return UsageRecords(
            records.prometheus,
            records.log,
            records.homes,
            records.since,
            place.folder / "gateway.sqlite",
        )

    def bench_columns(self) -> Mapping[str, str]:
        """Return columns saying that the gateway shared this machine with everything else."""
        return {"source": "pangeo-deploy bench run, on the rehearsed hub of this machine"}

    def deploy_charts(
        self,
        smoke: SmokeTest | None = None,
        progress: Progress = silent,
        outputs: ReadOutputs = no_outputs,
    ) -> Deployed:
        """Run the hub from the checkout's charts, as a new revision."""
        return rehearsed_charts.deploy(
            self.deployment, self._start_revision, self.stop_hub, smoke, progress
        )

    def save_hub(self) -> None:
        """Save the hub's database, if there is one, by the code of the chart's job."""
        control.save(hub_place(self.deployment))

    def remove_charts(self) -> None:
        """Stop the hub and remove its revisions."""
        self.stop_hub()
        rehearsed_charts.forget(self.deployment)

    def monthly_bill(
        self,
        month: str,
        folder: Path,
        sessions: Path | None = None,
        outputs: ReadOutputs = no_outputs,
    ) -> MonthlyBill:
        """Return a made-up month: the rehearsal has no bill, and the origin says so."""
        from hub_costs.bills import sample_bill, sample_forms
        from hub_costs.months import Month

        sample = sample_bill.sample(Month.parse(month))
        bill, sessions = folder / "bill.parquet", folder / "sessions.csv"
        sample_forms.cur_parquet([*sample.lines, *sample.splits], bill)
        sample.sessions.to_csv(sessions, index=False)
        return MonthlyBill((bill,), sessions, "sample")

    def _running(self) -> Hub:
        hub = self.hub_status()
        if not hub.running:
            environment = self.deployment.environment
            raise CheckFailed(
                f"No hub is up for {environment}.",
                fix=f"Start it: pangeo-deploy hub up {environment}",
            )
        return hub

    def _start_revision(self, released: Deployment, progress: Progress) -> None:
        definition = hub_definition(released, versions_of=self.deployment.project)
        control.up(definition, progress)


def _require_free(lock: IO[str], environment: str) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise BadInput(
            f"Another command is at work on {environment} (rehearsal). Nothing was removed.",
            fix="Wait until it has finished and try again.",
        ) from error


def hub_place(deployment: Deployment) -> HubPlace:
    """Return the place of the deployment's local hub."""
    return HubPlace(deployment.environment, deployment.folder / "hub")


def hub_definition(deployment: Deployment, versions_of: Path | None = None) -> HubDefinition:
    """Return the definition of the deployment's local hub, from its charts.

    `versions_of` is the checkout whose Kubernetes versions the alerts use; None: the deployment's.
    """
    place, project = hub_place(deployment), deployment.project
    values = settings(project, deployment.environment)
    return HubDefinition(
        place.environment,
        place.folder,
        settings=values,
        code=project / "helm" / "files",
        alert_groups=alerts.rule_groups(project, alerts.limits(versions_of or project, values)),
    )
