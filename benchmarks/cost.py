"""The cost room's speed and memory, as ratios to DuckDB's own SQL in the same run.

    python benchmarks/cost.py [--rows 50_000_000] [--pods 2_000_000] [--lines 5_000_000]

Prints one JSON document. Each measurement is a process of its own, so that its peak memory is its
own; ratios are medians of alternating repeats, because a machine's speed drifts, and those of
`ingest` are of CPU seconds, which depend least on what else the machine does. Ingest and allocation
are measured at several sizes, so that their growth can be seen.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hub_costs.bills import table as bill

BY = ["day", "ServiceName", "tag_hub"]
SQL = (
    'SELECT CAST("ChargePeriodStart" AS DATE) AS day, "ServiceName", tag_hub,'
    ' sum("BilledCost") AS usd'
    " FROM read_parquet('{}') GROUP BY ALL ORDER BY usd DESC"
)


def make_table(path: Path, rows: int) -> None:
    """Write a bill of ours with `rows` rows over a month, twelve services and fifty hubs."""
    columns = {
        "BillingPeriodStart": "DATE '2024-07-01'",
        "ChargePeriodStart": "TIMESTAMP '2024-07-01' + to_hours(CAST(i % 744 AS INTEGER))",
        "ChargePeriodEnd": "TIMESTAMP '2024-07-01' + to_hours(CAST(i % 744 + 1 AS INTEGER))",
        "ServiceName": "'service ' || (hash(i) % 12)",
        "ResourceId": "'i-' || (hash(i) % 5000)",
        "ChargeCategory": "'Usage'",
        "BilledCost": "CAST(hash(i) % 1000000007 AS DECIMAL(20,0)) * 0.000000000001",
        "EffectiveCost": "CAST(hash(i) % 1000000007 AS DECIMAL(20,0)) * 0.000000000001",
        "BillingCurrency": "'USD'",
        "x_View": "'both'",
        "x_Format": "'cur'",
        "x_Source": "'sample'",
    }
    body = ", ".join(
        f'CAST({columns.get(name, "NULL")} AS {kind}) AS "{name}"'
        for name, kind in bill.COLUMNS.items()
    )
    with bill.connect() as connection:
        connection.execute(
            f"COPY (SELECT {body}, 'hub ' || (hash(i + 1) % 50) AS tag_hub FROM range({rows}) t(i))"
            f" TO '{path}' (FORMAT parquet, COMPRESSION zstd)"
        )


def make_export(file: Path, lines: int) -> None:
    """Write a CUR 2.0 export of `lines` lines in parquet, 14 columns, amounts as doubles."""
    columns = {
        "bill_payer_account_id": "'000'",
        "bill_invoice_id": "'x'",
        "bill_billing_period_start_date": "TIMESTAMP '2024-07-01'",
        "line_item_line_item_type": "'Usage'",
        "line_item_usage_start_date": "TIMESTAMP '2024-07-01' + to_hours(CAST(i % 744 AS INTEGER))",
        "line_item_usage_end_date": (
            "TIMESTAMP '2024-07-01' + to_hours(CAST(i % 744 + 1 AS INTEGER))"
        ),
        "line_item_product_code": "'Amazon' || (hash(i) % 12)",
        "line_item_usage_type": "'USW2-BoxUsage:m' || (hash(i + 7) % 30) || '.xlarge'",
        "line_item_operation": "'RunInstances'",
        "line_item_resource_id": "'i-' || (hash(i) % 50000)",
        "line_item_usage_amount": "CAST(1 AS DOUBLE)",
        "line_item_unblended_cost": "CAST(hash(i) % 1000000007 AS DOUBLE) / 1e9",
        "line_item_currency_code": "'USD'",
        "resource_tags_user_hub": "'hub ' || (hash(i + 1) % 50)",
    }
    body = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    with bill.connect() as connection:
        connection.execute(
            f"COPY (SELECT {body} FROM range({lines}) t(i)) TO '{file}' (FORMAT parquet)"
        )


def copy(file: Path, out: Path) -> None:
    """Rewrite an export by DuckDB alone: exact amounts, zstd."""
    exact = ", ".join(
        f"CAST(CAST({name} AS VARCHAR) AS {bill.MONEY}) AS {name}"
        for name in ("line_item_unblended_cost", "line_item_usage_amount")
    )
    with bill.connect() as connection:
        connection.execute(
            f"COPY (SELECT * REPLACE ({exact}) FROM read_parquet('{file}'))"
            f" TO '{out}' (FORMAT parquet, COMPRESSION zstd)"
        )


def make_pods(folder: Path, pods: int, users: int = 1000) -> None:
    """Write a CUR 2.0 export with `pods` split rows of `users` users, and no sessions to match."""
    hours, each = 744, pods // 744 + 1
    nodes = max(1, each // 40)
    common = (
        "'000' AS bill_payer_account_id, 'x' AS bill_invoice_id,"
        " TIMESTAMP '2024-07-01' AS bill_billing_period_start_date,"
        " 'Usage' AS line_item_line_item_type, 'USD' AS line_item_currency_code,"
        " TIMESTAMP '2024-07-01' + to_hours(CAST(h AS INTEGER)) AS line_item_usage_start_date,"
        " TIMESTAMP '2024-07-01' + to_hours(CAST(h + 1 AS INTEGER)) AS line_item_usage_end_date,"
        " 'Amazon Elastic Compute Cloud' AS product_product_name"
    )
    query = (
        f"SELECT {common}, 'n' || h || '-' || n AS identity_line_item_id, 'i-' || n AS"
        " line_item_resource_id, 'BoxUsage:r5.xlarge' AS line_item_usage_type,"
        " 1.0 AS line_item_usage_amount, 0.252 AS line_item_unblended_cost,"
        " NULL AS split_line_item_parent_resource_id, NULL AS split_line_item_split_cost,"
        f" NULL AS split_line_item_unused_cost FROM range({hours}) a(h), range({nodes}) b(n)"
        " UNION ALL BY NAME "
        f"SELECT {common}, 'p' || h || '-' || p AS identity_line_item_id,"
        " 'arn:aws:eks:us-west-2:0:pod/c/hub/jupyter-user' ||"
        f" ((h * {each} + p) % {users}) || '/' || p AS line_item_resource_id,"
        " 'EKS-EC2-vCPU-Hours' AS line_item_usage_type,"
        " 0.0 AS line_item_usage_amount, 0.252 AS line_item_unblended_cost,"
        f" 'i-' || (p % {nodes}) AS split_line_item_parent_resource_id,"
        " 0.0051234567 AS split_line_item_split_cost, 0.0004 AS split_line_item_unused_cost"
        f" FROM range({hours}) a(h), range({each}) b(p)"
    )
    with bill.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{folder / 'pods.parquet'}' (FORMAT parquet)")
    (folder / "sessions.csv").write_text(
        "user,hub,kind,start,end,cpu_cores,memory_gib,node_type,capacity\n"
    )


def child(what: str, path: str, **extra: str) -> dict[str, float]:
    """Run one measurement in a process of its own and return its seconds and peak MB."""
    command = [sys.executable, __file__, "--child", what, "--path", path]
    for key, value in extra.items():
        command += [f"--{key}", value]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def run_child(what: str, path: Path) -> None:
    """Do one measurement and print it."""
    start = time.perf_counter()
    if what == "ours":
        bill.summary(path, BY)
    elif what == "duckdb":
        import duckdb

        duckdb.connect().execute(SQL.format(path)).fetchall()
    elif what in ("copy", "ingest"):
        from hub_costs.bills.ingest import ingest

        with tempfile.TemporaryDirectory(dir=path.parent) as fresh:
            if what == "copy":
                copy(path, Path(fresh) / "copy.parquet")
            else:
                ingest([path], Path(fresh))
    else:
        from hub_costs.allocation.allocate import allocate
        from hub_costs.bills.ingest import ingest

        with tempfile.TemporaryDirectory(dir=path) as fresh:
            table = ingest([path / "pods.parquet"], Path(fresh)).table
            start_allocate = time.perf_counter()
            result = allocate(table, path / "sessions.csv")
            rows = result.by("owner", "component", "rule")
        if not result.conserved or len(rows) < 1000:
            raise SystemExit(f"{len(rows)} rows; conserved: {result.conserved}")
        _say(start, allocate=time.perf_counter() - start_allocate)
        return
    _say(start)


def _say(start: float, **more: float) -> None:
    seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_mb": used.ru_maxrss / 1024} | more))


def aggregate(table: Path, rows: int, repeats: int) -> dict[str, object]:
    """Compare our aggregation with DuckDB's own SQL over one file, turn by turn."""
    make_table(table, rows)
    runs = [(child("ours", str(table)), child("duckdb", str(table))) for _ in range(repeats)]
    table.unlink()
    return {
        "rows": rows,
        "ratio": round(statistics.median(o["seconds"] / t["seconds"] for o, t in runs), 3),
        "peak_mb": round(max(ours["peak_mb"] for ours, _ in runs)),
        "runs": [
            {
                "seconds": round(ours["seconds"], 3),
                "duckdb_seconds": round(theirs["seconds"], 3),
                "peak_mb": round(ours["peak_mb"]),
            }
            for ours, theirs in runs
        ],
    }


