"""Configuration of every user's server: work in silence is activity, and newcomers get a notebook.

The chart mounts this file at /etc/jupyter (singleuser.extraFiles) beside the notebook and its data,
the rehearsal names its folder in JUPYTER_CONFIG_PATH: one source.

JupyterHub stops servers without activity, and Jupyter Server counts kernels' messages. A
long computation in silence has none, nor has a Dask cluster that computes after its notebook's cell
is done, and both were stopped in their midst. The gateway ends a cluster that has no work: one that
lives has had some lately. The maximum age of a server still bounds all of it.
"""

import json
import os
import shutil
from pathlib import Path

from jupyter_server._tz import utcnow
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.httpclient import AsyncHTTPClient
from tornado.ioloop import PeriodicCallback

LOOK_SECONDS = 10
CLUSTERS_SECONDS = 60
ANSWER_SECONDS = 10
FIRST = "welcome"  # the folder of a newcomer's home with their first notebook


class BusyIsActivity(AsyncMappingKernelManager):
    """Kernels: a busy one is active, and each of them while its person has a Dask cluster."""

    def __init__(self, **options):
        super().__init__(**options)
        self.looks = [PeriodicCallback(self.count_busy, LOOK_SECONDS * 1000)]
        if os.environ.get("DASK_GATEWAY__ADDRESS"):
            self.looks.append(PeriodicCallback(self.count_clusters, CLUSTERS_SECONDS * 1000))
        for look in self.looks:
            look.start()

    def count_busy(self):
        """Let the time of the last activity be now if any kernel computes."""
        for kernel in self._kernels.values():
            if getattr(kernel, "execution_state", "") == "busy":
                self.last_kernel_activity = kernel.last_activity = utcnow()

    async def count_clusters(self):
        """Let it be now, for every kernel, if the gateway has a cluster of this person's."""
        address = f"{os.environ['DASK_GATEWAY__ADDRESS']}/api/v1/clusters/"
        token = {"Authorization": f"jupyterhub {os.environ['JUPYTERHUB_API_TOKEN']}"}
        try:
            answer = await AsyncHTTPClient().fetch(
                address, headers=token, request_timeout=ANSWER_SECONDS
            )
            alive = bool(json.loads(answer.body))
        except Exception as error:  # whatever it is: the next look may be answered
            self.log.warning("The Dask gateway does not tell of clusters: %s", error)
            return
        if alive:
            self.last_kernel_activity = utcnow()
            for kernel in self._kernels.values():
                kernel.last_activity = self.last_kernel_activity


def welcome(files, home):
    """Put the first notebook into the home of somebody who has never had it; tell whether it was.

    It is theirs then: what they change or delete does not come back.
    """
    folder = home / FIRST
    if "BINDER_REPO_URL" in os.environ or folder.exists() or (home / f".{FIRST}").exists():
        return False
    try:
        folder.mkdir(parents=True)
        (home / f".{FIRST}").touch()
        for file in sorted(files.glob(f"{FIRST}.*")):
            shutil.copyfile(file, folder / file.name)
    except OSError:  # a full home: the server starts all the same
        return False
    return True


c.ServerApp.kernel_manager_class = BusyIsActivity
c.LabApp.news_url = None  # else JupyterLab greets a newcomer with a question about news
if welcome(Path(__file__).parent, Path.home()):
    c.ServerApp.default_url = f"/lab/tree/{FIRST}/{FIRST}.ipynb"
