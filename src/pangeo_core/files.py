"""Files written whole or not at all, and digests of what they hold."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pangeo_core.errors import BadInput

__all__ = ["write_whole"]


def write_whole(path: Path, content: bytes | str, mode: int = 0o644, durable: bool = True) -> None:
    """Write `content` to `path` so that a reader sees the old file or the new one, never a part.

    `durable` waits for the disk, so that this holds through a power cut too. An `OSError`, such as
    a full disk, names `path`.
    """
    import tempfile  # help that writes nothing waits for none of it

    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> Any:
    """Return the JSON in `path`. Raises `BadInput` naming it where there is none."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read as JSON.", why=str(error)) from error


def digest(root: Path, files: Iterable[Path]) -> str:
    """Return a sha256 over the names (relative to `root`) and contents of `files`, in any order."""
    import hashlib  # it loads OpenSSL

    total = hashlib.sha256()
    for file in sorted(set(files)):
        total.update(f"{file.relative_to(root).as_posix()}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()
