"""BinderHub in the rehearsal: the real service and launcher, with folders in place of images.

    python -m local_hub.binder_service --config FILE

BinderHub resolves the reference, looks for the image, counts the servers of a repository, has the
hub launch it and reports progress as a stream of events: all of that is BinderHub's own. Without
Docker the build is ours: the repository is cloned, repo2docker determines how it would be built (a
Dockerfile that nothing executes), and the clone is the image. A server launched from it has the
repository's files and the rehearsal's packages, not the repository's own.

Works with PyPI's BinderHub (0.1.0, of 2018) and with today's, which is on GitHub only and which the
chart installs.
"""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tornado.ioloop import IOLoop
from tornado.web import HTTPError

from hub_user.janitor import everybody
from hub_user.user import User
from local_hub import hub_state
from local_hub.hub_state import folder_of_image
from pangeo_core.lifeline import die_with_parent

BUILD_SECONDS = 120
SHOWN_LINES = 4  # the end of a failed step's output


class Images:
    """Stands in for a registry, which BinderHub asks whether an image exists."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def get_image_manifest(self, image: str, tag: str) -> dict[str, str] | None:
        """Return a manifest if the image exists."""
        return {"tag": tag} if folder_of_image(self.folder, f"{image}:{tag}").is_dir() else None

    async def get_credentials(self, image: str, tag: str) -> dict[str, str]:
        """Return no credentials: pushing needs none."""
        return {}


class Pods:
    """Stands in for Kubernetes, which BinderHub asks for running servers; the hub knows them."""

    def __init__(self, hub: hub_state.HubState) -> None:
        self.janitor = User(hub.url("hub"), "janitor", hub.secrets["janitor"])

    def list_namespaced_pod(self, *_: Any, _preload_content: bool = True, **__: Any) -> Any:
        """Return the pods as objects, or as the response that contains them."""
        options = [
            server.get("user_options") or {}
            for person in everybody(self.janitor).values()
            for server in person["servers"].values()
        ]
        images = [chosen.get("image", "hub") for chosen in options]
        pods = {"items": [{"spec": {"containers": [{"image": image}]}} for image in images]}
        if _preload_content:
            return json.loads(
                json.dumps(pods), object_hook=lambda fields: SimpleNamespace(**fields)
            )
        return SimpleNamespace(read=lambda: json.dumps(pods))


class Build:
    """Clones a repository at a reference and asks repo2docker how it would be built."""

    def __init__(self, folder: Path, tell: Callable[..., None], **asked: Any) -> None:
        self.image = folder_of_image(folder, asked["image_name"])
        self.repo_url, self.ref, self.queue = asked["repo_url"], asked["ref"], asked["q"]
        self.tell = partial(tell, self.queue)

    def submit(self) -> None:
        """Report that the build runs: BinderHub then asks for its logs."""
        self.tell("Running")

    def stream_logs(self) -> None:
        """Build, reporting each step; the image exists as a whole or not at all."""
        work = self.image.with_name(f".{self.image.name}")
        shutil.rmtree(work, ignore_errors=True)
        recipe = [sys.executable, "-m", "repo2docker", "--no-build", "--user-name=jovyan"]
        steps = (
            ("fetching", "Cloning", ["git", "clone", "--quiet", "--", self.repo_url, str(work)]),
            ("fetching", "Checking out", ["git", "-C", str(work), "checkout", "-q", self.ref]),
            ("building", "Planning", [*recipe, "--user-id=1000", str(work)]),
        )
        for phase, doing, command in steps:
            self.log(phase, f"{doing} {self.repo_url}\n")
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
            )
            if done.returncode:
                shutil.rmtree(work, ignore_errors=True)
                self.log("failed", "\n".join(done.stderr.splitlines()[-SHOWN_LINES:]) + "\n")
                self.tell("Failed")
                return
        self.log("building", "No image is made: the rehearsal's own packages serve.\n")
        work.rename(self.image)
        self.tell("Succeeded")

    def log(self, phase: str, message: str) -> None:
        """Report a line of the log."""
        self.tell("log", json.dumps({"phase": phase, "message": message}))

    def stop(self) -> None:
        """Do nothing: a build without listeners goes on for the next request."""


def teller(loop: Any, build: Any) -> Callable[..., None]:
    """Return a function that puts progress on a build's queue, as BinderHub's handler reads it."""
    if event := getattr(build, "ProgressEvent", None):
        known = {"Running": "RUNNING", "Succeeded": "BUILT", "Failed": "FAILED"}

        def wrap(kind: str, payload: str) -> Any:
            if kind == "log":
                return event(event.Kind.LOG_MESSAGE, payload)
            return event(event.Kind.BUILD_STATUS_CHANGE, event.BuildStatus[known[kind]])
    else:
        phases = {"Succeeded": "Deleted"}  # the pod has ended: only then is the image pushed

        def wrap(kind: str, payload: str) -> Any:
            if kind == "log":
                return {"kind": "log", "payload": payload}
            return {"kind": "pod.phasechange", "payload": phases.get(kind, kind)}

    def tell(queue: Any, kind: str, payload: str = "") -> None:
        loop.add_callback(queue.put, wrap(kind, payload))

    return tell


def streams_to_own_page(handler: Any) -> None:
    """Accept the cookie of a request from this service's own page.

    The page of 2018 opens its event stream without the token that JupyterHub 5 requires; today's
    BinderHub gives its page a token. The browser sends the page's origin.
    """
    if handler.request.headers.get("Sec-Fetch-Site") != "same-origin":
        raise HTTPError(403, "Not asked by Binder's own page")


async def serve() -> None:
    """Serve until the process ends."""
    from binderhub import build, builder
    from binderhub.app import BinderHub

    die_with_parent()
    hub = hub_state.load()
    app = BinderHub.instance()
    app.initialize(sys.argv[1:])
    known = app.tornado_app.settings
    made = partial(Build, hub.folder, teller(IOLoop.current(), build))
    known |= {
        "registry": Images(hub.folder),
        "kubernetes_client": Pods(hub),
        "build_class": made,  # where today's BinderHub looks
        "docker_image_prefix": hub.settings["binder"]["registry_prefix"],
    }
    builder.Build = made  # where that of 2018 does
    if quota := known.get("launch_quota"):
        quota.api = Pods(hub)
    builder.BuildHandler.check_xsrf_cookie = streams_to_own_page
    # Its own `start` would listen on every address of the machine.
    app.tornado_app.listen(hub.ports["binder"], hub_state.HOST, xheaders=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
