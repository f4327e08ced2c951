"""Who may log in, how, and for how long: JupyterHub's authenticator and all that it is told.

It stands before hub.py, in the charts and in the rehearsal. Which provider asks for the password is
`pangeo.login.provider`; `pangeo.login.options` are traits of that provider's OAuthenticator class.
"""

import json
import os
from importlib import import_module
from urllib.parse import urlsplit

from jupyterhub.utils import maybe_future

settings = json.loads(os.environ["PANGEO_SETTINGS"])
login = settings["login"]
url = settings["url"].rstrip("/")
host = urlsplit(url).hostname

# Where each provider's class is, and what it is told unless the options say otherwise.
PROVIDERS = {
    "github": (
        "oauthenticator.github.GitHubOAuthenticator",
        {"allowed_organizations": set(login["teams"]), "scope": ["read:org"]},
    ),
    "cilogon": ("oauthenticator.cilogon.CILogonOAuthenticator", {}),
    "oidc": (
        "oauthenticator.generic.GenericOAuthenticator",
        {"scope": ["openid", "email", "profile"], "username_claim": "preferred_username"},
    ),
}
# Names become pods, folders and policies: nothing else is let through. GitHub's own alphabet (an
# underscore comes with the accounts of an enterprise); other providers' names are e-mail addresses,
# which KubeSpawner escapes.
NAMES = {
    "github": r"^[a-z0-9](?:[a-z0-9_-]{0,38})$",
    "local": r"^[a-z0-9](?:[a-z0-9_-]{0,38})$",
}
ADDRESSES = r"^[a-z0-9][a-z0-9._@+:-]{0,62}$"
# The user that the smoke test is after a deployment. Nobody logs in under this name.
VISITOR = "smoke-test"

c.Authenticator.allowed_users = {*login["users"], *login["admins"]}
c.Authenticator.allow_all = False
c.Authenticator.allow_existing_users = False
c.Authenticator.username_pattern = NAMES.get(login["provider"], ADDRESSES)

# Who leaves is out within this time, by cookie and by token: the log-in is checked again that often
# (and before a server starts), and neither lives for ever.
c.Authenticator.enable_auth_state = True  # OAuthenticator checks nothing again without it
c.Authenticator.auth_refresh_age = login["check_again_seconds"]
c.Authenticator.refresh_pre_spawn = True
c.JupyterHub.cookie_max_age_days = login["cookie_days"]
c.JupyterHub.token_expires_in_max_seconds = login["token_days"] * 86400


def still_allowed(authenticator_class):
    """Return the authenticator, made to ask at each refresh whether the user is still allowed.

    OAuthenticator's own refresh shows that the account exists, not that it is still in the team.
    The visitor has no account anywhere: a token of the service `smoke` alone makes one be it.
    """

    class StillAllowed(authenticator_class):
        async def refresh_user(self, user, handler=None, **options):
            if user.name == VISITOR:
                return True
            fresh = await maybe_future(super().refresh_user(user, handler, **options))
            known = fresh if isinstance(fresh, dict) else {"name": user.name}
            return fresh and await maybe_future(self.check_allowed(user.name, known)) and fresh

        async def check_allowed(self, username, authentication=None):
            if username == VISITOR:
                return False
            return await maybe_future(super().check_allowed(username, authentication))

    return StillAllowed


def provided(provider):
    """Return a provider's authenticator class, with its traits set from the options."""
    path, defaults = PROVIDERS[provider]
    module, _, name = path.rpartition(".")
    authenticator_class = getattr(import_module(module), name)
    told = {**defaults, **login["options"], "oauth_callback_url": f"{url}/hub/oauth_callback"}
    if unknown := sorted(told.keys() - authenticator_class.class_trait_names(config=True)):
        # traitlets would ignore them, and let in whoever they were to keep out.
        raise ValueError(f"pangeo.login.options: {name} has no {', '.join(unknown)}.")
    c[name].update(told)
    return authenticator_class


if login["provider"] == "local":
    # For a cluster on one's own machine: any name and one password. Nobody else may reach it.
    if host not in ("localhost", "127.0.0.1"):
        raise ValueError(
            f"The login `local` lets in anybody who knows its password, and {url} can be reached "
            "from outside: set pangeo.login.provider to github."
        )
    c.JupyterHub.authenticator_class = "dummy"
    c.DummyAuthenticator.password = os.environ["OAUTH_CLIENT_SECRET"]
    c.Authenticator.allow_all = True
elif "PANGEO_SPAWNER" not in os.environ:
    c.JupyterHub.authenticator_class = still_allowed(provided(login["provider"]))
