"""The callback through which long work tells how far it is; the CLI and notebooks render it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Event:
    """One thing that happened to one task (`task` names it: a resource address, a notebook)."""

    task: str
    state: Literal["start", "done", "failed", "info"]
    message: str = ""
    seconds: float | None = None


Progress = Callable[[Event], None]


def silent(event: Event) -> None:
    """Ignore the event: the default for every function that takes a `Progress`."""
