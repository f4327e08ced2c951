"""`_build/report.json`: what each notebook of a build does, and took; written as it happens."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pangeo_core.files import write_whole
from pangeo_core.progress import Event, Progress
from proof_book.run.executed import Executed

_STATES = {"start": "running", "done": "executed", "failed": "failed"}


class Report:
    """The file, kept true from event to event. A notebook is `waiting` until something happens."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self._path = path
        self._notebooks: dict[str, dict[str, Any]] = {name: {"state": "waiting"} for name in names}
        self._write()

    def watching(self, progress: Progress) -> Progress:
        """Return a callback that records an event and passes it on to `progress`."""

        def both(event: Event) -> None:
            if event.task in self._notebooks and event.state in _STATES:
                took = {} if event.seconds is None else {"seconds": round(event.seconds, 2)}
                self._notebooks[event.task] = {"state": _STATES[event.state], **took}
                self._write()
            progress(event)

        return both

    def finish(self, done: Mapping[str, Executed]) -> None:
        """Write what all notebooks took, those too that were kept from an earlier build."""
        for name, one in done.items():
            state = "executed" if one.why else "kept"
            self._notebooks[name] = {"state": state, **asdict(one.cost), "why": list(one.why)}
        self._write()

    def _write(self) -> None:
        write_whole(self._path, json.dumps({"notebooks": self._notebooks}, indent=1), durable=False)
