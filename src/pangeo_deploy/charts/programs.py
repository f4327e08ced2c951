"""Call helm and kubectl: which versions these are, and what they say when they fail."""

import json
import os
import shutil
import subprocess
from functools import cache
from typing import Any

from pangeo_core.errors import MissingPrerequisite, PangeoDeployError

__all__ = [
    "ClusterRefused",
    "apply",
    "find",
    "get",
    "helm_major",
    "require_programs",
    "run",
    "warnings",
]

WHERE = {
    "helm": "https://helm.sh/docs/intro/install/",
    "kubectl": "https://kubernetes.io/docs/tasks/tools/",
}
PATIENCE_SECONDS = 1800.0  # above every time-out that helm and kubectl are given here
EVENTS = 8


class ClusterRefused(PangeoDeployError):
    """Helm or kubectl failed; `why` holds its own words."""


def require_programs() -> None:
    """Refuse a machine without helm and kubectl."""
    for program, address in WHERE.items():
        if not find(program):
            raise MissingPrerequisite(f"{program} is not on PATH.", fix=f"See {address}")


def find(program: str) -> str | None:
    """Return where a program is, None for nowhere.

    Looked for in the folder that `PANGEO_DEPLOY_PROGRAMS` names, and then on PATH.
    """
    folders = (os.environ.get("PANGEO_DEPLOY_PROGRAMS"), os.environ.get("PATH"))
    return shutil.which(program, path=os.pathsep.join(filter(None, folders)))


def run(*command: str, given: str | None = None, secret: bool = False) -> str:
    """Run a program and return what it prints; its words are left out of errors if `secret`."""
    try:
        done = subprocess.run(
            (find(command[0]) or command[0], *command[1:]),
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterRefused(
            f"{' '.join(command[:2])} did not end within {PATIENCE_SECONDS / 60:.0f} minutes."
        ) from error
    if done.returncode:
        why = "(not shown: it may hold a secret)" if secret else done.stderr.strip()
        raise ClusterRefused(f"{' '.join(command[:2])} failed.", why=why)
    return done.stdout


def helm_major(program: str = "helm") -> int:
    """Return Helm's major version: 3 and 4 need different words for the same thing."""
    return _major(find(program) or program)


@cache
def _major(program: str) -> int:
    return int(run(program, "version", "--short").strip().lstrip("v").split(".")[0])


def get(kind: str, name: str = "", namespace: str = "", secret: bool = False) -> dict[str, Any]:
    """Return a resource as Kubernetes holds it, empty if there is none; a list without a name."""
    words = ["get", kind, *([name] if name else [])]
    where = ["--namespace", namespace] if namespace else ["--all-namespaces"] if not name else []
    text = run("kubectl", *words, *where, "--ignore-not-found", "--output", "json", secret=secret)
    return dict(json.loads(text or "{}"))


def apply(manifest: dict[str, Any], secret: bool = False) -> None:
    """Have the cluster hold a manifest; it goes over stdin, and so into no argument or log."""
    words = ("apply", "--server-side", "--force-conflicts", "-f", "-")
    run("kubectl", *words, given=json.dumps(manifest), secret=secret)


def warnings(namespace: str) -> str:
    """Return the newest warnings of a namespace, which say why a pod did not start.

    They outlast the pods that Helm takes away after a failed installation. Empty if there are none.
    """
    try:
        words = ("get", "events", "--namespace", namespace, "--field-selector", "type=Warning")
        items = json.loads(run("kubectl", *words, "--output", "json"))["items"]
    except (ClusterRefused, ValueError, KeyError):
        return ""  # whoever asks has a better error to show
    lines: dict[str, None] = {}
    for event in sorted(items, key=_last_seen, reverse=True):
        about = event.get("involvedObject") or {}
        where = f"{about.get('kind', '')}/{about.get('name', '')}"
        lines[f"{where}: {event.get('reason', '')}: {event.get('message', '').strip()}"] = None
    return "\n".join([*lines][:EVENTS])


def _last_seen(event: dict[str, Any]) -> str:
    created = (event.get("metadata") or {}).get("creationTimestamp")
    return str(event.get("lastTimestamp") or event.get("eventTime") or created or "")
