"""Serve an account: one process at a time owns its folder, and another takes over when it ends."""

import contextlib
import errno
import fcntl
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from emulated_aws.account import (
    REGION,
    TAKING_OVER_SECONDS,
    Account,
    connect,
    direct,
    isolated_session,
)
from pangeo_core.errors import BadInput, MissingPrerequisite
from pangeo_core.files import write_whole

STARTING_SECONDS = 30.0
# Of a client while another process takes the account over: waits double, with jitter, up to 20 s.
SUCCESSORS_ATTEMPTS = 12


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

    Clients retry requests made in between until the new server answers.
    """
    port = int(endpoint.rpartition(":")[2])
    done = threading.Event()
    with ExitStack() as stack:

        def wait_for_our_turn() -> None:
            while not done.wait(TAKING_OVER_SECONDS):
                # If the port is taken, or the account was removed, the clients' own errors say so.
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
    """Own the account: load it, serve it, and save it at the end."""
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
