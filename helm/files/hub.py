"""JupyterHub's configuration: who may do what, what a server gets, when it ends.

The chart runs this file as `hub.extraConfig`, the rehearsal loads it from here: one source. All
that differs between environments is in `PANGEO_SETTINGS`, the JSON of `pangeo` in the Helm values.
"""

import json
import os
import re
import sys

from tornado.web import HTTPError

settings = json.loads(os.environ["PANGEO_SETTINGS"])
login, culling, scratch = settings["login"], settings["culling"], settings["scratch"]
gateway, limits = settings["dask"], settings["limits"]
url = settings["url"].rstrip("/")
services = [f"access:services!service={name}" for name in settings["services"]]

# Who may come in. Names become pods, prefixes and policies: anything but GitHub's own alphabet is
# refused before it reaches them.
c.JupyterHub.authenticator_class = "github"
c.OAuthenticator.allowed_organizations = set(login["teams"])
c.OAuthenticator.scope = ["read:org"]
c.OAuthenticator.oauth_callback_url = f"{url}/hub/oauth_callback"
c.Authenticator.allowed_users = set(login["users"])
c.Authenticator.admin_users = set(login["admins"])
c.Authenticator.allow_all = False
c.Authenticator.username_pattern = r"^[a-z0-9](?:[a-z0-9-]{0,38})$"
c.JupyterHub.admin_access = False  # an administrator stops a server, but does not read in it

# What a person and a person's server may do: use the services as themselves, nothing of others.
c.JupyterHub.load_roles.extend(
    [
        {"name": "user", "scopes": ["self", *services]},
        {
            "name": "server",
            "scopes": ["users:activity!user", "access:servers!server", *services],
        },
        {
            "name": "culler",
            "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
            "services": ["culler", "janitor"],
        },
        # Of the hub, and of BinderHub, which shows its own to whoever may use it.
        {"name": "metrics", "scopes": ["read:metrics", *services], "services": ["prometheus"]},
        # To tell which clusters have lost their owner's server.
        {"name": "owners", "scopes": ["read:users", "list:users"], "services": ["janitor"]},
    ]
)
if "binder" in settings["services"]:
    # To see that the user has no server yet, start one, and follow how it comes up.
    launching = {"name": "binder", "scopes": ["read:users:name", "servers"], "services": ["binder"]}
    c.JupyterHub.load_roles.append(launching)

# When a server ends: idle, or too old, whatever holds it awake. The server's own kernel culling and
# time-out back the hub's culler up, since a connected browser tab looks like activity to it.
c.JupyterHub.services.append(
    {
        "name": "culler",
        "command": [
            sys.executable,
            "-m",
            "jupyterhub_idle_culler",
            f"--timeout={culling['idle_seconds']}",
            f"--max-age={culling['max_age_seconds']}",
            f"--cull-every={culling['every_seconds']}",
            "--cull-admin-users=true",
        ],
        "environment": settings.get("service_environment", {}),
    }
)
c.Spawner.args = [
    f"--MappingKernelManager.cull_idle_timeout={culling['kernel_idle_seconds']}",
    f"--MappingKernelManager.cull_interval={culling['every_seconds']}",
    "--MappingKernelManager.cull_connected=True",
    f"--ServerApp.shutdown_no_activity_timeout={culling['idle_seconds']}",
]

# How much at once.
c.JupyterHub.active_server_limit = limits["servers"]
c.JupyterHub.concurrent_spawn_limit = limits["spawns_at_once"]
c.JupyterHub.allow_named_servers = False
c.Spawner.start_timeout = limits["start_seconds"]
c.Spawner.http_timeout = limits["start_seconds"]

# What a server is given. Credentials for the scratch prefixes come from EKS Pod Identity, which
# tags them with the pod's name: the name is the hub's, so nobody can choose another's prefix.
spawner = c[os.environ.get("PANGEO_SPAWNER", "KubeSpawner")]
spawner.environment.update(
    {
        "PANGEO_SCRATCH": lambda one: f"s3://{scratch['bucket']}/users/{one.pod_name}",
        "PANGEO_SCRATCH_SHARED": f"s3://{scratch['bucket']}/shared",
        "AWS_DEFAULT_REGION": settings["region"],
        "DASK_GATEWAY__ADDRESS": gateway["address"],
        "DASK_GATEWAY__PROXY_ADDRESS": gateway["proxy_address"],
        "DASK_GATEWAY__PUBLIC_ADDRESS": f"{url}/services/dask-gateway",
        "DASK_GATEWAY__AUTH__TYPE": "jupyterhub",
    }
)
spawner.profile_list = [
    {
        "slug": profile["slug"],
        "display_name": profile["name"],
        "description": profile["description"],
        "default": profile is settings["profiles"][0],
        "kubespawner_override": {
            "cpu_guarantee": profile["cpu_guarantee"],
            "cpu_limit": profile["cpu_limit"],
            "mem_guarantee": f"{profile['memory_guarantee_mib']}M",
            "mem_limit": f"{profile['memory_limit_mib']}M",
        },
    }
    for profile in settings["profiles"]
]


# What a launch from Binder gets: its image, and nothing of the user's. Anyone's code runs in it, so
# it has neither the home nor the identity that opens the scratch prefix.
registry = settings["binder"]["registry_prefix"]
launchable = re.compile(re.escape(registry) + r"[a-z0-9][a-z0-9.-]*:[a-z0-9][a-z0-9.-]*")


def isolate(one):
    """Give a server that Binder asks for its image, or refuse an image that Binder did not make."""
    image = one.user_options.get("image")
    if image is None:
        return
    if not registry or not launchable.fullmatch(str(image)):
        refusal = HTTPError(400, "Binder has no such image.")
        refusal.jupyterhub_message = refusal.log_message
        raise refusal
    one.image = image
    one.volumes, one.volume_mounts = [], []
    one.service_account = None
    own = ("PANGEO_SCRATCH", "PANGEO_SCRATCH_SHARED")
    one.environment = {key: value for key, value in one.environment.items() if key not in own}
    one.environment["BINDER_REPO_URL"] = str(one.user_options.get("repo_url", ""))


spawner.pre_spawn_hook = isolate
