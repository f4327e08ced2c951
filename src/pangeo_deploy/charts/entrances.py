"""Wait until the hub can be reached: its load balancer, its name, its certificate."""

import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from pangeo_core.errors import MissingPrerequisite
from pangeo_core.progress import Event, Progress
from pangeo_deploy.charts.programs import ClusterRefused, get, run
from pangeo_deploy.charts.render import NAMESPACES

__all__ = ["NotReached", "await_load_balancer", "await_name", "load_balancer", "once_reached"]

SERVICE = "proxy-public"
TASK = "load balancer"
POLL_SECONDS = 2.0


class NotReached(MissingPrerequisite):
    """The hub's name or certificate is not valid yet; `fix` says which record to make."""


def await_load_balancer(progress: Progress, patience: float = 300.0) -> str:
    """Return the address of the hub's load balancer, "" where its Service asks for none.

    Helm 4 calls a release ready before there is one. Raises `ClusterRefused` with what Kubernetes
    says about the Service when the patience (seconds) is over.
    """
    space = NAMESPACES["pangeo"]
    if get("service", SERVICE, space).get("spec", {}).get("type") != "LoadBalancer":
        return ""
    progress(Event(TASK, "start"))
    until = time.monotonic() + patience
    while True:
        if address := load_balancer():
            progress(Event(TASK, "done", address))
            return address
        if time.monotonic() > until:
            progress(Event(TASK, "failed", "no address"))
            told = run("kubectl", "describe", "service", SERVICE, "--namespace", space)
            raise ClusterRefused(
                f"The Service {SERVICE} has no address after {patience:.0f} s.",
                why=told.partition("Events:")[2].strip() or "Kubernetes reports no event for it.",
                fix="The charts are installed. On a cluster without load balancers set "
                "jupyterhub.proxy.service.type to ClusterIP or NodePort.",
            )
        time.sleep(POLL_SECONDS)


def load_balancer() -> str:
    """Return the host name or address of the hub's load balancer, "" if it has none yet."""
    service: dict[str, Any] = get("service", SERVICE, NAMESPACES["pangeo"])
    listed = service.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    return next((str(one.get("hostname") or one.get("ip")) for one in listed), "")


def await_name(url: str, progress: Progress, patience: float = 600.0) -> None:
    """Wait until the hub's name resolves and its certificate is valid.

    The record can be made while it waits. Raises `NotReached` that says which when the patience
    (seconds) is over.
    """
    host, to = urlsplit(url).hostname or "", load_balancer() or "the load balancer"
    progress(Event("name", "start", f"{host}, a CNAME record to {to}"))
    until, why = time.monotonic() + patience, ""
    while True:
        if not (why := _unreachable(url, host)):
            progress(Event("name", "done", host))
            return
        if time.monotonic() > until:
            progress(Event("name", "failed", host))
            raise NotReached(
                f"{host} does not answer yet: the charts are installed, nobody visited the hub.",
                why=why,
                fix=f"Make a CNAME record {host} -> {to}, wait until it is known (the certificate "
                "follows within minutes), and deploy again.",
            )
        time.sleep(POLL_SECONDS)


def once_reached(url: str, visit: Callable[[], bool], progress: Progress) -> Callable[[], bool]:
    """Return the visit, made to wait for the hub's name and certificate first."""

    def visited() -> bool:
        await_name(url, progress)
        return visit()

    return visited


def _unreachable(url: str, host: str) -> str:
    import requests

    try:
        socket.getaddrinfo(host, urlsplit(url).port or 443)
        requests.get(f"{url}/hub/api", timeout=10.0)
    except OSError as error:  # requests' errors are OSErrors too
        return str(error)
    return ""
