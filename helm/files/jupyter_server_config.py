"""Configuration of every user's server: a kernel that computes is active, though it prints nothing.

The chart mounts this file at /etc/jupyter (singleuser.extraFiles), the rehearsal names its folder
in JUPYTER_CONFIG_PATH: one source. JupyterHub stops servers without activity, and Jupyter Server
counts a kernel's messages as activity: a long computation in silence, or one that waits for a Dask
cluster, has none, and was stopped in its midst. The maximum age of a server still bounds it.
"""

from jupyter_server._tz import utcnow
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.ioloop import PeriodicCallback

LOOK_SECONDS = 10


class BusyIsActivity(AsyncMappingKernelManager):
    """Kernels, of which a busy one counts as active."""

    def __init__(self, **options):
        super().__init__(**options)
        self.look = PeriodicCallback(self.count_busy, LOOK_SECONDS * 1000)
        self.look.start()

    def count_busy(self):
        """Let the time of the last activity be now if any kernel computes."""
        for kernel in self._kernels.values():
            if getattr(kernel, "execution_state", "") == "busy":
                self.last_kernel_activity = kernel.last_activity = utcnow()


c.ServerApp.kernel_manager_class = BusyIsActivity
