"""Stop servers and Dask clusters that should have stopped: what the chart's CronJob runs.

Beside it lies idle_rules.py, the package's own rules (src/hub_user/idle_rules.py): the command
`pangeo-deploy janitor` goes by them too. Standard library only, for the hub's own image.

Environment: HUB_API and JANITOR_TOKEN, the hub and its service `janitor`; KUBERNETES_API and
IDENTITY, the cluster and the folder of the pod's service account; CULLING, JSON of the limits.
Each thing that is stopped is one JSON line on stdout. Fails, and stops nothing, if the hub or the
cluster does not tell everything; fails at the end if something could not be stopped.
"""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from idle_rules import LAUNCHED, moment, people_by_name, why_stop_cluster, why_stop_server

PAGE = "application/jupyterhub-pagination+json"
GONE = 404
PAUSES = (1, 2, 4, 8, None)  # seconds between tries of a connection that is refused

identity = Path(os.environ["IDENTITY"])
kind = "apis/gateway.dask.org/v1alpha1/namespaces/{}/daskclusters"


def ask(method, url, token, body=None, trust=None, **headers):
    """Return the JSON that answers a request, None for an empty answer."""
    headers |= {"Authorization": token, "Content-Type": "application/merge-patch+json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    for pause in PAUSES:
        try:
            with urllib.request.urlopen(request, timeout=30, context=trust) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError:
            raise  # it answered
        except urllib.error.URLError as error:
            # A policy engine may not know this pod in its first seconds, and a hub may restart.
            if not isinstance(error.reason, ConnectionError) or pause is None:
                raise
            time.sleep(pause)
    raise AssertionError("unreachable")


def hub(method, path, **headers):
    """Ask the hub."""
    token = f"token {os.environ['JANITOR_TOKEN']}"
    return ask(method, f"{os.environ['HUB_API']}/{path}", token, **headers)


def cluster(method, path, body=None):
    """Ask Kubernetes, as the pod's own service account."""
    api, token = os.environ["KUBERNETES_API"], (identity / "token").read_text()
    secure = api.startswith("https:")
    trust = ssl.create_default_context(cafile=str(identity / "ca.crt")) if secure else None
    return ask(method, f"{api}/{path}", f"Bearer {token}", body, trust)


def everybody():
    """Return the hub's users by name, from every page."""
    pages, offset = [], 0
    while offset is not None:
        page = hub("GET", f"users?offset={offset}", Accept=PAGE)
        pages.append(page)
        following = page["_pagination"]["next"]
        offset = following["offset"] if following else None
    return people_by_name(pages)


def stop(what, name, owner, why, action):
    """Stop one thing and tell of it; return whether it is gone."""
    told = {what: name, "owner": owner, "why": why}
    try:
        action()
    except urllib.error.HTTPError as error:
        if error.code != GONE:  # it ended by itself meanwhile
            print(json.dumps(told | {"error": f"{error.code} {error.reason}"}))
            return False
    except OSError as error:
        print(json.dumps(told | {"error": str(error)}))
        return False
    print(json.dumps(told))
    return True


def main():
    """Make one round; return whether everything that should have stopped is stopped."""
    now, culling = datetime.now(UTC), json.loads(os.environ["CULLING"])
    people, done = everybody(), []
    clusters = kind.format((identity / "namespace").read_text().strip())
    for item in cluster("GET", clusters)["items"]:
        spec, name = item["spec"], item["metadata"]["name"]
        if not spec.get("active", True) or "completionTime" in item.get("status", {}):
            continue
        owner, started = spec.get("username", ""), moment(item["metadata"]["creationTimestamp"])
        launched = LAUNCHED in ((spec.get("config") or {}).get("environment") or {})
        if why := why_stop_cluster(owner, started, people, culling, now, launched):
            end = partial(cluster, "PATCH", f"{clusters}/{name}", {"spec": {"active": False}})
            done.append(stop("cluster", name, owner, why, end))
    for name, person in people.items():
        for server in (person.get("servers") or {}).values():
            if why := why_stop_server(server, culling, now):
                end = partial(hub, "DELETE", f"users/{name}/server")
                done.append(stop("server", name, name, why, end))
    return all(done)


if not main():
    sys.exit(1)
