"""GitHub's queues: what becomes of runs and jobs that arrive in one concurrency group.

https://docs.github.com/en/actions/how-tos/write-workflows/choose-when-workflows-run/control-workflow-concurrency
and https://github.blog/changelog/2026-05-07-github-actions-concurrency-groups-now-allow-larger-queues
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

LARGEST = 100


@dataclass
class Queue:
    """One group: who runs (also: waits for an approval), who is pending, who was cancelled."""

    running: str = ""
    pending: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)

    def arrive(self, name: str, concurrency: Mapping[str, Any]) -> None:
        if not self.running:
            self.running = name
        elif concurrency.get("cancel-in-progress"):
            self.cancelled += [self.running, *self.pending]
            self.running, self.pending = name, []
        elif concurrency.get("queue") == "max":
            self.pending.append(name)
            self.cancelled += self.pending[LARGEST:]
            del self.pending[LARGEST:]
        else:  # one may wait, and takes the place of the one that did
            self.cancelled += self.pending
            self.pending = [name]

    def finish(self) -> None:
        self.running = self.pending.pop(0) if self.pending else ""


def arrived(jobs: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Queue]:
    """Return the queues after jobs (name, concurrency) have arrived in this order."""
    queues: dict[str, Queue] = {}
    for name, concurrency in jobs:
        queues.setdefault(concurrency["group"], Queue()).arrive(name, concurrency)
    return queues
