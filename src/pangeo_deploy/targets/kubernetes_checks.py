"""Checks of a Kubernetes cluster before the charts: version, rights, a storage class."""

import json
import re
from collections.abc import Iterator
from typing import Any

from pangeo_deploy.charts.deploy import OLDEST_MINOR
from pangeo_deploy.charts.programs import ClusterRefused, get, run
from pangeo_deploy.targets.check import Check
from pangeo_deploy.targets.program_checks import KUBECTL, programs

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
# Kinds that the charts create outside of their namespaces.
NEEDED = ("namespaces", "clusterroles", "customresourcedefinitions", "priorityclasses")


def checks() -> Iterator[Check]:
    """Yield the checks of helm, kubectl, the cluster, its version, rights and storage class."""
    found = list(programs((1, OLDEST_MINOR), with_aws=False))
    yield from found
    if not next(check for check in found if check.name == KUBECTL.name).ok:
        return
    try:
        context = run("kubectl", "config", "current-context").strip()
        told = json.loads(run("kubectl", "version", "--output", "json", "--request-timeout=10s"))
    except ClusterRefused as error:
        yield Check("cluster", False, error.why, "Choose one: kubectl config use-context NAME")
        return
    yield Check("cluster", True, context)
    yield from _versions(told)
    yield _rights()
    yield _storage()


def _versions(told: dict[str, Any]) -> Iterator[Check]:
    server, client = (
        int(re.sub(r"\D", "", str((told.get(side) or {}).get("minor", "0"))) or 0)
        for side in ("serverVersion", "clientVersion")
    )
    fix = "" if server >= OLDEST_MINOR else f"Upgrade the cluster to 1.{OLDEST_MINOR} or newer."
    yield Check("Kubernetes", server >= OLDEST_MINOR, f"1.{server}", fix)
    near = abs(server - client) <= 1
    detail = f"kubectl 1.{client} with Kubernetes 1.{server}"
    fix = "" if near else f"Install kubectl 1.{server}: one minor version apart is supported."
    yield Check("kubectl's version", near, detail, fix, required=False)


def _rights() -> Check:
    lacking = []
    for kind in NEEDED:
        try:
            run("kubectl", "auth", "can-i", "create", kind)
        except ClusterRefused:  # it says no by its exit code
            lacking.append(kind)
    fix = "Use a context of an administrator of the cluster." if lacking else ""
    detail = f"may not create {', '.join(lacking)}" if lacking else "may create what the charts are"
    return Check("rights", not lacking, detail, fix)


def _storage() -> Check:
    try:
        classes = get("storageclasses").get("items") or ()
    except ClusterRefused as error:
        return Check("storage class", False, error.why, "Ask for the right to list them.")
    marked = [
        str(storage_class["metadata"]["name"])
        for storage_class in classes
        if (storage_class["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true"
    ]
    if marked:
        return Check("storage class", True, f"{marked[0]} is the default")
    fix = "Mark a class as the default, or name one in the environment's values."
    return Check("storage class", False, "no class is the default", fix, required=False)
