"""Bring a bill down to allocation groups: what one rule takes of one day, and of what.

A group of machines is what can stand for one another: of one account, cluster, hub, region, type
and capacity. A group of pods is one pod's name in one namespace.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb

from hub_costs.allocation.owner_rules import (
    CLUSTER_TAG,
    CORE_TAGS,
    COSTS,
    HUB_TAGS,
    RULES,
    owner_tags,
)
from hub_costs.apportion import amount
from hub_costs.bills import table as bill
from hub_costs.months import Month

# `USW2-BoxUsage:m5.xlarge`, or in FOCUS "$0.192 per On Demand Linux m5.xlarge Instance Hour".
_TYPE = (
    "(?:^|[^A-Za-z0-9.-])([a-z][a-z0-9-]*\\."
    "(?:nano|micro|small|medium|large|[0-9]*xlarge|metal(?:-[0-9]+xl)?))(?:$|[^A-Za-z0-9.-])"
)
_HOURS = "(?i)(BoxUsage|SpotUsage|DedicatedUsage|HeavyUsage|HostUsage|UnusedBox|Instance Hour)"
_UNIT = 10**12


def make(
    connection: duckdb.DuckDBPyConnection,
    lines: str,
    tags: Sequence[str],
    cost: str = "unblended",
    more_owner_tags: Sequence[str] = (),
) -> None:
    """Make the table `allocation_groups` from `lines` (SQL): whole 1e-12 of the currency.

    `cost` is one of `owner_rules.COSTS`. Columns: day, rule, owner (a tag's value), hub, account,
    cluster, region, machine, capacity, namespace, pod, starts and ends (of a pod's lines),
    currency, units, unused (the part of split rows that nobody asked for), hours (the sum of
    quantities; of machines, hours).
    """
    core = (
        f"contains(lower(coalesce({_column(tag)}, '')), 'core')" for tag in CORE_TAGS if tag in tags
    )
    rule = " ".join(f"WHEN {rule.where} THEN {bill.quote(rule.id)}" for rule in RULES)
    usd = COSTS[cost]
    # A split row's unused part is known as an amortised amount only.
    known = f'{usd} = "EffectiveCost"'
    usage = "coalesce(\"x_UsageType\", '')"
    machine = (
        'CASE WHEN "x_View" <> \'split\' AND "ConsumedQuantity" > 0'
        f" AND regexp_matches({usage}, '{_HOURS}')"
        f" THEN nullif(regexp_extract({usage}, '{_TYPE}', 1), '') END"
    )
    # The region as its own column, or as the usage type's prefix has it.
    prefix = f"regexp_extract({usage}, '^([A-Z]{{2,4}}[0-9]?)-', 1)"
    region = (
        f"CASE WHEN \"x_View\" <> 'split' THEN coalesce(\"RegionId\", nullif({prefix}, ''), '') END"
    )
    pod = "split_part(\"ResourceId\", ':pod/', 2)"
    of_split = "\"x_View\" = 'split'"
    of_machine = "rule = 'machine'"
    of_pod = "rule IN ('split-pod', 'split-system')"
    connection.execute(
        f"""CREATE TABLE allocation_groups AS
        SELECT day, rule, hub,
          CASE WHEN rule IN ('direct-tag', 'split-pod') THEN owner END AS owner,
          CASE WHEN {of_machine} THEN account END AS account,
          CASE WHEN {of_machine} THEN cluster END AS cluster,
          CASE WHEN {of_machine} THEN region END AS region,
          CASE WHEN {of_machine} THEN machine END AS machine,
          CASE WHEN {of_machine} THEN capacity END AS capacity,
          CASE WHEN {of_pod} THEN namespace END AS namespace,
          CASE WHEN rule = 'split-pod' THEN pod END AS pod,
          min(CASE WHEN rule = 'split-pod' THEN "ChargePeriodStart" END) AS starts,
          max(CASE WHEN rule = 'split-pod' THEN "ChargePeriodEnd" END) AS ends,
          "BillingCurrency" AS currency, sum(units) AS units, sum(unused) AS unused,
          sum("ConsumedQuantity") AS hours
        FROM (SELECT *, CASE {rule} END AS rule FROM (SELECT *,
          CAST("ChargePeriodStart" AS DATE) AS day,
          {_first(owner_tags(more_owner_tags), tags, "NULL")} AS owner,
          {" OR ".join(core) or "false"} AS core,
          {_first(HUB_TAGS, tags, "''")} AS hub,
          {_first((CLUSTER_TAG,), tags, "''")} AS cluster,
          coalesce("SubAccountId", "BillingAccountId", '') AS account,
          {region} AS region,
          {usage} AS usage, coalesce("ServiceName", '') AS service,
          {machine} AS machine,
          CASE WHEN "x_View" <> 'split' AND contains(lower({usage}), 'spot') THEN 'spot'
            ELSE 'on-demand' END AS capacity,
          CASE WHEN {of_split} THEN split_part({pod}, '/', 2) ELSE '' END AS namespace,
          CASE WHEN {of_split} THEN split_part({pod}, '/', 3) ELSE '' END AS pod,
          CAST({usd} * {_UNIT} AS HUGEINT) AS units,
          CASE WHEN {known} THEN CAST(coalesce("x_SplitUnused", 0) * {_UNIT} AS HUGEINT)
            ELSE 0 END AS unused
          FROM {lines})) GROUP BY ALL"""
    )


def _column(tag: str) -> str:
    return f"nullif({bill.name_of(tag)}, '')"


def _first(wanted: Sequence[str], there: Sequence[str], default: str) -> str:
    """Return SQL for the first of the tags that a line has."""
    columns = [_column(tag) for tag in wanted if tag in there]
    return f"coalesce({', '.join([*columns, default])})"


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
        make(connection, bill.rows(table, "invoice"), bill.tags(table))
        rows = connection.execute(
            "SELECT rule, sum(units), coalesce(sum(hours), 0), count(DISTINCT day)"
            " FROM allocation_groups WHERE day >= ? AND day < ? GROUP BY 1 ORDER BY 1",
            [interval.start.date(), interval.end.date()],
        ).fetchall()
    return {rule: Sum(amount(int(usd)), Decimal(n), days) for rule, usd, n, days in rows}
