"""Install the charts in the rehearsal: releases on this machine, and a hub that runs from one.

What Helm stores in a cluster is stored in a folder: each revision's charts and values, and which
one runs. The hub is the rehearsal's, and reads the files of its revision.
"""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pangeo_core.errors import CheckFailed
from pangeo_core.files import read_json, write_whole
from pangeo_core.progress import Event, Progress, silent
from pangeo_deploy.charts.check import check
from pangeo_deploy.charts.deploy import Deployed, require_well
from pangeo_deploy.deployment import Deployment, default_state

StartRevision = Callable[[Deployment, Progress], None]


def deploy(
    deployment: Deployment,
    start: StartRevision,
    stop: Callable[[], object],
    smoke: Callable[[], bool] | None = None,
    progress: Progress = silent,
) -> Deployed:
    """Install the checkout's charts as a new revision; roll back if `smoke` fails.

    `start` starts the hub of a revision, `stop` stops the running hub.
    """

    def run(revision: int, progress: Progress) -> None:
        stop()
        start(released(deployment, revision), progress)

    begun = time.monotonic()
    require_well(check(deployment.project, deployment.environment))
    before = current(deployment)
    number = 1 + max((one["revision"] for one in history(deployment)), default=0)
    since = time.monotonic()
    progress(Event("pangeo", "start"))
    keep(deployment, number)
    run(number, progress)
    progress(Event("pangeo", "done", f"revision {number}", time.monotonic() - since))
    well = smoke() if smoke else None
    if well is False:
        write(deployment, number, "failed", before)
        raise CheckFailed("The smoke test failed after the deploy.", why=_undo(run, before))
    write(deployment, number, "deployed", number)
    revisions = dict.fromkeys(("support", "pangeo"), (before, number))
    return Deployed(deployment.environment, revisions, well, time.monotonic() - begun)


def forget(deployment: Deployment) -> None:
    """Remove the revisions, as `helm uninstall` does."""
    shutil.rmtree(folder(deployment), ignore_errors=True)


def _undo(run: Callable[[int, Progress], None], before: int) -> str:
    if not before:
        return "It was the first deploy: with no revision to go back to, it was left as it is."
    run(before, silent)
    return f"pangeo went back to revision {before}."


def released(deployment: Deployment, number: int) -> Deployment:
    """Return the deployment with a revision's copy as its project."""
    state = deployment.state or default_state(deployment.project)
    return replace(deployment, project=folder(deployment) / str(number), state=state)


def keep(deployment: Deployment, number: int) -> None:
    """Copy the files of a revision, completely or not at all."""
    target = folder(deployment) / str(number)
    draft = target.with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(deployment.project / "helm", draft / "helm")
    place = draft / "terraform" / "environments"
    place.mkdir(parents=True)
    shutil.copy(deployment.tfvars, place)
    shutil.rmtree(target, ignore_errors=True)
    draft.replace(target)


def folder(deployment: Deployment) -> Path:
    """Return the folder of a deployment's revisions."""
    return deployment.folder / "releases"


def history(deployment: Deployment) -> list[dict[str, Any]]:
    """Return the revisions in order, each with its status: deployed, superseded or failed."""
    file = folder(deployment) / "history.json"
    found: list[dict[str, Any]] = read_json(file)["revisions"] if file.exists() else []
    return found


def current(deployment: Deployment) -> int:
    """Return the running revision, 0 for none."""
    file = folder(deployment) / "history.json"
    return int(read_json(file)["current"]) if file.exists() else 0


def write(deployment: Deployment, number: int, status: str, runs: int) -> None:
    """Record a revision's status, and which one runs now."""
    known = history(deployment)
    if status == "deployed":
        known = [
            revision | {"status": "superseded"} if revision["status"] == "deployed" else revision
            for revision in known
        ]
    known.append({"revision": number, "status": status})
    content = {"current": runs, "revisions": known}
    write_whole(folder(deployment) / "history.json", json.dumps(content, indent=1))
