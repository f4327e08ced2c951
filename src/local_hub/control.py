"""Start, stop and look at the rehearsal's hub: JupyterHub and Dask-Gateway on this machine."""

import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from hub_user.user import log_in
from local_hub import hub_state, saved_database
from local_hub.definition import HubDefinition, HubPlace
from local_hub.parts import answers, inherited, parts, program, require_binderhub
from local_hub.supervisor import end_all, marked
from pangeo_core.errors import BadInput, PangeoDeployError
from pangeo_core.files import write_whole
from pangeo_core.progress import Event, Progress, silent

SUPERVISOR = "local_hub.supervisor"
READY_SECONDS = 90.0
GIVE_UP_RESTARTS = 2  # a part that ended this often while starting will not come up
LOG_LINES = 20
WRITTEN_BYTES = 2**20  # what a check writes: more than a file system keeps for a file's name
# Of an ended hub; homes stay.
STALE = ("logs/*.log", "*.sqlite*", "routes.toml", "parts.json", "repositories.json")
LASTING = "hub.log"  # with Prometheus' data, the record of who used the hub before
LASTING_BYTES = 16 * 2**20


@dataclass(frozen=True)
class PartStatus:
    """One part: its process (None: not running), whether it answers, how often it was revived."""

    name: str
    pid: int | None
    ok: bool
    restarts: int
    log: str


@dataclass(frozen=True)
class UserCheck:
    """One thing that a user does, whether it works, and the reason if it does not."""

    name: str
    ok: bool
    why: str = ""


@dataclass(frozen=True)
class Hub:
    """A rehearsed hub: where it answers and how its parts are. `running`: its supervisor lives.

    `people` are names and passwords of those who may log in, `binder` is the address of BinderHub's
    page ("" without one), `orphans` are the processes left of a hub whose supervisor was killed.
    """

    environment: str
    running: bool
    url: str
    folder: Path
    parts: tuple[PartStatus, ...]
    seconds: float = 0.0
    reused: bool = False
    checks: tuple[UserCheck, ...] = ()
    people: Mapping[str, str] = field(default_factory=dict)
    binder: str = ""
    orphans: int = 0

    @property
    def ok(self) -> bool:
        """Whether every part answers, and what a user does works."""
        well = all(part.ok for part in self.parts) and all(check.ok for check in self.checks)
        return self.running and well

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {**asdict(self), "folder": str(self.folder), "ok": self.ok}


@dataclass(frozen=True)
class Ended:
    """What `down` ended: how many processes, and how long it took."""

    environment: str
    processes: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)


@dataclass(frozen=True)
class Records:
    """Where a hub's use is written down: Prometheus' address ("" without one), the hub's log, the
    folder of its homes, and since when it runs.
    """

    prometheus: str
    log: Path
    homes: Path
    since: datetime


class HubNotReady(PangeoDeployError):
    """A part of the hub does not come up; `why` holds the end of its log."""


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
    """Remove what an ended hub has left, but for its people's homes and the record of their use."""
    for pattern in STALE:
        for file in folder.glob(pattern):
            if file.name != LASTING or file.stat().st_size > LASTING_BYTES:
                file.unlink()


def down(place: HubPlace) -> Ended:
    """End the hub with everything that it started: servers, kernels, clusters. Homes stay."""
    begun = time.monotonic()
    folder = place.folder
    with locked(folder):
        count = stop(folder)
    return Ended(place.environment, count, time.monotonic() - begun)


def status(place: HubPlace) -> Hub:
    """Return how the hub is, as its users would find it: they log in, and write to their homes."""
    hub = look(place)
    return replace(hub, checks=tuple(user_checks(place))) if hub.running else hub


def user_checks(place: HubPlace) -> Iterator[UserCheck]:
    """Yield what a user would find: whether a log-in is answered, and whether a file is written."""
    state = hub_state.load(place.folder)
    name = hub_state.USERS[-1]
    try:
        user = log_in(state.public_url, name, hub_state.password(state.secrets["login"], name), 60)
        token = user.ask("GET", "/hub/api/user").json()["token_id"]
        user.ask("DELETE", f"/hub/api/users/{name}/tokens/{token}")
        yield UserCheck("log in", True)
    except PangeoDeployError as error:
        yield UserCheck("log in", False, f"{error.what} {error.why}".strip())
    try:
        with tempfile.TemporaryFile(dir=place.folder) as file:
            file.write(b"0" * WRITTEN_BYTES)
            file.flush()
            os.fsync(file.fileno())
        yield UserCheck("write a file", True)
    except OSError as error:
        yield UserCheck("write a file", False, f"{place.folder}: {error.strerror}")


def save(place: HubPlace) -> Path | None:
    """Save the hub's database as the charts do: the next `up` begins with it.

    Return the copy, None where there has been no hub.
    """
    if not (place.folder / "hub.sqlite").exists():
        return None
    return saved_database.save(hub_state.load(place.folder))


@contextmanager
def running(hub: HubDefinition, progress: Progress = silent, binder: bool = False) -> Iterator[Hub]:
    """Have a hub for the time of the block: one that runs already is left running."""
    started = up(hub, progress, bound=True, binder=binder)
    try:
        yield started
    finally:
        if not started.reused:
            down(hub)


def password(place: HubPlace, user: str) -> str:
    """Return a rehearsed person's password at this hub."""
    return hub_state.password(hub_state.load(place.folder).secrets["login"], user)


