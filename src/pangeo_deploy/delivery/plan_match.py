"""Tell whether a plan does nothing but what another one, made earlier, said it would do.

Two plans of the same change are seldom equal: the first attempt may have made half of it, so that
what was unknown is known by now. A fresh plan is covered by a reviewed one if each of its changes
was reviewed: the same action on the same thing, with the same value wherever the value was known.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from pangeo_core.terraform_json import resource_changes
from pangeo_deploy.terraform.plans import ACTIONS

UNKNOWN = "?"  # a value that Terraform learns while it applies
TAINTED = "replace_because_tainted"  # made a moment ago, and failed on the way

Fingerprints = Mapping[str, Mapping[str, Any]]


def fingerprints(shown: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return each change of `terraform show -json` of a plan by its address.

    A change has its `action`, `thing` (a digest of what it changes or removes; empty for something
    new), `values` (a digest by path, `?` where unknown), and `tainted`.
    """
    found = {}
    for resource in resource_changes(shown):
        if not (action := ACTIONS.get(resource.actions)):
            continue
        change = resource.change
        thing = resource.before.get("arn") or resource.before.get("id") or ""
        found[resource.address] = {
            "action": action,
            "thing": _digest(thing) if thing else "",
            "values": dict(_values(change.get("after"), change.get("after_unknown"))),
            "tainted": resource.reason == TAINTED,
        }
    return found


def differences(fresh: Fingerprints, reviewed: Fingerprints) -> list[str]:
    """Return what `fresh` does and `reviewed` does not say, a sentence each."""
    return [
        f"{address}: {what}"
        for address, change in sorted(fresh.items())
        if (what := _difference(change, reviewed.get(address)))
    ]


def _difference(fresh: Mapping[str, Any], reviewed: Mapping[str, Any] | None) -> str:
    if reviewed is None:
        return f"{fresh['action']} was not in the review"
    if not _same_action(fresh, reviewed):
        return f"{reviewed['action']} was reviewed, it is {fresh['action']} now"
    if fresh["thing"] and reviewed["thing"] and fresh["thing"] != reviewed["thing"]:
        return f"{fresh['action']} would be of another resource than the one reviewed"
    changed = sorted(_changed(fresh["values"], reviewed["values"]))
    return f"other values than reviewed for {', '.join(changed[:5])}" if changed else ""


def _same_action(fresh: Mapping[str, Any], reviewed: Mapping[str, Any]) -> bool:
    """Tell whether an action is the reviewed one, or what is left of it after a failed attempt."""
    left = {
        ("create", "replace"),  # removed already, and not made yet
        ("replace", "create") if fresh["tainted"] else ("", ""),  # made, and failed on the way
    }
    actions = (fresh["action"], reviewed["action"])
    return actions[0] == actions[1] or actions in left


def _changed(fresh: Mapping[str, str], reviewed: Mapping[str, str]) -> Iterator[str]:
    open_paths = {path for path, value in reviewed.items() if value == UNKNOWN}

    def learned(path: str) -> bool:
        """Tell whether the review could not know the value at a path, or above it."""
        parts = path.split("/")
        return any("/".join(parts[:n]) in open_paths for n in range(1, len(parts) + 1))

    for path in fresh.keys() | reviewed.keys():
        if not learned(path) and fresh.get(path) != reviewed.get(path):
            yield path


def _values(value: Any, unknown: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, digest) of every known value, (path, `?`) of every unknown one."""
    if unknown is True:
        yield path, UNKNOWN
        return
    inner: Any = ()
    if isinstance(value, Mapping) or isinstance(unknown, Mapping):
        value, unknown = value or {}, unknown or {}
        inner = ((key, value.get(key), unknown.get(key)) for key in value.keys() | unknown.keys())
    elif isinstance(value, list) or isinstance(unknown, list):
        value, unknown = value or [], unknown or []
        padded = [*unknown, *[None] * (len(value) - len(unknown))]
        inner = ((n, value[n] if n < len(value) else None, one) for n, one in enumerate(padded))
    elif value is not None:
        yield path, _digest(value)
    for key, part, mark in inner:
        yield from _values(part, mark, f"{path}/{key}" if path else str(key))


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
