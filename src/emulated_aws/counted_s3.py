"""An object store on this machine that counts its requests: moto's S3 in a process of its own.

    python -m emulated_aws.counted_s3 FD BUCKET

FD is a listening socket inherited from the parent process: requests queue in it until moto is
loaded. Objects live in memory. `GET /counts` returns the counters as JSON; with `?anew` it also
resets them to 0.
"""

import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pangeo_core.lifeline import die_with_parent

COUNTS_PATH = "/counts"
REGION = "us-west-2"
READS = ("GET", "HEAD")
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@contextmanager
def serve(bucket: str) -> Iterator[str]:
    """Serve a store with an empty bucket; yield its address, which accepts requests at once."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        number = listening.fileno()
        command = [sys.executable, "-m", __name__, str(number), bucket]
        process = subprocess.Popen(command, pass_fds=(number,), stderr=subprocess.DEVNULL)
        port = listening.getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@dataclass
class Counting:
    """Counts requests and their bytes, and passes them to moto, not thread-safe, one at a time."""

    app: Wsgi
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("requests_read", "requests_written", "bytes_read", "bytes_written", "most_at_once"), 0
        )
    )
    under_way: int = 0
    counting: threading.Lock = field(default_factory=threading.Lock)
    turn: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        if environ["PATH_INFO"] == COUNTS_PATH:
            body = self._told(anew=environ["QUERY_STRING"] == "anew")
            start("200 OK", [("Content-Length", str(len(body)))])
            return [body]
        with self.counting:
            self.under_way += 1
            self.counts["most_at_once"] = max(self.counts["most_at_once"], self.under_way)
        try:
            with self.turn:
                answer = list(self.app(environ, start))
        finally:
            with self.counting:
                self.under_way -= 1
        with self.counting:  # before the response is sent: its client must find it counted
            self._count(environ, sum(map(len, answer)))
        return answer

    def _told(self, anew: bool) -> bytes:
        """Return the counters; with `anew`, reset them to 0."""
        with self.counting:
            told = json.dumps(self.counts).encode()
            if anew:
                self.counts.update(dict.fromkeys(self.counts, 0))
        return told

    def _count(self, environ: dict[str, Any], answered: int) -> None:
        if environ["REQUEST_METHOD"] in READS:
            self.counts["requests_read"] += 1
            self.counts["bytes_read"] += answered
        else:
            self.counts["requests_written"] += 1
            self.counts["bytes_written"] += int(environ.get("CONTENT_LENGTH") or 0)


def main(number: int, bucket: str) -> None:
    """Serve until this process or its parent ends."""
    die_with_parent()
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from moto.s3.models import s3_backends
    from werkzeug.serving import make_server

    class Quiet(MotoRequestHandler):
        protocol_version = "HTTP/1.1"  # connections stay open, as S3's do
        disable_nagle_algorithm = True  # otherwise each response waits 40 ms for its second packet

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Log nothing."""

    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(bucket, REGION)
    app = Counting(DomainDispatcherApplication(create_backend_app))
    with contextlib.suppress(KeyboardInterrupt):
        make_server(
            "127.0.0.1", 0, app, threaded=True, request_handler=Quiet, fd=number
        ).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
