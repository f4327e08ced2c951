"""What other methods would say of the same bill: for comparison, never for allocation."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from hub_costs.allocation import session_tables
from hub_costs.allocation.allocation_groups import make
from hub_costs.apportion import amount
from hub_costs.bills import table as bill


@dataclass(frozen=True)
class Lost:
    """What a method gives to users of the machines' cost, and what it loses, USD."""

    method: str
    machines: Decimal
    to_users: Decimal

    @property
    def lost(self) -> Decimal:
        """Cost that no row of the method's answer holds."""
        return self.machines - self.to_users


def by_memory_share_of_the_day(
    cost: dict[date, Decimal], asked: dict[date, dict[str, int]]
) -> Lost:
    """Return what 2i2c's jupyterhub-cost-monitoring gives to users of a component's daily cost.

    Its rule (commit f23bec1, `query_total_costs_per_user`): a day's cost, without the core nodes'
    (`_process_core_costs`), times the user's share of that day's memory requests. There is no row
    for idle machines: all of a used day goes to its users, a day without users to nobody.
    """
    given = sum((usd for day, usd in cost.items() if sum(asked.get(day, {}).values())), Decimal(0))
    return Lost("2i2c", sum(cost.values(), Decimal(0)), given)


def two_i2c(table: Path, session_file: Path) -> Lost:
    """Return `by_memory_share_of_the_day` for the machines of a bill that carry users' pods."""
    with bill.connect() as connection:
        session_tables.load(connection, session_file)
        make(connection, bill.rows(table, "invoice"), bill.tags(table))
        cost = {
            day: amount(int(units))
            for day, units in connection.execute(
                "SELECT day, sum(units) FROM allocation_groups WHERE rule = 'machine'"
                " GROUP BY 1 ORDER BY 1"
            ).fetchall()
        }
        asked: dict[date, dict[str, int]] = defaultdict(dict)
        for day, user, weight in connection.execute(
            'SELECT day, "user", sum(CAST(seconds AS HUGEINT) * memory) FROM session_days'
            " GROUP BY 1, 2 ORDER BY 1, 2"
        ).fetchall():
            asked[day][user] = int(weight)
    return by_memory_share_of_the_day(cost, asked)
