"""Record what each notebook takes: the seconds and peak memory that the book and the badges show.

    python tools/measure_notebooks.py

Executes all notebooks, one after the other, in a folder of its own, and writes
data/notebook_costs.csv. A busy machine is slower: the file says how busy it was.
"""

import csv
import io
import json
import os
import platform
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from measure_rehearsal import machine

from hub_costs.estimates import prices
from pangeo_core.files import write_whole
from pangeo_deploy.deployment import find_project
from proof_book import build
from proof_book.identity import keys, notebook_files
from proof_book.page.provenance import COSTS

# The machine whose list price stands for what it costs to compute a notebook again.
MACHINE, REGION = "m6i.large", "us-west-2"


def main() -> None:
    """Measure and write."""
    project = find_project()
    load = os.getloadavg()[0]
    price = prices.read().get("ec2", MACHINE, REGION)
    with tempfile.TemporaryDirectory() as folder:
        build(project, out=Path(folder), workers=1)
        took = json.loads((Path(folder) / "report.json").read_text())["notebooks"]
    head = ["git", "-C", str(project), "rev-parse", "HEAD"]
    commit = subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
    beside = " (other work ran beside it)" if load > 1 else ""
    lines = [
        f"# Measured on {datetime.now(UTC):%Y-%m-%d} by tools/measure_notebooks.py, "
        f"commit {commit}",
        f"# Machine: {machine()}; Python {platform.python_version()}",
        f"# Price: {price.usd} USD an hour of an {MACHINE} (two cores, 8 GiB; {REGION}, "
        f"list price of {price.as_of})",
        f"# Load: {load:.1f} before it began{beside}",
    ]
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["notebook", "seconds", "peak_mb", "sources"])
    for book in notebook_files.find(project):
        one = took[book.name]
        key = keys.sources_key(keys.parts_of(book, project))
        rows.writerow([book.name, one["seconds"], one["peak_mb"], key])
    write_whole(project / COSTS, "\n".join(lines) + "\n" + text.getvalue())


if __name__ == "__main__":
    main()
