"""What can go wrong in a run, said in one sentence, and a limit for what may never end."""

import contextvars
import errno
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, wait
from typing import TypeVar

from distributed import KilledWorker
from distributed.comm.core import CommClosedError

from pangeo_core.errors import PangeoDeployError

REASON = 300  # characters of a failure that are kept
Result = TypeVar("Result")


class TookTooLong(TimeoutError):
    """What was waited for did not end; it may still be under way."""


def within(seconds: float, do: Callable[[], Result], else_say: str = "") -> Result:
    """Return what `do` returns, or raise `TookTooLong` when that takes longer than `seconds`.

    It runs in a thread, since a call that stands still in a library cannot be interrupted. Such a
    call is left to itself: what it waits for has to be closed by the caller.
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
    """Return why a run failed, in one line: the fault's name first, then what Python says of it."""
    if isinstance(error, PangeoDeployError | TookTooLong):
        said = str(error)
    else:
        said = f"{_fault(error)}{type(error).__name__}: {error}"
    return " ".join(said.split())[:REASON]


def _fault(error: BaseException) -> str:
    return next((f"{said} " for one in _causes(error) for test, said in _FAULTS if test(one)), "")


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
        # A client cancels what it waits for when it loses its scheduler.
        lambda error: isinstance(error, CancelledError | CommClosedError),
        "The scheduler died or cannot be reached.",
    ),
)
