"""What a notebook does while it runs: the memory it holds, the modules and files it really reads.

Its modules and files are recorded inside the kernel, by a start-up file in the IPython profile
that `execute` gives it. A child process that it starts, or a library that opens files without
Python, is not seen: this finds what a notebook forgot to declare, and cannot prove that it forgot
nothing.
"""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

import psutil

from proof_book.identity.code_graph import hidden, packages, source_folder, source_folders

START_UP = "profile_default/startup/record.py"
_RECORDER = """
def _record():
    import atexit, json, os, sys
    opened = set()
    def note(event, arguments):
        if event == "open" and isinstance(arguments[0], str) and arguments[1] in ("r", "rb", "rt"):
            opened.add(os.path.abspath(arguments[0]))
    def write():
        modules = sorted(name for name in list(sys.modules) if name.split(".")[0] in {packages!r})
        with open({target!r}, "w") as file:
            json.dump({{"modules": modules, "files": sorted(opened)}}, file)
    sys.addaudithook(note)
    atexit.register(write)
_record()
del _record
"""


@dataclass(frozen=True)
class Seen:
    """What was recorded: the project's modules that were loaded, the project's files opened."""

    modules: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def recorder(target: Path, project: Path) -> str:
    """Return the start-up file that writes its record to `target` when the kernel ends."""
    names = sorted(packages(*source_folders(project)))
    return _RECORDER.format(packages=names, target=str(target))


def seen(record: Path, project: Path) -> Seen:
    """Return what the kernel recorded; nothing if it was killed before it could write."""
    try:
        found = json.loads(record.read_text())
    except (OSError, ValueError):
        return Seen()
    apart = (
        source_folder(),
        *packages(*source_folders(project)).values(),
        record.parent,
    )  # its modules are known; this is its own state
    files = [
        path.relative_to(project)
        for path in map(Path, found["files"])
        if path.is_relative_to(project)
        and not any(path.is_relative_to(folder) for folder in apart)
        and path.is_file()
    ]
    return Seen(
        tuple(found["modules"]),
        tuple(path.as_posix() for path in files if not hidden(path.parts)),
    )


def memory_mb(pid: int) -> float:
    """Return the memory (MB) of all that process `pid` started, each shared page counted once.

    0 where nothing runs any more. Where the system does not tell shares (not Linux), whole sizes.
    """
    total = 0
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                full = child.memory_full_info()
                total += getattr(full, "pss", full.rss)
    return total / 1e6
