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
# A region where a line has none of its own: as the usage type's prefix has it.
_PREFIX = "nullif(regexp_extract(usage, '^([A-Z]{2,4}[0-9]?)-', 1), '')"
# Where a pod ran, and its name: `arn:aws:eks:us-west-2:1:pod/cluster/namespace/name/uid`.
_PLACE = """string_split(split_part("ResourceId", ':pod/', 2), '/')[2:3]"""
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
    core = " OR ".join(
        f"contains(lower(coalesce({_column(tag)}, '')), 'core')" for tag in CORE_TAGS if tag in tags
    )
    rule = " ".join(f"WHEN {rule.where} THEN {bill.quote(rule.id)}" for rule in RULES)
    usd = COSTS[cost]
    of_machine = "rule = 'machine'"
    of_pod = "rule IN ('split-pod', 'split-system')"
    # A bill has far more lines than things that its lines differ in: those are summed first, and
    # the rules, most of them regular expressions, are asked of the sums.
    connection.execute(
        f"""CREATE TABLE allocation_groups AS
        WITH lines AS (SELECT
          CAST("ChargePeriodStart" AS DATE) AS day, "x_View", "ChargeCategory",
          coalesce("x_UsageType", '') AS usage, coalesce("ServiceName", '') AS service,
          {_first(owner_tags(more_owner_tags), tags, "NULL")} AS owner,
          {core or "false"} AS core,
          {_first(HUB_TAGS, tags, "''")} AS hub,
          {_first((CLUSTER_TAG,), tags, "''")} AS cluster,
          coalesce("SubAccountId", "BillingAccountId", '') AS account,
          "RegionId" AS region, coalesce("ConsumedQuantity" > 0, false) AS used,
          CASE WHEN "x_View" = 'split' THEN {_PLACE} ELSE [] END AS place,
          "BillingCurrency" AS currency,
          min("ChargePeriodStart") AS starts, max("ChargePeriodEnd") AS ends,
          sum({usd}) AS usd,
          sum(CASE WHEN {usd} = "EffectiveCost" THEN "x_SplitUnused" END) AS unused,
          sum("ConsumedQuantity") AS hours
          FROM {lines} GROUP BY ALL),
        things AS (SELECT *,
          "x_View" <> 'split' AND used AND regexp_matches(usage, '{_HOURS}') AS runs,
          CASE WHEN runs THEN nullif(regexp_extract(usage, '{_TYPE}', 1), '') END AS machine,
          coalesce(place[1], '') AS namespace, coalesce(place[2], '') AS pod
          FROM lines),
        ruled AS (SELECT *, CASE {rule} END AS rule FROM things)
        SELECT day, rule, hub,
          CASE WHEN rule IN ('direct-tag', 'split-pod') THEN owner END AS owner,
          CASE WHEN {of_machine} THEN account END AS account,
          CASE WHEN {of_machine} THEN cluster END AS cluster,
          CASE WHEN {of_machine} THEN coalesce(region, {_PREFIX}, '') END AS region,
          CASE WHEN {of_machine} THEN machine END AS machine,
          CASE WHEN {of_machine} THEN
            CASE WHEN contains(lower(usage), 'spot') THEN 'spot' ELSE 'on-demand' END
          END AS capacity,
          CASE WHEN {of_pod} THEN namespace END AS namespace,
          CASE WHEN rule = 'split-pod' THEN pod END AS pod,
          min(CASE WHEN rule = 'split-pod' THEN starts END) AS starts,
          max(CASE WHEN rule = 'split-pod' THEN ends END) AS ends,
          currency,
          CAST(sum(usd) * {_UNIT} AS HUGEINT) AS units,
          -- A split row's unused part is known as an amortised amount only.
          CAST(coalesce(sum(unused), 0) * {_UNIT} AS HUGEINT) AS unused,
          sum(hours) AS hours
        FROM ruled GROUP BY ALL"""
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
