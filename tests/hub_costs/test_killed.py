"""An ingest that is killed changes nothing, and the next one cleans up after it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from hub_costs.bills import sample_forms
from hub_costs.bills.ingest import ingest

# Ingest for ever: wherever the signal falls, it falls into an ingest.
LOOP = """
import sys
from pathlib import Path
from hub_costs.bills.ingest import ingest
print("ready", flush=True)
while True:
    ingest([sys.argv[1]], Path(sys.argv[2]))
"""


@pytest.mark.parametrize("delay", [0.05, 0.2, 0.35])
def test_killed_at_any_moment_the_table_is_whole(sample, tmp_path, delay):
    sample_forms.cur_csv(sample.lines, tmp_path / "b.csv.gz")
    out = tmp_path / "out"
    before = ingest([tmp_path / "b.csv.gz"], out)
    command = [sys.executable, "-c", LOOP, str(tmp_path / "b.csv.gz"), str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "ready\n"
        deadline = time.monotonic() + 30
        while not list(out.glob(".ingest-*")) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(delay)
        os.kill(child.pid, signal.SIGKILL)
    after = ingest([tmp_path / "b.csv.gz"], out)
    assert after.total == before.total == sample.total
    assert after.rows == before.rows
    assert [path.name for path in out.iterdir()] == ["bill.parquet"]
