"""What counts as activity: nobody's computation is stopped in its midst."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from hub_user.idle_rules import moment
from hub_user.user import User
from local_hub.fault_injection import until
from local_hub.supervisor import marked
from tests.local_hub.conftest import Rig

LOOKED_AT_EVERY = timedelta(seconds=10)  # LOOK_SECONDS of helm/files/jupyter_server_config.py


@pytest.mark.slow
def test_a_kernel_that_computes_in_silence_is_active(ann: User) -> None:
    def last_activity() -> datetime:  # what the server reports to the hub; asking does not count
        return moment(ann.ask("GET", "/user/ann/api/status").json()["last_activity"])

    with ann.kernel() as kernel, ThreadPoolExecutor(1) as pool:
        kernel.run("1 + 1")
        silent = pool.submit(kernel.run, "import time; time.sleep(25)")
        before = last_activity()
        until(lambda: last_activity() - before > LOOKED_AT_EVERY / 2 or silent.done())
        assert not silent.done()
        silent.result()


def test_an_open_notebook_keeps_its_kernel_as_long_as_the_server(rig: Rig, ann: User) -> None:
    assert ann.whoami()["servers"]
    (arguments,) = [
        process.cmdline()
        for process in marked(rig.folder)
        if "jupyterhub.singleuser" in process.cmdline() and process.cwd().endswith("/ann")
    ]
    culling = rig.state.settings["culling"]
    assert "--MappingKernelManager.cull_connected=False" in arguments
    assert culling["kernel_idle_seconds"] >= culling["idle_seconds"]
