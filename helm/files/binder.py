"""BinderHub's configuration: who may build what, how much of it, and where images go.

The chart runs this file as `extraConfig` of binderhub-service, the rehearsal loads it from here:
one source. BinderHub stands behind the hub's login, since the Binder of 2020 had to close over
crypto-mining. A launch takes the user's one server, so the hub's limit of one server a person is
Binder's too.
"""

import json
import os

settings = json.loads(os.environ["PANGEO_SETTINGS"])
binder = settings["binder"]

c.BinderHub.auth_enabled = True
c.BinderHub.hub_url = settings["url"]  # where a browser finds the server that was launched
c.BinderHub.use_registry = True
c.BinderHub.image_prefix = binder["registry_prefix"]
c.BinderHub.concurrent_build_limit = binder["builds_at_once"]
c.BinderHub.per_repo_quota = binder["launches_per_repository"]
c.BinderHub.per_repo_quota_higher = binder["launches_per_repository"]
c.BinderHub.build_cleanup_interval = 300  # seconds between looks for builds that hang
c.KubernetesCleaner.max_age = 3600  # seconds after which such a build is ended
c.RepoProvider.banned_specs = binder["banned"]
c.GitRepoProvider.allowed_protocols = set(binder["git_protocols"])
c.Launcher.allow_named_servers = False
# BinderHub tries again whatever the refusal was: a person who has a server already hears it soon.
c.Launcher.retries, c.Launcher.retry_delay = 2, 1
c.KubernetesBuildExecutor.resources = {
    "requests": {"memory": "1Gi", "cpu": "500m"},
    "limits": {"memory": "4Gi"},
}
