"""Parse an API request: its service and operation, from the signature, headers and form."""

import hashlib
import io
import re
from dataclasses import dataclass
from typing import Any

READ_ONLY = ("Describe", "Get", "List", "Head", "BatchGet", "Lookup", "Search", "Simulate")
SERVICE = re.compile(r"Credential=[^/]+/\d+/([^/]*)/([^/]+)/aws4_request")
# Idempotency tokens, which SDKs draw at random: not part of the request's meaning.
TOKEN = re.compile(rb'"?client_?(?:request_?)?token"?[:=] ?"?[0-9a-f-]{36}"?', re.IGNORECASE)
BODY_BYTES = 1 << 20


@dataclass(frozen=True)
class Request:
    """The relevant parts of an API request: its service, and whether it can change anything."""

    service: str
    action: str
    read_only: bool
    s3_object: bool
    digest: str
    region: str
    run: str = ""
    made: str = ""


def read_request(environ: dict[str, Any]) -> Request:
    """Return the request that a signature, target header, form and method describe."""
    signed = SERVICE.search(environ.get("HTTP_AUTHORIZATION", ""))
    service = signed[2] if signed else "s3"
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    s3_object = service == "s3" and "/" in path.strip("/")
    body = b""
    if not s3_object and 0 < int(environ.get("CONTENT_LENGTH") or 0) <= BODY_BYTES:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        environ["wsgi.input"] = io.BytesIO(body)
    action = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
    if not action and (found := re.search(rb"(?:^|&)Action=(\w+)", body)):
        action = found[1].decode()
    read_only = action.startswith(READ_ONLY) if action else method in ("GET", "HEAD")
    asked = "\0".join((service, method, path, environ.get("QUERY_STRING", ""), action)).encode()
    digest = hashlib.sha256(asked + TOKEN.sub(b"", body)).hexdigest()[:16]
    run, _, made = environ.get("HTTP_X_REHEARSAL_MAKING", "").partition(" ")
    return Request(
        service,
        action or f"{method} {path}",
        read_only,
        s3_object,
        digest,
        signed[1] if signed else "",
        run,
        "" if read_only else made,
    )


def body_of(environ: dict[str, Any]) -> bytes:
    """Return a request's body, and rewind it so that it can be read again."""
    stream = environ["wsgi.input"]
    if isinstance(stream, io.BytesIO):
        body: bytes = stream.getvalue()
    elif environ.get("wsgi.input_terminated"):
        body = stream.read()
        environ["CONTENT_LENGTH"] = str(len(body))
    else:
        size = environ.get("CONTENT_LENGTH") or "0"
        body = stream.read(int(size)) if size.isdecimal() else b""
    environ["wsgi.input"] = io.BytesIO(body)
    return body
