"""Find servers and clusters that should have stopped: their owners, ages and hourly costs.

The hub's culler and the gateway's idle time-out stop idle ones. The janitor finds from outside what
they missed: clusters whose owner has no server left, and anything past its maximum age.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hub_user.idle_rules import moment, people_by_name, why_stop_cluster, why_stop_server
from hub_user.user import HubRefused, User
from pangeo_core.errors import CheckFailed, PangeoDeployError
from pangeo_core.units import PriceOf

CENT = Decimal("0.0001")
PAGE = "application/jupyterhub-pagination+json"
GONE = 404


@dataclass(frozen=True)
class Cluster:
    """A Dask cluster as its gateway describes it.

    `end` stops it; `launched` says that it was created in a server launched by Binder.
    """

    name: str
    owner: str
    started: datetime
    workers: int
    cores: float
    memory_gib: float
    end: Callable[[], None]
    launched: bool = False


@dataclass(frozen=True)
class Outstayed:
    """A server or cluster that should be gone, and why. Times are ISO 8601 UTC, USD by the hour."""

    kind: str
    name: str
    owner: str
    started: str
    reason: str
    usd_per_hour: str | None
    ended: bool = False


@dataclass(frozen=True)
class Round:
    """The janitor's findings: how many servers and clusters run, and which should not."""

    servers: int
    clusters: int
    outstayed: tuple[Outstayed, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is left that should be gone."""
        return all(finding.ended for finding in self.outstayed)

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {"ok": self.ok, **asdict(self)}


def make_round(
    janitor: User,
    clusters: Iterable[Cluster],
    settings: Mapping[str, Any],
    shapes: Mapping[str, str],
    price: PriceOf,
    clean: bool = False,
    now: datetime | None = None,
) -> Round:
    """Check every server and cluster, and with `clean` stop those that should have stopped.

    `janitor` is the hub's service of that name, `settings` the environment's `pangeo` values,
    `shapes` the EC2 type of the pools `users` and `dask`, whose list price is shared out.
    """
    now = now or datetime.now(UTC)
    people = everybody(janitor)
    running = {name: one["servers"].get("") for name, one in people.items() if one.get("servers")}
    known = list(clusters)
    found = [
        held(cluster, people, settings, now, cluster_price(cluster, shapes["dask"], price))
        for cluster in known
    ]
    found += [
        stayed(name, server, settings, now, server_price(server, settings, shapes["users"], price))
        for name, server in running.items()
        if server
    ]
    outstayed = [one for one in found if one]
    if clean:
        ends = {cluster.name: cluster.end for cluster in known}
        outstayed = [end(one, janitor, ends) for one in outstayed]
    return Round(len(running), len(known), tuple(outstayed))


def everybody(janitor: User) -> dict[str, dict[str, Any]]:
    """Return the hub's users by name, from every page of its response.

    Raises `CheckFailed` if the list is incomplete.
    """
    pages: list[dict[str, Any]] = []
    following: dict[str, Any] | None = {"offset": 0}
    while following:
        path = f"/hub/api/users?offset={following['offset']}"
        pages.append(janitor.ask("GET", path, headers={"Accept": PAGE}).json())
        following = pages[-1]["_pagination"]["next"]
    try:
        return people_by_name(pages)
    except ValueError as error:
        raise CheckFailed(
            "The hub did not list all of its users, so nothing was stopped.",
            why=str(error),
            fix="Somebody came or went meanwhile: run it again.",
        ) from None


def held(
    cluster: Cluster,
    people: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, Any],
    now: datetime,
    usd: Decimal | None,
) -> Outstayed | None:
    """Return the cluster as a finding if it should have stopped."""
    owner, started = cluster.owner, cluster.started
    culling = settings["culling"]
    reason = why_stop_cluster(owner, started, people, culling, now, cluster.launched)
    return outstayed("cluster", cluster.name, owner, started, reason, usd) if reason else None


def stayed(
    name: str,
    server: Mapping[str, Any],
    settings: Mapping[str, Any],
    now: datetime,
    usd: Decimal | None,
) -> Outstayed | None:
    """Return the server as a finding if the culler should have stopped it."""
    reason = why_stop_server(server, settings["culling"], now)
    if not reason:
        return None
    return outstayed("server", name, name, moment(server["started"]), reason, usd)


def outstayed(
    kind: str, name: str, owner: str, started: datetime, reason: str, usd: Decimal | None
) -> Outstayed:
    """Return the finding, with times as text and costs as decimal strings."""
    told = None if usd is None else str(usd.quantize(CENT))
    return Outstayed(kind, name, owner, started.isoformat(timespec="seconds"), reason, told)


def end(finding: Outstayed, janitor: User, ends: Mapping[str, Callable[[], None]]) -> Outstayed:
    """Stop a server or cluster, unless it ended meanwhile; a failure does not stop the round."""
    try:
        if finding.kind == "cluster":
            ends[finding.name]()
        else:
            janitor.ask("DELETE", f"/hub/api/users/{finding.owner}/server")
    except HubRefused as refused:
        return replace(finding, ended=True) if refused.status == GONE else failed(finding, refused)
    except PangeoDeployError as error:
        return failed(finding, error)
    return replace(finding, ended=True)


def failed(finding: Outstayed, error: PangeoDeployError) -> Outstayed:
    """Return the finding with the reason why stopping failed."""
    return replace(
        finding, reason=f"{finding.reason}; not stopped: {error.what} {error.why}".strip()
    )


def cluster_price(cluster: Cluster, shape: str, price: PriceOf) -> Decimal | None:
    """Return the workers' on-demand cost an hour: their share of nodes of `shape`, in whole cores.

    Spot is cheaper: this is an upper limit. Nodes of the pool have 8 CPU and 32 GiB.
    """
    node = price("ec2", shape)
    if node is None:
        return None
    share = max(Decimal(str(cluster.cores)) / 8, Decimal(str(cluster.memory_gib)) / 32)
    return node * share * cluster.workers


def server_price(
    server: Mapping[str, Any], settings: Mapping[str, Any], shape: str, price: PriceOf
) -> Decimal | None:
    """Return a server's cost an hour: its profile's share of a node of `shape`."""
    node = price("ec2", shape)
    chosen = (server.get("user_options") or {}).get("profile")
    profiles = {entry["slug"]: entry for entry in settings["profiles"]}
    profile = profiles.get(chosen, settings["profiles"][0])
    return None if node is None else node / profile["node"]["share"]
