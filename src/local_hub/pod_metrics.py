"""Serve this hub's processes to Prometheus as kube-state-metrics and cAdvisor serve pods.

    python -m local_hub.pod_metrics

A pod is here the process of a user's server, a Dask scheduler or a Dask worker, with all its
children. Metrics and labels have the names they have in a cluster, so that the same collector reads
both.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import psutil

from local_hub import hub_state
from local_hub.supervisor import marked

GIB = 2**30
NAMESPACE = "rehearsal"


@dataclass(frozen=True)
class Pod:
    """One pod: its owner, its requests (cores, bytes), and its first process."""

    name: str
    component: str
    container: str
    user: str
    cores: float
    memory: float
    process: psutil.Process

    @property
    def labels(self) -> dict[str, str]:
        """Return the labels that identify this pod."""
        uid = f"{self.process.pid}-{self.process.create_time():.2f}"
        return {"namespace": NAMESPACE, "pod": self.name, "uid": uid}


def pods(hub: hub_state.HubState) -> Iterator[Pod]:
    """Yield the running pods."""
    for process in marked(hub.folder):
        try:
            environment, words = process.environ(), process.cmdline()
        except psutil.Error:
            continue
        if "jupyterhub.singleuser" in words:
            yield server(process, environment)
        elif "dask" in words and "DASK_GATEWAY_CLUSTER_NAME" in environment:
            part = words[words.index("dask") + 1]
            asked = dask(hub.settings["dask"], part, words)
            name = f"dask-{part}-{environment['DASK_GATEWAY_CLUSTER_NAME'][:8]}-{process.pid}"
            owner = environment.get("PANGEO_CLUSTER_OWNER", "")
            yield Pod(name, f"dask-{part}", f"dask-{part}", owner, *asked, process)


def server(process: psutil.Process, environment: Mapping[str, str]) -> Pod:
    """Return a user's server, with the guarantees that JupyterHub sets in its environment."""
    user = environment.get("JUPYTERHUB_USER", "")
    cores, memory = (float(environment.get(f"{part}_GUARANTEE") or 0) for part in ("CPU", "MEM"))
    return Pod(f"jupyter-{user}", "singleuser-server", "notebook", user, cores, memory, process)


def dask(settings: Mapping[str, Any], part: str, words: list[str]) -> tuple[float, float]:
    """Return the cores and bytes of a scheduler or worker: its own options, else the defaults."""
    if part == "scheduler":
        return 1.0, float(settings["scheduler_memory_gib"]) * GIB
    options = dict(pairwise(words))
    return (
        float(options.get("--nthreads", settings["worker_cores"])),
        float(options.get("--memory-limit", settings["worker_memory_gib"] * GIB)),
    )


def used(process: psutil.Process) -> tuple[float, float]:
    """Return core-seconds so far and bytes in use now of a process and all its children.

    Shared memory counts once (PSS, where the system has it).
    """
    seconds = memory = 0.0
    for member in (process, *process.children(recursive=True)):
        try:
            spent, held = member.cpu_times(), member.memory_full_info()
        except psutil.Error:
            continue
        seconds += spent.user + spent.system + spent.children_user + spent.children_system
        memory += getattr(held, "pss", held.rss)
    return seconds, memory


def samples(pod: Pod) -> Iterator[tuple[str, dict[str, str], float]]:
    """Yield a pod's metrics: name, labels, value."""
    labels = pod.labels
    inside = {"namespace": NAMESPACE, "pod": pod.name, "container": pod.container}
    asked = {**labels, "container": pod.container, "node": "rehearsal"}
    started = pod.process.create_time()
    seconds, memory = used(pod.process)
    yield "kube_pod_created", labels, started
    yield "kube_pod_start_time", labels, started
    yield "kube_pod_labels", {**labels, "label_component": pod.component}, 1
    yield "kube_pod_annotations", {**labels, "annotation_hub_jupyter_org_username": pod.user}, 1
    for resource, amount in (("cpu", pod.cores), ("memory", pod.memory)):
        yield "kube_pod_container_resource_requests", {**asked, "resource": resource}, amount
    yield "container_cpu_usage_seconds_total", inside, seconds
    yield "container_memory_working_set_bytes", inside, memory


def text(hub: hub_state.HubState) -> str:
    """Return all metrics as Prometheus reads them."""
    lines = []
    for pod in pods(hub):
        try:
            for name, labels, value in samples(pod):
                shown = ",".join(f'{key}="{value}"' for key, value in labels.items())
                lines.append(f"{name}{{{shown}}} {value!r}")
        except psutil.Error:  # it ended meanwhile
            continue
    return "".join(f"{line}\n" for line in lines)


class Metrics(BaseHTTPRequestHandler):
    """Answers every request with the metrics."""

    def do_GET(self) -> None:
        """Answer with the metrics."""
        body = text(hub_state.load()).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


if __name__ == "__main__":
    address = (hub_state.HOST, hub_state.load().ports["pods"])
    ThreadingHTTPServer(address, Metrics).serve_forever()
