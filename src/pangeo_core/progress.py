"""The callback through which long work tells how far it is; the CLI and notebooks render it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

# `start`, then `done` or `failed`; `step` within a task; `info` is to be read, whatever follows.
State = Literal["start", "step", "done", "failed", "info"]


@dataclass(frozen=True)
class Event:
    """One thing that happened to one task (`task` names it: a resource address, a notebook)."""

    task: str
    state: State
    message: str = ""
    seconds: float | None = None


Progress = Callable[[Event], None]


def silent(event: Event) -> None:
    """Ignore the event: the default for every function that takes a `Progress`."""
