"""The side effects of an apply: it also changes what the resources it creates depend on.

A new route changes its route table, a new policy its role, which Terraform recorded before that
change. Only these dependencies need another read, not the whole state.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pangeo_core.terraform_json import without_index
from pangeo_deploy.terraform.state_files import parsed
from pangeo_deploy.terraform.workspace import Workspace

State = Mapping[str, Any]


def settle(workspace: Workspace) -> None:
    """Record in the state what an apply's resources changed in others; drift would report it.

    It spares a full refresh, which would read every resource after each small change.
    """
    targets = affected(workspace.state, parsed(workspace.read_state()) or {})
    if not targets:
        return
    workspace.terraform.stream(
        "apply",
        "-refresh-only",
        "-auto-approve",
        "-input=false",
        "-json",
        f"-var-file={workspace.variables}",
        *(f"-target={address}" for address in targets),
    )


def affected(before: State, after: State) -> list[str]:
    """Return the addresses that may differ from what the state says, after resources changed.

    These are the dependencies of the resources that differ between the two states.
    """
    depended: set[str] = set()
    known = [dict(_instances(state)) for state in (before, after)]
    for state, other in (known, known[::-1]):
        for key, instance in state.items():
            if other.get(key) != instance:
                depended.update(instance.get("dependencies", ()))
    addresses = {_address(resource) for resource in _managed(after)}
    return sorted(one for one in addresses if without_index(one) in depended)


def _managed(state: State) -> Iterator[Mapping[str, Any]]:
    return (one for one in state.get("resources", ()) if one["mode"] == "managed")


def _instances(state: State) -> Iterator[tuple[tuple[Any, ...], Mapping[str, Any]]]:
    for resource in _managed(state):
        for instance in resource["instances"]:
            key = _address(resource), instance.get("index_key"), instance.get("deposed")
            yield key, instance


def _address(resource: Mapping[str, Any]) -> str:
    module = f"{resource['module']}." if resource.get("module") else ""
    return f"{module}{resource['type']}.{resource['name']}"
