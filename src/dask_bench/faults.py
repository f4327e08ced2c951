"""Explain failures of a run in one sentence, and limit the time of calls that may never end."""

import contextvars
import errno
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, wait
from typing import TypeVar

from distributed import KilledWorker
from distributed.comm.core import CommClosedError

from pangeo_core.errors import PangeoDeployError

REASON = 300  # of a failure's message
Result = TypeVar("Result")


class TookTooLong(TimeoutError):
    """A call did not end in time; it may still be running."""


def within(seconds: float, do: Callable[[], Result], else_say: str = "") -> Result:
    """Return the result of `do`. Raises `TookTooLong` if that takes longer than `seconds`.

    It runs in a thread, since a call that hangs in a library cannot be interrupted. Such a call is
    abandoned: the caller has to close what it waits for.
    """
    answer: Future[Result] = Future()

    def work() -> None:
        try:
            answer.set_result(do())
        except BaseException as error:
            answer.set_exception(error)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), daemon=True).start()
    if not wait([answer], seconds).done:
        raise TookTooLong(else_say or f"The run took longer than {seconds:g} s.")
    return answer.result()


def explain(error: BaseException) -> str:
    """Return why a run failed, in one line: the fault's name, then Python's message."""
    if isinstance(error, PangeoDeployError | TookTooLong):
        said = str(error)
    else:
        said = f"{_fault(error)}{type(error).__name__}: {error}"
    return " ".join(said.split())[:REASON]


def _fault(error: BaseException) -> str:
    return next(
        (f"{said} " for cause in _causes(error) for test, said in _FAULTS if test(cause)), ""
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _failed_with(*numbers: int) -> Callable[[BaseException], bool]:
    return lambda error: isinstance(error, OSError) and error.errno in numbers


_FAULTS: tuple[tuple[Callable[[BaseException], bool], str], ...] = (
    (_failed_with(errno.ENOSPC, errno.EDQUOT), "The disk is full."),
    (_failed_with(errno.EFBIG), "A file is larger than this system allows."),
    (lambda error: isinstance(error, MemoryError), "The memory is full."),
    (
        lambda error: isinstance(error, KilledWorker),
        "Worker after worker was killed at the same task; their memory limit may be too small.",
    ),
    (
        # A client cancels its futures when it loses its scheduler.
        lambda error: isinstance(error, CancelledError | CommClosedError),
        "The scheduler died or cannot be reached.",
    ),
)
