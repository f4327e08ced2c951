"""`hub up`, `status`, `down` as an operator runs them."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from local_hub import control as hubs
from local_hub import hub_state, parts, supervisor_process
from local_hub.definition import HubPlace
from local_hub.supervisor import marked
from pangeo_core.errors import BadInput
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets import NotOnThisTarget, target_of
from pangeo_deploy.targets.rehearsal import hub_definition, hub_place
from tests.conftest import PROJECT, Cli
from tests.local_hub.conftest import Rig


def test_a_second_up_reuses_the_running_hub(rig: Rig) -> None:
    again = rig.cli("hub", "up", "staging", "--json")
    assert again.code == 0
    assert again.json["reused"] is True
    assert again.json["url"] == rig.url
    assert again.json["ok"] is True


def test_status_names_every_part(rig: Rig) -> None:
    found = rig.cli("hub", "status", "staging", "--json").json
    names = {one["name"] for one in found["parts"]}
    assert names >= {"storage", "proxy", "hub", "gateway", "gateway-proxy", "identity"}
    assert all(one["ok"] and Path(one["log"]).exists() for one in found["parts"])


def test_status_tells_what_a_user_finds(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    found = rig.cli("hub", "status", "staging", "--json").json
    assert [(one["name"], one["ok"]) for one in found["checks"]] == [
        ("log in", True),
        ("write a file", True),
    ]

    def full(_: int) -> None:  # what fsync raises on a full disk
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    seen = hubs.status(rig.place)
    assert not seen.ok
    assert "No space left" in seen.checks[1].why
    # A part may answer while nobody can log in.
    monkeypatch.setattr(hub_state, "password", lambda *_: "wrong")
    assert "403" in hubs.status(rig.place).checks[0].why


def test_up_says_who_may_log_in(rig: Rig) -> None:
    told = rig.cli("hub", "up", "staging").out
    assert hub_state.password(rig.state.secrets["login"], "ann") in told
    assert rig.url in told
    assert "runs as your own account" in " ".join(told.split())


def test_the_operators_environment_is_not_handed_on(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_CLOUD_SECRET", "hidden")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    assert "hidden" not in parts.base(rig.state).values()
    named = {name for process in marked(rig.folder) for name in process.environ()}
    assert "PYTEST_CURRENT_TEST" not in named  # which this process had when it started the hub


def test_a_clock_that_was_set_does_not_end_a_hub(rig: Rig) -> None:
    file = rig.folder / "supervisor.json"
    known = json.loads(file.read_bytes())
    file.write_text(json.dumps({**known, "born": known["born"] + 3600.0}))
    try:
        assert hubs.status(rig.place).running
    finally:
        file.write_text(json.dumps(known))


def test_every_part_listens_on_this_machine_only(rig: Rig) -> None:
    listening = set()
    for process in marked(rig.folder):
        for connection in process.net_connections(kind="inet"):
            if connection.status == psutil.CONN_LISTEN:
                listening.add(connection.laddr.ip)
    assert listening == {"127.0.0.1"}


def test_without_a_hub_status_and_smoke_say_so(cli: Cli) -> None:
    status = cli("hub", "status", "staging", "--json")
    assert status.code == 3
    assert status.json["running"] is False
    smoke = cli("smoke", "staging", "--json")
    assert smoke.code == 3
    assert "hub up staging" in smoke.json["error"]["fix"]


def test_down_without_a_hub_ends_nothing(cli: Cli) -> None:
    ended = cli("hub", "down", "staging", "--json")
    assert (ended.code, ended.json["processes"]) == (0, 0)


def test_the_hub_is_refused_on_aws() -> None:
    with pytest.raises(NotOnThisTarget, match="aws"):
        target_of(Deployment("staging", "aws", project=PROJECT)).start_hub()


@pytest.mark.slow
def test_a_killed_supervisor_takes_its_parts_along_and_down_ends_the_rest(own_rig: Rig) -> None:
    user = own_rig.user("ann")
    user.start_server()
    supervisor = supervisor_process.supervisor(own_rig.folder)
    assert supervisor
    os.kill(supervisor.pid, signal.SIGKILL)
    supervisor.wait(10)
    wait_until(lambda: len(marked(own_rig.folder)) <= 2)  # the server outlives it
    seen = hubs.status(own_rig.place)
    assert not seen.running
    assert seen.orphans  # the server, and hub status says so
    hubs.down(own_rig.place)
    assert marked(own_rig.folder) == []


@pytest.mark.slow
def test_a_supervisor_that_cannot_write_goes_on(own_rig: Rig) -> None:
    # What it writes at a restart fails, as on a full disk: a folder is where its file should be.
    file = own_rig.folder / "parts.json"
    before = json.loads(file.read_bytes())
    file.unlink()
    file.mkdir()
    pid = next(one["pid"] for one in before if one["name"] == "identity")
    health = next(one["health"] for one in before if one["name"] == "identity")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(pid) and parts.answers(health), seconds=60)
    assert supervisor_process.supervisor(own_rig.folder)
    file.rmdir()
    wait_until(file.is_file)
    assert hubs.status(own_rig.place).ok


@pytest.mark.slow
def test_a_bound_hub_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    code = (
        "import os, pathlib\n"
        "from pangeo_deploy.deployment import Deployment\n"
        "from pangeo_deploy.targets import target_of\n"
        f"here = target_of(Deployment('staging', state=pathlib.Path({str(tmp_path)!r})))\n"
        "here.start_hub(bound=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL
    folder = hub_place(Deployment("staging", project=PROJECT, state=tmp_path)).folder
    assert (folder / "parts.json").exists()  # it was up
    wait_until(lambda: marked(folder) == [])


def test_one_command_at_a_time_starts_or_stops_a_hub(tmp_path: Path) -> None:
    definition = hub_definition(Deployment("staging", project=PROJECT, state=tmp_path))
    with supervisor_process.locked(definition.folder):
        for command in (hubs.up, hubs.down):
            with pytest.raises(BadInput, match="by another command"):
                command(definition)
    assert marked(definition.folder) == []


def test_a_hub_that_starts_again_keeps_homes_and_the_record_of_use(tmp_path: Path) -> None:
    kept = ("homes/ann/a.txt", "logs/hub.log", "prometheus/chunk")
    gone = ("logs/gateway.log", "hub.sqlite", "gateway.sqlite", "parts.json")
    for name in (*kept, *gone):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    hubs.clear(tmp_path)
    assert {name for name in (*kept, *gone) if (tmp_path / name).exists()} == set(kept)
    with (tmp_path / "logs/hub.log").open("wb") as log:
        log.truncate(hubs.LASTING_BYTES + 1)  # no log grows for ever
    hubs.clear(tmp_path)
    assert not (tmp_path / "logs/hub.log").exists()


def test_a_process_that_got_the_supervisors_number_is_not_ended(tmp_path: Path) -> None:
    place = HubPlace("staging", tmp_path / "hub")
    folder = place.folder
    folder.mkdir()
    ours = {"pid": os.getpid(), "born": 1.0}
    (folder / "supervisor.json").write_text(json.dumps(ours))
    assert supervisor_process.supervisor(folder) is None
    assert hubs.down(place).processes == 0


def test_a_part_that_never_comes_up_is_named_with_its_log(tmp_path: Path) -> None:
    definition = hub_definition(Deployment("staging", project=PROJECT, state=tmp_path))
    broken = replace(definition, settings={**definition.settings, "limits": {"servers": 1}})
    with pytest.raises(hubs.HubNotReady) as refused:
        hubs.up(broken)
    assert "The hub's hub" in refused.value.what
    assert "spawns_at_once" in refused.value.why
    assert marked(broken.folder) == []


def wait_until(true: object, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.1)
