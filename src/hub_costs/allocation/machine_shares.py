"""Divide machines among the sessions that ran on them, by what they took of cores and of memory.

A machine's cost has a part for its cores and one for its memory, in proportion to the method's
weights (`owner_rules.WEIGHTS`). Of each part a session carries what it was allocated (the greater
of request and use, where the method says so) of what there was, or of what all were allocated where
that is more. What nobody was allocated is idle, and remembers who used the rest of it: fully
loaded, idle cores go by use of cores and idle memory by use of memory. That is how AWS's split cost
allocation and OpenCost divide an instance.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb

from hub_costs.allocation.owner_rules import WEIGHTS
from hub_costs.allocation.rows import Basis, Row
from hub_costs.apportion import apportion
from hub_costs.machines import machine
from pangeo_core.errors import BadInput

_MILLION = 1_000_000
_MUCH = Decimal("1.5")  # times what there was: then requests or hours are wrong


@dataclass(frozen=True)
class _Group:
    """A day's machines that can stand for one another."""

    account: str
    cluster: str
    hub: str
    region: str
    units: int
    hours: Decimal

    @property
    def place(self) -> tuple[str, str, str, str]:
        return self.account, self.cluster, self.hub, self.region

    def is_of(self, hub: str) -> bool:
        """Whether a tag says that the machines are those of a session's hub."""
        return bool(hub) and any(
            name == hub or name.endswith(f"-{hub}") for name in (self.hub, self.cluster)
        )


@dataclass
class _Found:
    rows: list[Row] = field(default_factory=list)
    over: int = 0
    lacking: int = 0
    unsized: set[str] = field(default_factory=set)
    ambiguous: dict[str, str] = field(default_factory=dict)
    elsewhere: int = 0


Taken = tuple[str, str, int, int]  # user, hub, cores and memory: millionths of each, times seconds


def divide(
    connection: duckdb.DuckDBPyConnection, weights: str, *, pods: bool, repeated: int = 0
) -> tuple[list[Row], list[str]]:
    """Return the shares of all machines in `allocation_groups`, and warnings.

    `pods` says that the bill has split rows: then sessions without a machine are nothing unusual.
    `repeated` sessions equal another one in everything, which is said where too much was asked for.
    """
    taken = _taken(connection, use=WEIGHTS[weights][2])
    machines = _machines(connection)
    hubs = {hub for shares in taken.values() for _, hub, *_ in shares if hub}
    every = [group for groups in machines.values() for group in groups]
    tagged = {hub for hub in hubs if any(group.is_of(hub) for group in every)}
    clusters = any(group.cluster for group in every)
    found = _Found()
    homes: set[tuple[str, str]] = set()
    later = []
    for key, groups in sorted(machines.items()):
        day, name, _ = key
        try:
            machine(name)
        except BadInput:
            found.unsized.add(name)
            found.rows += [
                Row(day, "machines of unknown size", "unallocated", "machines",
                    "machine-unknown-size", group.hub, group.units)
                for group in groups
            ]  # fmt: skip
            continue
        pools = _pools(groups, taken.get(key, []), hubs, tagged, clusters, found, name)
        used = [group for pool, _ in pools for group in pool]
        homes |= {(group.account, group.region) for group in used}
        for pool, shares in pools:
            found.rows += _shared_out(day, name, pool, shares, weights, found)
        later += [(day, group) for group in groups if group not in used]
    for day, group in later:
        found.rows.append(_unused(day, group, hubs, tagged, clusters, homes, found))
    found.lacking += sum(1 for key in taken if key not in machines)
    return found.rows, _warnings(found, pods, repeated)


