"""Record how fast the replay is: data/whatif_times.csv, from `benchmarks/whatif.py`.

python tools/measure_whatif.py [--runs 3]
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

COLUMNS = ("run", "load", "sessions", "step", "seconds", "peak_mb")
STEPS = ("read", "first_whatif", "whatif", "replay", "sweep")


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    project, before = find_project(), os.getloadavg()[0]
    rows = []
    for run in range(1, arguments.runs + 1):
        command = [sys.executable, str(project / "benchmarks" / "whatif.py")]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        for load, got in json.loads(done.stdout)["runs"].items():
            rows += [
                (run, load, got["sessions"], step, got[step], got.get("peak_mb", ""))
                for step in STEPS
                if step in got
            ]
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=project, capture_output=True, text=True, check=True
    ).stdout.strip()
    text = io.StringIO(
        f"# Measured on {datetime.now(UTC).date()} by tools/measure_whatif.py, commit {commit}\n"
        f"# Machine: {machine()}; Python {platform.python_version()}; "
        f"numba {metadata.version('numba')}\n"
        f"# Load average of the machine before it began: {before:.1f}. CPU seconds; `sweep` is "
        "wall clock, of 100 configurations\n"
    )
    text.seek(0, io.SEEK_END)
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    write_whole(project / "data" / "whatif_times.csv", text.getvalue())


if __name__ == "__main__":
    main()
