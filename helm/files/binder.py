"""BinderHub's configuration: who may build what, how much of it, and where images go.

The chart runs this file as `extraConfig` of binderhub-service. BinderHub stands behind the hub's
login (`auth_enabled`), since the Binder of 2020 had to close over crypto-mining. A launch takes the
user's one server, so the hub's limit of one server a person is Binder's too.
"""

import json
import os

settings = json.loads(os.environ["PANGEO_SETTINGS"])
binder = settings["binder"]

c.BinderHub.image_prefix = binder["registry_prefix"]
c.BinderHub.concurrent_build_limit = binder["builds_at_once"]
c.BinderHub.per_repo_quota = binder["launches_per_repository"]
c.BinderHub.per_repo_quota_higher = binder["launches_per_repository"]
c.BinderHub.build_cleanup_interval = 300  # seconds between looks for builds that hang
c.BinderHub.build_max_age = 3600  # seconds after which such a build is ended
c.RepoProvider.banned_specs = binder["banned"]
c.Launcher.allow_named_servers = False
c.KubernetesBuildExecutor.resources = {
    "requests": {"memory": "1Gi", "cpu": "500m"},
    "limits": {"memory": "4Gi"},
}
