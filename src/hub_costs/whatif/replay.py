"""Replay a table of sessions against a configuration: who ran where, and who waited how long.

A session starts when its pod was asked for (`requested` where the source knew it, else its start)
and runs as long as it was recorded to, however long it waits: people do their work all the same.
Until then it is on exactly one node or waiting, unless no node can hold it or it gives up.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pandas as pd

from hub_costs.machines import DAEMONS, Machine, Room, machine, room
from hub_costs.usage.concurrency import HOUR, most_at_once
from hub_costs.usage.sessions import Sessions
from hub_costs.whatif import kernel
from hub_costs.whatif.config import Config, Pool
from hub_costs.whatif.culling import culled_ends

Integers = npt.NDArray[np.int64]
Records = npt.NDArray[np.void]


@dataclass(frozen=True)
class PoolRun:
    """What happened in one pool. Times are ms since the data's start.

    `lives` has a row each node (start, end, shape, zone, spot, taken), `stretches` a row each time
    that a pod ran on a node, `pods` a row each session that was tried, sorted by `arrivals` (when)
    with `lengths` (how long it wanted to run); `rows` are their places in the sessions table.
    `too_big` are the places of sessions that no node of the pool can hold.
    """

    pool: Pool
    shapes: Records
    lives: Records
    stretches: Records
    pods: Records
    rows: Integers
    arrivals: Integers
    lengths: Integers
    too_big: Integers

    @property
    def waits(self) -> Integers:
        """Return each session's wait (ms) until it first ran, or until it gave up."""
        waits = np.array(self.pods["waited"], np.int64)
        ran = self.pods["first"] >= 0
        waits[ran] = self.pods["first"][ran] - self.arrivals[ran]
        return waits

    @property
    def gave_up(self) -> Integers:
        """Return the places (in the sessions table) of those who left the queue."""
        return np.asarray(self.rows[self.pods["done"] == 0])

    @property
    def peak(self) -> int:
        """Return how many nodes there were at most at once."""
        return most_at_once(self.lives["start"], self.lives["end"])

    def used_share(self) -> tuple[float, float]:
        """Return the shares of the nodes' cores and memory that pods had asked for, over time."""
        run = (self.stretches["end"] - self.stretches["start"]).astype(float)
        lived = (self.lives["end"] - self.lives["start"]).astype(float)
        shares = []
        for part in ("cpu", "mem"):  # a column at a time: whole rows of all pods are large
            asked = np.dot(self.pods[part][self.stretches["pod"]], run)
            offered = np.dot(self.shapes[part][self.lives["shape"]], lived)
            shares.append(float(asked / max(1.0, offered)))
        return shares[0], shares[1]


def allocatable(of: Machine, pool: Pool) -> tuple[int, int, int]:
    """Return what pods may ask of a node of `pool`: thousandths of a core, MiB, number of pods."""
    cpu, memory = Decimal(str(pool.daemon_cpu_cores)), Decimal(str(pool.daemon_memory_gib)) * 1024
    free = room(of, Room(cpu, memory, DAEMONS.pods))
    return max(1, int(free.cpu * 1000)), max(1, int(free.memory_mib)), max(1, free.pods)


