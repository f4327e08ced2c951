"""Terraform's state on this machine: copies before and after each change, and what is left of one.

A local state is written in place: a kill or a full disk in that moment leaves it empty or cut
short, and Terraform takes an empty one for no state at all. A state that cannot reach its backend
is left by Terraform as `errored.tfstate` in its working folder.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pangeo_core.files import write_whole

KEPT = 20
ERRORED = "errored.tfstate"

State = dict[str, Any]


@dataclass(frozen=True)
class StateFiles:
    """The copies of one deployment's state, in its own folder."""

    folder: Path

    @property
    def copies(self) -> Path:
        """The folder of the copies; their names sort by age."""
        return self.folder / "state-copies"

    def keep(self, text: str) -> Path | None:
        """Keep a copy of a state, unless there is none or it is the last one kept."""
        state = parsed(text)
        if not state:
            return None
        if (last := self.last()) and last.read_text() == text:
            return last
        moment = f"{time.time_ns():020}"
        copy = self.copies / f"{moment}-serial-{state.get('serial', 0)}.tfstate"
        write_whole(copy, text, mode=0o600)
        for old in sorted(self.copies.glob("*.tfstate"))[:-KEPT]:
            old.unlink(missing_ok=True)
        return copy

    def last(self) -> Path | None:
        """Return the newest copy that is whole, None if there is none."""
        copies = sorted(self.copies.glob("*.tfstate"), reverse=True)
        return next((copy for copy in copies if parsed(_text(copy))), None)

    def recover(self, state_file: Path, say: Callable[[str], None]) -> str:
        """Return the text of a local state; one that was cut short is replaced by the last copy.

        What was made after that copy is known to the emulated account, which answers as it did then
        when it is asked to make it again.
        """
        text, copy = _text(state_file), self.last()
        if not state_file.exists() or parsed(text) is not None or not (text or copy):
            return text
        damaged = state_file.with_name(f"damaged-{time.time_ns()}.tfstate")
        state_file.replace(damaged)
        what = f"The state was cut short, and is kept as {damaged.name}."
        if not copy:
            say(f"{what} It was the first apply: what it made is found again.")
            return ""
        text = copy.read_text()
        write_whole(state_file, text, mode=0o600)
        say(f"{what} Its last copy, {copy.name}, takes its place.")
        return text

    def rescue(self, working_folder: Path) -> Path | None:
        """Keep the state that Terraform could not persist; return where, None if there is none."""
        kept = self.folder / ERRORED
        left = working_folder / ERRORED
        if left.is_file() and parsed(_text(left)):
            left.replace(kept)
        return kept if kept.exists() else None

    def pushed(self) -> None:
        """Note that the rescued state is where it belongs: it becomes a copy like others."""
        rescued = self.folder / ERRORED
        self.keep(rescued.read_text())
        rescued.unlink(missing_ok=True)


def parsed(text: str) -> State | None:
    """Return the state that a text is, None for one that is empty or cut short."""
    try:
        state = json.loads(text)
    except ValueError:
        return None
    return state if isinstance(state, dict) else None


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
