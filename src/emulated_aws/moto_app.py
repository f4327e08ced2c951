"""The emulated AWS of a rehearsal: moto as a WSGI application that saves every change."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from moto import backends
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_api._internal import mock_random
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.test import run_wsgi_app

from emulated_aws import operations
from emulated_aws.api_requests import Request, body_of, read_request
from emulated_aws.moto_memory import Turn
from emulated_aws.operations import eks
from emulated_aws.saved_state import State, holders

LAST_ANSWERS_SECONDS = 5.0

Answer = tuple[Iterable[bytes], str, Any]


class Closed(Exception):
    """A request came after the account was closed: nothing was changed."""


class World:
    """Answers like AWS, one request at a time; its state is in `folder`.

    Each change is on disk before its response is sent, so that a process killed at any moment loses
    no change that a caller knows of. Writes of S3 objects are the exception: they are saved within
    about a second and at the end, so that bulk traffic stays cheap.
    """

    account_id: str = DEFAULT_ACCOUNT_ID

    def __init__(self, folder: Path, region: str) -> None:
        self.folder = folder
        self.state = State(folder, region)
        # moto is used only inside this turn: other accounts of the process have theirs.
        self.turn = Turn(lambda region: operations.tagged(self.state.things, region))
        self._saving = threading.Lock()
        self._changes, self._saved = 0, -1
        self._timer: threading.Timer | None = None
        self._objects_changed = 0  # the number of the last change of an S3 object
        self._answering, self._quiet = 0, threading.Condition()
        self.closed = False
        self._broken = ""  # set once something could not be saved: no further changes
        self._moto = Dispatcher(create_backend_app)

    def open(self) -> None:
        """Load the account in the folder, or start one with AWS's default VPC."""
        with self.turn:
            if self.state.manifest.exists():
                self.state.load()
                self._saved = 0
                return
            mock_random.seed(self.state.seed)
            for region in dict.fromkeys((self.state.region, "us-east-1")):
                backends.get_backend("ec2")[self.account_id][region]
        self._save(upto=0)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Count a network request as in progress until its last byte is sent."""
        with self._quiet:
            self._answering += 1
        try:
            yield
        finally:
            with self._quiet:
                self._answering -= 1
                self._quiet.notify_all()

    def close(self) -> None:
        """Save unsaved changes; later requests get a connection error.

        Responses being sent are waited for, unless their client hangs.
        """
        with self.turn:
            self.closed = True
            timer, changes = self._timer, self._changes
        if timer:
            timer.cancel()
        if not self._broken:
            self._save(upto=changes)
        with self._quiet:
            self._quiet.wait_for(lambda: not self._answering, LAST_ANSWERS_SECONDS)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        if environ["PATH_INFO"].startswith("/rehearsal"):
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [self._own(environ).encode()]
        try:
            body, status, headers = self.respond(environ)
        except Closed:  # SDKs retry, and reach the process that serves the account by then
            body, status, headers = [], "503 Service Unavailable", []
        start_response(status, list(headers))
        return body

    def respond(self, environ: dict[str, Any]) -> Answer:
        """Answer one request; if its effect cannot be saved, return an error in AWS's form.

        Raises `Closed` once the account is closed.
        """
        try:
            body_of(environ)  # before taking the turn: a client that hangs holds up only itself
            return self.answer(environ)
        except TimeoutError:
            raise
        except OSError as error:
            self._broken = f"The rehearsal's account cannot be saved in {self.folder}: {error}."
            return self._refuse_to_change(environ)

    def _own(self, environ: dict[str, Any]) -> str:
        """Answer a request to the rehearsal's own endpoint."""
        match environ["PATH_INFO"].rpartition("/")[2]:
            case "told":
                run = body_of(environ).decode()
                self._forget([what for what, by in self.state.made.items() if by["run"] == run])
            case "gone":
                what, _, run = body_of(environ).decode().partition(" ")
                if self.state.made.get(what, {}).get("run") == run:
                    self._forget([what])
            case "made":
                return json.dumps(list(self.state.made))
        return str(self.folder)

    def _forget(self, made: list[str]) -> None:
        """Forget how resources were created: their run has recorded them, or they are deleted."""
        with self.turn:
            if self.closed or not made:
                return
            for what in made:
                self.state.made.pop(what, None)
            self._changes += 1
            changes = self._changes
        self._save(upto=changes)

    def answer(self, environ: dict[str, Any]) -> Answer:
        """Have moto answer, and save the changes before the response is sent."""
        request = read_request(environ)
        if self._broken and not request.read_only:
            return self._refuse_to_change(environ)
        with self.turn:
            if self.closed:  # moto is no longer ours: its changes would not be saved
                raise Closed
            known = count_backends()
            if earlier := self._made_before(request):
                return earlier
            self._draw_ids_for(request)
            body, status, headers = self._perform(request, environ)
            if request.made and status.startswith("2"):
                answer = (b"".join(body).decode(), status, list(headers))
                self.state.made[request.made]["answers"][request.digest] = answer
                body = [answer[0].encode()]
            if request.s3_object and not request.read_only:
                self._save_objects_soon()
            elif not request.read_only or count_backends() != known:
                self._changes += 1
                if request.service == "s3":
                    self._objects_changed = self._changes
            mine = self._changes
        if not request.s3_object:
            self._save(upto=mine)
        return body, status, headers

    def _refuse_to_change(self, environ: dict[str, Any]) -> Answer:
        """Return an error that no SDK retries: no further change can be saved."""
        why = f"{self._broken} Make room there, then run this again: what was saved is whole."
        failure = operations.Failure("RehearsalNotSaved", why)
        return operations.refuse(read_request(environ).service, failure)

    def _perform(self, request: Request, environ: dict[str, Any]) -> Answer:
        """Answer by one of our own operations, or by moto; name the operation that neither has."""
        call = None
        if request.service in operations.OPERATIONS:
            content = body_of(environ)
            try:
                call = operations.read_call(
                    request.service, request.region, self.account_id, environ, content
                )
            except (ValueError, KeyError) as error:
                problem = operations.Failure("SerializationException", f"Not readable: {error}")
                return operations.refuse(request.service, problem)
            if answer := operations.perform(self.state.things, call):
                return answer
        try:
            body, status, headers = run_wsgi_app(self._moto, environ, buffered=True)
        except Exception as error:  # how moto reports what it does not have, or a fault of its own
            return operations.refuse(request.service, not_emulated(request, error))
        content = b"".join(body)
        if status[0] in "45" and content.lstrip()[:9].lower() in (b"<!doctype", b"<html><bo"):
            return operations.refuse(request.service, not_emulated(request))
        if call and call.service == "eks" and status.startswith("2"):
            eks.follow(self.state.things, call, json.loads(content or b"{}"))
        return [content], status, headers

    def _made_before(self, request: Request) -> Answer | None:
        """Return the response to an earlier run's creation of the same resource (see `making`)."""
        if not request.made:
            return None
        entry = self.state.made.setdefault(request.made, {"run": request.run, "answers": {}})
        if entry["run"] != request.run:
            earlier = {**entry.get("earlier", {}), **entry["answers"]}
            entry |= {"run": request.run, "answers": {}, "earlier": earlier}
        if not (found := entry.get("earlier", {}).pop(request.digest, None)):
            return None
        entry["answers"][request.digest] = found
        return [found[0].encode()], found[1], [tuple(header) for header in found[2]]

    def _draw_ids_for(self, request: Request) -> None:
        """Make the ids that moto draws depend on the request, not on the order of requests."""
        times = 0
        if not request.read_only and not request.s3_object:
            times = self.state.asked[request.digest] = self.state.asked.get(request.digest, 0) + 1
        mock_random.seed(f"{self.state.seed} {request.digest} {times}")

    def _save(self, upto: int) -> None:
        """Save at least the first `upto` changes; callers that wait for the same save share it."""
        with self._saving:
            if self._saved >= upto:
                return
            with self.turn:
                changes = self._changes
                files, pickles = self.state.changed(self._objects_changed > self._saved)
                manifest = self.state.describe(files)
            self.state.write(files, pickles, manifest)
            self._saved = changes

    def _save_objects_soon(self) -> None:
        self._changes += 1
        self._objects_changed = self._changes
        if self._timer is None:
            self._timer = threading.Timer(1.0, self._save_objects)
            self._timer.daemon = True
            self._timer.start()

    def _save_objects(self) -> None:
        with self.turn:
            self._timer = None
            changes = self._changes
        self._save(upto=changes)


class Dispatcher(DomainDispatcherApplication):
    """moto's choice of a service by host name, cached: moto searches its folders each time."""

    def __init__(self, create_app: Callable[[Any], Any]) -> None:
        super().__init__(create_app)
        self._found: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        """Return the service that a host name means."""
        if host not in self._found:
            self._found[host] = super().get_backend_for_host(host)
        return self._found[host]


def not_emulated(request: Request, error: Exception | None = None) -> operations.Failure:
    """Return the error for an operation that neither moto nor this package has.

    Not status 500, which moto returns and SDKs retry for minutes.
    """
    why = f" ({type(error).__name__}: {error})" if error and str(error) else ""
    return operations.Failure(
        "NotEmulated",
        f"The emulated account does not implement {request.service}: {request.action}.{why}",
    )


def count_backends() -> int:
    """Return how many backends (service, account, region) moto has created so far."""
    return sum(len(regions) for holder in holders() for regions in holder.values())


class QuietHandler(MotoRequestHandler):
    """Logs nothing for a request, and drops a client that sends nothing."""

    timeout = 60

    def run_wsgi(self) -> None:
        """Answer one request, and tell the account when it is done."""
        with cast("World", self.server.app).answering():
            super().run_wsgi()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""
