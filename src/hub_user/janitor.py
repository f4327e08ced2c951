"""Servers and clusters that outstay: whose they are, since when, what an hour of them costs.

The hub's culler and the gateway's idle time-out end what is idle. The janitor looks from outside at
what they missed: a cluster whose owner has no server left, and whatever is past its age.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hub_user.idle_rules import cluster_outstays, moment, server_outstays
from hub_user.user import User

# The list price in USD of an item of a service, None where it is not known.
PriceOf = Callable[[str, str], Decimal | None]
CENT = Decimal("0.0001")


@dataclass(frozen=True)
class Cluster:
    """A Dask cluster as its gateway knows it. `end` ends it."""

    name: str
    owner: str
    started: datetime
    workers: int
    cores: float
    memory_gib: float
    end: Callable[[], None]


@dataclass(frozen=True)
class Outstayed:
    """Something that should be gone, and why. Times are ISO 8601 UTC, USD by the hour."""

    kind: str
    name: str
    owner: str
    started: str
    reason: str
    usd_per_hour: str | None
    ended: bool = False


@dataclass(frozen=True)
class Round:
    """What the janitor saw: how many servers and clusters run, and which have outstayed."""

    servers: int
    clusters: int
    outstayed: tuple[Outstayed, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is left that should be gone."""
        return all(one.ended for one in self.outstayed)

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
    """Look at every server and cluster, and with `clean` end what has outstayed.

    `janitor` is the hub's service of that name, `settings` the environment's `pangeo` values,
    `shapes` the EC2 type of the pools `users` and `dask`, whose list price is shared out.
    """
    now = now or datetime.now(UTC)
    people = janitor.ask("GET", "/hub/api/users?state=active").json()
    running = {one["name"]: one["servers"].get("") for one in people if one.get("servers")}
    known = list(clusters)
    found = [
        held(cluster, running, settings, now, cluster_price(cluster, shapes["dask"], price))
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


def held(
    cluster: Cluster,
    running: Mapping[str, Any],
    settings: Mapping[str, Any],
    now: datetime,
    usd: Decimal | None,
) -> Outstayed | None:
    """Return the cluster if nobody can want it any more."""
    owner, started = cluster.owner, cluster.started
    reason = cluster_outstays(owner, started, running, settings["culling"], now)
    return outstayed("cluster", cluster.name, owner, started, reason, usd) if reason else None


def stayed(
    name: str,
    server: Mapping[str, Any],
    settings: Mapping[str, Any],
    now: datetime,
    usd: Decimal | None,
) -> Outstayed | None:
    """Return the server if the culler should have ended it."""
    started, active = moment(server["started"]), moment(server["last_activity"])
    reason = server_outstays(started, active, settings["culling"], now)
    return outstayed("server", name, name, started, reason, usd) if reason else None


def outstayed(
    kind: str, name: str, owner: str, started: datetime, reason: str, usd: Decimal | None
) -> Outstayed:
    """Return the finding as text and decimal strings."""
    told = None if usd is None else str(usd.quantize(CENT))
    return Outstayed(kind, name, owner, started.isoformat(timespec="seconds"), reason, told)


def end(one: Outstayed, janitor: User, ends: Mapping[str, Callable[[], None]]) -> Outstayed:
    """End what has outstayed."""
    if one.kind == "cluster":
        ends[one.name]()
    else:
        janitor.ask("DELETE", f"/hub/api/users/{one.owner}/server")
    return Outstayed(**{**asdict(one), "ended": True})


def cluster_price(cluster: Cluster, shape: str, price: PriceOf) -> Decimal | None:
    """Return what the workers cost an hour on demand: their share of nodes of `shape`, whole cores.

    Spot is cheaper: this is the most that it can be. Nodes of the pool have 8 CPU and 32 GiB.
    """
    node = price("ec2", shape)
    if node is None:
        return None
    share = max(Decimal(str(cluster.cores)) / 8, Decimal(str(cluster.memory_gib)) / 32)
    return node * share * cluster.workers


def server_price(
    server: Mapping[str, Any], settings: Mapping[str, Any], shape: str, price: PriceOf
) -> Decimal | None:
    """Return what a server costs an hour: its profile's share of a node of `shape`."""
    node = price("ec2", shape)
    chosen = (server.get("user_options") or {}).get("profile")
    profiles = {one["slug"]: one for one in settings["profiles"]}
    profile = profiles.get(chosen, settings["profiles"][0])
    return None if node is None else node / profile["node"]["share"]
