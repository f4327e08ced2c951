"""Share moto's memory, of which a process has one, among the accounts that it serves."""

import importlib
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any
from unittest import mock

import boto3
from moto import settings
from moto.core import responses, utils
from moto.core.base_backend import AccountSpecificBackend, BackendDict
from moto.core.utils import method_names_from_class
from moto.moto_api._internal import mock_random

from emulated_aws import moto_patches
from emulated_aws.saved_state import holders
from emulated_aws.service_models import offerings_when_asked

Tagged = Iterator[tuple[str, dict[str, str]]]


class Turn:
    """One account's share of moto's memory. Inside `with turn:` moto holds that and nothing else.

    Only one turn of a process is active at a time: moto is not thread-safe. `tagged` yields the ARN
    and tags of the account's resources in a region that are not moto's.
    """

    def __init__(self, tagged: Callable[[str], Tagged] = lambda region: iter(())) -> None:
        self.tagged = tagged
        self._content: list[tuple[Any, dict[Any, Any], dict[Any, Any]]] = []
        self._random = mock_random.getstate()

    def __enter__(self) -> None:
        _lock.acquire()
        switch_to(self)

    def __exit__(self, *_error: object) -> None:
        _lock.release()

    def take_out(self) -> None:
        """Return moto's present state."""
        self._content = [(one, dict(one), dict(names_beside(one))) for one in holders()]
        self._random = mock_random.getstate()

    def put_back(self) -> None:
        """Replace moto's state by one that was taken out."""
        empty_moto()
        for holder, content, names in self._content:
            holder.update(content)
            names_beside(holder).update(names)
            BackendDict._instances.append(holder)  # type: ignore[misc]
        mock_random.setstate(self._random)


_lock = threading.RLock()
_others = Turn()  # anything else in this process that uses moto
_current = _others
_open: list[Turn] = []
_repairs = ExitStack()


def switch_to(turn: Turn) -> None:
    """Make moto hold one account's state."""
    global _current
    if turn is not _current:
        _current.take_out()
        turn.put_back()
        _current = turn


@contextmanager
def lent_to(turn: Turn, session: boto3.Session) -> Iterator[None]:
    """Let an account use moto, repaired meanwhile; restore what moto held before.

    Several accounts can be open in one process, and closed in any order.
    """
    with _lock:
        if not _open:
            _repairs.enter_context(repaired(session))
        _open.append(turn)
    try:
        yield
    finally:
        with _lock:
            _open.remove(turn)
            switch_to(_others)
            if not _open:
                _repairs.close()


def tagged_by_current(region: str) -> Tagged:
    """Yield the ARN and tags of the current account's resources that are not moto's."""
    yield from _current.tagged(region)


@contextmanager
def repaired(session: boto3.Session) -> Iterator[None]:
    """Repair and complete moto's classes while any account is open.

    moto's default machine images are left out (megabytes of state that nothing here uses), and its
    own sessions are replaced by `session`, so that the environment's settings cannot break it.
    """
    models = session._session.get_component("data_loader")
    with mock.patch.object(boto3, "Session", return_value=session), offerings_when_asked():
        for module in ("moto.ec2", "moto.eks"):  # these create a session when they are imported
            importlib.import_module(module)
    with (
        mock.patch.object(settings, "ec2_load_default_amis", return_value=False),
        mock.patch.object(AccountSpecificBackend, "get_session", return_value=session),
        # Client and server share each service model, which is read once.
        mock.patch.object(utils, "create_loader", return_value=models),
        # Read for each request, and always the same.
        mock.patch.object(responses, "method_names_from_class", cache(method_names_from_class)),
        moto_patches.lent_to_moto(tagged_by_current),
    ):
        yield


def empty_moto() -> None:
    """Clear moto's backends, without their own slow reset."""
    for holder in holders():
        holder.clear()
        names_beside(holder).clear()
    BackendDict._instances.clear()  # type: ignore[misc]


def names_beside(holder: Any) -> dict[Any, Any]:
    """Return the state that moto shares among accounts: bucket names, which are global in AWS."""
    found: dict[Any, Any] = holder.__dict__.get("bucket_accounts", {})
    return found
