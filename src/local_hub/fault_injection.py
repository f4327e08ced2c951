"""Kill a part of a rehearsed hub while it is used, and check what survives and what recovers.

Each function takes a running hub and a user whose server runs, kills with SIGKILL, and returns the
result. The tests assert on it; tools/measure_hub.py records it.
"""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import psutil

from hub_user import cells
from hub_user.cells import with_values
from hub_user.kernel import CellFailed, Kernel
from hub_user.user import HubRefused, User
from local_hub import hub_status
from local_hub.definition import HubPlace
from local_hub.parts import answers
from local_hub.supervisor import marked

PATIENCE_SECONDS = 180.0
WORKERS = 2

KEEP = "kept = 42"
KEPT = "import json; print(json.dumps(kept))"
# 40 tasks of a tenth of a second: long enough to be interrupted by a kill. The sum is known.
BEGIN = """
import json
def slow_square(i):
    import time
    time.sleep(0.1)
    return i * i
futures = client.map(slow_square, range(40), pure=False)
print(json.dumps(len(futures)))
"""
FINISH = "import json; print(json.dumps(sum(client.gather(futures))))"
ANSWER = sum(i * i for i in range(40))
OTHER = "users/jupyter-somebody-else"
# With the previous cell's client, and so with its credentials.
AGAIN = """
s3.put_object(Bucket=bucket, Key=key, Body=b"hello")
print(json.dumps(s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()))
"""
NEW_CLIENT = """
import json
client = cluster.get_client()
print(json.dumps(client.submit(lambda: 42, pure=False).result(timeout=30)))
"""
NAMES = """
import json
told = client.scheduler_info(n_workers=-1)["workers"]
print(json.dumps(sorted(str(one["id"]) for one in told.values())))
"""


@dataclass(frozen=True)
class Recovery:
    """The result of a kill: whether what must survive was `kept`, and how long recovery took."""

    killed: str
    kept: bool
    recovered: str
    seconds: float


def kill_hub(place: HubPlace, user: User) -> Recovery:
    """Kernels go on while the hub is down, and the hub finds their servers again."""
    with user.kernel() as kernel:
        kernel.run(KEEP)
        kill(place, "hub")
        kept = kernel.result(KEPT) == 42
        seconds = until(lambda: bool(user.whoami()["servers"]))
        kept &= kernel.result(KEPT) == 42
    return Recovery("hub", kept, "the hub answers and knows the server", seconds)


def kill_proxy(place: HubPlace, user: User) -> Recovery:
    """Connections break; kernels survive and can be reached when the proxy is back."""
    with user.kernel() as kernel:
        kernel.run(KEEP)
        name = user.kernels()[-1]
        kill(place, "proxy")
        seconds = until(lambda: name in user.kernels())
        with user.connected(name) as again:
            kept = again.result(KEPT) == 42
    return Recovery("proxy", kept, "the server is reached again", seconds)


def kill_gateway(place: HubPlace, user: User) -> Recovery:
    """A computation goes on without the gateway, which finds the cluster again."""
    with user.kernel() as kernel:
        name = make_cluster(kernel)
        kernel.run(BEGIN)
        kill(place, "gateway")
        seconds = until(lambda: name in clusters(user))
        kept = kernel.result(FINISH) == ANSWER
        kernel.run(with_values(cells.SHUT_DOWN, timeout=60.0))
    return Recovery("gateway", kept, "the gateway lists the cluster", seconds)


def kill_worker(place: HubPlace, user: User) -> Recovery:
    """The computation ends with the right answer, and the worker is replaced."""
    with user.kernel() as kernel:
        others = pids(place, "worker")  # of clusters that are still ending
        make_cluster(kernel)
        before = kernel.result(NAMES)
        kernel.run(BEGIN)
        kill_process(next(worker for worker in dask(place, "worker") if worker.pid not in others))
        seconds = until(lambda: replaced(before, kernel.result(NAMES)))
        kept = kernel.result(FINISH) == ANSWER
        kernel.run(with_values(cells.SHUT_DOWN, timeout=60.0))
    return Recovery("worker", kept, "another worker is in its place", seconds)


def replaced(before: list[str], now: list[str]) -> bool:
    """Return whether there are as many workers as before, but not the same ones."""
    return len(now) == len(before) and now != before


def kill_scheduler(place: HubPlace, user: User) -> Recovery:
    """The cluster is lost and removed with its workers; a new one can be created."""
    before = pids(place, "scheduler", "worker")  # of clusters that are still ending
    with user.kernel() as kernel:
        name = make_cluster(kernel)
        (scheduler,) = (
            process for process in dask(place, "scheduler") if process.pid not in before
        )
        kill_process(scheduler)
        seconds = until(lambda: name not in clusters(user) and pids(place, "worker") <= before)
        kept = kernel.result(KEEP + "\n" + KEPT) == 42
    return Recovery("scheduler", kept, "the cluster and its workers are cleared away", seconds)


def kill_server(place: HubPlace, user: User) -> Recovery:
    """Files in the home survive; the hub notices, and the user starts a new server."""
    with user.kernel() as kernel:
        kernel.run("open('kept.txt', 'w').write('42')")
        for process in marked(place.folder):
            if "jupyterhub.singleuser" in process.cmdline() and user.name in process.cwd():
                kill_process(process)
        seconds = until(lambda: not user.whoami()["servers"])
        user.start_server()
        with user.kernel() as again:
            kept = again.run("print(open('kept.txt').read())").strip() == "42"
    return Recovery("server", kept, "the hub knows that the server is gone", seconds)


