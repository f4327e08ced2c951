"""JupyterHub's configuration: who may do what, what a server gets, when it ends.

The chart runs this file as `hub.extraConfig` after launches.py, login.py and profiles.py, the
rehearsal loads them from here: one source. All that differs between environments is in
`PANGEO_SETTINGS`, the JSON of `pangeo` in the Helm values.
"""

import hashlib
import json
import os
import re
import sys
from urllib.parse import urlsplit

from jupyterhub import orm
from jupyterhub.app import JupyterHub
from jupyterhub.utils import subdomain_hook_idna, url_path_join
from tornado.web import HTTPError

settings = json.loads(os.environ["PANGEO_SETTINGS"])
login, culling, scratch = settings["login"], settings["culling"], settings["scratch"]
gateway, limits, binder = settings["dask"], settings["limits"], settings["binder"]
url = settings["url"].rstrip("/")
on_kubernetes = "PANGEO_SPAWNER" not in os.environ
host = urlsplit(url).hostname
services = [f"access:services!service={name}" for name in settings["services"]]

# Whose page is it? Each person's server and each service answers on a subdomain of its own, so that
# a page of one cannot act as somebody who is logged in at another.
if settings["subdomains"]:
    c.JupyterHub.subdomain_host = url
    c.JupyterHub.cookie_host_prefix_enabled = url.startswith("https:")
elif "binder" in settings["services"]:
    raise ValueError(
        "Binder runs strangers' code and needs an origin of its own: set pangeo.subdomains to true "
        "(with a wildcard DNS record and certificate), or leave binder out of pangeo.services."
    )


def is_launched(options):
    """Tell whether a server with these options runs what Binder launched."""
    return "image" in (options or {})


def own_origin(name, domain, kind):
    """Return the domain of a user's server or of a service.

    A launched repository has one that neither the user's own server nor another repository ever
    has: what it leaves in the browser (a service worker, cookies) stays with it.
    """
    if kind == "user":
        person = orm.User.find(JupyterHub.instance().db, name)
        for server in person.orm_spawners.values() if person else ():
            if is_launched(server.user_options):
                repository = repository_name(str(server.user_options.get("repo_url")))
                label = hashlib.sha256(f"{name} {repository}".encode()).hexdigest()[:24]
                return f"{label}--launch.{domain}"  # `--`: JupyterHub gives it to no user
    return subdomain_hook_idna(name, domain, kind)


c.JupyterHub.subdomain_hook = own_origin


def service_url(name):
    """Return where browsers find a service of the hub."""
    public = url
    if settings["subdomains"]:
        public = url.replace(host, subdomain_hook_idna(name, host, "service"), 1)
    return f"{public}/services/{name}"


# What a person and a person's server may do: use the services as themselves, nothing of others.
c.JupyterHub.load_roles.extend(
    [
        # JupyterHub's own `admin` may become anybody. Nobody has it, whoever had it before.
        {"name": "admin", "users": []},
        {
            "name": "operator",
            "description": "Sees who is there, and stops their servers; reads nothing in them",
            "scopes": [
                "admin-ui",
                "list:users",
                "read:users:name",
                "read:users:activity",
                "read:servers",
                "delete:servers",
            ],
            "users": login["admins"],
        },
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
        # To remove somebody who has left: pangeo-deploy hub remove.
        {"name": "remover", "scopes": ["delete:users"], "services": ["janitor"]},
        # To be a user after each deployment: this one user, under whose name nobody can log in.
        {
            "name": "visit",
            "scopes": [f"admin:users!user={VISITOR}", f"tokens!user={VISITOR}"],
            "services": ["smoke"],
        },
    ]
)
if "binder" in settings["services"]:
    # To see that the user has no server yet, start one, and follow how it comes up.
    launching = {"name": "binder", "scopes": ["read:users:name", "servers"], "services": ["binder"]}
    c.JupyterHub.load_roles.append(launching)

# When a server ends: idle, or too old, whatever holds it awake. A kernel that computes is activity
# (jupyter_server_config.py); one whose notebook is open in a tab lives as long as its server.
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
            # In its own pod: a node need not let a pod reach itself by the name of its Service.
            *(["--url=http://localhost:8081/hub/api"] if on_kubernetes else []),
        ],
        "environment": settings.get("service_environment", {}),
    }
)
c.Spawner.args = [
    f"--MappingKernelManager.cull_idle_timeout={culling['kernel_idle_seconds']}",
    f"--MappingKernelManager.cull_interval={culling['every_seconds']}",
    "--MappingKernelManager.cull_connected=False",
    f"--ServerApp.shutdown_no_activity_timeout={culling['idle_seconds']}",
]

