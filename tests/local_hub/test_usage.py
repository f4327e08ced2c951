"""A short class at real servers, then its usage report, as an operator makes it."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from hub_user.user import User
from tests.conftest import needs
from tests.local_hub.conftest import Rig

PEOPLE = ("learner-01", "learner-02")
SCRAPE_SECONDS = 5.0
WORK = "end = __import__('time').time() + 2\nwhile __import__('time').time() < end: pass"


@pytest.mark.slow
@needs("prometheus")
def test_what_a_class_does_at_the_hub_is_in_its_report(rig: Rig, tmp_path: Path) -> None:
    people = [rig.user(name) for name in PEOPLE]
    with ThreadPoolExecutor(len(people)) as pool:
        list(pool.map(User.start_server, people))
    for one in people:
        with one.kernel() as kernel:
            kernel.run(WORK)
    time.sleep(1.5 * SCRAPE_SECONDS)
    people[0].stop_server()
    stopped = pd.Timestamp.now("UTC")
    time.sleep(1.5 * SCRAPE_SECONDS)
    out = tmp_path / "class"
    collected = rig.cli("usage", "collect", "staging", "--out", str(out), "--json")
    people[1].stop_server()
    assert collected.code == 0, collected.err
    table = pd.read_csv(out / "sessions.csv", parse_dates=["requested", "start", "end"])
    gone, there = (table[table.user == name].iloc[-1] for name in PEOPLE)
    for session in (gone, there):
        assert session.requested < session.start < session.end
        assert (session.cpu_cores, session.capacity) == (0.9, "on-demand")
        assert session.cpu_used_cores > 0
        assert 0.02 < session.memory_used_gib < 2
    assert abs((gone.end - stopped).total_seconds()) < SCRAPE_SECONDS
    assert (there.end - stopped).total_seconds() > SCRAPE_SECONDS
    assert isinstance(there.last_activity, str)
    files = [f"--{name}={out / name}.csv" for name in ("sessions", "gaps", "homes")]
    report = rig.cli("usage", "report", *files, "--json")
    assert report.code == 0, report.err
    told = report.json
    assert told["concurrent_peak"] >= 2
    assert told["spawns_measured"] >= 2
    (notebooks,) = (row for row in told["asked"] if row["kind"] == "notebook")
    assert 0 < notebooks["core_hours_used"] < notebooks["core_hours_asked"]
    assert {row["user"] for row in told["homes"]}.isdisjoint(PEOPLE)
    assert "learner" not in json.dumps(told)
