"""Record which rung of proof each feature has reached: what the book's page on it shows.

    pytest -v tests > suite.log; pytest -v tests/cluster > cluster.log
    python tools/record_proof.py suite.log cluster.log

Reads what `pytest -v` printed, counts each row's tests by their outcome, and writes data/proof.csv.
A row whose tests were not run is refused: the table is of one commit, whole.
"""

import argparse
import csv
import io
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from pangeo_core.files import write_whole
from pangeo_deploy.deployment import find_project

# With several processes the outcome comes first, with one the test.
OUTCOMES = (
    re.compile(
        r"\b(?P<outcome>PASSED|FAILED|ERROR) +(?P<test>tests/\S+?::[^\n]+?) *$", re.MULTILINE
    ),
    re.compile(r"^(?P<test>tests/\S+?::[^\n]+?) (?P<outcome>PASSED|FAILED|ERROR)\b", re.MULTILINE),
)
REHEARSED, PROVIDER, KUBERNETES = "rehearsal", "real provider", "real Kubernetes"

# (what, rung, the tests that prove it: files, or one test of a file)
ROWS = (
    (
        "Terraform from plan to nothing left, both environments",
        REHEARSED,
        ("pangeo_deploy/terraform/test_life.py", "emulated_aws/test_deployment.py"),
    ),
    (
        "Terraform from plan to nothing left, both environments",
        PROVIDER,
        ("emulated_aws/test_conformance.py",),
    ),
    (
        "State and data after a kill or a mistake",
        REHEARSED,
        ("pangeo_deploy/terraform/test_state.py", "emulated_aws/test_kills.py"),
    ),
    (
        "Policy, and the plan joined with the charts",
        REHEARSED,
        ("pangeo_deploy/terraform/test_policy.py", "pangeo_deploy/terraform/test_preflight.py"),
    ),
    ("Charts render as Kubernetes takes them", REHEARSED, ("pangeo_deploy/charts/test_charts.py",)),
    ("Charts render as Kubernetes takes them", KUBERNETES, ("cluster/test_own_templates.py",)),
    (
        "Install, upgrade, failed deployment, removal of charts",
        REHEARSED,
        ("pangeo_deploy/charts/test_deploy.py",),
    ),
    (
        "A person logs in, starts a server, computes on Dask",
        REHEARSED,
        ("local_hub/test_smoke.py", "local_hub/test_browser.py"),
    ),
    (
        "A person logs in, starts a server, computes on Dask",
        KUBERNETES,
        ("cluster/test_as_the_hub.py",),
    ),
    ("Launches from Binder", REHEARSED, ("local_hub/test_binder.py", "local_hub/test_launches.py")),
    (
        "Who may do what on the hub",
        REHEARSED,
        ("local_hub/test_rights.py", "local_hub/test_security.py"),
    ),
    ("The hub after a fault", REHEARSED, ("local_hub/test_faults.py", "local_hub/test_life.py")),
    (
        "What is ended, and when",
        REHEARSED,
        ("local_hub/test_culling.py", "local_hub/test_janitor.py"),
    ),
    ("Usage as it was", REHEARSED, ("local_hub/test_usage.py",)),
    (
        "From a pull request to production, and back",
        REHEARSED,
        (
            "pangeo_deploy/delivery/test_change.py",
            "pangeo_deploy/delivery/test_by_hand.py",
            "pangeo_deploy/delivery/test_attacker.py",
            "pangeo_deploy/delivery/test_on_aws.py",
        ),
    ),
    (
        "Alerts fire, and reach people",
        REHEARSED,
        ("pangeo_deploy/charts/test_alerts.py", "pangeo_deploy/charts/test_alertmanager.py"),
    ),
    ("Asleep for a season, and awake", REHEARSED, ("pangeo_deploy/terraform/test_seasons.py",)),
    (
        "Benchmarks on the hub's own workers",
        REHEARSED,
        ("dask_bench/test_elsewhere.py",),
    ),
)


def outcomes(text: str) -> dict[str, bool]:
    """Return, by test, whether it passed; one that failed anywhere did not."""
    seen: dict[str, bool] = {}
    for pattern in OUTCOMES:
        for found in pattern.finditer(text):
            test = found["test"]
            seen[test] = seen.get(test, True) and found["outcome"] == "PASSED"
    return seen


def table(seen: dict[str, bool]) -> list[dict[str, object]]:
    """Return the rows. Raises `SystemExit` for one whose tests were not run."""
    rows = []
    for what, rung, files in ROWS:
        mine = {
            file: [ok for test, ok in seen.items() if test.startswith(f"tests/{file}")]
            for file in files
        }
        if missing := [file for file, ran in mine.items() if not ran]:
            raise SystemExit(f"No outcome of {', '.join(missing)}: run {what!r} too.")
        passed = [ok for ran in mine.values() for ok in ran]
        rows.append(
            {
                "what": what,
                "rung": rung,
                "passed": sum(passed),
                "failed": len(passed) - sum(passed),
                "tests": " ".join(f"tests/{file}" for file in files),
            }
        )
    return rows


def main() -> None:
    """Read the logs and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", nargs="+", type=Path, help="what `pytest -v` printed")
    options = parser.parse_args()
    project = find_project()
    seen = outcomes("\n".join(path.read_text() for path in options.logs))
    head = ["git", "-C", str(project), "rev-parse", "HEAD"]
    commit = subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
    written = io.StringIO()
    written.write(
        f"# Recorded on {datetime.now(UTC):%Y-%m-%d} by tools/record_proof.py, commit {commit}\n"
    )
    rows = table(seen)
    writer = csv.DictWriter(written, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(project / "data" / "proof.csv", written.getvalue())


if __name__ == "__main__":
    main()
