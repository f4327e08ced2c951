"""Give every cent of a bill an owner, and none twice.

The bill is brought down to pots by day, rule and machine type; each pot is divided in whole 1e-12
of the currency (`apportion`), so that the rows sum to the bill exactly, whatever the weights. That
is checked on every run.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import duckdb

from hub_costs.allocation import allocation_groups, session_tables
from hub_costs.allocation.owner_rules import RULES, WEIGHTS
from hub_costs.apportion import amount, apportion, cents, units
from hub_costs.bills import table as bill
from hub_costs.machines import machine
from pangeo_core.errors import BadInput, PangeoDeployError

Kind = Literal["user", "shared", "idle", "unallocated"]
KEYS = ("day", "month", "owner", "kind", "component", "rule", "hub")


@dataclass(frozen=True)
class Row:
    """One share of the bill: `units` are whole 1e-12 of the currency; `hub` may be empty."""

    day: date
    owner: str
    kind: Kind
    component: str
    rule: str
    hub: str
    units: int


@dataclass(frozen=True)
class Allocation:
    """A whole bill divided. `rows` sum to `total` exactly."""

    total: Decimal
    currency: str
    rows: tuple[Row, ...]
    rejected_sessions: tuple[tuple[int, str], ...] = ()
    warnings: list[str] = field(default_factory=list)

    def by(self, *keys: str) -> list[dict[str, Any]]:
        """Return sums by attributes of `Row` (or `month`), each exact and in cents, largest first.

        `cents` are rounded by largest remainder, so that they too sum to the total's cents. Raises
        `BadInput` for a key that a row has not.
        """
        if unknown := [key for key in keys if key not in KEYS]:
            raise BadInput(
                f"Rows cannot be summed by {', '.join(unknown)}.", fix=f"Use {', '.join(KEYS)}."
            )
        sums: dict[tuple[Any, ...], int] = defaultdict(int)
        for row in self.rows:
            sums[tuple(_key(row, key) for key in keys)] += row.units
        found = sorted(sums.items(), key=lambda item: (-item[1], tuple(map(str, item[0]))))
        rounded = cents([value for _, value in found])
        return [
            {
                **dict(zip(keys, key, strict=True)),
                "amount": amount(value),
                "cents": Decimal(cent).scaleb(-2),
            }
            for (key, value), cent in zip(found, rounded, strict=True)
        ]

    @property
    def conserved(self) -> bool:
        """Whether the rows sum to the total."""
        return sum(row.units for row in self.rows) == units(self.total)

    def loaded(self, how: Literal["proportion", "even"] = "proportion") -> "Allocation":
        """Return the fully loaded view: what is shared or idle is carried by the users of its day.

        In proportion to what each caused that day, or evenly among them; on a day without users, by
        the month's users; without any, it stays as it is. Unallocated cost is never loaded on
        anybody.
        """
        by_day: dict[date, dict[tuple[str, str], int]] = defaultdict(lambda: defaultdict(int))
        by_month: dict[tuple[int, int], dict[tuple[str, str], int]] = defaultdict(
            lambda: defaultdict(int)
        )
        for row in self.rows:
            if row.kind == "user" and row.units > 0:
                weight = row.units if how == "proportion" else 1
                for place in (by_day[row.day], by_month[row.day.year, row.day.month]):
                    key = (row.owner, row.hub)
                    place[key] = place[key] + weight if how == "proportion" else 1
        out: list[Row] = []
        for row in self.rows:
            users = by_day[row.day] or by_month[row.day.year, row.day.month]
            if row.kind not in ("shared", "idle") or not users:
                out.append(row)
                continue
            for (owner, hub), share in zip(
                users, apportion(row.units, list(users.values())), strict=True
            ):
                if share:
                    rule = f"{row.rule}/{how}"
                    out.append(Row(row.day, owner, "user", row.component, rule, hub, share))
        return _checked(self.total, self.currency, out, self.rejected_sessions, self.warnings)

    def groups(
        self, members: Mapping[str, Sequence[str]], several: Literal["first", "even"] = "even"
    ) -> list[dict[str, Any]]:
        """Return the cost of each group, where `members` maps a user to the user's groups.

        Every cent counts once: a member of several groups is divided evenly between them, or counts
        for the first. Users without a group, and what no user caused, are groups of their own.
        """
        rows = []
        for row in self.rows:
            names = list(members.get(row.owner, ())) if row.kind == "user" else [row.kind]
            names = names or ["no group"]
            if several == "first":
                names = names[:1]
            for name, share in zip(names, apportion(row.units, [1] * len(names)), strict=True):
                rows.append(Row(row.day, name, row.kind, row.component, row.rule, row.hub, share))
        whole = _checked(self.total, self.currency, rows, (), [])
        return [{"group": r.pop("owner"), **r} for r in whole.by("owner")]

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of `cost allocate`."""
        return {
            "total": format(self.total, "f"),
            "currency": self.currency,
            "conserved": self.conserved,
            "rows": text(self.by("owner", "kind", "component", "rule")),
            "rejected_sessions": [{"row": n, "reason": why} for n, why in self.rejected_sessions],
            "warnings": self.warnings,
        }


