"""Smoke test: log in, start a server, run code, use scratch and a Dask cluster, clean up.

Only public interfaces and an ordinary user's token are used, the same on every target. Dask's steps
run in the user's own kernel, as a user's would.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

from hub_user import cells
from hub_user.binder_launch import launch
from hub_user.cells import with_values
from hub_user.kernel import Kernel
from hub_user.user import Entrance, HubRefused, User
from pangeo_core.errors import CheckFailed, PangeoDeployError
from pangeo_core.progress import Event, Progress, silent

WORKERS = 2
TIMEOUT_SECONDS = 600.0  # a node may have to start first
OTHER = "users/jupyter-somebody-else"


@dataclass(frozen=True)
class Step:
    """One action of a user: whether it worked, how long it took, and details."""

    name: str
    ok: bool
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class Report:
    """The steps of one smoke test, in order; after the first failure only the cleanup."""

    url: str
    user: str
    steps: tuple[Step, ...]
    logs: str = ""

    @property
    def ok(self) -> bool:
        """Whether every step worked."""
        return all(step.ok for step in self.steps)

    @property
    def failed(self) -> Step | None:
        """The first step that did not work."""
        return next((step for step in self.steps if not step.ok), None)

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {"ok": self.ok, **asdict(self), "failed": self.failed and self.failed.name}


@dataclass
class Visit:
    """The state of one user's visit: what a step needs from those before it."""

    user: User
    options: dict[str, Any]
    cluster_options: dict[str, Any]
    at_end: ExitStack
    repository: str = ""
    kernels: ExitStack = field(default_factory=ExitStack)
    kernel: Kernel | None = None

    def cell(self, code: str, **values: object) -> Any:
        """Run a cell in the visit's kernel."""
        assert self.kernel
        return self.kernel.result(with_values(code, **values), TIMEOUT_SECONDS)


def smoke(
    entrance: Entrance,
    options: dict[str, Any] | None = None,
    cluster_options: dict[str, Any] | None = None,
    progress: Progress = silent,
    binder: bool = False,
    repository: str = "",
) -> Report:
    """Visit the hub as an ordinary user, and report each step.

    `options` are the server's (a profile), `cluster_options` the cluster's. With `binder`, a
    repository is launched at the end: `repository` as `PROVIDER/SPEC`, or the target's example.
    """
    launched = repository or (entrance.repository() if binder else "")
    steps: list[Step] = []
    said = ""
    with ExitStack() as at_end:
        visit: Visit | None = None

        def log_in() -> str:
            nonlocal visit
            visit = Visit(entrance.enter(), options or {}, cluster_options or {}, at_end, launched)
            return check_identity(visit)

        for name, part, action in (*STEPS, *(BINDER_STEPS if launched else ())):
            act = log_in if action is check_identity else lambda action=action: action(visit)
            steps.append(timed(name, act, progress))
            if not steps[-1].ok:
                said = entrance.logs(part)
                break
    return Report(entrance.url, visit.user.name if visit else "", tuple(steps), said)


def timed(name: str, action: Callable[[], str], progress: Progress) -> Step:
    """Run one step and return its result; an unexpected error is a bug of ours and is raised."""
    progress(Event(name, "start"))
    begun = time.monotonic()
    try:
        ok, detail = True, action()
    except PangeoDeployError as error:
        ok, detail = False, str(error)
    step = Step(name, ok, round(time.monotonic() - begun, 3), detail)
    progress(Event(name, "done" if ok else "failed", detail, step.seconds))
    return step


def check_identity(visit: Visit) -> str:
    """The token is an ordinary user's: an administrator's would prove nothing."""
    known = visit.user.whoami()
    if known["name"] != visit.user.name:
        raise CheckFailed(f"The token belongs to {known['name']}, not to {visit.user.name}.")
    if known.get("admin"):
        raise CheckFailed(
            f"{visit.user.name} is an administrator.", fix="Use an ordinary user's token."
        )
    return f"{known['name']} is known"


def start_server(visit: Visit) -> str:
    """The server starts, with progress."""
    if visit.user.whoami().get("servers"):
        visit.user.stop_server()
    visit.at_end.callback(stop_quietly, visit)
    events = visit.user.start_server(visit.options)
    return f"{len(events)} progress events"


def run_code(visit: Visit) -> str:
    """A kernel starts and computes; it stays open for the next steps."""
    visit.at_end.callback(close_quietly, visit)
    visit.kernel = visit.kernels.enter_context(visit.user.kernel())
    seen = visit.cell(cells.HELLO)
    if seen["user"] != visit.user.name or seen["sum"] != 5050:
        raise CheckFailed(f"The kernel answered wrongly: {seen}.")
    limit = seen["memory_limit"] / 2**20
    return f"Python {seen['python']}, memory limit {limit:.0f} MiB"


