"""Sessions from Prometheus, by the times that Kubernetes itself recorded.

kube-state-metrics says when a pod started, completed or was deleted, so no samples are counted: a
10-minute session is 10 minutes whatever the scrape interval. A pod is known by its uid: restarts of
its container, of kube-state-metrics or of Prometheus, other labels and other names do not make
another session of it. A pod that vanished without a recorded end ended at its last sample, at most
one scrape interval too early. A person's wait is from when the pod was created until it was ready,
where that is known. Needed of kube-state-metrics: pod annotations or labels with
`hub.jupyter.org/username` and the component labels (its `metricAnnotationsAllowList` and
`metricLabelsAllowlist`).

Written here rather than with prometheus-api-client: that one hides warnings, which is how a
partial answer shows, and has no way to halve a request that is too large.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from hub_costs.usage.collect import GAPS, Collected
from hub_costs.usage.collect.container_use import CPU, MEMORY, Stretches, Use
from hub_costs.usage.collect.json_client import ask
from pangeo_core.errors import BadInput
from pangeo_core.progress import Event, Progress, silent

COMPONENTS = {
    "singleuser-server": "notebook",
    "dask-scheduler": "dask-scheduler",
    "dask-worker": "dask-worker",
}
_COMPONENT_LABELS = ("label_component", "label_app_kubernetes_io_component")
_USER_LABELS = ("annotation_hub_jupyter_org_username", "label_hub_jupyter_org_username")
_TYPE = "label_node_kubernetes_io_instance_type"
_CAPACITY = ("label_karpenter_sh_capacity_type", "label_eks_amazonaws_com_capacitytype")
_TOO_MUCH = ("too many samples", "exceeded maximum resolution", "response size", "too large")
SHORTEST = 60.0  # seconds: a request is not cut smaller

Labels = Mapping[str, str]


@dataclass
class _Pod:
    labels: dict[str, str]
    created: float | None = None
    start: float | None = None
    ready: float | None = None
    end: float | None = None
    use: Use = field(default_factory=Use)
    first_seen: float = np.inf
    last_seen: float = -np.inf


def collect(
    url: str,
    start: pd.Timestamp,
    end: pd.Timestamp,
    *,
    chunk_hours: float = 6.0,
    health: str = "up",
    headers: Mapping[str, str] | None = None,
    timeout: float = 30.0,
    progress: Progress = silent,
) -> Collected:
    """Return the sessions between `start` and `end` that the Prometheus at `url` knows.

    Time is asked for in chunks of `chunk_hours`, halved where the server finds an answer too large.
    A gap is where no sample of the metric `health` exists for three scrape intervals. Raises
    `BadInput` for a partial answer, a refused query, or a request that stays too large, and
    `MissingPrerequisite` where nothing answers.
    """
    if not start < end or chunk_hours <= 0:
        raise BadInput("The time to collect is empty.", fix="Let it end after it starts.")
    server = _Server(url.rstrip("/"), dict(headers or {}), timeout)
    pods: dict[str, _Pod] = {}
    nodes: dict[str, Labels] = {}
    alive: list[float] = []
    apart: list[float] = []
    stretches = Stretches()
    edges = np.arange(start.timestamp(), end.timestamp(), chunk_hours * 3600).tolist()
    for low in edges:
        high = min(low + chunk_hours * 3600, end.timestamp())
        progress(Event("prometheus", "info", pd.Timestamp(low, unit="s", tz="UTC").isoformat()))
        _read_pods(server, low, high, pods)
        _read_use(server, low, high, pods, stretches)
        for labels, _ in server.samples("kube_node_labels", low, high):
            nodes[labels.get("node", "")] = labels
        for _, values in server.samples(health, low, high):
            alive += [time for time, _ in values]
            apart += np.diff([time for time, _ in values]).tolist()
    times = np.unique(alive)
    interval = float(np.median(apart)) if apart else 60.0
    rows = [_row(pod, nodes, end.timestamp(), interval) for pod in pods.values()]
    raw = pd.DataFrame([row for row in rows if row is not None], columns=_COLUMNS)
    return Collected(raw, "prometheus", start, end, _gaps(times, start, end, interval))


_COLUMNS = [
    *("user", "hub", "kind", "start", "end", "cpu_cores", "memory_gib", "node_type", "capacity"),
    *("server", "requested", "cpu_used_cores", "memory_used_gib"),
]


@dataclass(frozen=True)
class _Server:
    url: str
    headers: dict[str, str]
    timeout: float

    def samples(self, metric: str, low: float, high: float) -> Iterator[tuple[Labels, Any]]:
        """Yield labels and (time, value) pairs of every sample of `metric` in (low, high]."""
        span = high - low
        try:
            yield from self._query(f"{metric}[{max(1, round(span))}s]", high)
        except _TooLarge as error:
            if span / 2 < SHORTEST:
                raise BadInput(
                    f"Prometheus finds even {span:.0f} s of {metric} too large.",
                    why=str(error),
                    fix="Raise its --query.max-samples, or let it scrape less.",
                ) from None
            yield from self.samples(metric, low, low + span / 2)
            yield from self.samples(metric, low + span / 2, high)

    def _query(self, query: str, at: float) -> list[tuple[Labels, Any]]:
        status, body = ask(
            f"{self.url}/api/v1/query",
            {"query": query, "time": at, "timeout": f"{self.timeout:g}s"},
            headers=self.headers,
            what="Prometheus",
            timeout=self.timeout,
        )
        if not isinstance(body, dict) or body.get("status") != "success":
            message = str(body.get("error", body)) if isinstance(body, dict) else str(body)
            if any(word in message for word in _TOO_MUCH):
                raise _TooLarge(message)
            raise BadInput(
                f"Prometheus refused {query} (status {status}).",
                why=message[:300],
                fix="Check that the address is Prometheus' own, and that you may query it.",
            )
        data = body.get("data") or {}
        if body.get("warnings") or body.get("isPartial") or "result" not in data:
            raise BadInput(
                f"Prometheus answered {query} only in part.",
                why="; ".join(map(str, body.get("warnings", []))) or "Its answer has no result.",
                fix="Wait until all its stores are there, and ask again.",
            )
        return [(one["metric"], one["values"]) for one in data["result"]]


class _TooLarge(Exception):
    """An answer that the server finds too large."""


# The first value counts: a pod that becomes ready again was ready before.
_MOMENTS = {
    "kube_pod_created": "created",
    "kube_pod_status_ready_time": "ready",
    "kube_pod_completion_time": "end",
    "kube_pod_deletion_timestamp": "end",
}


def _read_use(
    server: _Server, low: float, high: float, pods: dict[str, _Pod], stretches: Stretches
) -> None:
    named: dict[tuple[str, str], list[_Pod]] = {}
    for pod in pods.values():
        if pod.last_seen > low:
            name = (pod.labels.get("namespace", ""), pod.labels.get("pod", ""))
            named.setdefault(name, []).append(pod)
    for metric in (CPU, MEMORY):
        for labels, values in server.samples(metric, low, high):
            begin, end, amounts = stretches.of(metric, labels, values)
            for pod in named.get((labels.get("namespace", ""), labels.get("pod", "")), []):
                mine = (begin >= (pod.start or pod.first_seen)) & (end <= pod.last_seen)
                pod.use.add(metric, amounts[mine], (end - begin)[mine])


def _read_pods(server: _Server, low: float, high: float, pods: dict[str, _Pod]) -> None:
    for labels, values in server.samples("kube_pod_start_time", low, high):
        pod = pods.setdefault(_identity(labels), _Pod(dict(labels)))
        pod.first_seen = min(pod.first_seen, values[0][0])
        pod.last_seen = max(pod.last_seen, values[-1][0])
        known = _numbers(values)
        if known:
            pod.start = min(filter(None, (pod.start, min(known))))
    for metric, moment in _MOMENTS.items():
        for labels, values in server.samples(metric, low, high):
            known = _numbers(values)
            if known and (told := pods.get(_identity(labels))):
                setattr(told, moment, min(filter(None, (getattr(told, moment), min(known)))))
    for metric in ("kube_pod_annotations", "kube_pod_labels"):
        for labels, _ in server.samples(metric, low, high):
            if named := pods.get(_identity(labels)):
                named.labels.update(labels)
    for labels, values in server.samples("kube_pod_container_resource_requests", low, high):
        known = _numbers(values)
        if known and (asking := pods.get(_identity(labels))):
            key = f"request_{labels.get('resource')}_{labels.get('container', '')}"
            asking.labels[key] = repr(known[-1])
            if labels.get("node"):
                asking.labels["node"] = labels["node"]


def _identity(labels: Labels) -> str:
    return labels.get("uid") or f"{labels.get('namespace')}/{labels.get('pod')}"


def _numbers(values: Any) -> list[float]:
    numbers = [float(value) for _, value in values]
    return [number for number in numbers if np.isfinite(number)]


def _row(
    pod: _Pod, nodes: Mapping[str, Labels], end: float, interval: float
) -> dict[str, Any] | None:
    """Return a pod as a raw session; None for a pod that no person caused."""
    labels = pod.labels
    kind = next((COMPONENTS.get(labels.get(name, "")) for name in _COMPONENT_LABELS
                 if labels.get(name) in COMPONENTS), None)  # fmt: skip
    if kind is None:
        return None
    still_there = pod.last_seen > end - 2 * interval
    stop = pod.end if pod.end is not None else (None if still_there else pod.last_seen)
    node = nodes.get(labels.get("node", ""), {})
    capacity = next((node[name] for name in _CAPACITY if name in node), "on-demand")
    memory, used = _request(labels, "memory"), pod.use.mean(MEMORY)
    start = pod.start if pod.ready is None or pod.start is None else max(pod.start, pod.ready)
    return {
        "user": next((labels[name] for name in _USER_LABELS if labels.get(name)), None),
        "hub": labels.get("namespace", ""),
        "kind": kind,
        "start": _moment(start),
        "end": _moment(stop),
        "cpu_cores": _request(labels, "cpu"),
        "memory_gib": memory / 1024**3,
        "node_type": node.get(_TYPE, ""),
        "capacity": capacity.lower().replace("_", "-"),
        # One person may run several named servers at once: the pod tells them apart.
        "server": _identity(labels),
        # Without the time of being ready, what is known is the scheduler's share of the wait.
        "requested": None if pod.ready is None else _moment(pod.created),
        "cpu_used_cores": pod.use.mean(CPU),
        "memory_used_gib": None if used is None else used / 1024**3,
    }


def _request(labels: Labels, resource: str) -> float:
    return sum(float(v) for k, v in labels.items() if k.startswith(f"request_{resource}_"))


def _moment(seconds: float | None) -> pd.Timestamp | None:
    if seconds is None:
        return None
    return pd.Timestamp(round(seconds * 1000), unit="ms", tz="UTC")


def _gaps(
    times: np.ndarray, start: pd.Timestamp, end: pd.Timestamp, interval: float
) -> pd.DataFrame:
    edges = np.r_[start.timestamp(), times, end.timestamp()]
    wide = np.flatnonzero(np.diff(edges) > 3 * interval)
    rows = [(_moment(edges[i]), _moment(edges[i + 1]), "prometheus") for i in wide]
    return pd.DataFrame(rows, columns=list(GAPS))