def export(file: Path, lines: int, repeats: int) -> dict[str, object]:
    """Compare our ingest with DuckDB's own COPY of the same file, in CPU seconds, turn by turn."""
    make_export(file, lines)
    runs = [(child("ingest", str(file)), child("copy", str(file))) for _ in range(repeats)]
    file.unlink()
    return {
        "lines": lines,
        "cpu_ratio": round(statistics.median(o["cpu"] / t["cpu"] for o, t in runs), 3),
        "peak_mb": round(max(ours["peak_mb"] for ours, _ in runs)),
        "runs": [{"cpu": round(o["cpu"], 2), "copy_cpu": round(t["cpu"], 2)} for o, t in runs],
    }


def pods(folder: Path, count: int, repeats: int) -> list[dict[str, float]]:
    """Ingest and allocate `count` pod rows; `allocate` is the allocation's share of the seconds."""
    make_pods(folder, count)
    return [
        {"pods": count} | {k: round(v, 3) for k, v in child("pods", str(folder)).items()}
        for _ in range(repeats)
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--pods", type=int, default=2_000_000)
    parser.add_argument("--lines", type=int, default=5_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--child")
    parser.add_argument("--path", type=Path)
    given = parser.parse_args()
    if given.child:
        run_child(given.child, given.path)
        return
    report: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.rows:
            report["aggregate"] = aggregate(folder / "bill.parquet", given.rows, given.repeats)
        if given.lines:
            report["ingest"] = [
                export(folder / "export.parquet", n, given.repeats)
                for n in (given.lines // 4, given.lines)
            ]
        if given.pods:
            report["pods"] = [
                run
                for n in (given.pods // 4, given.pods // 2, given.pods)
                for run in pods(folder, n, given.repeats)
            ]
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
