"""What this machine has of what every command needs."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from pangeo_core.errors import PangeoDeployError
from pangeo_deploy.charts.render import find_helm
from pangeo_deploy.deployment import default_state, environments, find_project
from pangeo_deploy.targets.check import Check
from pangeo_deploy.terraform.engine import find_engine

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
MAC_CHROME = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
FREE_GB = 2.0  # the environment, the book and a rehearsal fit in this


def machine() -> Iterator[Check]:
    """Yield a finding for each thing."""
    for check in (_python, _project, _terraform, _helm, _state, _git, _chromium):
        yield check()


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("Python", sys.version_info >= (3, 11), version, "")


def _project() -> Check:
    try:
        project = find_project()
    except PangeoDeployError as error:
        return Check("project", False, error.what, error.fix)
    return Check("project", True, f"{project} with {', '.join(environments(project))}")


def _terraform() -> Check:
    try:
        engine = find_engine()
    except PangeoDeployError as error:
        return Check("Terraform", False, f"{error.what} {error.why}", error.fix)
    return Check("Terraform", True, f"{engine.program} ({engine.version})")


def _helm() -> Check:
    try:
        program, _ = find_helm("")
    except PangeoDeployError as error:
        detail = "not found; needed by charts check, render and deploy"
        return Check("Helm", False, detail, error.fix, required=False)
    return Check("Helm", True, program)


def _state() -> Check:
    try:
        state = default_state(find_project())
        state.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(state).free / 1e9
    except (OSError, PangeoDeployError) as error:
        return Check(
            "state folder", False, str(error), "Set PANGEO_DEPLOY_STATE to another folder."
        )
    ok = os.access(state, os.W_OK) and free >= FREE_GB
    detail = f"{state}, {free:.1f} GB free"
    return Check(
        "state folder", ok, detail, "" if ok else f"Free {FREE_GB:.0f} GB, or name another."
    )


def _git() -> Check:
    program = shutil.which("git")
    fix = "" if program else "Without it, pages cannot name the commit they were built from."
    return Check("git", bool(program), program or "not found", fix, required=False)


def _chromium() -> Check:
    program = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if not program and MAC_CHROME.exists():
        program = str(MAC_CHROME)
    fix = "" if program else "For the browser tests and the PDF: install Chromium or Chrome."
    return Check("Chromium", bool(program), program or "not found", fix, required=False)
