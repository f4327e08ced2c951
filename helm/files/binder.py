"""BinderHub's configuration: who may build what, how much of it, and where images go.

The chart runs this file as `extraConfig` of binderhub-service. BinderHub stands behind the hub's
login (`auth_enabled`), since the Binder of 2020 had to close over crypto-mining.
"""

import json
import os

settings = json.loads(os.environ["PANGEO_SETTINGS"])
binder = settings["binder"]

c.BinderHub.image_prefix = binder["registry_prefix"]
c.BinderHub.banned_specs = binder["banned"]
c.BinderHub.build_max_age = 3600  # seconds after which a build that hangs is ended
c.BinderHub.per_repo_quota = binder["launches_per_repository"]
c.RepoProvider.banned_specs = binder["banned"]
c.RepoProvider.spec_config = [
    {"pattern": ".*", "config": {"quota": binder["launches_per_repository"]}},
]
c.KubernetesBuildExecutor.memory_request = "1G"
c.KubernetesBuildExecutor.memory_limit = "4G"
c.KubernetesCleaner.max_age = 3600
