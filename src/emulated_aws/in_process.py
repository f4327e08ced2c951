"""Answer API calls of the process that serves the account without going through a socket.

A deployment's life takes over a thousand calls; client, connection and server would cost more than
the answers themselves.
"""

import io
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from emulated_aws.moto_app import Closed, World


class Raw(io.BytesIO):
    """A response body as botocore reads it."""

    def stream(self, **_others: Any) -> Iterator[bytes]:
        """Yield the whole body."""
        yield self.read()


def answering(world: World) -> Callable[..., AWSResponse | None]:
    """Return a handler of botocore's event `before-send` that has `world` answer.

    A request whose body is a file goes through the network, as does every one once `world` is
    closed: a client that outlives its account gets a connection error.
    """

    def answer(request: AWSPreparedRequest, **_others: Any) -> AWSResponse | None:
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        if world.closed or not isinstance(body, bytes):
            return None
        try:
            content, status, headers = world.respond(as_environ(request, body))
        except Closed:
            return None
        found = b"" if request.method == "HEAD" else b"".join(content)
        return AWSResponse(request.url, int(status.split()[0]), list(headers), Raw(found))

    return answer


def as_environ(request: AWSPreparedRequest, body: bytes) -> dict[str, Any]:
    """Return a request as the environment that a WSGI server would pass on."""
    url = urlsplit(request.url)
    path = url.path or "/"
    target = f"{path}?{url.query}" if url.query else path
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(path).encode().decode("latin1"),
        "QUERY_STRING": url.query,
        "RAW_URI": target,
        "REQUEST_URI": target,
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": str(url.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": url.netloc,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        environ[key] = value.decode("latin1") if isinstance(value, bytes) else str(value)
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ
