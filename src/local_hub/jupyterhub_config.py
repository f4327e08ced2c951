"""JupyterHub in the rehearsal: the shared configuration, then settings for this machine."""

import os

from local_hub import hub_state
from local_hub.login_and_spawner import RehearsalAuthenticator, RehearsalSpawner
from local_hub.parts import quick_start

c = get_config()
hub = hub_state.load()
IDENTITY = f"{hub.url('identity')}/services/identity/credentials"

os.environ["PANGEO_SPAWNER"] = "RehearsalSpawner"
exec(hub_state.code(hub, "launches.py", "login.py", "profiles.py", "hub.py"))  # noqa: S102 - as the charts do

c.JupyterHub.authenticator_class = still_allowed(RehearsalAuthenticator)
c.CryptKeeper.keys = [bytes.fromhex(hub.secrets["crypt"])]
c.RehearsalAuthenticator.secret = hub.secrets["login"]
c.JupyterHub.spawner_class = RehearsalSpawner
c.RehearsalSpawner.cmd = quick_start("jupyterhub.singleuser")
if os.geteuid() == 0:  # a container, as on Binder or in CI
    c.Spawner.args.append("--allow-root")
c.RehearsalSpawner.home_dir_template = str(hub.folder / "homes" / "{username}")
c.RehearsalSpawner.volume_mounts = ["homes"]
c.RehearsalSpawner.service_account = "notebook"
c.RehearsalSpawner.environment.update(
    {
        "AWS_ENDPOINT_URL": hub.url("storage"),
        # The variables that EKS sets in a pod with an identity.
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": IDENTITY,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": lambda one: f"token {one.api_token}",
    }
)

c.JupyterHub.bind_url = hub.url("public")
c.JupyterHub.hub_bind_url = hub.url("hub")
c.JupyterHub.db_url = f"sqlite:///{hub.folder / 'hub.sqlite'}"
c.JupyterHub.cookie_secret = bytes.fromhex(hub.secrets["cookie"])
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}  # the chart's: progress from the start
c.JupyterHub.cleanup_servers = False  # as on Kubernetes: servers survive a restart of the hub
c.JupyterHub.cleanup_proxy = False
c.JupyterHub.shutdown_on_logout = False

c.JupyterHub.proxy_class = "traefik_file"
c.TraefikProxy.should_start = False
c.TraefikProxy.traefik_api_url = hub.url("proxy_api")
c.TraefikProxy.traefik_api_username = "hub"
c.TraefikProxy.traefik_api_password = hub.secrets["proxy_api"]
c.TraefikFileProviderProxy.dynamic_config_file = str(hub.folder / "routes.toml")

# The stand-in for Pod Identity checks which server asks, as the agent checks the pod.
seeing = {"name": "identity", "scopes": ["read:users:name", "read:servers"]}
c.JupyterHub.load_roles.append({**seeing, "services": ["identity"]})

addresses = {"dask-gateway": "gateway_web", "identity": "identity", "binder": "binder"}
for name in hub_state.SERVICES:
    if name == "binder" and not hub.binder:
        continue
    service = {"name": name, "api_token": hub.secrets[name], "display": False}
    if name in addresses:
        service |= {"url": hub.url(addresses[name]), "oauth_no_confirm": True}
    c.JupyterHub.services.append(service)