# What people are told, on every page of the hub. JupyterHub's own link to a service lacks the port.
BINDER_LINK = (
    f'<a href="{service_url("binder")}/">Binder</a> starts a server from a repository. '
    if "binder" in settings["services"]
    else ""
)
c.JupyterHub.template_vars = {
    "announcement": BINDER_LINK
    + (
        "A server stops after {idle:g} h without activity (a kernel that computes is activity, and "
        "so is a Dask cluster), and "
        "{age:g} h after its start whatever it does: files in your home stay, variables do not. A "
        "Dask cluster stops after {dask:g} min without work, and its computation is lost if the "
        "hub's operators restart the gateway's proxy: write results to storage as you go."
    ).format(
        idle=culling["idle_seconds"] / 3600,
        age=culling["max_age_seconds"] / 3600,
        dask=gateway["idle_timeout_seconds"] / 60,
    )
}

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
        "DASK_GATEWAY__PUBLIC_ADDRESS": service_url("dask-gateway"),
        "DASK_GATEWAY__AUTH__TYPE": "jupyterhub",
    }
)
if on_kubernetes:
    # Clusters of the server's own version. KubeSpawner would look for a name in braces itself.
    spawner.environment.update({"DASK_GATEWAY__CLUSTER__OPTIONS__IMAGE": lambda one: one.image})
spawner.profile_list = profile_list()


# What a launch from Binder gets: its image, and nothing of the user's. Anyone's code runs in it, so
# it has neither the home, nor the identity that opens the scratch prefix, nor, unless the operator
# allows it some clusters, a way to Dask.
dask_for_launches = binder["dask"]["clusters_per_person"] > 0
with_dask = {"access:services!service=dask-gateway"} if dask_for_launches else set()
not_theirs = ("PANGEO_SCRATCH",) if dask_for_launches else ("PANGEO_SCRATCH", "DASK_GATEWAY__")
registry = binder["registry_prefix"]
launchable = re.compile(re.escape(registry) + r"[a-z0-9][a-z0-9.-]*:[a-z0-9][a-z0-9.-]*")


def refused(status, why):
    """Return the answer to a start that is refused; the user reads `why`."""
    refusal = HTTPError(status, why)
    refusal.jupyterhub_message = why
    return refusal


def before_start(server):
    """Give a server that Binder asks for its image and take the user's own from it.

    Refuses an image that Binder did not make or does not ask for, and a repository that may not be
    launched or runs too often already.
    """
    user = server.user
    if is_launched(server.user_options):
        asker = getattr(server.handler, "current_user", None)
        if not isinstance(asker, orm.Service) or asker.name != "binder":
            raise refused(403, "Only Binder starts an image: launch the repository there.")
        isolate(server)
    elif settings["homes"].get("shared") and on_kubernetes:
        writes = user.name in login["admins"]
        mounts = with_shared(server.volume_mounts, settings["homes"]["shared"], writes)
        server.volume_mounts = mounts
    if settings["subdomains"]:
        # The spawner was made before it was known whether this is a launch.
        server.proxy_spec = url_path_join(user.proxy_spec, "/")
        server.public_url = user.public_url(server.name)


def isolate(server):
    """Make the server a launched one."""
    image = str(server.user_options["image"])
    if not registry or not launchable.fullmatch(image):
        raise refused(400, "Binder has no such image.")
    address = str(server.user_options.get("repo_url", ""))
    if why := repository_refusal(address, binder):
        raise refused(403, why)
    name, limit = repository_name(address), binder["launches_per_repository"]
    running = server.user.db.query(orm.Spawner).filter(orm.Spawner.server_id.isnot(None))
    others = [one.user_options or {} for one in running if one.id != server.orm_spawner.id]
    same = [one for one in others if repository_name(str(one.get("repo_url", ""))) == name]
    if len(same) >= limit:
        raise refused(429, f"Too many users running {name}: {limit} at most. Try again later.")
    server.image = image
    # KubeSpawner applies the default choice of software after this.
    server.profile_list = [
        {key: one for key, one in profile.items() if key != "profile_options"}
        for profile in server.profile_list
    ]
    server.volumes, server.volume_mounts = [], []
    server.service_account = None
    token = orm.APIToken.find(server.user.db, server.api_token)
    token.scopes = [
        scope
        for scope in token.scopes
        if not scope.startswith("access:services") or scope in with_dask
    ]
    server.user.db.commit()
    server.environment = {
        name: value for name, value in server.environment.items() if not name.startswith(not_theirs)
    } | {"BINDER_REPO_URL": address}


def after_stop(server):
    """Forget what was launched: JupyterHub starts the next server with the options of the last."""
    if is_launched(server.orm_spawner.user_options):
        server.user_options = server.orm_spawner.user_options = {}
        server.user.db.commit()


spawner.pre_spawn_hook = before_start
spawner.post_stop_hook = after_stop
