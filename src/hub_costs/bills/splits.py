"""Split cost allocation: match the rows of pods with the instance that they are parts of."""

from pathlib import Path

import duckdb

from hub_costs.bills.table import MONEY, quote

# The lines of an instance's running hours; its traffic and disks share its id but not its splits.
_INSTANCE_HOURS = (
    "regexp_matches(coalesce(\"x_UsageType\", ''), '(BoxUsage|SpotUsage|DedicatedUsage)')"
)
_AT = '"ResourceId", "ChargePeriodStart"'
ORPHAN = "split of an instance that is not in the bill"


def match(connection: duckdb.DuckDBPyConnection, rows: str, work: Path) -> tuple[str, Path | None]:
    """Return SQL for `rows` (SQL) with both views, and the file of splits without an instance.

    Instances that split rows replace are marked `parent`, and what the splits leave of them is
    added as `rest`: split amounts are amortised and rounded by AWS, so they do not add to their
    instance exactly, and the rest makes both views equal.
    """
    if not connection.execute(
        f"SELECT 1 FROM {rows} WHERE \"x_View\" = 'split' LIMIT 1"
    ).fetchall():
        return rows, None
    instance = f"\"x_View\" = 'both' AND {_INSTANCE_HOURS}"
    connection.execute(
        'CREATE TABLE splits AS SELECT "x_Parent" AS "ResourceId", "ChargePeriodStart",'
        ' sum("EffectiveCost") AS effective, sum("x_NetCost") AS net'
        f" FROM {rows} WHERE \"x_View\" = 'split' GROUP BY ALL"
    )
    connection.execute(
        f"CREATE TABLE parents AS SELECT {_AT}, count(*) AS lines,"
        ' sum("BilledCost") AS billed, sum("EffectiveCost") AS whole, sum("x_NetCost") AS paid,'
        " any_value(effective) AS effective, any_value(net) AS net"
        f" FROM (SELECT * FROM {rows} WHERE {instance}) JOIN splits USING ({_AT}) GROUP BY ALL"
    )
    same = 's."x_Parent" = p."ResourceId" AND s."ChargePeriodStart" = p."ChargePeriodStart"'
    orphans = work / "orphans.parquet"
    connection.execute(
        'COPY (SELECT "x_Source" AS source, CAST(NULL AS BIGINT) AS row,'
        f" {quote(ORPHAN)} AS reason,"
        ' CAST(to_json(s) AS VARCHAR) AS content, "BilledCost" AS cost'
        f" FROM {rows} AS s ANTI JOIN parents AS p ON {same} WHERE \"x_View\" = 'split')"
        f" TO {quote(str(orphans))} (FORMAT parquet)"
    )
    # A split is amortised; where its instance is billed otherwise (savings plans) its billed part
    # is in proportion, in whole 1e-12 USD, and the rest row takes what that leaves.
    effective = _units('s."EffectiveCost"')
    billed = (
        'CASE WHEN p.billed = p.whole THEN s."EffectiveCost" WHEN p.whole = 0 THEN 0 ELSE'
        f" CAST(({effective} * 1000000000 // {_units('p.whole')}) * {_units('p.billed')}"
        " // 1000000000 AS DECIMAL(38,0)) * 0.000000000001 END"
    )
    connection.execute(
        f'CREATE TABLE split_rows AS SELECT s.* REPLACE (CAST({billed} AS {MONEY}) AS "BilledCost")'
        f" FROM {rows} AS s JOIN parents AS p ON {same} WHERE \"x_View\" = 'split'"
    )
    connection.execute(
        'CREATE TABLE given AS SELECT "x_Parent" AS "ResourceId", "ChargePeriodStart",'
        ' sum("BilledCost") AS billed FROM split_rows GROUP BY ALL'
    )
    connection.execute(
        "CREATE TABLE rests AS SELECT i.* REPLACE ('rest' AS \"x_View\","
        ' p.billed - g.billed AS "BilledCost", p.whole - p.effective AS "EffectiveCost",'
        ' p.paid - p.net AS "x_NetCost", NULL AS "ListCost", NULL AS "ConsumedQuantity")'
        f" FROM (SELECT * FROM {rows} SEMI JOIN parents USING ({_AT}) WHERE {instance}"
        f' QUALIFY row_number() OVER (PARTITION BY {_AT} ORDER BY "x_LineType", "x_UsageType") = 1)'
        f" AS i JOIN parents AS p USING ({_AT}) JOIN given AS g USING ({_AT})"
    )
    both = (
        f"SELECT o.* REPLACE (CASE WHEN p.lines IS NOT NULL AND {_INSTANCE_HOURS} THEN 'parent'"
        f' ELSE "x_View" END AS "x_View") FROM {rows} AS o LEFT JOIN parents AS p USING ({_AT})'
        " WHERE \"x_View\" = 'both'"
    )
    return (
        f"({both} UNION ALL BY NAME SELECT * FROM split_rows"
        " UNION ALL BY NAME SELECT * FROM rests)",
        orphans,
    )


def _units(amount: str) -> str:
    """Return SQL for an amount as a whole number of 1e-12."""
    return f"CAST({amount} * 1000000000000 AS HUGEINT)"
