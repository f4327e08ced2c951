"""A bucket for a campaign: an emulated S3 on this machine, started on demand.

It counts requests and bytes at the server, for any client. It shows how many requests a layout
needs and how a client makes them, but nothing about the speed of S3.
"""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from dask_bench.probe import COUNTS
from pangeo_core.errors import MissingPrerequisite

PLACE = "s3-emulated"
NAME, REGION, NOBODY = "bench", "us-west-2", "emulated"
ANSWER_SECONDS = 30  # for one request


# Serves one empty bucket of the given name for the time of a `with` block; yields its address.
Server = Callable[[str], AbstractContextManager[str]]


@dataclass
class Bucket:
    """A bucket that exists after `ready`. Close it with `close`.

    `server` serves it and counts its requests; `made` are the prefixes whose data is stored
    already.
    """

    address: str = ""
    made: set[str] = field(default_factory=set)
    server: Server | None = None
    _stack: ExitStack = field(default_factory=ExitStack)

    def ready(self) -> "Bucket":
        """Start the server unless it runs already."""
        if not self.address:
            if self.server is None:
                raise MissingPrerequisite(
                    "This workload reads from an object store, and none was given.",
                    fix="Give the campaign a Bucket whose server counts requests.",
                )
            self.address = self._stack.enter_context(self.server(NAME))
            self.counts()  # it listens before it answers
        return self

    def close(self) -> None:
        """Stop the server, and remove all objects with it."""
        self._stack.close()
        self.address = ""
        self.made.clear()

    def counts(self, anew: bool = False) -> dict[str, int]:
        """Return the server's counts: requests, bytes, and the most concurrent requests.

        With `anew`, reset them to 0.
        """
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(
            f"{self.address}/counts{'?anew' * anew}", timeout=ANSWER_SECONDS
        ) as answer:
            counts: dict[str, int] = json.load(answer)
        return counts

    @contextmanager
    def counted(self) -> Iterator[dict[str, Any]]:
        """Time the block, and yield its columns of the run table, with the requests it made.

        The columns are filled at the end. Reading the server's counters is not timed.
        """
        columns: dict[str, Any] = {}
        before = self.counts()
        began = time.perf_counter()
        yield columns
        seconds = time.perf_counter() - began
        after = self.counts()
        columns |= {"seconds": seconds} | {name: after[name] - before[name] for name in COUNTS}

    def obstore(self, prefix: str) -> Any:
        """Return obstore's S3 store at `prefix`."""
        from obstore.store import S3Store

        return S3Store(
            NAME,
            prefix=prefix,
            endpoint=self.address,
            region=REGION,
            access_key_id=NOBODY,
            secret_access_key=NOBODY,
            virtual_hosted_style_request=False,
            client_options={"allow_http": True, "timeout": f"{ANSWER_SECONDS}s"},
        )

    def icechunk(self, prefix: str) -> Any:
        """Return Icechunk's S3 storage at `prefix`."""
        import icechunk

        return icechunk.s3_storage(
            bucket=NAME,
            prefix=prefix,
            endpoint_url=self.address,
            region=REGION,
            access_key_id=NOBODY,
            secret_access_key=NOBODY,
            allow_http=True,
            force_path_style=True,
        )
