"""The protocol of a target: the place where a deployment lives.

A new target is one module with a class that inherits `Target`, one line in `targets/__init__.py`,
one name in `TargetName`, and an entry in `tests/targets`, whose suite it must pass.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from hub_user.janitor import Cluster
from hub_user.user import Entrance, User
from pangeo_core.errors import BadInput
from pangeo_core.progress import Progress, silent
from pangeo_core.units import PriceOf
from pangeo_deploy.deployment import Deployment, TargetName
from pangeo_deploy.targets.check import Check

if TYPE_CHECKING:
    from local_hub.control import Ended
    from local_hub.hub_status import Hub
    from pangeo_deploy.charts.deploy import Deployed

SmokeTest = Callable[[], bool]
ReadOutputs = Callable[[], Mapping[str, Any]]


def no_outputs() -> Mapping[str, Any]:
    """Return the outputs of a deployment without Terraform: none."""
    return {}


class NotOnThisTarget(BadInput):
    """The target does not have what was requested; `fix` names a target that does."""


class AwsClient(Protocol):
    """A boto3 client: its operations are attributes, and return parsed responses."""

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        """Return the operation of this name."""
        ...


@dataclass(frozen=True)
class Cloud:
    """An open connection to a target's AWS account.

    `client(service)` returns a boto3 client for it; `terraform` is the environment that makes
    Terraform use the same account; `backend` is HCL that replaces the root module's backend
    (None: as written), `backend_arguments` go to `terraform init`, and `state_file` is the state
    if it is a file on this machine. `kept_types` are the types that the rehearsal does not emulate.
    `locked` requires the providers of the committed `.terraform.lock.hcl`.
    """

    client: Callable[[str], AwsClient]
    terraform: Mapping[str, str]
    backend: str | None
    backend_arguments: tuple[str, ...] = ()
    state_file: Path | None = None
    kept_types: frozenset[str] = frozenset()
    locked: bool = False


@dataclass(frozen=True)
class GatewayAccess:
    """How a Dask-Gateway client reaches the hub's gateway from outside, as one of its users."""

    address: str
    proxy_address: str
    token: str


@dataclass(frozen=True)
class UsageRecords:
    """Where a hub's usage is recorded: Prometheus' URL ("" without one), the hub's log, the folder
    of its homes, when it was started, and the gateway's database (None: there is none).
    """

    prometheus: str
    log: Path
    homes: Path
    since: datetime
    gateway: Path | None = None


@dataclass(frozen=True)
class MonthlyBill:
    """The files of a month's bill, the sessions to allocate it by (None: none), its origin."""

    files: tuple[Path, ...]
    sessions: Path | None
    origin: str


@dataclass(frozen=True)
class KnownTypes:
    """Terraform resource types: those that can carry tags, and those that are not emulated."""

    taggable: frozenset[str]
    kept: frozenset[str] = frozenset()