def _taken(
    connection: duckdb.DuckDBPyConnection, *, use: bool
) -> dict[tuple[date, str, str], list[Taken]]:
    """Return what sessions took, by day, machine type and capacity: exact whole numbers.

    A session cannot use more than its machine has: a use in the wrong unit is held to that.
    """
    types = [
        name for (name,) in connection.execute("SELECT DISTINCT node_type FROM sessions").fetchall()
    ]
    sizes = []
    for name in types:
        try:
            size = machine(name)
            sizes.append((name, size.vcpus * _MILLION, int(size.memory_gib * _MILLION)))
        except BadInput:
            sizes.append((name, 2**62, 2**62))
    connection.execute(
        "CREATE TABLE sizes (node_type VARCHAR, most_cpu HUGEINT, most_memory HUGEINT)"
    )
    if sizes:
        connection.executemany("INSERT INTO sizes VALUES (?, ?, ?)", sizes)
    cpu = "greatest(cpu, least(cpu_used, most_cpu))" if use else "cpu"
    memory = "greatest(memory, least(memory_used, most_memory))" if use else "memory"
    found: dict[tuple[date, str, str], list[Taken]] = defaultdict(list)
    for day, name, capacity, user, hub, cores, gib in connection.execute(
        f"""SELECT day, node_type, capacity, "user", hub,
          sum(CAST(seconds AS HUGEINT) * ({cpu})), sum(CAST(seconds AS HUGEINT) * ({memory}))
        FROM session_days JOIN sizes USING (node_type) GROUP BY ALL ORDER BY ALL"""
    ).fetchall():
        found[day, name, capacity].append((user, hub, int(cores), int(gib)))
    return found


def _machines(
    connection: duckdb.DuckDBPyConnection,
) -> dict[tuple[date, str, str], list[_Group]]:
    found: dict[tuple[date, str, str], list[_Group]] = defaultdict(list)
    for day, name, capacity, account, cluster, hub, region, units, hours in connection.execute(
        """SELECT day, machine, capacity, account, cluster, hub, region, sum(units), sum(hours)
        FROM allocation_groups WHERE rule = 'machine' GROUP BY ALL ORDER BY ALL"""
    ).fetchall():
        found[day, name, capacity].append(
            _Group(account, cluster, hub, region, int(units), Decimal(hours))
        )
    return found


def _pools(
    groups: Sequence[_Group],
    taken: Sequence[Taken],
    hubs: Iterable[str],
    tagged: set[str],
    clusters: bool,
    found: _Found,
    name: str,
) -> list[tuple[list[_Group], list[Taken]]]:
    """Return which machines each hub's sessions ran on: their own, never another hub's or team's.

    A tag decides. Where none does, machines of no other hub and, if any is in a cluster, of a
    cluster; where those are in several places, the cheapest: nobody is charged for a dearer machine
    that may be another team's, and a warning names both.
    """
    pools: dict[tuple[_Group, ...], list[Taken]] = defaultdict(list)
    for hub in sorted({hub for _, hub, *_ in taken}):
        fits = [group for group in groups if group.is_of(hub)]
        if not fits and hub in tagged:
            found.lacking += 1
            continue
        if not fits:
            fits = [group for group in groups if not any(group.is_of(other) for other in hubs)]
            fits = [g for g in fits if g.cluster or not clusters] or fits
            places = {group.place for group in fits}
            if len(places) > 1:
                best = min(fits, key=lambda g: (g.units / g.hours if g.hours else 0, g.place))
                others = ", ".join(sorted(" ".join(p).strip() for p in places - {best.place}))
                found.ambiguous[name] = f"{' '.join(best.place).strip()} (not {others})"
                fits = [group for group in fits if group.place == best.place]
        if fits:
            pools[tuple(fits)] += [share for share in taken if share[1] == hub]
        else:
            found.lacking += 1
    return _disjoint(pools)


def _disjoint(
    pools: Mapping[tuple[_Group, ...], list[Taken]],
) -> list[tuple[list[_Group], list[Taken]]]:
    """Return pools of which no two have a machine in common."""
    merged: list[tuple[list[_Group], list[Taken]]] = []
    for groups, shares in pools.items():
        mine, all_shares = list(groups), list(shares)
        apart = []
        for other, theirs in merged:
            if set(other) & set(mine):
                mine += [group for group in other if group not in mine]
                all_shares += theirs
            else:
                apart.append((other, theirs))
        merged = [*apart, (mine, all_shares)]
    return merged


