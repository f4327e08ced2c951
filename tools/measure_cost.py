"""Record the cost room's speed and memory: data/cost_speed.csv.

    python tools/measure_cost.py [--repeats 5]

Runs `benchmarks/cost.py`, whose measurements are processes of their own, turn by turn with
DuckDB's own SQL. Let nothing else run beside it.
"""

import argparse
import csv
import io
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata

from measure_rehearsal import machine

from pangeo_core.files import write_whole
from pangeo_deploy.deployment import find_project


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--repeats", default="5")
    project = find_project()
    load = os.getloadavg()[0]
    command = [sys.executable, "benchmarks/cost.py", "--repeats", parser.parse_args().repeats]
    done = subprocess.run(command, cwd=project, stdout=subprocess.PIPE, text=True, check=True)
    report = json.loads(done.stdout)
    rows = [
        ("aggregate", report["aggregate"]["rows"], one["seconds"], one["duckdb_seconds"], "",
         one["peak_mb"])
        for one in report["aggregate"]["runs"]
    ]  # fmt: skip
    rows += [
        ("pods", one["pods"], one["seconds"], "", one["allocate"], round(one["peak_mb"]))
        for one in report["pods"]
    ]
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=project, capture_output=True, text=True, check=True
    ).stdout.strip()
    text = io.StringIO()
    text.write(
        f"# Measured on {datetime.now(UTC).date()} by tools/measure_cost.py, commit {commit}\n"
        f"# Machine: {machine()}; Python {platform.python_version()}; "
        f"duckdb {metadata.version('duckdb')}; load before: {load:.1f}\n"
    )
    writer = csv.writer(text, lineterminator="\n")
    head = ("what", "rows", "seconds", "duckdb_seconds", "allocate_seconds", "peak_mb")
    writer.writerows([head, *rows])
    write_whole(project / "data" / "cost_speed.csv", text.getvalue())


if __name__ == "__main__":
    main()
