"""What counts as activity: nobody's computation is stopped in its midst."""

import asyncio
import runpy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from traitlets.config import Config

from hub_user import cells
from hub_user.cells import with_values
from hub_user.idle_rules import moment
from hub_user.kernel import CellFailed
from hub_user.user import User
from local_hub import hub_status
from local_hub.fault_injection import clusters, dask, until
from local_hub.supervisor import marked
from tests.conftest import PROJECT
from tests.local_hub.conftest import Rig, rigged

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


CLUSTERS = "/services/dask-gateway/api/v1/clusters/"


def test_a_dask_cluster_that_lives_keeps_its_owners_kernels(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cell is done, and the cluster computes: nothing of it is a message of the kernel's."""
    bob = rig.user("bob")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DASK_GATEWAY__ADDRESS", hub_status.gateway_address(rig.place))
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", bob.token)
    file = PROJECT / "helm" / "files" / "jupyter_server_config.py"
    manager = runpy.run_path(str(file), init_globals={"c": Config()})["BusyIsActivity"]

    async def looked_at() -> tuple[bool, bool]:
        """Return whether the server and its idle kernel were active at the look."""
        kernels = manager()
        kernel = SimpleNamespace(execution_state="idle", last_activity=None)
        kernels._kernels = {"one": kernel}
        before = kernels.last_kernel_activity
        await kernels.count_clusters()
        return kernels.last_kernel_activity > before, kernel.last_activity is not None

    assert asyncio.run(looked_at()) == (False, False)
    made = bob.ask("POST", CLUSTERS, scheme="jupyterhub", json={"cluster_options": {}}).json()
    try:
        until(lambda: made["name"] in bob.ask("GET", CLUSTERS, scheme="jupyterhub").json())
        assert asyncio.run(looked_at()) == (True, True)
    finally:
        bob.ask("DELETE", f"{CLUSTERS}{made['name']}", scheme="jupyterhub")
    until(lambda: not bob.ask("GET", CLUSTERS, scheme="jupyterhub").json())
    assert asyncio.run(looked_at()) == (False, False)
    monkeypatch.setenv("DASK_GATEWAY__ADDRESS", "http://127.0.0.1:9")
    assert asyncio.run(looked_at()) == (False, False)  # who does not answer says nothing


@pytest.mark.slow
def test_the_cluster_of_a_kernel_that_was_killed_ends(tmp_path: Path) -> None:
    """Nobody is left who could stop it (dask-gateway#393): it has no work, and ends by that."""
    hub = rigged(tmp_path)
    usual = hub.definition.settings
    soon = {**usual["dask"], "idle_timeout_seconds": 15}
    hub.definition = replace(hub.definition, settings={**usual, "dask": soon})
    with hub as rig:
        user = rig.user("ann")
        user.start_server()
        with user.kernel() as kernel:
            name = kernel.result(with_values(cells.NEW_CLUSTER, wanted={}))["name"]
            with pytest.raises(CellFailed):
                kernel.run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", seconds=5)
        until(lambda: name not in clusters(user) and not dask(rig.place, "scheduler"))
        assert user.whoami()["servers"]


@pytest.mark.slow
def test_a_server_asks_for_its_persons_clusters(rig: Rig, ann: User) -> None:
    with ann.kernel() as kernel:
        seen = kernel.result(
            "import json, os; print(json.dumps([os.environ['DASK_GATEWAY__ADDRESS'],"
            "'JUPYTERHUB_API_TOKEN' in os.environ]))"
        )
    assert seen == [hub_status.gateway_address(rig.place), True]
