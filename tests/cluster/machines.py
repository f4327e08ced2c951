"""What kubelets, the EBS driver and the cloud provider would do, without machines.

A pod that the scheduler placed runs once everything that it names is there: Secrets, ConfigMaps,
bound claims. A Job's pod succeeds. A claim of the EBS driver gets a volume, and a Service of type
LoadBalancer an address, unless it asks for a controller that nobody installed. No image is pulled
and no probe asked.
"""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import requests

from tests.cluster.control_plane import ControlPlane

Thing = dict[str, Any]
EBS = "ebs.csi.aws.com"
BALANCER = "service.beta.kubernetes.io/aws-load-balancer-type"
STORAGE = "/apis/storage.k8s.io/v1"


@contextmanager
def machines(plane: ControlPlane) -> Iterator[None]:
    """Play the machines' part for the time of the `with` block."""
    stop = threading.Event()
    player = _Player(plane)
    thread = threading.Thread(target=player.play, args=(stop,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=30)


class _Player:
    def __init__(self, plane: ControlPlane) -> None:
        config = json.loads(plane.kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        self.server = cluster["server"]
        self.session = requests.Session()
        self.session.trust_env = False  # neither a proxy nor another authority
        authority = plane.folder / "authority.crt"
        authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
        self.session.verify = str(authority)
        token = config["users"][0]["user"]["token"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def play(self, stop: threading.Event) -> None:
        while not stop.wait(0.3):
            try:
                self.pods()
                self.volumes()
                self.balancers()
            except requests.RequestException:
                stop.wait(1)

    def items(self, path: str) -> list[Thing]:
        answer = self.session.get(f"{self.server}{path}", timeout=30)
        return list(answer.json().get("items") or []) if answer.ok else []

    def there(self, path: str) -> Thing:
        answer = self.session.get(f"{self.server}{path}", timeout=30)
        return dict(answer.json()) if answer.ok else {}

    def patch(self, path: str, body: Thing) -> None:
        kind = {"Content-Type": "application/merge-patch+json"}
        text = json.dumps(body)
        self.session.patch(f"{self.server}{path}", data=text, headers=kind, timeout=30)

    def pods(self) -> None:
        for pod in self.items("/api/v1/pods"):
            metadata, phase = pod["metadata"], pod["status"].get("phase")
            path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
            if not pod["spec"].get("nodeName"):
                continue
            if "deletionTimestamp" in metadata:
                body = {"gracePeriodSeconds": 0}
                self.session.delete(f"{self.server}{path}", json=body, timeout=30)
            elif phase == "Pending" and self.startable(pod):
                self.patch(f"{path}/status", {"status": _running(pod)})

    def startable(self, pod: Thing) -> bool:
        space = f"/api/v1/namespaces/{pod['metadata']['namespace']}"
        for volume in pod["spec"].get("volumes") or ():
            for key, name, kind in (
                ("secret", "secretName", "secrets"),
                ("configMap", "name", "configmaps"),
            ):
                source = volume.get(key) or {}
                if (
                    source
                    and not source.get("optional")
                    and not self.there(f"{space}/{kind}/{source[name]}")
                ):
                    return False
            if claim := volume.get("persistentVolumeClaim"):
                held = self.there(f"{space}/persistentvolumeclaims/{claim['claimName']}")
                if (held.get("status") or {}).get("phase") != "Bound":
                    return False
        for container in pod["spec"]["containers"]:
            for variable in container.get("env") or ():
                reference = (variable.get("valueFrom") or {}).get("secretKeyRef") or {}
                if reference and not reference.get("optional"):
                    held = self.there(f"{space}/secrets/{reference['name']}")
                    if reference["key"] not in (held.get("data") or {}):
                        return False
        return True

    def volumes(self) -> None:
        classes = {one["metadata"]["name"]: one for one in self.items(f"{STORAGE}/storageclasses")}
        for claim in self.items("/api/v1/persistentvolumeclaims"):
            kind = classes.get(claim["spec"].get("storageClassName") or "")
            chosen = "volume.kubernetes.io/selected-node" in (
                claim["metadata"].get("annotations") or {}
            )
            if (
                kind
                and kind["provisioner"] == EBS
                and chosen
                and not claim["spec"].get("volumeName")
            ):
                self.session.post(
                    f"{self.server}/api/v1/persistentvolumes", json=_volume(claim, kind), timeout=30
                )
        for volume in self.items("/api/v1/persistentvolumes"):
            reclaimed = volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
            if reclaimed and volume["status"].get("phase") == "Released":
                path = f"{self.server}/api/v1/persistentvolumes/{volume['metadata']['name']}"
                self.session.delete(path, timeout=30)

    def balancers(self) -> None:
        for service in self.items("/api/v1/services"):
            metadata = service["metadata"]
            wants = (metadata.get("annotations") or {}).get(BALANCER, "classic")
            has = (service["status"].get("loadBalancer") or {}).get("ingress")
            if service["spec"].get("type") != "LoadBalancer" or has or wants == "external":
                continue
            address = {"hostname": f"{metadata['name']}.elb.example.org"}
            path = f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}/status"
            self.patch(path, {"status": {"loadBalancer": {"ingress": [address]}}})


def _running(pod: Thing) -> Thing:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    owners = pod["metadata"].get("ownerReferences") or ()
    if any(owner["kind"] == "Job" for owner in owners):
        return {"phase": "Succeeded", "conditions": []}
    kinds = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    conditions = [{"type": kind, "status": "True", "lastTransitionTime": now} for kind in kinds]
    statuses = [
        {
            "name": one["name"],
            "image": one["image"],
            "imageID": "",
            "ready": True,
            "started": True,
            "restartCount": 0,
            "state": {"running": {"startedAt": now}},
        }
        for one in pod["spec"]["containers"]
    ]
    ip = {"podIP": "10.1.0.1", "podIPs": [{"ip": "10.1.0.1"}]}
    return {"phase": "Running", "conditions": conditions, "containerStatuses": statuses, **ip}


def _volume(claim: Thing, kind: Thing) -> Thing:
    metadata = claim["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"pvc-{metadata['uid']}"},
        "spec": {
            "capacity": claim["spec"]["resources"]["requests"],
            "accessModes": claim["spec"]["accessModes"],
            "storageClassName": kind["metadata"]["name"],
            "persistentVolumeReclaimPolicy": "Delete",
            "csi": {"driver": EBS, "volumeHandle": f"vol-{metadata['uid']}"},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
        },
    }
