"""The cluster of a campaign: processes of this machine, or a gateway's cluster.

`Cluster` keeps a `distributed.Client` usable: opened when first needed, in the requested size, and
reopened after a failure.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import dask
from distributed import Client, LocalCluster

from dask_bench import probe, run_environment
from dask_bench.allocator import MMAP_BYTES, TRIM_BYTES
from dask_bench.faults import TookTooLong, within
from dask_bench.fields import MEGABYTE
from pangeo_core.errors import MissingPrerequisite

PATIENCE = 120.0  # seconds to wait for workers of this machine
PATIENCE_OF_NODES = 1200.0  # for workers that may need a new node and its image first
TRIES = 2  # clusters without workers, before giving up
STARTING = 60.0  # further seconds, until the scheduler responds
CLOSING, CLOSING_DEAD = 60.0, 5.0  # seconds to wait until a cluster is gone
WORKERS_OF_LIFE = 2  # of clusters that start, end and lose a worker

KEEP_MEMORY = {
    "distributed.nanny.pre-spawn-environ": {
        "MALLOC_TRIM_THRESHOLD_": TRIM_BYTES,
        "MALLOC_MMAP_THRESHOLD_": MMAP_BYTES,
        "OMP_NUM_THREADS": 1,
        "MKL_NUM_THREADS": 1,
        "OPENBLAS_NUM_THREADS": 1,
    }
}


class Scalable(Protocol):
    """The methods of a cluster object that a campaign uses: Dask's and the gateway's have them."""

    def scale(self, n: int) -> Any:
        """Request `n` workers."""


@dataclass(frozen=True)
class Shape:
    """The threads, memory and processes of the workers."""

    threads: int = 2
    memory_limit_mb: float | None = None
    processes: bool = True


Open = Callable[[], AbstractContextManager[tuple[Client, Scalable]]]


@dataclass
class Cluster:
    """A cluster that is opened on demand. Close it with `close`."""

    on: str
    shape: Shape
    open: Open
    patience: float = PATIENCE
    accept: Callable[[Any], None] = lambda client: None  # refuse the workers that started
    client: Any = None
    cluster: Any = None
    asked: int = 0
    workers: int = 0  # when the client was last requested
    failures: int = 0  # consecutive clusters without workers
    gave_up: Exception | None = None
    since: float = 0.0  # when it was requested, by this machine's clock
    columns: dict[str, Any] = field(default_factory=dict)  # its columns of the run table
    _stack: ExitStack = field(default_factory=ExitStack)

    def ready(self, workers: int) -> Any:
        """Return a client of `workers` workers, or of those that started within `patience` seconds.

        Raises `MissingPrerequisite` if none started, and `TookTooLong` for a cluster that does not
        respond. After `TRIES` such clusters it raises at once.
        """
        if self.gave_up is not None and self.failures >= TRIES:
            raise self.gave_up
        if self.client is not None and self.client.status != "running":
            self.close()  # its scheduler died
        try:
            longest = 2 * self.patience + STARTING
            silent = f"The cluster was not there after {longest:g} s."
            within(longest, lambda: self._get_ready(workers), silent)
        except (MissingPrerequisite, TookTooLong) as error:
            self.failures += 1
            self.gave_up = error
            self.close()
            raise
        self.failures = 0
        return self.client

    def _get_ready(self, workers: int) -> None:
        if self.client is None:
            self._start()
        alive = self._alive()
        if workers != self.asked or alive != self.workers:
            self.cluster.scale(workers)
            self._wait(workers)
            self.accept(self.client)
            self.asked, self.workers = workers, self._alive()

    def _start(self) -> None:
        self.since = time.time()
        stack = self._stack
        client, cluster = stack.enter_context(self.open())
        if stack is not self._stack:  # too late: nothing waits for it any more
            stack.close()
            raise TookTooLong("The cluster was not ready in time.")
        self.client, self.cluster = client, cluster
        self.client.register_plugin(probe.Tasks())
        self.columns = {
            "saturation": self.client.run_on_scheduler(probe.saturation),
            "dask_config": run_environment.settings(),
        }

    def another(self) -> "Cluster":
        """Return another cluster of the same kind, not started yet."""
        return replace(
            self, client=None, cluster=None, asked=0, workers=0, columns={}, _stack=ExitStack()
        )

    def _alive(self) -> int:
        return len(self.client.scheduler_info(n_workers=-1)["workers"])

    def _wait(self, workers: int) -> None:
        """Wait for `workers`; after `patience` seconds go on with those that started, if any."""
        until = time.monotonic() + self.patience
        while (there := self._alive()) != workers:
            if time.monotonic() > until:
                if there:
                    return
                raise MissingPrerequisite(
                    f"{there} of {workers} workers are there after {self.patience:g} s.",
                    why="The cluster did not start them, or they ended at once.",
                    fix="Look at the workers' logs and at the limits of the cluster and its quota; "
                    "where nodes start slowly, wait longer: --patience SECONDS.",
                )
            time.sleep(0.02)

    def close(self) -> bool:
        """Close the client and the cluster, even if the scheduler died; return whether it did.

        A broken cluster may refuse, or never respond: it is abandoned after a while, and a new one
        is opened in any case.
        """
        stack, self._stack = self._stack, ExitStack()
        patience = CLOSING
        if self.client is not None and self.client.status != "running":
            patience = CLOSING_DEAD
        self.client = self.cluster = None
        self.asked = self.workers = 0
        with contextlib.suppress(Exception):
            within(patience, stack.close)
            return True
        return False


def local(shape: Shape, patience: float = PATIENCE) -> Cluster:
    """Return a cluster of this machine's processes (or, without `processes`, its threads)."""

    @contextmanager
    def opened() -> Iterator[tuple[Client, Scalable]]:
        limit = 0 if shape.memory_limit_mb is None else int(shape.memory_limit_mb * MEGABYTE)
        with (
            dask.config.set(KEEP_MEMORY),
            LocalCluster(
                n_workers=0,
                threads_per_worker=shape.threads,
                processes=shape.processes,
                memory_limit=limit,
                host="127.0.0.1" if shape.processes else None,  # threads need no address
                dashboard_address="127.0.0.1:0",
                silence_logs=50,
            ) as cluster,
            # Neither this process' default nor entered: it may be closed late, in another thread.
            contextlib.closing(Client(cluster, set_as_default=False)) as client,
        ):
            yield client, cluster

    return Cluster("local", shape, opened, patience)