def kill_storage(place: HubPlace, user: User) -> Recovery:
    """Kernels go on; scratch space, which is in memory here, is empty and can be written again."""
    with user.kernel() as kernel:
        kernel.run(KEEP)
        kill(place, "storage")
        seconds = until(lambda: scratch_works(user))
        kept = kernel.result(KEPT) == 42
    return Recovery("storage", kept, "a new kernel writes to the scratch space", seconds)


def kill_identity(place: HubPlace, user: User) -> Recovery:
    """Existing credentials stay valid; new ones are issued when the service is back."""
    with user.kernel() as kernel:
        kernel.result(with_values(cells.SCRATCH, other=OTHER))
        kill(place, "identity")
        kept = kernel.result(with_values(AGAIN, other=OTHER)) == "hello"
        seconds = until(lambda: scratch_works(user))
    return Recovery("identity", kept, "a new kernel is given credentials", seconds)


def scratch_works(user: User) -> bool:
    """Return whether a kernel without credentials so far can write to its scratch space."""
    with user.kernel() as kernel:
        return bool(kernel.result(with_values(cells.SCRATCH, other=OTHER))["back"] == "hello")


def kill_gateway_proxy(place: HubPlace, user: User) -> Recovery:
    """The cluster survives, and a new client computes in it; connections are lost."""
    with user.kernel() as kernel:
        name = make_cluster(kernel)
        kill(place, "gateway-proxy")
        seconds = until(lambda: name in clusters(user))
        kept = until(lambda: kernel.result(NEW_CLIENT) == 42) >= 0
        kernel.run(with_values(cells.SHUT_DOWN, timeout=60.0))
    return Recovery("gateway-proxy", kept, "the gateway is reached through it again", seconds)


def kill_service(part: str, place: HubPlace, user: User) -> Recovery:
    """No user's work depends on the service: kernels go on, and it answers again."""
    with user.kernel() as kernel:
        kernel.run(KEEP)
        known = {one["name"]: one for one in hub_status.recorded_parts(place.folder)}[part]
        kill(place, part)
        seconds = until(lambda: revived(place, known))
        kept = kernel.result(KEPT) == 42
    return Recovery(part, kept, "it answers again", seconds)


def revived(place: HubPlace, before: dict[str, object]) -> bool:
    """Return whether a new process has replaced a killed one, and answers."""
    now = {one["name"]: one for one in hub_status.recorded_parts(place.folder)}[str(before["name"])]
    health = now["health"]
    return now["pid"] != before["pid"] and (not health or answers(health))


Fault = Callable[[HubPlace, User], Recovery]
# By what is killed: ten parts, and processes that the hub started for users.
FAULTS: dict[str, Fault] = {
    "hub": kill_hub,
    "proxy": kill_proxy,
    "gateway": kill_gateway,
    "gateway-proxy": kill_gateway_proxy,
    "identity": kill_identity,
    "storage": kill_storage,
    **{
        part: partial(kill_service, part)
        for part in ("pods", "prometheus", "binder", "repositories")
    },
    "worker": kill_worker,
    "scheduler": kill_scheduler,
    "server": kill_server,
}


def kill(place: HubPlace, part: str) -> None:
    """Kill a part of the hub."""
    pid = next(one["pid"] for one in hub_status.recorded_parts(place.folder) if one["name"] == part)
    os.kill(pid, signal.SIGKILL)


def kill_process(process: psutil.Process) -> None:
    """Kill one process of the hub."""
    process.kill()


def dask(place: HubPlace, kind: str) -> list[psutil.Process]:
    """Return the hub's Dask schedulers or workers."""
    found = []
    for process in marked(place.folder):
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if words[1:4] == ["-m", "dask", kind]:
            found.append(process)
    return found


def pids(place: HubPlace, *kinds: str) -> set[int]:
    """Return the process ids of the hub's Dask schedulers, workers, or both."""
    return {process.pid for kind in kinds for process in dask(place, kind)}


def make_cluster(kernel: Kernel) -> str:
    """Create a cluster with workers from a kernel, and return its name."""
    name = kernel.result(with_values(cells.NEW_CLUSTER, wanted={}))["name"]
    kernel.run(with_values(cells.SCALE, workers=WORKERS, timeout=PATIENCE_SECONDS))
    return str(name)


def clusters(user: User) -> list[str]:
    """Return the names of the user's clusters that are not ending."""
    path = "/services/dask-gateway/api/v1/clusters/"
    return list(user.ask("GET", path, scheme="jupyterhub").json())


def until(true: Callable[[], bool]) -> float:
    """Return the seconds until `true` has returned True; a refusal by the hub means not yet."""
    begun = time.monotonic()
    while True:
        with suppress(HubRefused, CellFailed):
            if true():
                return time.monotonic() - begun
        passed = time.monotonic() - begun
        if passed > PATIENCE_SECONDS:
            raise TimeoutError(f"not after {passed:.0f} s")
        time.sleep(0.1)