class Target(Protocol):
    """One deployment's target. A method that a target does not override, it does not support.

    `where` completes the sentence "Planned ..."; `confirms` is whether the environment's name must
    be typed again before anything is removed, `for_real` whether people outside this machine will
    reach the deployment: it must then contain no example names. The class methods need
    no deployment.
    """

    name: ClassVar[TargetName]
    where: ClassVar[str]
    confirms: ClassVar[bool]
    for_real: ClassVar[bool] = True
    deployment: Deployment

    def __init__(self, deployment: Deployment) -> None:
        """Bind the target to a deployment; nothing is opened."""
        self.deployment = deployment

    @classmethod
    def doctor_checks(cls, price: PriceOf) -> Iterator[Check]:
        """Yield a check for each prerequisite beyond those of every target.

        `price(service, item)` gives list prices in USD.
        """
        yield from ()

    @classmethod
    def price_list(cls) -> AwsClient:
        """Return a client of AWS' price list."""
        raise NotOnThisTarget(
            f"The {cls.name} target has no price list.",
            fix="Log in to AWS and pass --target aws.",
        )

    @classmethod
    def known_types(cls) -> KnownTypes:
        """Return the Terraform resource types that the target knows."""
        raise NotOnThisTarget(f"The {cls.name} target has no Terraform resources.")

    def connect(self) -> AbstractContextManager[Cloud]:
        """Open the deployment's AWS account for the time of the `with` block."""
        raise self.lacks("an AWS account")

    def require_confirmation(self, confirm: str) -> None:
        """Raise `BadInput` unless `confirm` permits removing the deployment.

        On every target, a name that is given must be the environment's.
        """
        environment = self.deployment.environment
        if confirm != environment and (confirm or self.confirms):
            raise BadInput(
                f"This removes {environment} on {self.name}.",
                why=f"The name typed once more is {confirm!r}." if confirm else "",
                fix=f"If that is meant, add: --confirm {environment}",
            )

    def reset(self) -> Path:
        """Remove all of the target's files on this machine; return the folder.

        Raises `NotOnThisTarget` on targets with real resources.
        """
        raise self.lacks("a place on this machine that could be reset")

    def start_hub(
        self, progress: Progress = silent, *, bound: bool = False, binder: bool = False
    ) -> "Hub":
        """Start the hub and return when it answers.

        If `bound`, it ends with this process at the latest; with `binder`, it has BinderHub.
        """
        raise self.lacks("a hub that starts by itself", fix=self._charts)

    def stop_hub(self) -> "Ended":
        """Stop the hub and all user servers and clusters; home directories are kept."""
        raise self.lacks("a hub that stops by itself", fix=self._charts)

    def hub_status(self) -> "Hub":
        """Return the hub's URL and the status of its parts."""
        raise self.lacks("a hub whose parts can be seen from here", fix=self._charts)

    def entrance(self, user: str = "smoke") -> Entrance:
        """Return how to enter the hub as an ordinary user.

        Raises `CheckFailed` without a running hub, `MissingPrerequisite` without credentials.
        """
        raise self.lacks("a hub")

    def gateway(self, user: str) -> GatewayAccess:
        """Return how to reach the hub's Dask-Gateway from outside the hub."""
        raise self.lacks("a gateway that can be reached from outside of its hub")

    def janitor(self) -> tuple[User, list[Cluster]]:
        """Return the hub's service `janitor`, which lists and stops servers, and the clusters."""
        raise self.lacks("servers or clusters")

    def usage_records(self) -> UsageRecords:
        """Return where the hub's usage is recorded, as far as it can be read from here."""
        raise self.lacks("usage records that can be read from here")

    def bench_columns(self) -> Mapping[str, str]:
        """Return the columns of a benchmark run that describe where a gateway campaign ran."""
        return {}

    def deploy_charts(
        self,
        smoke: SmokeTest | None = None,
        progress: Progress = silent,
        outputs: ReadOutputs = no_outputs,
    ) -> "Deployed":
        """Install or upgrade the charts; roll back and raise `CheckFailed` if `smoke` fails.

        `outputs` reads Terraform's outputs, on targets with Terraform.
        """
        raise self.lacks("a place for charts")

    def save_hub(self) -> None:
        """Save the hub's database beside the homes; the next hub without a database restores it."""
        raise self.lacks("a hub whose database can be saved")

    def remove_charts(self) -> None:
        """Remove the charts with everything they created outside Terraform; homes are kept."""
        raise self.lacks("a place for charts")

    def monthly_bill(
        self,
        month: str,
        folder: Path,
        sessions: Path | None = None,
        outputs: ReadOutputs = no_outputs,
    ) -> MonthlyBill:
        """Fetch the bill of `month` (YYYY-MM) into `folder`; `sessions` are the operator's."""
        raise self.lacks("a bill")

    def lacks(self, thing: str, *, why: str = "", fix: str = "") -> NotOnThisTarget:
        """Return the error for something that this target does not have."""
        return NotOnThisTarget(f"The {self.name} target has no {_bare(thing)}.", why=why, fix=fix)

    @property
    def _charts(self) -> str:
        return (
            "Leave --target out for the hub of this machine; here the hub is what this installs: "
            f"pangeo-deploy charts deploy {self.deployment.environment} --target {self.name}"
        )


def _bare(thing: str) -> str:
    return thing.removeprefix("a ").removeprefix("an ")


def taggable_types() -> frozenset[str]:
    """Return the resource types that can carry tags, by the recorded schema of the provider."""
    from emulated_aws import schema

    types = schema.load().resources
    return frozenset(name for name, kind in types.items() if "tags" in kind.block.attributes)
