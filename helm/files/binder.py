"""BinderHub's configuration: who may build what, how much of it, and where images go.

The chart runs this file as `extraConfig` of binderhub-service after launches.py, the rehearsal
loads both from here: one source. BinderHub stands behind the hub's login, since the Binder of 2020
had to close over crypto-mining. A launch takes the user's one server, so the hub's limit of one
server a person is Binder's too.
"""

import json
import os
import re

from binderhub.app import BinderHub

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
c.GitRepoProvider.allowed_protocols = set(binder["git_protocols"])
c.Launcher.allow_named_servers = False
# BinderHub tries again whatever the refusal was: a person who has a server already hears it soon.
c.Launcher.retries, c.Launcher.retry_delay = 2, 1
c.KubernetesBuildExecutor.resources = {
    "requests": {"memory": "1Gi", "cpu": "500m"},
    "limits": {"memory": "4Gi"},
}


def checked(provider_class):
    """Return a provider that builds only what launches.py permits, in one spelling."""

    def is_banned(self):
        # `%256d`: BinderHub decodes once more than it checks, and each spelling is another image.
        if re.search("%25|[\\s\\\\]", self.spec):
            return True
        return bool(repository_refusal(self.get_repo_url(), binder))

    return type(provider_class.__name__, (provider_class,), {"is_banned": is_banned})


c.BinderHub.repo_providers = {
    prefix: checked(provider_class) for prefix, provider_class in BinderHub().repo_providers.items()
}
