"""Record how soon each page of the book can be used: data/page_times.csv.

    python tools/measure_pages.py [--runs 5]

Runs `benchmarks/pages.py` on the book as it was last built. Let nothing else run beside it.
"""

import argparse
import csv
import io
import json
import platform
import subprocess
import sys
from datetime import UTC, datetime

from measure_rehearsal import machine

from pangeo_core.files import write_whole
from pangeo_deploy.deployment import find_project


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", default="5")
    project = find_project()
    command = [sys.executable, "benchmarks/pages.py", "--runs", parser.parse_args().runs]
    done = subprocess.run(command, cwd=project, stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(done.stdout)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=project, capture_output=True, text=True, check=True
    ).stdout.strip()
    text = io.StringIO()
    text.write(
        f"# Measured on {datetime.now(UTC).date()} by tools/measure_pages.py, commit {commit}\n"
        f"# Machine: {machine()}; Python {platform.python_version()}; "
        f"Chromium {told['browser']}; medians of {told['runs']} visits\n"
        f"# Load: {told['load']:.1f} before it began\n"
    )
    rows = csv.DictWriter(text, told["pages"][0], lineterminator="\n")
    rows.writeheader()
    rows.writerows(told["pages"])
    write_whole(project / "data" / "page_times.csv", text.getvalue())


if __name__ == "__main__":
    main()
