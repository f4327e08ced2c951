"""`pangeo-deploy book serve`: build again when a source changes, and serve the pages here."""

import functools
import threading
import time
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pangeo_core.errors import PangeoDeployError
from proof_book.identity.freshness import check

HOST = "127.0.0.1"
LOOK_SECONDS = 1.0


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing: what was built is told instead."""


def serve(html: Path, port: int) -> ThreadingHTTPServer:
    """Serve `html` on this machine alone, from a thread that ends with the process."""
    server = ThreadingHTTPServer((HOST, port), functools.partial(_Quiet, directory=str(html)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def rebuilds(
    project: Path,
    build: Callable[[], Any],
    *,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[Any]:
    """Build whenever a page is stale, and yield what came of it: a result, or the error.

    A failed build is tried again when something changes.
    """
    failed: list[tuple[str, ...]] = []
    while True:
        stale = [(page.name, *page.why) for page in check(project) if not page.fresh]
        if stale and stale != failed:
            try:
                yield build()
                failed = []
            except PangeoDeployError as error:
                failed = [(page.name, *page.why) for page in check(project) if not page.fresh]
                yield error
        wait(LOOK_SECONDS)
