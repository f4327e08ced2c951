"""Start and stop the rehearsal's hub: JupyterHub and Dask-Gateway on this machine."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from local_hub import hub_state, saved_database
from local_hub.definition import HubDefinition, HubPlace
from local_hub.hub_status import LOG_LINES, Hub, look, recorded_parts, tail, user_checks
from local_hub.parts import answers, parts, program, require_binderhub
from local_hub.supervisor import end_all, marked
from local_hub.supervisor_process import launch, locked, stop, supervisor
from pangeo_core.errors import BadInput, PangeoDeployError
from pangeo_core.progress import Event, Progress, silent

READY_SECONDS = 90.0
GIVE_UP_RESTARTS = 2  # a part that ended this often while starting will not start
# Files of a stopped hub; homes are kept.
STALE = ("logs/*.log", "*.sqlite*", "routes.toml", "parts.json", "repositories.json")
LASTING = "hub.log"  # with Prometheus' data, the record of who used the hub before
LASTING_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Ended:
    """The result of `down`: how many processes it ended, and how long it took."""

    environment: str
    processes: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)


class HubNotReady(PangeoDeployError):
    """A part of the hub does not start; `why` is the end of its log."""


def up(
    hub: HubDefinition,
    progress: Progress = silent,
    bound: bool = False,
    binder: bool = False,
) -> Hub:
    """Start the hub and return when every part answers; a hub that runs already is returned as is.

    It lives until `down`, or if `bound` at most as long as this process (a notebook, a test).
    With `binder`, BinderHub is one of its services.
    Raises `MissingPrerequisite` without the programs it needs, `HubNotReady` (everything ended
    again) when a part does not answer in time.
    """
    begun = time.monotonic()
    folder = hub.folder
    for name in ("traefik", "dask-gateway-server"):
        program(name)
    if binder:
        require_binderhub()
    with locked(folder):
        if supervisor(folder):
            if binder and not hub_state.load(folder).binder:
                raise BadInput(
                    "The running hub was started without BinderHub.",
                    fix=f"pangeo-deploy hub down {hub.environment}, then: hub up --binder",
                )
            wait_ready(folder, progress)
            return look(hub, seconds=time.monotonic() - begun, reused=True)
        if left := marked(folder):
            progress(Event("hub", "start", f"ends {len(left)} processes of a hub that was killed"))
            end_all(left)
        state = hub_state.create(hub, binder)
        clear(folder)
        saved_database.restore(state)
        launch(folder, bound)
        try:
            wait_ready(folder, progress)
        except BaseException:
            stop(folder)
            raise
    progress(Event("hub", "done", state.public_url, time.monotonic() - begun))
    return look(hub, seconds=time.monotonic() - begun)


def clear(folder: Path) -> None:
    """Remove a stopped hub's files, except homes and the record of their use."""
    for pattern in STALE:
        for file in folder.glob(pattern):
            if file.name != LASTING or file.stat().st_size > LASTING_BYTES:
                file.unlink()


def down(place: HubPlace) -> Ended:
    """Stop the hub with everything that it started: servers, kernels, clusters. Homes are kept."""
    begun = time.monotonic()
    folder = place.folder
    with locked(folder):
        count = stop(folder)
    return Ended(place.environment, count, time.monotonic() - begun)


def status(place: HubPlace) -> Hub:
    """Return the hub's status, including whether a user can log in and write files."""
    hub = look(place)
    return replace(hub, checks=tuple(user_checks(place))) if hub.running else hub


def save(place: HubPlace) -> Path | None:
    """Save the hub's database as the charts do: the next `up` begins with it.

    Return the copy, or None if there was no hub.
    """
    if not (place.folder / "hub.sqlite").exists():
        return None
    return saved_database.save(hub_state.load(place.folder))


@contextmanager
def running(hub: HubDefinition, progress: Progress = silent, binder: bool = False) -> Iterator[Hub]:
    """Run a hub for the time of the block; a hub that runs already is left running."""
    started = up(hub, progress, bound=True, binder=binder)
    try:
        yield started
    finally:
        if not started.reused:
            down(hub)


def wait_ready(folder: Path, progress: Progress) -> None:
    """Wait until every part answers, reporting each."""
    begun = time.monotonic()
    waiting = {part.name: part.health for part in parts(hub_state.load(folder)) if part.health}
    for name in waiting:
        progress(Event(name, "start"))
    while waiting:
        passed = time.monotonic() - begun
        for name in [name for name, health in waiting.items() if answers(health)]:
            del waiting[name]
            progress(Event(name, "done", seconds=passed))
        looping = [
            entry["name"]
            for entry in recorded_parts(folder)
            if entry["restarts"] >= GIVE_UP_RESTARTS
        ]
        if waiting and (looping or passed > READY_SECONDS or not supervisor(folder)):
            name = next(iter((*looping, *waiting)))
            logs = folder / "logs"
            raise HubNotReady(
                f"The hub's {name} does not answer after {passed:.0f} s.",
                why=tail(logs / f"{name}.log", LOG_LINES)
                or tail(logs / "supervisor.log", LOG_LINES),
                fix=f"Look into {logs}, then run `hub up` again.",
            )
        if waiting:
            time.sleep(0.1)