def replay(sessions: Sessions, config: Config) -> list[PoolRun]:
    """Return what happens to the sessions in each pool of `config`.

    Raises `BadInput` for an instance type whose shape is unknown, sessions of a kind without a
    pool, or culling that the data cannot tell about.
    """
    table = sessions.table
    for kind in table["kind"].unique():
        config.pool_of(str(kind))
    asked = table["requested"].fillna(table["start"]) if "requested" in table else table["start"]
    arrival = _milliseconds(asked, sessions.start)
    ends = _milliseconds(culled_ends(table, config.culling), sessions.start)
    length = ends - _milliseconds(table["start"], sessions.start)
    horizon = int((sessions.end - sessions.start) / pd.Timedelta(milliseconds=1))
    cpu = np.ceil(np.asarray(table["cpu_cores"]) * 1000 - 1e-6).astype(np.int64)
    memory = np.ceil(np.asarray(table["memory_gib"]) * 1024 - 1e-6).astype(np.int64)
    runs = []
    for pool in config.pools:
        rows = np.flatnonzero(table["kind"].isin(pool.kinds))
        rows = rows[np.argsort(arrival[rows], kind="stable")]
        shapes = np.zeros(len(pool.instance_types), kernel.SHAPE)
        for k, name in enumerate(pool.instance_types):
            shapes[k] = allocatable(machine(name), pool)
        fits = ((cpu[rows, None] <= shapes["cpu"]) & (memory[rows, None] <= shapes["mem"])).any(
            axis=1
        )
        small = rows[fits]
        zone = _home_zones(table, small, config.zones) if pool.zonal_homes else -1
        asks = {"left": length[small], "cpu": cpu[small], "mem": memory[small], "zone": zone}
        world = _run(_settings(pool, config, horizon), shapes, asks, arrival[small], config.zones)
        done = world.count[0]
        runs.append(
            PoolRun(
                pool=pool,
                shapes=shapes,
                lives=world.lives[: done["lives"]],
                stretches=world.stretches[: done["stretches"]],
                pods=world.pods,
                rows=small,
                arrivals=arrival[small],
                lengths=length[small],
                too_big=rows[~fits],
            )
        )
    return runs


def _run(
    settings: Records,
    shapes: Records,
    asks: Mapping[str, Integers | int],
    arrivals: Integers,
    zones: int,
) -> kernel.World:
    """Run the kernel with larger arrays until they hold all that happens."""
    n, factor = len(arrivals), 1
    while True:
        pods = np.zeros(n, kernel.POD)
        for name, values in asks.items():
            pods[name] = values
        slots, lives = 1024 * factor, (n // 8 + 1024) * factor
        world = kernel.World(
            settings,
            shapes,
            np.zeros(slots, kernel.NODE),
            pods,
            np.zeros(lives, kernel.LIFE),
            np.zeros((n + 1024) * factor, kernel.STRETCH),
            np.zeros(zones, np.int64),
            np.zeros(slots, np.int64),
            np.zeros(slots, np.int64),
            np.zeros(1, kernel.COUNT),
        )
        kernel.run(world, arrivals)
        if not world.count[0]["full"]:
            return world
        factor *= 2


def _settings(pool: Pool, config: Config, horizon: int) -> Records:
    mean_life = HOUR / pool.interruptions_per_hour if pool.interruptions_per_hour else 0
    settings = kernel.new_settings()
    values = {
        "start": pool.node_start_seconds * 1000,
        "pull": pool.image_pull_seconds * 1000,
        "pod_start": pool.pod_start_seconds * 1000,
        "down_delay": pool.scale_down_delay_seconds * 1000,
        "give_up": pool.give_up_seconds * 1000,
        "zones": config.zones,
        "zone_max": pool.max_nodes_per_zone or 0,
        "pack": pool.packing == "most",
        "hold": pool.placeholders,
        "hold_cpu": pool.placeholder_cpu_cores * 1000,
        "hold_mem": pool.placeholder_memory_gib * 1024,
        "min_nodes": pool.min_nodes,
        "below": pool.consolidate_below * 1000,
        "share": pool.spot_share * 10000,
        "mean_life": min(mean_life, 1e15),
        "seed": config.seed + zlib.crc32(pool.name.encode()),
        "horizon": horizon,
    }
    for name, value in values.items():
        settings[name] = round(value)
    return settings


def _milliseconds(moments: pd.Series, zero: pd.Timestamp) -> Integers:
    return np.asarray((moments - zero).astype("timedelta64[ms]").astype("int64"))


def _home_zones(table: pd.DataFrame, rows: Integers, zones: int) -> Integers:
    """Return the zone of each row's home: spread over people, the same in every run."""
    users = table["user"].cat
    zone = np.array([zlib.crc32(str(name).encode()) % zones for name in users.categories], np.int64)
    return np.asarray(zone[np.asarray(users.codes)[rows]])
