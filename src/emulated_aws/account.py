"""The rehearsal's AWS account: an endpoint on this machine whose state outlives the process."""

import contextlib
import errno
import fcntl
import json
import os
import socket
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import boto3
import botocore.session
from botocore.config import Config

from emulated_aws.service_models import models
from pangeo_core.errors import BadInput, MissingPrerequisite
from pangeo_core.files import write_whole

REGION = "us-west-2"
STARTING_SECONDS = 30.0
TAKING_OVER_SECONDS = 0.05
# Of clients whose account changes hands: the waits between them double, at random, up to 20 s.
SUCCESSORS_ATTEMPTS = 12
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


@contextmanager
def open_account(folder: Path, region: str = REGION) -> Iterator[Account]:
    """Open the account kept in `folder`, starting it (in `region`) if there is none.

    One process serves the account; others that open it meanwhile use that one's endpoint, and one
    of them serves it from there on when that process ends. The lock is the operating system's and
    vanishes with its owner. Raises `BadInput` for an account that is damaged or of another moto
    version.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + STARTING_SECONDS
    with ExitStack() as stack:
        while not (lock := take_lock(folder)):
            if endpoint := served_by_another(folder):
                yield stack.enter_context(succeed(folder, **endpoint))
                return
            if time.monotonic() > deadline:
                raise MissingPrerequisite(
                    f"The rehearsal's account in {folder} is held by a process that is silent.",
                    fix="End that process (it holds the file 'lock' there) and run this again.",
                )
            time.sleep(0.05)
        stack.enter_context(lock)
        yield stack.enter_context(serve(folder, region))


@contextmanager
def succeed(folder: Path, endpoint: str, account_id: str, region: str) -> Iterator[Account]:
    """Use the account that another process serves; serve it at the same port once that ends.

    What is asked in between is asked again by the clients, until somebody answers.
    """
    port = int(endpoint.rpartition(":")[2])
    done = threading.Event()
    with ExitStack() as stack:

        def wait_for_our_turn() -> None:
            while not done.wait(TAKING_OVER_SECONDS):
                # Were the port taken, or the account removed, the clients say what they miss.
                with contextlib.suppress(OSError, BadInput), ExitStack() as ours:
                    if lock := take_lock(folder):
                        ours.enter_context(lock)
                        ours.enter_context(serve(folder, region, port))
                        stack.enter_context(ours.pop_all())
                        return

        waiting = threading.Thread(target=wait_for_our_turn, daemon=True)
        waiting.start()
        account = connect(folder, endpoint, account_id, region)
        try:
            yield replace(account, attempts=SUCCESSORS_ATTEMPTS)
        finally:
            done.set()
            waiting.join()


@contextmanager
def serve_account(folder: Path, region: str = REGION, port: int = 0) -> Iterator[Account]:
    """Serve the account kept in `folder` at a port of this machine, a free one if 0.

    Raises `MissingPrerequisite` if another process serves it already or the port is taken,
    `BadInput` as `open_account` does.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    lock = take_lock(folder)
    if lock is None:
        other = served_by_another(folder)
        where = f" at {other['endpoint']}" if other else ""
        raise MissingPrerequisite(
            f"The account in {folder} is served already{where}.",
            fix="Use that one, end its process, or choose another folder.",
        )
    with lock:
        try:
            with serve(folder, region, port) as account:
                yield account
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise MissingPrerequisite(
                f"Port {port} cannot be used: {error.strerror}.",
                fix="Choose another port, or none: a free one is taken then.",
            ) from error


@contextmanager
def serve(folder: Path, region: str, port: int = 0) -> Iterator[Account]:
    """Own the account: load it, answer for it, save it."""
    # moto takes a second to import: only those who serve an account pay for it.
    from werkzeug.serving import make_server

    from emulated_aws import moto_app as worlds
    from emulated_aws.in_process import answering
    from emulated_aws.moto_memory import lent_to

    notice = folder / "endpoint.json"
    notice.unlink(missing_ok=True)
    with ExitStack() as stack:
        session = isolated_session()
        world = worlds.World(folder, region)
        stack.enter_context(lent_to(world.turn, isolated_session()))
        world.open()
        session.events.register("before-send", answering(world))
        with socket.create_server(("127.0.0.1", port), backlog=256) as listening:
            # Opened here: where a port is taken, werkzeug would end the process.
            server = make_server(
                "127.0.0.1",
                port,
                world,
                threaded=True,
                request_handler=worlds.QuietHandler,
                fd=listening.fileno(),
            )
            port = listening.getsockname()[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        endpoint = f"http://127.0.0.1:{port}"
        known = {"endpoint": endpoint, "account_id": world.account_id, "region": world.state.region}
        write_whole(notice, json.dumps(known))
        try:
            yield connect(folder, **known, session=session)
        finally:
            notice.unlink(missing_ok=True)
            server.shutdown()
            server.server_close()
            world.close()


def take_lock(folder: Path) -> IO[str] | None:
    """Return the held lock file, or None if another process (or this one) holds it already."""
    file = (folder / "lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return None
        raise BadInput(f"Cannot lock the rehearsal's account in {folder}: {error}") from error
    return file


def served_by_another(folder: Path) -> dict[str, str] | None:
    """Return where a live process serves this account, or None if it does not answer (yet)."""
    try:
        known: dict[str, str] = json.loads((folder / "endpoint.json").read_bytes())
        with direct().open(f"{known['endpoint']}/rehearsal", timeout=5) as answer:
            return known if answer.read().decode() == str(folder) else None
    except (OSError, ValueError, KeyError):
        return None


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
