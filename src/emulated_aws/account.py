"""The rehearsal's AWS account: an endpoint on this machine whose state survives the process."""

import contextlib
import json
import os
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from emulated_aws.service_models import models

REGION = "us-west-2"
TAKING_OVER_SECONDS = 0.05
NOBODY = "rehearsal"  # the access key and its secret: the account checks neither


@dataclass(frozen=True)
class Account:
    """The emulated account: its endpoint, id and region, and clients for it."""

    folder: Path
    endpoint: str
    account_id: str
    region: str
    session: boto3.Session = field(repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    run: str = field(default_factory=lambda: uuid.uuid4().hex, repr=False)
    attempts: int = 5

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that make an SDK or the `aws` command use this account."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": NOBODY,
            "AWS_SECRET_ACCESS_KEY": NOBODY,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def provider_environment(self) -> dict[str, str]:
        """Return the variables that the real Terraform provider needs; `environment` and a proxy.

        It reads a bucket's tags from S3 Control, whose host name begins with the account id: no
        name server resolves that, so the account is its own proxy. Go programs do not use a proxy
        for the endpoint itself, which is on this machine.
        """
        return {**self.environment, "HTTP_PROXY": self.endpoint}

    def client(self, service: str, region: str | None = None) -> Any:
        """Return a boto3 client of this account; it cannot reach any other."""
        settings = Config(
            proxies={"http": "", "https": ""},
            retries={"mode": "standard", "total_max_attempts": self.attempts},
            s3={"addressing_style": "path"},
            use_dualstack_endpoint=False,
            use_fips_endpoint=False,
        )
        with self.lock:  # creating clients is not thread-safe, using them is
            client = self.session.client(
                service, region or self.region, endpoint_url=self.endpoint, config=settings
            )
        client.meta.events.register("before-sign", self._say_what_is_made)
        return client

    def _say_what_is_made(self, request: Any, **others: Any) -> None:
        if made := MAKING.get():
            request.headers[f"X-{MAKING.name}"] = f"{self.run} {made}"

    def made(self) -> set[str]:
        """Return the resources that killed runs created (see `making`)."""
        return set(json.loads(self._ask("made")))

    def gone(self, what: str, run: str) -> None:
        """Tell the account that a resource which `run` created is recorded, or deleted.

        The next one like it is created afresh. A replacement that a later run created is not
        forgotten: a state restored from a backup knows only the earlier one.
        """
        self._ask("gone", f"{what} {run}")

    def _ask(self, what: str, words: str | None = None) -> str:
        """Call the account's own endpoint for rehearsals, with as many attempts as clients make."""
        data = None if words is None else words.encode()
        for attempt in range(self.attempts):
            try:
                with direct().open(f"{self.endpoint}/rehearsal/{what}", data, timeout=5) as answer:
                    return str(answer.read().decode())
            except OSError:
                if attempt == self.attempts - 1:
                    raise
                time.sleep(TAKING_OVER_SECONDS * 2**attempt)
        raise AssertionError(self.attempts)

    def all_told(self) -> None:
        """Tell the account that everything this run created is recorded (see `making`)."""
        with contextlib.suppress(OSError):
            self._ask("told", self.run)


MAKING: ContextVar[str] = ContextVar("Rehearsal-Making", default="")


@contextmanager
def making(what: str) -> Iterator[None]:
    """Mark the calls inside the block as the creation of one resource, identified by `what`.

    A run may be killed after it created a resource and before Terraform recorded it. When a later
    run creates the same resource, the account repeats its first answer instead of creating it
    twice, as AWS does for calls with a client token.
    """
    token = MAKING.set(what)
    try:
        yield
    finally:
        MAKING.reset(token)


def direct() -> urllib.request.OpenerDirector:
    """Return an opener that no proxy setting diverts."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def connect(
    folder: Path, endpoint: str, account_id: str, region: str, session: boto3.Session | None = None
) -> Account:
    """Return the account behind `endpoint`."""
    return Account(folder, endpoint, account_id, region, session or isolated_session())


def isolated_session() -> boto3.Session:
    """Return a session that ignores the machine's AWS settings and holds made-up credentials."""
    nothing = (None, None, None, None)
    core = botocore.session.Session(
        session_vars={
            "profile": nothing,
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )
    core.set_credentials(NOBODY, NOBODY)
    core.register_component("data_loader", models())
    return boto3.Session(botocore_session=core)