def use_scratch(visit: Visit) -> str:
    """The user's prefix can be written and read; others cannot be read, written or listed."""
    seen = visit.cell(cells.SCRATCH, other=OTHER)
    if seen["back"] != "hello":
        raise CheckFailed("What was written to the scratch prefix did not come back.")
    allowed = [what for what, code in seen["refused"].items() if code != "AccessDenied"]
    if allowed:
        raise CheckFailed(f"On another user's prefix: {allowed} did not end in AccessDenied.")
    return f"{seen['prefix']} is readable and writable, others' are not"


def make_cluster(visit: Visit) -> str:
    """The gateway creates a cluster with the requested options."""
    seen = visit.cell(cells.NEW_CLUSTER, wanted=visit.cluster_options)
    return f"cluster {seen['name'][:8]}"


def scale(visit: Visit) -> str:
    """The cluster gets its workers."""
    seen = visit.cell(cells.SCALE, workers=WORKERS, timeout=TIMEOUT_SECONDS)
    if seen["workers"] < WORKERS:
        raise CheckFailed(f"Only {seen['workers']} of {WORKERS} workers came.")
    return f"{seen['workers']} workers"


def compute(visit: Visit) -> str:
    """The cluster computes the right result."""
    seen = visit.cell(cells.COMPUTE)
    if seen["found"] != seen["expected"]:
        raise CheckFailed(f"The cluster found {seen['found']} instead of {seen['expected']}.")
    return f"{seen['tasks']} tasks, the right sum"


def compare_versions(visit: Visit) -> str:
    """Client, scheduler and workers run the same versions."""
    seen = visit.cell(cells.VERSIONS)
    for who in (seen["scheduler"], *seen["workers"]):
        if who != seen["client"]:
            raise CheckFailed(f"Versions differ: the client has {seen['client']}, another {who}.")
    return ", ".join(f"{name} {version}" for name, version in seen["client"].items())


def end_cluster(visit: Visit) -> str:
    """The cluster ends, and the gateway no longer lists it."""
    seen = visit.cell(cells.SHUT_DOWN, timeout=60.0)
    if seen["left"]:
        raise CheckFailed(f"Still listed after 60 s: {', '.join(seen['left'])}.")
    return "no cluster left"


def end_server(visit: Visit) -> str:
    """The server stops, and the hub no longer lists it."""
    visit.kernels.close()
    visit.user.stop_server()
    return "no server left"


def launch_repository(visit: Visit) -> str:
    """BinderHub builds the repository or finds its image, and the hub starts a server from it."""
    visit.at_end.callback(stop_quietly, visit)
    seen = launch(visit.user, visit.repository)
    return f"{seen.image} by {', '.join(seen.phases)}"


def run_launched(visit: Visit) -> str:
    """A cell runs beside the repository's files, without anything of the user's."""
    visit.kernels = ExitStack()
    visit.at_end.callback(close_quietly, visit)
    visit.kernel = visit.kernels.enter_context(visit.user.kernel())
    seen = visit.cell(cells.LAUNCHED)
    if seen["user"] != visit.user.name or seen["sum"] != 5050 or not seen["files"]:
        raise CheckFailed(f"The launched server answered wrongly: {seen}.")
    if seen["scratch"] or seen["credentials"] == "allowed":
        raise CheckFailed(f"A stranger's code reaches what is {visit.user.name}'s: {seen}.")
    return f"{len(seen['files'])} files of the repository, no credentials"


def stop_quietly(visit: Visit) -> None:
    """Stop a server left running by an early failure."""
    try:
        if visit.user.whoami().get("servers"):
            visit.user.stop_server()
    except HubRefused:
        return  # the report already names the step that failed first


def close_quietly(visit: Visit) -> None:
    """Close a kernel left open by an early failure; without its server it is gone already."""
    try:
        visit.kernels.close()
    except HubRefused:
        return


# Name, the part whose log has details, and the function.
STEPS: tuple[tuple[str, str, Callable[[Visit], str]], ...] = (
    ("log in", "hub", check_identity),
    ("start a server", "hub", start_server),
    ("run code", "hub", run_code),
    ("use scratch", "identity", use_scratch),
    ("make a cluster", "gateway", make_cluster),
    ("scale it", "gateway", scale),
    ("compute", "gateway", compute),
    ("compare versions", "gateway", compare_versions),
    ("end the cluster", "gateway", end_cluster),
    ("end the server", "hub", end_server),
)
BINDER_STEPS: tuple[tuple[str, str, Callable[[Visit], str]], ...] = (
    ("launch from Binder", "binder", launch_repository),
    ("run code in it", "hub", run_launched),
    ("end what was launched", "hub", end_server),
)