def allocate(
    table: Path,
    session_file: Path,
    *,
    weights: str = "aws",
    homes: Mapping[str, int] | None = None,
    view: bill.View = "split",
    cost: Literal["BilledCost", "EffectiveCost"] = "BilledCost",
) -> Allocation:
    """Divide the bill in `table` among the users of `session_file`.

    `weights` is one of `rules.WEIGHTS`. `homes` gives each user's stored size in bytes; without it
    home storage is shared. Returns what each user caused; `.loaded()` gives the other view. Raises
    `BadInput` for files that cannot be read. Sessions without a user become unallocated rows.
    """
    if weights not in WEIGHTS:
        raise BadInput(
            f"There are no weights {weights!r}.", fix=f"Use one of {', '.join(WEIGHTS)}."
        )
    lines = bill.rows(table, view)
    with bill.connect() as connection:
        loaded = session_tables.load(connection, session_file)
        allocation_groups.make(connection, lines, bill.tags(table), cost)
        total, currency = _total(connection)
        out = _taken_whole(connection)
        machines, warnings = _machines(connection, weights)
        out += machines
        out += _homes(connection, homes)
    if loaded.rejected:
        warnings.append(f"{len(loaded.rejected)} sessions could not be used; see their reasons.")
    if loaded.changed:
        warnings.append(
            f"{loaded.changed} sessions overlapped or were still open, and were cut:"
            " `usage report` shows them."
        )
    return _checked(total, currency, out, loaded.rejected, warnings)


def _total(connection: duckdb.DuckDBPyConnection) -> tuple[Decimal, str]:
    found = connection.execute("SELECT sum(units), min(currency) FROM pots").fetchall()[0]
    if found[0] is None:
        raise BadInput("The bill has no rows.", fix="Ingest a bill with rows.")
    return amount(int(found[0])), str(found[1])


