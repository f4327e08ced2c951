"""Give every cent of a bill an owner, and none twice.

The bill is brought down to allocation groups (`allocation_groups`); each is divided in whole 1e-12
of the currency (`apportion`), so that the rows sum to the bill exactly, whatever the weights. That
is checked on every run.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import duckdb

from hub_costs.allocation import (
    allocation_groups,
    machine_shares,
    pod_shares,
    session_tables,
)
from hub_costs.allocation.owner_rules import COSTS, RULES, WEIGHTS, said_of
from hub_costs.allocation.pod_names import People
from hub_costs.allocation.rows import Row
from hub_costs.apportion import amount, apportion, cents, units
from hub_costs.bills import table as bill
from pangeo_core.errors import BadInput, PangeoDeployError

KEYS = ("day", "month", "owner", "kind", "component", "rule", "hub")


@dataclass(frozen=True)
class Allocation:
    """A whole bill divided. `rows` sum to `total` exactly."""

    total: Decimal
    currency: str
    cost: str  # unblended, amortised or net
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
        """Return the fully loaded view: what is shared or idle is carried by users.

        Idle cost goes to those who used the rest of the same thing; where nobody did, to the day's
        users of the component, else to the month's. Shared cost goes to the day's users, by all
        that each caused, else to the month's. `even` divides among them evenly instead. What no
        user can carry stays as it is. Unallocated cost is never loaded on anybody.
        """
        caused = _Caused(self.rows)
        out: list[Row] = []
        for row in self.rows:
            users = caused.carriers(row)
            if row.kind not in ("shared", "idle") or not users:
                out.append(row)
                continue
            weights = [1 if how == "even" else weight for weight in users.values()]
            for (owner, hub), share in zip(users, apportion(row.units, weights), strict=True):
                if share:
                    rule = f"{row.rule}/{how}"
                    out.append(Row(row.day, owner, "user", row.component, rule, hub, share))
        return _checked(
            self.total, self.currency, self.cost, out, self.rejected_sessions, self.warnings
        )

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
        whole = _checked(self.total, self.currency, self.cost, rows, (), [])
        return [{"group": r.pop("owner"), **r} for r in whole.by("owner")]

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of `cost allocate`."""
        return {
            "total": format(self.total, "f"),
            "currency": self.currency,
            "cost": self.cost,
            "conserved": self.conserved,
            "rows": text(self.by("owner", "kind", "component", "rule")),
            "rejected_sessions": [{"row": n, "reason": why} for n, why in self.rejected_sessions],
            "warnings": self.warnings,
        }


