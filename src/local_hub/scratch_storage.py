"""The rehearsed hub's object store: moto's S3 and STS, with IAM enforced on every request.

    python -m local_hub.scratch_storage

Environment: `PANGEO_STORAGE` is JSON with `port`, `bucket`, `role` (a name) and the administrator's
`key_id` and `secret`. Objects live in memory: a scratch bucket promises no durability.

moto checks signatures and the policies of users and roles. Added here is what the stand-in for Pod
Identity relies on and moto leaves out: session policies, their `s3:prefix` condition, and expiry.
"""

import fnmatch
import json
import os
import re
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse

from moto import settings
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam import access_control
from moto.iam.models import AccessKey, iam_backends
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.s3.exceptions import S3AccessDeniedError, S3InvalidTokenError
from moto.s3.models import s3_backends
from moto.sts.models import AssumedRole, sts_backends
from werkzeug.serving import make_server

from pangeo_core.lifeline import die_with_parent

MOTO = "moto-api"  # moto's own API: shows every key and resets the account, without a signature
DENIED = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Unsigned</Message></Error>'

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class SessionRequest(access_control.S3IAMRequest):
    """An S3 request that its session's policy must permit too, if there is one."""

    def check_action_permitted(self, resource: str) -> None:
        """Raise moto's AccessDenied unless the role and the session both permit the action."""
        super().check_action_permitted(resource)
        if not (session := session_of(self._access_key.create_credentials().access_key)):
            return
        if session.expiration < datetime.now(UTC).replace(tzinfo=session.expiration.tzinfo):
            raise S3InvalidTokenError
        wanted = [(self._action, resource)]
        if source := self._headers.get("X-Amz-Copy-Source"):
            wanted.append(("s3:GetObject", f"arn:aws:s3:::{unquote(source).lstrip('/')}"))
        policy, prefix = json.loads(session.policy or "null"), list_prefix(self._path)
        if policy and not all(permits(policy, *request, prefix) for request in wanted):
            raise S3AccessDeniedError


def session_of(key_id: str) -> AssumedRole | None:
    """Return the session to which STS issued this key."""
    sessions = sts_backends[DEFAULT_ACCOUNT_ID]["aws"].assumed_roles
    return next((session for session in sessions if session.access_key_id == key_id), None)


def list_prefix(path: str) -> str:
    """Return the prefix of a listing, empty for the whole bucket."""
    return parse_qs(urlparse(path).query).get("prefix", [""])[0]


def permits(policy: dict[str, Any], action: str, resource: str, prefix: str) -> bool:
    """Return whether a policy of plain Allow statements permits the action on the resource."""
    return any(
        action in words(statement["Action"])
        and any(matches(resource, pattern) for pattern in words(statement["Resource"]))
        and all(matches(prefix, pattern) for pattern in wanted_prefixes(statement))
        for statement in policy["Statement"]
        if statement["Effect"] == "Allow"
    )


def wanted_prefixes(statement: dict[str, Any]) -> list[str]:
    """Return the patterns of the statement's `s3:prefix` condition."""
    return words(statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix", []))


def words(value: Any) -> list[str]:
    """Return a policy's string or list as a list."""
    return [value] if isinstance(value, str) else list(value)


def matches(value: str, pattern: str) -> bool:
    """Return whether the value matches a pattern with IAM's `*` and `?`."""
    return re.match(fnmatch.translate(pattern.replace("[", "[[]")), value) is not None


def enforcing(app: Wsgi) -> Wsgi:
    """Refuse unsigned requests, and let moto answer one request at a time."""
    turn = threading.Lock()

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if MOTO in environ["PATH_INFO"] or MOTO in environ.get("HTTP_HOST", ""):
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [DENIED]
        if not environ.get("HTTP_AUTHORIZATION", "").startswith("AWS4-HMAC-SHA256 "):
            if environ["PATH_INFO"] == "/":
                start("200 OK", [])
                return [b""]
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [DENIED]
        with turn:
            return app(environ, start)

    return answer


def furnish(bucket: str, role: str, key_id: str, secret: str) -> None:
    """Create what Terraform creates on AWS: the bucket, the role, and who may assume it."""
    account = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    service = account.create_user("us-west-2", "identity")
    key: AccessKey = account.create_access_key("identity")
    key.access_key_id, key.secret_access_key = key_id, secret
    account.put_user_policy("identity", "all", allowing("*", Resource="*"))
    trust = allowing("sts:AssumeRole", Principal={"AWS": service.arn})
    account.create_role(role, trust, "/", None, "", [], "3600")
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    account.put_role_policy(role, "scratch", allowing("s3:*", Resource=resources))
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(bucket, "us-west-2")


def allowing(action: str, **rest: Any) -> str:
    """Return a policy of one statement that allows `action`."""
    statement = {"Effect": "Allow", "Action": action, **rest}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class QuietHandler(MotoRequestHandler):
    """Serves without logging requests."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


def main() -> None:
    """Serve until the process ends."""
    die_with_parent()
    known = json.loads(os.environ["PANGEO_STORAGE"])
    furnish(*(known[name] for name in ("bucket", "role", "key_id", "secret")))
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0.0
    access_control.S3IAMRequest = SessionRequest  # type: ignore[misc]
    app = enforcing(DomainDispatcherApplication(create_backend_app))
    make_server(
        "127.0.0.1", known["port"], app, threaded=True, request_handler=QuietHandler
    ).serve_forever()


if __name__ == "__main__":
    main()