def _taken_whole(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """Return the rows of pots that are not divided."""
    rules = {rule.id: rule for rule in RULES}
    out = []
    query = (
        "SELECT day, rule, owner, hub, sum(units), sum(unused) FROM pots GROUP BY ALL ORDER BY ALL"
    )
    for day, name, owner, hub, value, unused in connection.execute(query).fetchall():
        rule = rules[name]
        if rule.how == "direct":
            out.append(Row(day, owner, "user", rule.component, name, hub, int(value)))
        elif rule.how == "pods":
            used = int(value) - int(unused)
            out.append(Row(day, owner, "user", rule.component, name, hub, used))
            out.append(Row(day, "idle", "idle", rule.component, "split-unused", hub, int(unused)))
        elif rule.how in ("shared", "idle", "unallocated"):
            out.append(Row(day, rule.how, rule.how, rule.component, name, hub, int(value)))
    return out


def _machines(connection: duckdb.DuckDBPyConnection, weights: str) -> tuple[list[Row], list[str]]:
    """Divide each day's machines of one type by request and time; what nobody asked for is idle."""
    core, gib, use = WEIGHTS[weights]
    cpu = "greatest(cpu, cpu_used)" if use else "cpu"
    memory = "greatest(memory, memory_used)" if use else "memory"
    # millionths of a core and of a GiB, times seconds: whole numbers throughout
    asked: dict[tuple[Any, ...], list[tuple[str, str, int]]] = defaultdict(list)
    for day, name, capacity, user, hub, weight in connection.execute(
        f"""SELECT day, node_type, capacity, "user", hub, sum(CAST(seconds AS HUGEINT) *
          ({core} * {cpu} + {gib} * {memory}))
        FROM session_days GROUP BY ALL ORDER BY ALL"""
    ).fetchall():
        asked[day, name, capacity].append((user, hub, int(weight)))
    out: list[Row] = []
    over = 0
    billed = set()
    for day, name, capacity, value, hours in connection.execute(
        """SELECT day, machine, capacity, sum(units), sum(hours) FROM pots
        WHERE rule = 'machine' GROUP BY ALL ORDER BY ALL"""
    ).fetchall():
        billed.add((day, name, capacity))
        cores, size, _ = machine(name)
        whole = int(Decimal(hours) * 3600 * 1_000_000 * (core * cores + gib * size))
        users = asked.get((day, name, capacity), [])
        spare = whole - sum(weight for *_, weight in users)
        over += spare < 0
        shares = apportion(int(value), [*(w for *_, w in users), max(spare, 0 if users else 1)])
        for (user, hub, _), share in zip(users, shares[:-1], strict=True):
            if user:
                out.append(Row(day, user, "user", "machines", "machine", hub, share))
            else:
                rule = "session-without-user"
                out.append(Row(day, "unknown user", "unallocated", "machines", rule, hub, share))
        out.append(Row(day, "idle", "idle", "machines", "machine-idle", "", shares[-1]))
    warnings = []
    if over:
        warnings.append(
            f"On {over} days and machine types more was asked for than was paid for;"
            " all that was paid is shared out."
        )
    pods = connection.execute("SELECT count(*) FROM pots WHERE rule = 'split-pod'").fetchall()
    lost = sum(1 for key in asked if key not in billed)
    if lost and not pods[0][0]:  # with split rows, the pods themselves are the bill's sessions
        warnings.append(
            f"On {lost} days and machine types sessions ran on machines that the bill lacks."
        )
    return out, warnings


def _homes(connection: duckdb.DuckDBPyConnection, sizes: Mapping[str, int] | None) -> list[Row]:
    """Divide home storage by size, or leave it shared where no sizes are known."""
    out = []
    homes = ", ".join(bill.quote(rule.id) for rule in RULES if rule.how == "homes")
    users = {user: size for user, size in sorted((sizes or {}).items()) if size > 0}
    for day, rule, value in connection.execute(
        f"SELECT day, rule, sum(units) FROM pots WHERE rule IN ({homes}) GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        if not users:
            out.append(Row(day, "shared", "shared", "homes", f"{rule}-unsized", "", int(value)))
            continue
        shares = apportion(int(value), list(users.values()))
        out += [
            Row(day, user, "user", "homes", rule, "", share)
            for user, share in zip(users, shares, strict=True)
        ]
    return out


def _checked(
    total: Decimal,
    currency: str,
    rows: Sequence[Row],
    rejected: tuple[tuple[int, str], ...],
    warnings: list[str],
) -> Allocation:
    kept = tuple(row for row in rows if row.units)
    result = Allocation(total, currency, kept, rejected, warnings)
    if not result.conserved:  # a bug of ours, never the user's
        found = amount(sum(row.units for row in rows))
        raise PangeoDeployError(
            f"The allocation sums to {found}, the bill to {total}.",
            fix="Do not use it. Report this with the bill's shape (no amounts needed).",
        )
    return result


def text(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of `Allocation.by` or `.groups` ready for JSON."""
    return [
        {
            key: format(value, "f") if isinstance(value, Decimal) else str(value)
            for key, value in row.items()
        }
        for row in rows
    ]


def _key(row: Row, key: str) -> Any:
    return f"{row.day:%Y-%m}" if key == "month" else getattr(row, key)
