"""The state of a hub: its parts, its addresses, what a user can do, and where use is recorded."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from hub_user.user import log_in
from local_hub import hub_state
from local_hub.definition import HubPlace
from local_hub.parts import answers
from local_hub.supervisor import marked
from local_hub.supervisor_process import supervisor
from pangeo_core.errors import BadInput, PangeoDeployError

LOG_LINES = 20
WRITTEN_BYTES = 2**20  # written by a check: more than a file system stores with a file's name


@dataclass(frozen=True)
class PartStatus:
    """One part: its process (None: not running), whether it answers, how often it was restarted."""

    name: str
    pid: int | None
    ok: bool
    restarts: int
    log: str


@dataclass(frozen=True)
class UserCheck:
    """One action of a user, whether it works, and the reason if it does not."""

    name: str
    ok: bool
    why: str = ""


@dataclass(frozen=True)
class Hub:
    """A rehearsed hub: its URL and the status of its parts. `running`: its supervisor is alive.

    `people` are names and passwords of those who may log in, `binder` is the URL of BinderHub's
    page ("" without one), `orphans` is the number of processes left by a killed supervisor.
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
class Records:
    """Where a hub's use is recorded: Prometheus' URL ("" without one), the hub's log, the folder
    of its homes, and when it was started.
    """

    prometheus: str
    log: Path
    homes: Path
    since: datetime


def user_checks(place: HubPlace) -> Iterator[UserCheck]:
    """Yield whether a user can log in, and whether a file can be written."""
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


def password(place: HubPlace, user: str) -> str:
    """Return the password of one of the rehearsal's people at this hub."""
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
    """Return the `PROVIDER/SPEC` by which one of the rehearsal's repositories is launched."""
    file = place.folder / "repositories.json"
    if not file.exists():
        raise BadInput(
            "The running hub was started without BinderHub.",
            fix=f"pangeo-deploy hub down {place.environment}, then: hub up --binder",
        )
    return str(json.loads(file.read_bytes())[name])


def records(place: HubPlace) -> Records:
    """Return where the hub records its use."""
    folder = place.folder
    born = json.loads((folder / "supervisor.json").read_bytes())["born"]
    monitored = any(part["name"] == "prometheus" for part in recorded_parts(folder))
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
        tuple(part_status(folder, part) for part in recorded_parts(folder)),
        seconds,
        reused,
        people={name: hub_state.password(state.secrets["login"], name) for name in names},
        binder=f"{state.service_url('binder')}/" if state.binder else "",
    )


def part_status(folder: Path, part: dict[str, Any]) -> PartStatus:
    """Return a part's status; a part without a health check is well if it runs."""
    alive = psutil.pid_exists(part["pid"])
    ok = alive and (not part["health"] or answers(part["health"]))
    log = str(folder / "logs" / f"{part['name']}.log")
    return PartStatus(part["name"], part["pid"] if alive else None, ok, part["restarts"], log)


def recorded_parts(folder: Path) -> list[dict[str, Any]]:
    """Return the supervisor's record of its parts, empty before it has written one."""
    try:
        content: list[dict[str, Any]] = json.loads((folder / "parts.json").read_bytes())
    except FileNotFoundError:
        return []
    return content


def tail(file: Path, lines: int) -> str:
    """Return the last lines of a text file, an empty text if there is none."""
    if not file.exists():
        return ""
    return "\n".join(file.read_text(errors="replace").splitlines()[-lines:])