def _shared_out(
    day: date,
    name: str,
    pool: Sequence[_Group],
    taken: Sequence[Taken],
    weights: str,
    found: _Found,
) -> list[Row]:
    """Divide a pool's cost, first between cores and memory, then among those who took of each."""
    per_core, per_gib, _ = WEIGHTS[weights]
    size = machine(name)
    units = sum(group.units for group in pool)
    hours = sum((group.hours for group in pool), Decimal(0))
    there = [
        int(hours * 3600 * _MILLION * size.vcpus),
        int(hours * 3600 * _MILLION * size.memory_gib),
    ]
    split = [per_core * size.vcpus * _MILLION, int(per_gib * size.memory_gib * _MILLION)]
    hub = pool[0].hub
    shares: dict[tuple[str, str], int] = defaultdict(int)
    rows = []
    for what, cost in enumerate(apportion(units, split)):
        took = [(cores, gib)[what] for _, _, cores, gib in taken]
        spare = there[what] - sum(took)
        found.over += sum(took) > there[what] * _MUCH
        if not sum(took):
            rows.append(Row(day, "idle", "idle", "machines", "machine-idle", hub, cost))
            continue
        *parts, idle = apportion(cost, [*took, max(spare, 0)])
        for share, part in zip(taken, parts, strict=True):
            shares[share[0], share[1] or hub] += part
        basis: Basis = tuple(
            (s[0], s[1] or hub, n) for s, n in zip(taken, took, strict=True) if n and s[0]
        )
        rows.append(Row(day, "idle", "idle", "machines", "machine-idle", hub, idle, basis))
    for (user, where), part in shares.items():
        if user:
            rows.append(Row(day, user, "user", "machines", "machine", where, part))
        else:
            rows.append(
                Row(
                    day,
                    "unknown user",
                    "unallocated",
                    "machines",
                    "session-without-user",
                    where,
                    part,
                )
            )
    return rows


def _unused(
    day: date,
    group: _Group,
    hubs: Iterable[str],
    tagged: set[str],
    clusters: bool,
    homes: set[tuple[str, str]],
    found: _Found,
) -> Row:
    """Return machines on which no session ran that day: idle, or not these hubs' at all."""
    ours = any(group.is_of(hub) for hub in hubs)
    other_hub = bool(tagged) and bool(group.hub or group.cluster) and not ours
    outside = clusters and not group.cluster and not ours
    elsewhere = bool(homes) and (group.account, group.region) not in homes and not ours
    if other_hub or outside or elsewhere:
        found.elsewhere += 1
        return Row(
            day, group.hub or "other machines", "unallocated", "machines", "machine-elsewhere",
            group.hub, group.units,
        )  # fmt: skip
    return Row(day, "idle", "idle", "machines", "machine-idle", group.hub, group.units)


def _warnings(found: _Found, pods: bool, repeated: int) -> list[str]:
    said: list[Any] = []
    if found.unsized:
        said.append(
            f"The size of {', '.join(sorted(found.unsized))} is not known: their cost is"
            " unallocated, as machines of unknown size."
        )
    for name, places in sorted(found.ambiguous.items()):
        said.append(
            f"No tag says which machines of type {name} are the hub's. The cheapest are taken to"
            f" be: {places}. Tag machines with their hub to be sure."
        )
    if found.elsewhere:
        said.append(
            f"On {found.elsewhere} days and machine types machines of another hub, cluster, account"
            " or region are unallocated."
        )
    if found.over:
        said.append(
            f"On {found.over} days and machine types far more was asked for than was paid for; all"
            " that was paid is shared out. Are cores and GiB in their units, and all days there?"
            + f" Sessions that equal another one in everything: {repeated}. Are they there twice?"
            * bool(repeated)
        )
    if found.lacking and not pods:
        said.append(
            f"On {found.lacking} days and machine types sessions ran on machines that the bill"
            " lacks."
        )
    return said
