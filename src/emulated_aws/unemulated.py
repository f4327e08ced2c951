"""What has no emulated API: kept in a file of the rehearsal's own, and said to be so.

AWS's side of such a thing is not emulated at all: it is what it was made with, until it is changed
or deleted. `emulated_aws.kept_types` names the types, so that reports can mark them.
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pangeo_core.errors import BadInput
from pangeo_core.files import write_whole

Content = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Kept:
    """The kept things of one account, by type and id; several processes may change them."""

    file: Path

    def read(self) -> Content:
        """Return all of it. Raises `BadInput` for a damaged file, which stays as it is."""
        if not self.file.exists():
            return {}
        try:
            content: Content = json.loads(self.file.read_bytes())
        except ValueError as error:
            raise BadInput(
                f"What the rehearsal keeps cannot be read: {self.file}",
                why=f"It is cut short or was changed by something else: {error}",
                fix="Nothing was changed. Remove the rehearsal's folder to start over.",
            ) from error
        return content

    @contextmanager
    def change(self) -> Iterator[Content]:
        """Give all of it to be changed; write it whole afterwards, one process at a time."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            content = self.read()
            yield content
            write_whole(self.file, json.dumps(content, indent=1, sort_keys=True))
