"""The rehearsal's AWS account: an endpoint on this machine whose state outlives the process."""

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
NOBODY = "rehearsal"  # whose credentials: the account does not check any


@dataclass(frozen=True)
class Account:
    """Where the emulated account answers, and who it is."""

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
        """Return what makes an SDK or the `aws` command of another program use this account."""
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
        """Return what the real Terraform provider needs beside.

        It reads a bucket's tags from S3 Control, whose address has the account in front of the
        host: no name server knows that, so the account is its own proxy. Go's programs do not use
        it for the endpoint itself, which is on this machine.
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
        with self.lock:  # making clients is not thread-safe, using them is
            client = self.session.client(
                service, region or self.region, endpoint_url=self.endpoint, config=settings
            )
        client.meta.events.register("before-sign", self._say_what_is_made)
        return client

    def _say_what_is_made(self, request: Any, **others: Any) -> None:
        if made := MAKING.get():
            request.headers[f"X-{MAKING.name}"] = f"{self.run} {made}"

    def made(self) -> set[str]:
        """Return what killed runs had made (see `making`)."""
        return set(json.loads(self._ask("made")))

    def gone(self, what: str, run: str) -> None:
        """Tell the account that a thing which `run` made is recorded, or no more.

        The next one like it is made anew. Of one that a later run has made in its place nothing is
        forgotten: a state that was restored from a backup knows only the earlier one.
        """
        self._ask("gone", f"{what} {run}")

    def _ask(self, what: str, words: str | None = None) -> str:
        """Ask the account what only the rehearsal asks; as often as clients ask it."""
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
        """Tell the account that all that this run made is recorded (see `making`)."""
        with contextlib.suppress(OSError):
            self._ask("told", self.run)


MAKING: ContextVar[str] = ContextVar("Rehearsal-Making", default="")


@contextmanager
def making(what: str) -> Iterator[None]:
    """Have the calls inside belong to the making of one thing; `what` tells it from others.

    A run may be killed after a thing was made and before Terraform recorded it. When a later run
    has the same thing made, the account answers as it did then instead of making it twice, as AWS
    does for calls with a client token.
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
    """Return a session that ignores the machine's AWS settings and holds credentials of nobody."""
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
