"""End the servers and Dask clusters that have outstayed: what the chart's CronJob runs.

Beside it lies outstay.py, the package's own rules (src/hub_user/idle_rules.py): the command
`pangeo-deploy janitor` goes by them too. Standard library only, for the hub's own image.

Environment: HUB_API and JANITOR_TOKEN, the hub and its service `janitor`; KUBERNETES_API and
IDENTITY, the cluster and the folder of the pod's service account; CULLING, JSON of the limits.
Each thing that is ended is one JSON line on stdout. Fails where the hub or the cluster refuses.
"""

import json
import os
import ssl
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

from outstay import cluster_outstays, moment, server_outstays

identity = Path(os.environ["IDENTITY"])
kind = "apis/gateway.dask.org/v1alpha1/namespaces/{}/daskclusters"


def ask(method, url, token, body=None, trust=None):
    """Return the JSON that answers a request, None for an empty answer."""
    headers = {"Authorization": token, "Content-Type": "application/merge-patch+json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30, context=trust) as answer:
        return json.loads(answer.read() or b"null")


def hub(method, path):
    """Ask the hub."""
    return ask(method, f"{os.environ['HUB_API']}/{path}", f"token {os.environ['JANITOR_TOKEN']}")


def cluster(method, path, body=None):
    """Ask Kubernetes, as the pod's own service account."""
    api, token = os.environ["KUBERNETES_API"], (identity / "token").read_text()
    secure = api.startswith("https:")
    trust = ssl.create_default_context(cafile=str(identity / "ca.crt")) if secure else None
    return ask(method, f"{api}/{path}", f"Bearer {token}", body, trust)


def main():
    """Make one round."""
    now, culling = datetime.now(UTC), json.loads(os.environ["CULLING"])
    people = {one["name"]: one.get("servers") or {} for one in hub("GET", "users?state=active")}
    clusters = kind.format((identity / "namespace").read_text().strip())
    for one in cluster("GET", clusters)["items"]:
        spec, metadata = one["spec"], one["metadata"]
        if not spec.get("active", True) or "completionTime" in one.get("status", {}):
            continue
        owner, started = spec.get("username", ""), moment(metadata["creationTimestamp"])
        running = [name for name, servers in people.items() if servers]
        if reason := cluster_outstays(owner, started, running, culling, now):
            cluster("PATCH", f"{clusters}/{metadata['name']}", {"spec": {"active": False}})
            print(json.dumps({"cluster": metadata["name"], "owner": owner, "why": reason}))
    for name, servers in people.items():
        for one in servers.values():
            started, active = moment(one["started"]), moment(one["last_activity"])
            if reason := server_outstays(started, active, culling, now):
                hub("DELETE", f"users/{name}/server")
                print(json.dumps({"server": name, "owner": name, "why": reason}))


main()
