"""The smoke test as a process against a real hub, and what it says when something is wrong."""

from hub_user import smoke as smoking
from hub_user.smoke import smoke
from hub_user.user import Entrance, HubRefused
from pangeo_deploy.targets import target_of
from tests.local_hub.conftest import Rig

STEPS = [name for name, _, _ in (*smoking.STEPS, *smoking.BINDER_STEPS)]


def test_smoke_is_green(rig: Rig) -> None:
    ran = rig.cli("smoke", "staging", "--binder", "--json")
    assert ran.code == 0, ran.err
    report = ran.json
    assert report["ok"] is True
    assert [step["name"] for step in report["steps"]] == STEPS
    assert all(step["ok"] and step["seconds"] >= 0 for step in report["steps"])
    assert not rig.user("smoke").whoami()["servers"]


def test_a_wrong_profile_fails_at_the_server_and_nothing_is_left(rig: Rig) -> None:
    ran = rig.cli("smoke", "staging", "--json", "--profile", "enormous")
    assert ran.code == 3
    assert ran.json["failed"] == "start a server"
    assert "no such profile" in ran.json["steps"][-1]["detail"]
    assert ran.json["logs"]
    assert not rig.user("smoke").whoami()["servers"]


def test_a_wrong_cluster_option_fails_at_the_cluster(rig: Rig) -> None:
    report = smoke(target_of(rig.deployment).entrance(), cluster_options={"worker_memory": 1000})
    assert report.failed is not None
    assert report.failed.name == "make a cluster"
    assert "worker_memory" in report.failed.detail
    assert not rig.user("smoke").whoami()["servers"]


def test_a_hub_that_does_not_answer_fails_at_the_log_in() -> None:
    def nobody() -> None:
        raise HubRefused("http://127.0.0.1:9 does not answer.")

    report = smoke(Entrance("http://127.0.0.1:9", nobody))  # type: ignore[arg-type]
    assert not report.ok
    assert [step.name for step in report.steps] == ["log in"]