def gateway_address(place: HubPlace) -> str:
    """Return the address at which programs of this machine reach the gateway."""
    return str(hub_state.load(place.folder).settings["dask"]["address"])


def gateway_proxy(place: HubPlace) -> str:
    """Return the address at which clients reach the schedulers of Dask clusters."""
    return str(hub_state.load(place.folder).settings["dask"]["proxy_address"])


def janitor_token(place: HubPlace) -> str:
    """Return the token with which the janitor may list and stop servers."""
    return hub_state.load(place.folder).secrets["janitor"]


def repository(place: HubPlace, name: str = "example") -> str:
    """Return what a launch of one of the rehearsal's repositories is called, `PROVIDER/SPEC`."""
    file = place.folder / "repositories.json"
    if not file.exists():
        raise BadInput(
            "The running hub was started without BinderHub.",
            fix=f"pangeo-deploy hub down {place.environment}, then: hub up --binder",
        )
    return str(json.loads(file.read_bytes())[name])


def records(place: HubPlace) -> Records:
    """Return where the hub keeps what its people did."""
    folder = place.folder
    born = json.loads((folder / "supervisor.json").read_bytes())["born"]
    monitored = any(one["name"] == "prometheus" for one in recorded_parts(folder))
    return Records(
        prometheus=hub_state.load(folder).url("prometheus") if monitored else "",
        log=folder / "logs" / "hub.log",
        homes=folder / "homes",
        since=datetime.fromtimestamp(born, UTC),
    )


def log_tail(place: HubPlace, part: str, lines: int = LOG_LINES) -> str:
    """Return the end of a part's log."""
    return tail(place.folder / "logs" / f"{part}.log", lines)


def look(place: HubPlace, seconds: float = 0.0, reused: bool = False) -> Hub:
    """Return the hub's state as its processes and addresses show it now."""
    folder = place.folder
    if not (folder / "hub.json").exists() or not supervisor(folder):
        orphans = len(marked(folder))
        return Hub(place.environment, False, "", folder, (), seconds, orphans=orphans)
    state = hub_state.load(folder)
    names = (*hub_state.USERS[:2], *hub_state.ADMINS)
    return Hub(
        place.environment,
        True,
        state.public_url,
        folder,
        tuple(part_status(folder, one) for one in recorded_parts(folder)),
        seconds,
        reused,
        people={name: hub_state.password(state.secrets["login"], name) for name in names},
        binder=f"{state.service_url('binder')}/" if state.binder else "",
    )


def part_status(folder: Path, one: dict[str, Any]) -> PartStatus:
    """Return how a part is; one without an address of its own is well if it lives."""
    alive = psutil.pid_exists(one["pid"])
    ok = alive and (not one["health"] or answers(one["health"]))
    log = str(folder / "logs" / f"{one['name']}.log")
    return PartStatus(one["name"], one["pid"] if alive else None, ok, one["restarts"], log)


def recorded_parts(folder: Path) -> list[dict[str, Any]]:
    """Return what the supervisor wrote of its parts, nothing before it has."""
    try:
        content: list[dict[str, Any]] = json.loads((folder / "parts.json").read_bytes())
    except FileNotFoundError:
        return []
    return content


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one `up` or `down` of a hub happen at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BadInput(
                "This hub is being started or stopped by another command.",
                fix="Wait for that one to end.",
            ) from None
        yield


def launch(folder: Path, bound: bool) -> None:
    """Start the supervisor: it lives on when this process ends, unless it is bound to it."""
    (folder / "logs").mkdir(exist_ok=True)
    source = str(Path(__file__).resolve().parents[1])
    paths = os.pathsep.join(path for path in (source, os.environ.get("PYTHONPATH", "")) if path)
    with (folder / "logs" / "supervisor.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", SUPERVISOR],
            cwd=folder,
            env={
                **inherited(),
                hub_state.FOLDER: str(folder),
                hub_state.OWNER: str(os.getpid()) if bound else "",
                "PYTHONPATH": paths,
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    born = psutil.Process(process.pid).create_time()
    write_whole(folder / "supervisor.json", json.dumps({"pid": process.pid, "born": born}))


def supervisor(folder: Path) -> psutil.Process | None:
    """Return the hub's supervisor if it lives: the very process, not one that got its number."""
    try:
        known = json.loads((folder / "supervisor.json").read_bytes())
        process = psutil.Process(known["pid"])
        # Not by when it was born: psutil counts that from the clock, which may be set.
        ours = process.environ().get(hub_state.FOLDER) == str(folder)
        same = ours and SUPERVISOR in process.cmdline()
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (FileNotFoundError, ValueError, psutil.Error, OSError):
        return None


def stop(folder: Path) -> int:
    """End the supervisor, which ends its parts, then whatever is left of the hub."""
    found = marked(folder)
    if process := supervisor(folder):
        process.terminate()
        psutil.wait_procs([process], timeout=60)
    end_all(marked(folder))
    (folder / "supervisor.json").unlink(missing_ok=True)
    return len(found)


def wait_ready(folder: Path, progress: Progress) -> None:
    """Wait until every part answers, telling of each as it does."""
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
            one["name"] for one in recorded_parts(folder) if one["restarts"] >= GIVE_UP_RESTARTS
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


def tail(file: Path, lines: int) -> str:
    """Return the last lines of a text file, nothing if there is none."""
    if not file.exists():
        return ""
    return "\n".join(file.read_text(errors="replace").splitlines()[-lines:])
