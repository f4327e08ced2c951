"""Dask-Gateway in the rehearsal: the shared configuration, then local processes instead of pods."""

import base64
import sys

from dask_gateway_server.backends.local import UnsafeLocalBackend

from local_hub import hub_state

c = get_config()
hub = hub_state.load()

exec((hub.code / "gateway.py").read_text())  # noqa: S102 - the charts' configuration

c.DaskGateway.backend_class = limited(UnsafeLocalBackend)
if not launches_compute:
    c.DaskGateway.authenticator_class = "dask_gateway_server.auth.JupyterHubAuthenticator"
c.JupyterHubAuthenticator.jupyterhub_api_token = hub.secrets["dask-gateway"]
c.JupyterHubAuthenticator.jupyterhub_api_url = f"{hub.url('hub')}/hub/api"
c.JupyterHubAuthenticator.jupyterhub_service_name = "dask-gateway"

c.DaskGateway.address = f"{hub_state.HOST}:{hub.ports['gateway']}"
c.Proxy.address = f"{hub_state.HOST}:{hub.ports['gateway_web']}"
c.Proxy.tcp_address = f"{hub_state.HOST}:{hub.ports['gateway_tcp']}"
c.Proxy.prefix = "/services/dask-gateway"
c.Proxy.api_token = hub.secrets["gateway_proxy"]
c.Proxy.externally_managed = True

# Dask clusters survive a restart of the gateway, as on Kubernetes.
c.DBBackendBase.db_url = f"sqlite:///{hub.folder / 'gateway.sqlite'}"
key = bytes.fromhex(hub.secrets["gateway_proxy"])
c.DBBackendBase.db_encrypt_keys = [base64.urlsafe_b64encode(key).decode()]
c.DBBackendBase.stop_clusters_on_shutdown = False
c.DBBackendBase.cluster_heartbeat_period = 5
c.DBBackendBase.cluster_status_period = 5
c.DBBackendBase.worker_status_period = 5
# Generous, for a busy machine. A dead process is noticed by its status, before these limits.
c.DBBackendBase.cluster_heartbeat_timeout = 30
c.DBBackendBase.cluster_start_timeout = 300
c.DBBackendBase.worker_start_timeout = 300

c.LocalBackend.clusters_directory = str(hub.folder / "dask")
c.LocalBackend.inherited_environment = [
    "PATH",
    "PYTHONPATH",
    "LANG",
    "VIRTUAL_ENV",
    hub_state.FOLDER,
]
c.LocalBackend.sigint_timeout = 3
# dask no longer installs the commands dask-scheduler and dask-worker.
c.ClusterConfig.scheduler_cmd = [sys.executable, "-m", "dask", "scheduler"]
# Without nannies there are half as many processes; the gateway replaces a dead worker, as it does
# a pod. A pod is killed at its memory limit; a process here is not: the machine has one user.
c.ClusterConfig.worker_cmd = [sys.executable, "-m", "dask", "worker", "--no-nanny"]
