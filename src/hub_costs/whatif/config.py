"""The configuration that sessions are replayed against, with defaults, from YAML or JSON.

Every key has a default; unknown keys are refused. A pool is a set of nodes that carries some kinds
of sessions; pools do not share nodes. Sizes are GiB, times seconds, money USD.
"""

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hub_costs.machines import DAEMONS
from hub_costs.usage.sessions import KINDS
from pangeo_core.errors import BadInput

# The replay looks at each node and each placeholder whenever something happens.
MOST_NODES = 2000
Count = Annotated[int, Field(ge=0, le=MOST_NODES)]
Seconds = Annotated[float, Field(ge=0, le=30 * 86400)]
Amount = Annotated[float, Field(ge=0, le=1e9)]
Limit = Annotated[float, Field(gt=0, le=366 * 86400)]
Share = Annotated[float, Field(ge=0, le=1)]
Kind = Literal["notebook", "dask-scheduler", "dask-worker", "binder"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pool(_Part):
    """A pool of nodes.

    A node starts when a pod fits on none; its shape is the first of `instance_types` that holds the
    pod. The pod waits `node_start_seconds` and `image_pull_seconds` for a new node, and
    `pod_start_seconds` always. An empty node ends after `scale_down_delay_seconds`; one used less
    than `consolidate_below` (a share of its cores and of its memory) ends as soon as its pods fit
    elsewhere, which restarts them. `spot_share` of the nodes are spot and are taken at
    `interruptions_per_hour`. `placeholders` hold room of one size, and make way for pods.
    `max_nodes_per_zone` limits the pool; a pod that must queue leaves after `give_up_seconds`.
    With `zonal_homes` each person's pods run in one zone only.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    kinds: tuple[Kind, ...]
    instance_types: Annotated[tuple[str, ...], Field(min_length=1)] = ("r5.xlarge",)
    packing: Literal["most", "least"] = "most"
    node_start_seconds: Seconds = 120
    image_pull_seconds: Seconds = 60
    pod_start_seconds: Seconds = 5
    scale_down_delay_seconds: Seconds = 600
    consolidate_below: Share = 0
    spot_share: Share = 0
    interruptions_per_hour: Amount = 0
    spot_price_share: Share | None = None
    min_nodes: Count = 0
    max_nodes_per_zone: Annotated[int, Field(ge=1, le=10**6)] | None = None
    zonal_homes: bool = False
    give_up_seconds: Seconds = 3600
    placeholders: Count = 0
    placeholder_cpu_cores: Amount = 1
    placeholder_memory_gib: Amount = 4
    disk_gib: Amount = 80
    daemon_cpu_cores: Amount = float(DAEMONS.cpu)
    daemon_memory_gib: Amount = float(DAEMONS.memory_mib) / 1024
    nat_gib_per_node: Amount = 0


class Core(_Part):
    """The nodes that always run: hub, proxy, monitoring. On demand."""

    instance_type: str = "r5.xlarge"
    nodes: Annotated[int, Field(ge=1, le=MOST_NODES)] = 1
    disk_gib: Amount = 80


class Network(_Part):
    """NAT gateways (`none`: nodes are public and each has an address), and the way in."""

    nat: Literal["none", "single", "per_zone"] = "single"
    nat_gib_per_month: Amount = 0
    load_balancer: Literal["network", "classic"] = "network"
    load_balancers: Count = 1
    addresses_per_load_balancer: Count = 2


class Homes(_Part):
    """Home directories: `gib` stored, a share of it in infrequent access."""

    gib: Amount = 0
    storage: Literal["efs", "efs-one-zone"] = "efs"
    infrequent_share: Share = 0


class Culling(_Part):
    """When servers are stopped for their users; see `culling.cull`. None leaves the data as it is.

    `recorded_idle_seconds` is the idle limit under which the sessions were recorded.
    """

    idle_seconds: Limit | None = None
    recorded_idle_seconds: Limit | None = None
    max_age_seconds: Limit | None = None


class SavingsPlan(_Part):
    """A commitment in USD an hour, paid always; it buys on-demand use at `discount` off.

    AWS sets the discount by term, family and region: read yours from the offer.
    """

    usd_per_hour: Annotated[Decimal, Field(gt=0, lt=100000)]
    discount: Annotated[Decimal, Field(ge=0, lt=1)]


def _pools() -> tuple[Pool, ...]:
    return (
        Pool(name="users", kinds=("notebook", "dask-scheduler", "binder")),
        Pool(name="dask", kinds=("dask-worker",), spot_share=1, interruptions_per_hour=0.02),
    )


class Config(_Part):
    """One way to run the hub."""

    name: str = "default"
    region: str = "us-west-2"
    zones: Annotated[int, Field(ge=1, le=6)] = 2
    pools: Annotated[tuple[Pool, ...], Field(min_length=1)] = Field(default_factory=_pools)
    core: Core = Core()
    network: Network = Network()
    homes: Homes = Homes()
    culling: Culling = Culling()
    savings_plan: SavingsPlan | None = None
    support: Literal["standard", "extended"] = "standard"
    other_usd_per_month: Annotated[Decimal, Field(ge=0, le=10**9)] = Decimal(0)
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0

    @model_validator(mode="after")
    def _each_kind_once(self) -> "Config":
        names = [pool.name for pool in self.pools]
        kinds: list[str] = [kind for pool in self.pools for kind in pool.kinds]
        for what, values in (("pool named", names), ("pool for", kinds)):
            for value in values:
                if values.count(value) > 1:
                    raise ValueError(f"there is more than one {what} {value}")
        return self

    def pool_of(self, kind: str) -> Pool:
        """Return the pool that carries sessions of `kind`, or say that there is none."""
        for pool in self.pools:
            if kind in pool.kinds:
                return pool
        raise BadInput(
            f"Configuration {self.name!r} has no pool for {kind} sessions.",
            why=f"Its pools carry: {', '.join(k for p in self.pools for k in p.kinds)}.",
            fix=f"Add {kind} to the kinds of a pool. There are: {', '.join(KINDS)}.",
        )


def load(path: Path) -> Config:
    """Return the configuration in a YAML or JSON file.

    Raises `BadInput` naming the file and each key that is unknown, missing or out of range.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = (
            json.loads(text, object_pairs_hook=_each_once)
            if path.suffix == ".json"
            else yaml.load(text, _EachKeyOnce)  # noqa: S506, a SafeLoader
        )
    except OSError as error:
        raise BadInput(
            f"The configuration {path.name} cannot be read.", why=str(error), fix="Check the path."
        ) from None
    except (yaml.YAMLError, ValueError) as error:
        raise BadInput(
            f"The configuration {path.name} is not YAML or JSON.", why=str(error), fix="Correct it."
        ) from None
    return parse({} if data is None else data, path.name)


class _EachKeyOnce(yaml.SafeLoader):
    """Refuses a mapping in which a key is written twice: YAML would take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        own = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        _each_once([(self.construct_object(key, deep=True), None) for key in own])
        return super().construct_mapping(node, deep)


def _each_once(pairs: Sequence[tuple[Any, Any]]) -> dict[Any, Any]:
    names = [str(name) for name, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"A key is written twice: {', '.join(twice)}.")
    return dict(pairs)


def parse(data: Any, source: str = "configuration") -> Config:
    """Return `data` (what a file held) as a `Config`; `source` names it in errors."""
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        found = error.errors()
        inside = {each["loc"][:depth] for each in found for depth in range(1, len(each["loc"]))}
        # A list with a wrong entry would be called too short as well: entries count once valid.
        problems = [_sentence(each) for each in found if each["loc"] not in inside]
        raise BadInput(
            f"The configuration {source} has {len(problems)} wrong value(s).",
            why=" ".join(problems),
            fix="Correct them; a key that is left out has a default.",
        ) from None


def _sentence(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "it"
    if problem["type"] == "extra_forbidden":
        return f"{where}: there is no such key."
    given = problem["input"]
    shown = f", not {given!r}" if isinstance(given, str | int | float) else ""
    return f"{where}: {problem['msg']}{shown}."