class _Caused:
    """What each user caused, by day and by month, of everything and of each component."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._users: dict[Any, dict[tuple[str, str], int]] = defaultdict(lambda: defaultdict(int))
        for row in rows:
            if row.kind == "user" and row.units > 0:
                for when in (row.day, (row.day.year, row.day.month)):
                    for what in ("", row.component):
                        self._users[when, what][row.owner, row.hub] += row.units

    def carriers(self, row: Row) -> dict[tuple[str, str], int]:
        """Return the users who carry a shared or idle row, with their weights."""
        if row.basis:
            users: dict[tuple[str, str], int] = defaultdict(int)
            for owner, hub, weight in row.basis:
                users[owner, hub] += weight
            return users
        what = row.component if row.kind == "idle" else ""
        for when in (row.day, (row.day.year, row.day.month)):
            if users := self._users.get((when, what), {}):
                return users
        return {}


def allocate(
    table: Path,
    session_file: Path,
    *,
    weights: str = "aws",
    homes: Mapping[str, int] | None = None,
    view: bill.View = "split",
    cost: str = "unblended",
    owner_tags: Sequence[str] = (),
) -> Allocation:
    """Divide the bill in `table` among the users of `session_file`.

    `weights` is one of `owner_rules.WEIGHTS`, `cost` one of `owner_rules.COSTS`: `unblended` is
    what the invoice says, `amortised` spreads commitments over what they cover, `net` is after
    discounts. `homes` gives each user's stored size in bytes; without it home storage is shared.
    `owner_tags` are tags that name a line's user, beside the hub's own label. Returns what each
    user caused; `.loaded()` gives the other view. Raises `BadInput` for files that cannot be read.
    Sessions without a user become unallocated rows.
    """
    for name, known, value in (("weights", WEIGHTS, weights), ("cost", COSTS, cost)):
        if value not in known:
            raise BadInput(f"There are no {name} {value!r}.", fix=f"Use one of {', '.join(known)}.")
    lines = bill.rows(table, view)
    with bill.connect() as connection:
        loaded = session_tables.load(connection, session_file)
        allocation_groups.make(connection, lines, bill.tags(table), cost, owner_tags)
        total, currency = _total(connection)
        people = People.of(
            connection.execute('SELECT DISTINCT "user", server FROM sessions').fetchall()
        )
        out = _taken_whole(connection, people)
        pods, warnings = pod_shares.divide(connection, people)
        machines, more = machine_shares.divide(
            connection, weights, pods=bool(pods), repeated=loaded.repeated
        )
        out += [*pods, *machines, *_homes(connection, people, homes)]
        taken = connection.execute("SELECT DISTINCT rule FROM allocation_groups").fetchall()
        warnings += more + said_of({rule for (rule,) in taken}, bill.tags(table), cost)
    tagged = sorted({row.owner for row in out if row.rule == "tag-not-a-user"})
    if tagged:
        warnings.append(
            f"The owner of some lines is tagged, but no user of a session: {', '.join(tagged[:5])}."
        )
    if loaded.rejected:
        warnings.append(f"{len(loaded.rejected)} sessions could not be used; see their reasons.")
    if loaded.changed:
        warnings.append(
            f"{loaded.changed} sessions overlapped or were still open, and were cut:"
            " `usage report` shows them."
        )
    return _checked(total, currency, cost, out, loaded.rejected, warnings)


def _total(connection: duckdb.DuckDBPyConnection) -> tuple[Decimal, str]:
    found = connection.execute(
        "SELECT sum(units), min(currency) FROM allocation_groups"
    ).fetchall()[0]
    if found[0] is None:
        raise BadInput("The bill has no rows.", fix="Ingest a bill with rows.")
    return amount(int(found[0])), str(found[1])


def _taken_whole(connection: duckdb.DuckDBPyConnection, people: People) -> list[Row]:
    """Return the rows of groups that are not divided."""
    rules = {rule.id: rule for rule in RULES}
    out = []
    query = (
        "SELECT day, rule, owner, hub, sum(units), sum(unused) FROM allocation_groups"
        " WHERE rule NOT IN ('machine', 'split-pod') GROUP BY ALL ORDER BY ALL"
    )
    for day, name, owner, hub, value, unused in connection.execute(query).fetchall():
        rule = rules[name]
        if rule.how == "direct":
            user = people.named(unicodedata.normalize("NFC", owner))
            if user:
                out.append(Row(day, user, "user", rule.component, name, hub, int(value)))
            else:
                tagged = "tag-not-a-user"
                out.append(Row(day, owner, "unallocated", rule.component, tagged, hub, int(value)))
        elif rule.how in ("shared", "idle", "unallocated"):
            used = int(value) - int(unused)
            out.append(Row(day, rule.how, rule.how, rule.component, name, hub, used))
            out.append(Row(day, "idle", "idle", "machines", "split-unused", hub, int(unused)))
    return out


def _homes(
    connection: duckdb.DuckDBPyConnection, people: People, sizes: Mapping[str, int] | None
) -> list[Row]:
    """Divide home storage by size, or leave it shared where no sizes are known."""
    out = []
    homes = ", ".join(bill.quote(rule.id) for rule in RULES if rule.how == "homes")
    users: dict[str, int] = defaultdict(int)
    for name, size in sorted((sizes or {}).items()):
        if size > 0:  # a home is named as its user, or as the user's pod is
            name = unicodedata.normalize("NFC", name)
            users[people.named(name) or name] += size
    for day, rule, value in connection.execute(
        f"SELECT day, rule, sum(units) FROM allocation_groups WHERE rule IN ({homes})"
        " GROUP BY ALL ORDER BY ALL"
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
    cost: str,
    rows: Sequence[Row],
    rejected: tuple[tuple[int, str], ...],
    warnings: list[str],
) -> Allocation:
    kept = tuple(row for row in rows if row.units)
    result = Allocation(total, currency, cost, kept, rejected, warnings)
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
