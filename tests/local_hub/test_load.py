"""A class of 25 comes at the same moment; `tools/measure_hub.py class` measures 50."""

import psutil
import pytest

from hub_user.load_test import arrive_together
from hub_user.user import log_in
from local_hub import control as hubs
from local_hub import hub_status
from local_hub.hub_state import USERS
from local_hub.supervisor import marked
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets.rehearsal import hub_definition, hub_place
from tests.conftest import PROJECT


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_class_of_25_all_get_a_server_and_an_answer(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    learners = [name for name in USERS if name.startswith("learner")][:25]
    assert len(learners) == 25
    # Production's limits: staging takes fewer servers than this.
    deployment = Deployment("prod", project=PROJECT, state=tmp_path_factory.mktemp("load"))
    with hubs.running(hub_definition(deployment)) as hub:
        arrived = arrive_together(
            lambda name: log_in(hub.url, name, hub_status.password(hub_place(deployment), name)),
            learners,
        )
        held = sum(private_bytes(one) for one in marked(hub_place(deployment).folder))
    assert [one for one in arrived if not one.ok] == []
    assert [one.user for one in arrived] == learners
    # Their servers and kernels, and the hub itself; about 130 MiB a person and 500.
    assert held < (len(learners) * 250 + 1000) * 2**20


def private_bytes(process: psutil.Process) -> int:
    """Return what a process holds; what processes share counts once (PSS), where that is known."""
    try:
        memory = process.memory_full_info()
    except psutil.Error:
        return 0
    return int(getattr(memory, "pss", memory.rss))
