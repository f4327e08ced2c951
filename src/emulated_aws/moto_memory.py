"""moto's memory, of which a process has one, and the accounts that use it by turns."""

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
    """One user's share of moto's memory. Inside `with turn:` moto holds that, and nothing else.

    Of all turns of a process one is inside at a time: moto is not made for concurrent changes.
    `tagged` yields the ARN and tags of what the user has beside moto in a region.
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
        """Remember what moto holds."""
        self._content = [(one, dict(one), dict(names_beside(one))) for one in holders()]
        self._random = mock_random.getstate()

    def put_back(self) -> None:
        """Have moto hold what was taken out, and nothing else."""
        empty_moto()
        for holder, content, names in self._content:
            holder.update(content)
            names_beside(holder).update(names)
            BackendDict._instances.append(holder)  # type: ignore[misc]
        mock_random.setstate(self._random)


_lock = threading.RLock()
_others = Turn()  # whoever else in this process uses moto
_current = _others
_open: list[Turn] = []
_repairs = ExitStack()


def switch_to(turn: Turn) -> None:
    """Have moto hold what is one user's."""
    global _current
    if turn is not _current:
        _current.take_out()
        turn.put_back()
        _current = turn


@contextmanager
def lent_to(turn: Turn, session: boto3.Session) -> Iterator[None]:
    """Let an account use moto, which is repaired meanwhile; give back what was in it before.

    Several may be open in one process, and are closed in any order.
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
    """Yield the ARN and tags of what the account that is asked has beside moto."""
    yield from _current.tagged(region)


@contextmanager
def repaired(session: boto3.Session) -> Iterator[None]:
    """Repair and complete moto's classes while any account is open.

    moto's default machine images are left out (megabytes of state that nobody here asks for), and
    its own sessions are replaced by `session`, so that the environment cannot break it.
    """
    models = session._session.get_component("data_loader")
    with mock.patch.object(boto3, "Session", return_value=session), offerings_when_asked():
        for module in ("moto.ec2", "moto.eks"):  # these make a session when they are imported
            importlib.import_module(module)
    with (
        mock.patch.object(settings, "ec2_load_default_amis", return_value=False),
        mock.patch.object(AccountSpecificBackend, "get_session", return_value=session),
        # Each model is read once, for who asks and who answers.
        mock.patch.object(utils, "create_loader", return_value=models),
        # Asked for with each request, and always the same.
        mock.patch.object(responses, "method_names_from_class", cache(method_names_from_class)),
        moto_patches.lent_to_moto(tagged_by_current),
    ):
        yield


def empty_moto() -> None:
    """Forget what moto's backends hold, without their slow own reset."""
    for holder in holders():
        holder.clear()
        names_beside(holder).clear()
    BackendDict._instances.clear()  # type: ignore[misc]


def names_beside(holder: Any) -> dict[Any, Any]:
    """Return what moto keeps beside the accounts: the names of buckets, which are all of AWS's."""
    found: dict[Any, Any] = holder.__dict__.get("bucket_accounts", {})
    return found
