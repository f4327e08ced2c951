"""Join staged files into the table: each line once, splits matched, months replaced."""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from hub_costs.bills import table as bill
from hub_costs.bills.staging import Part
from hub_costs.bills.table import name_of, quote
from pangeo_core.errors import BadInput

# The lines of an instance's running hours; its traffic and disks share its id but not its splits.
INSTANCE_HOURS = (
    "regexp_matches(coalesce(\"x_UsageType\", ''), '(BoxUsage|SpotUsage|DedicatedUsage)')"
)


@dataclass(frozen=True)
class Ingested:
    """What became of a bill: the table, and everything that did not go into it."""

    table: Path
    rows: int  # in the table, all views
    total: Decimal  # BilledCost in the invoice view
    currency: str
    months: dict[str, Decimal]
    rejected: int  # rows set aside in `rejects`
    rejects: Path | None
    duplicates: int  # lines that another file said again, and their billed cost
    duplicate_cost: Decimal
    replaced: dict[str, Decimal]  # months that the table had, with their former totals
    warnings: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of `cost ingest`."""
        return {
            "table": str(self.table),
            "rows": self.rows,
            "rejected": self.rejected,
            "total": format(self.total, "f"),
            "currency": self.currency,
            "months": {month: format(usd, "f") for month, usd in self.months.items()},
            "rejects": str(self.rejects) if self.rejects else None,
            "duplicates": self.duplicates,
            "duplicate_cost": format(self.duplicate_cost, "f"),
            "replaced": {month: format(usd, "f") for month, usd in self.replaced.items()},
            "warnings": self.warnings,
        }


def merge(
    connection: duckdb.DuckDBPyConnection, parts: list[Part], work: Path, out: Path
) -> Ingested:
    """Write `out`/bill.parquet from the staged `parts` and return what happened."""
    table, rejects = out / "bill.parquet", out / "rejected.parquet"
    staged = ", ".join(quote(str(part.file)) for part in parts)
    connection.execute(
        f"CREATE VIEW staged AS SELECT * FROM read_parquet([{staged}], union_by_name = true)"
    )
    _one_format_a_month(connection)
    duplicates, duplicate_cost = _each_line_once(connection, len(parts))
    orphans = _match_splits(connection, work)
    tags = sorted({tag for part in parts for tag in part.tags})
    replaced, former = _replace_months(connection, table)
    if former:
        tags = sorted({*tags, *former})
    currency = _one_currency(connection, former is not None)
    _write(connection, tags, former is not None, work / "bill.parquet")
    rejected = _write_rejects(connection, parts, orphans, work / "rejected.parquet")
    warnings = _warnings(connection, work / "bill.parquet")
    months = bill.summary(work / "bill.parquet", ["month"])
    rows = _value(
        connection, f"SELECT count(*) FROM read_parquet({quote(str(work / 'bill.parquet'))})"
    )
    (work / "bill.parquet").replace(table)
    if rejected:
        (work / "rejected.parquet").replace(rejects)
    else:
        rejects.unlink(missing_ok=True)
    return Ingested(
        table=table,
        rows=rows,
        total=sum((row["usd"] for row in months), Decimal(0)),
        currency=currency,
        months={
            f"{row['month']:%Y-%m}": row["usd"] for row in sorted(months, key=lambda r: r["month"])
        },
        rejected=rejected,
        rejects=rejects if rejected else None,
        duplicates=duplicates,
        duplicate_cost=duplicate_cost,
        replaced=replaced,
        warnings=warnings,
    )


def _one_format_a_month(connection: duckdb.DuckDBPyConnection) -> None:
    mixed = connection.execute(
        'SELECT "BillingPeriodStart", list(DISTINCT "x_Format"), list(DISTINCT "x_Source")'
        ' FROM staged GROUP BY 1 HAVING count(DISTINCT "x_Format") > 1 ORDER BY 1'
    ).fetchall()
    if mixed:
        month, names, files = mixed[0]
        raise BadInput(
            f"The bill of {month:%Y-%m} comes as {' and as '.join(sorted(names))}.",
            why="Both hold the same cost; together they would count it twice: "
            + ", ".join(sorted(files)),
            fix="Give one of them, or ingest them into two folders.",
        )


def _each_line_once(connection: duckdb.DuckDBPyConnection, files: int) -> tuple[int, Decimal]:
    """Where several files say the same line (all but its amounts), let the newest file speak."""
    if files == 1:
        connection.execute("CREATE VIEW once AS SELECT * FROM staged")
        return 0, Decimal(0)
    connection.execute(
        'CREATE TABLE spoken AS SELECT "x_Key", max("x_Order") AS newest FROM staged'
        ' GROUP BY "x_Key" HAVING min("x_Order") <> max("x_Order")'
    )
    stale = 'JOIN spoken USING ("x_Key") WHERE "x_Order" <> newest'
    count, cost = connection.execute(
        f'SELECT count(*), coalesce(sum("BilledCost"), 0) FROM staged {stale}'
    ).fetchall()[0]
    connection.execute(
        "CREATE VIEW once AS SELECT * EXCLUDE newest FROM staged"
        ' LEFT JOIN spoken USING ("x_Key") WHERE newest IS NULL OR "x_Order" = newest'
        if count
        else "CREATE VIEW once AS SELECT * FROM staged"
    )
    return int(count), Decimal(cost)


def _match_splits(connection: duckdb.DuckDBPyConnection, work: Path) -> Path | None:
    """Mark the instances that split rows replace, and add what the splits leave as `rest`.

    Split amounts are amortised and rounded by AWS, so they do not add to their instance exactly:
    the rest row makes both views equal. A split whose instance is not in the bill is set aside.
    """
    if not _value(connection, "SELECT count(*) FROM once WHERE \"x_View\" = 'split'"):
        connection.execute("CREATE VIEW matched AS SELECT * FROM once")
        return None
    at = '"ResourceId", "ChargePeriodStart"'
    connection.execute(
        'CREATE TABLE splits AS SELECT "x_Parent" AS "ResourceId", "ChargePeriodStart",'
        ' sum("EffectiveCost") AS effective FROM once WHERE "x_View" = \'split\' GROUP BY ALL'
    )
    connection.execute(
        f'CREATE TABLE parents AS SELECT {at}, count(*) AS lines, sum("BilledCost") AS billed,'
        f' sum("EffectiveCost") AS whole, any_value(effective) AS effective'
        f" FROM once JOIN splits USING ({at}) WHERE \"x_View\" = 'both' AND {INSTANCE_HOURS}"
        f" GROUP BY ALL"
    )
    orphans = work / "orphans.parquet"
    match = '"x_Parent" = p."ResourceId" AND s."ChargePeriodStart" = p."ChargePeriodStart"'
    connection.execute(
        'COPY (SELECT "x_Source" AS source, CAST(NULL AS BIGINT) AS row,'
        " 'split of an instance that is not in the bill' AS reason,"
        " CAST(to_json(s) AS VARCHAR) AS content FROM once AS s"
        f" ANTI JOIN parents AS p ON {match} WHERE \"x_View\" = 'split')"
        f" TO {quote(str(orphans))} (FORMAT parquet)"
    )
    # A split is amortised; where its instance is billed otherwise (savings plans) its billed part
    # is in proportion, in whole 1e-12 USD, and the rest row takes what that leaves.
    effective, whole, paid = (_units('s."EffectiveCost"'), _units("p.whole"), _units("p.billed"))
    billed = (
        'CASE WHEN p.billed = p.whole THEN s."EffectiveCost" WHEN p.whole = 0 THEN 0 ELSE'
        f" CAST(({effective} * 1000000000 // {whole}) * {paid} // 1000000000 AS DECIMAL(38,0))"
        " * 0.000000000001 END"
    )
    connection.execute(
        f"CREATE TABLE split_rows AS SELECT s.* REPLACE (CAST({billed} AS {bill.MONEY}) AS"
        f' "BilledCost") FROM once AS s JOIN parents AS p ON {match} WHERE "x_View" = \'split\''
    )
    connection.execute(
        'CREATE TABLE given AS SELECT "x_Parent" AS "ResourceId", "ChargePeriodStart",'
        ' sum("BilledCost") AS billed FROM split_rows GROUP BY ALL'
    )
    rest = (
        f'SELECT b.* REPLACE (\'rest\' AS "x_View", p.billed - g.billed AS "BilledCost",'
        ' p.whole - p.effective AS "EffectiveCost", NULL AS "ListCost", NULL AS "ConsumedQuantity",'
        f' "x_Parent" AS "x_Parent") FROM (SELECT * FROM once JOIN parents USING ({at})'
        f" WHERE \"x_View\" = 'both' AND {INSTANCE_HOURS}"
        f' QUALIFY row_number() OVER (PARTITION BY {at} ORDER BY "x_LineType") = 1) AS b'
        f" JOIN parents AS p USING ({at}) JOIN given AS g USING ({at})"
    ).replace("SELECT * FROM once JOIN", "SELECT once.* FROM once JOIN")
    connection.execute(
        "CREATE VIEW matched AS"
        f" SELECT o.* REPLACE (CASE WHEN p.lines IS NOT NULL AND {INSTANCE_HOURS} THEN 'parent'"
        f' ELSE "x_View" END AS "x_View") FROM once AS o LEFT JOIN parents AS p USING ({at})'
        " WHERE \"x_View\" = 'both'"
        f" UNION ALL BY NAME SELECT * FROM split_rows UNION ALL BY NAME ({rest})"
    )
    return orphans


def _replace_months(
    connection: duckdb.DuckDBPyConnection, table: Path
) -> tuple[dict[str, Decimal], list[str] | None]:
    """Keep what the table there holds of other months; return the totals of those it loses."""
    if not table.is_file():
        return {}, None
    tags = bill.tags(table)
    bill.rows(table)  # refuses what is not a table of ours
    connection.execute(f"CREATE VIEW former AS SELECT * FROM read_parquet({quote(str(table))})")
    months = 'SELECT DISTINCT "BillingPeriodStart" FROM matched'
    lost = connection.execute(
        f'SELECT "BillingPeriodStart", sum("BilledCost") FROM former'
        f" WHERE \"BillingPeriodStart\" IN ({months}) AND \"x_View\" IN ('both', 'parent')"
        " GROUP BY 1 ORDER BY 1"
    ).fetchall()
    connection.execute(
        f'CREATE VIEW kept AS SELECT * FROM former WHERE "BillingPeriodStart" NOT IN ({months})'
    )
    return {f"{month:%Y-%m}": usd for month, usd in lost}, tags


def _one_currency(connection: duckdb.DuckDBPyConnection, former: bool) -> str:
    kept = ' UNION ALL SELECT "BillingCurrency", "x_Source" FROM kept' if former else ""
    found = connection.execute(
        'SELECT "BillingCurrency", count(*), min("x_Source") FROM'
        f' (SELECT "BillingCurrency", "x_Source" FROM matched{kept}) GROUP BY 1 ORDER BY 2 DESC'
    ).fetchall()
    if not found:
        raise BadInput("No row of the bill can be read.", fix="Look at rejected rows' reasons.")
    if len(found) > 1:
        each = ", ".join(f"{c} ({n} rows, such as in {f})" for c, n, f in found)
        raise BadInput(
            "The bill mixes currencies.",
            why=each,
            fix="Ingest each currency into a folder of its own; amounts are never converted.",
        )
    return str(found[0][0])


def _write(
    connection: duckdb.DuckDBPyConnection, tags: list[str], former: bool, file: Path
) -> None:
    names = ", ".join(name_of(name) for name in (*bill.COLUMNS, *tags))
    blank = ", ".join(f"CAST(NULL AS VARCHAR) AS {name_of(tag)}" for tag in tags)
    # A tag that no file of this run has is still a column of the table.
    shape = f"SELECT {blank} LIMIT 0" if tags else "SELECT 1 AS nothing LIMIT 0"
    query = f"SELECT * FROM matched UNION ALL BY NAME ({shape})"
    if former:
        query += " UNION ALL BY NAME SELECT * FROM kept"
    connection.execute(
        f"COPY (SELECT {names} FROM ({query})) TO {quote(str(file))}"
        " (FORMAT parquet, COMPRESSION zstd)"
    )


def _write_rejects(
    connection: duckdb.DuckDBPyConnection, parts: list[Part], orphans: Path | None, file: Path
) -> int:
    files = [part.rejects for part in parts if part.rejects] + ([orphans] if orphans else [])
    if not files:
        return 0
    names = ", ".join(quote(str(name)) for name in files)
    connection.execute(
        f"COPY (SELECT * FROM read_parquet([{names}], union_by_name = true))"
        f" TO {quote(str(file))} (FORMAT parquet)"
    )
    return int(_value(connection, f"SELECT count(*) FROM read_parquet({quote(str(file))})"))


def _warnings(connection: duckdb.DuckDBPyConnection, file: Path) -> list[str]:
    read = f"read_parquet({quote(str(file))})"
    found = []
    negative = connection.execute(
        f'SELECT "BillingPeriodStart", sum("BilledCost") AS usd FROM {read}'
        " WHERE \"x_View\" IN ('both', 'parent') GROUP BY 1 HAVING usd < 0 ORDER BY 1"
    ).fetchall()
    found += [
        f"{month:%Y-%m} is negative: {usd}. Credits exceed its cost." for month, usd in negative
    ]
    estimated = connection.execute(
        f'SELECT DISTINCT "BillingPeriodStart" FROM {read} WHERE "x_Estimated" ORDER BY 1'
    ).fetchall()
    found += [
        f"{month:%Y-%m} is not final: its amounts may still change." for (month,) in estimated
    ]
    return found


def _units(amount: str) -> str:
    """Return SQL for an amount as a whole number of 1e-12."""
    return f"CAST({amount} * 1000000000000 AS HUGEINT)"


def _value(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    return connection.execute(query).fetchall()[0][0]
