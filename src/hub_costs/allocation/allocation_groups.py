"""Bring a bill down to pots: what one rule takes of one day, for one owner or machine type."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb

from hub_costs.allocation.owner_rules import CORE_TAGS, OWNER_TAGS, POD_USER, RULES
from hub_costs.apportion import amount
from hub_costs.bills import table as bill
from hub_costs.months import Month

_MACHINE = "([a-z][0-9]+[a-z0-9-]*\\.(?:[0-9]*x?large|medium|small|micro|metal))"


def make(connection: duckdb.DuckDBPyConnection, lines: str, tags: Sequence[str], cost: str) -> None:
    """Make the table `pots` from `lines` (SQL): whole 1e-12 by day, rule, owner and machine.

    Columns: day, rule, owner, hub, machine, capacity, currency, units, unused (the part of split
    rows that nobody asked for), hours (the sum of quantities; of machines, hours).
    """
    named = [f"nullif({bill.name_of(tag)}, '')" for tag in OWNER_TAGS if tag in tags]
    named.append(f"nullif(regexp_extract(coalesce(\"ResourceId\", ''), '{POD_USER}', 1), '')")
    marks = [
        f"contains(lower(coalesce({bill.name_of(tag)}, '')), 'core')"
        for tag in CORE_TAGS
        if tag in tags
    ]
    usage = "coalesce(\"x_UsageType\", '')"
    hours = f"regexp_matches({usage}, '(?i)(BoxUsage|SpotUsage|Instance Hour)')"
    rule = " ".join(f"WHEN {rule.where} THEN {bill.quote(rule.id)}" for rule in RULES)
    equal = '"BilledCost" = "EffectiveCost"' if cost == "BilledCost" else "true"
    hub = '"tag_hub"' if "tag_hub" in tags else "''"
    connection.execute(
        f"""CREATE TABLE pots AS
        SELECT day, rule, CASE WHEN rule IN ('direct-tag', 'split-pod') THEN owner END AS owner,
          coalesce({hub}, '') AS hub,
          CASE WHEN rule = 'machine' THEN machine END AS machine,
          CASE WHEN rule = 'machine' THEN capacity END AS capacity,
          "BillingCurrency" AS currency, sum(units) AS units, sum(unused) AS unused,
          sum("ConsumedQuantity") AS hours
        FROM (SELECT *, CASE {rule} END AS rule FROM (SELECT *,
          CAST("ChargePeriodStart" AS DATE) AS day,
          coalesce({", ".join(named)}) AS owner,
          {" OR ".join(marks) or "false"} AS core,
          {usage} AS usage, coalesce("ServiceName", '') AS service,
          CASE WHEN {hours} AND "ConsumedQuantity" > 0
            THEN nullif(regexp_extract({usage}, '{_MACHINE}', 1), '') END AS machine,
          CASE WHEN regexp_matches({usage}, '(?i)spot') THEN 'spot'
            ELSE 'on-demand' END AS capacity,
          CAST({bill.name_of(cost)} * 1000000000000 AS HUGEINT) AS units,
          CASE WHEN {equal} THEN CAST(coalesce("x_SplitUnused", 0) * 1000000000000 AS HUGEINT)
            ELSE 0 END AS unused
          FROM {lines})) GROUP BY ALL"""
    )


@dataclass(frozen=True)
class Sum:
    """What one rule takes of a month: USD, the sum of quantities, and on how many days."""

    usd: Decimal
    quantity: Decimal
    days: int


def by_rule(table: Path, month: Month) -> dict[str, Sum]:
    """Return what each rule takes of the charges in `month` (invoice view)."""
    interval = month.interval()
    with bill.connect() as connection:
        make(connection, bill.rows(table, "invoice"), bill.tags(table), "BilledCost")
        found = connection.execute(
            "SELECT rule, sum(units), coalesce(sum(hours), 0), count(DISTINCT day) FROM pots"
            f" WHERE day >= DATE '{interval.start:%Y-%m-%d}'"
            f" AND day < DATE '{interval.end:%Y-%m-%d}'"
            " GROUP BY 1 ORDER BY 1"
        ).fetchall()
    return {rule: Sum(amount(int(usd)), Decimal(n), days) for rule, usd, n, days in found}
