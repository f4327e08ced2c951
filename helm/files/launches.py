"""Which repositories may be launched from Binder: one spelling for each, one rule for all.

It stands before hub.py and before binder.py, in the charts and in the rehearsal. BinderHub asks
before it builds, the hub before it starts a server: a repository has as many spellings as a URL
(capitals, percent-encoding, a trailing slash, another provider of the same host), and each is
another image to BinderHub. Standard library only.
"""

import posixpath
import re
from urllib.parse import unquote, urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}


def repository_name(address):
    """Return the one spelling, `host/path`, of a repository's address; "" for what is none."""
    while (plain := unquote(address)) != address:
        address = plain
    try:
        parts = urlsplit(address if "://" in address else f"https://{address}")
        port = "" if parts.port in (None, DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
    except ValueError:
        return ""
    if not parts.hostname:
        return ""
    path = posixpath.normpath(f"/{parts.path}").lstrip("/")
    path = path.removesuffix("/.git").removesuffix(".git").rstrip("/")
    host = parts.hostname.rstrip(".").removeprefix("www.")
    return f"{host}{port}/{path}".lower()


def repository_refusal(address, binder):
    """Return why the repository at `address` may not be launched, nothing if it may.

    `binder` has `git_protocols`, and patterns of `host/path`: `allowed` (if there are any, nothing
    else may be launched) and `banned`.
    """
    name = repository_name(address)
    if "://" in unquote(address):
        protocol = unquote(address).partition("://")[0].lower()
    else:
        protocol = "https"
    if protocol not in binder["git_protocols"]:
        return f"Only {' and '.join(binder['git_protocols'])} addresses can be launched."
    allowed = binder["allowed"]
    if not name or (allowed and not any(re.fullmatch(pattern, name) for pattern in allowed)):
        return f"{name or 'This address'} is not on this hub's list of repositories."
    if any(re.fullmatch(pattern, name) for pattern in binder["banned"]):
        return f"{name} has been disabled on this hub."
    return ""
