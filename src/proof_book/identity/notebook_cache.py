"""Executed notebooks by content: an entry is whole and true, or it is not there.

The folder is `_build/cache` unless PANGEO_DEPLOY_CACHE names another: inside the project, so that
removing `_build` forgets everything and a fresh clone really computes what it publishes. It holds
nothing that cannot be computed again.
"""

import base64
import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from pangeo_core.files import write_whole
from proof_book.identity.keys import Parts, differences, key_of
from proof_book.identity.normalise_outputs import dumps

# Entries of one notebook that are kept: enough to go back and forth between a few branches.
KEPT = 8


@dataclass(frozen=True)
class Cost:
    """What a run took: wall seconds, and the peak memory (MB) of the kernel and its children."""

    seconds: float
    peak_mb: float


@dataclass(frozen=True)
class Entry:
    """An executed notebook, the files it wrote (by their place in the project), what it took."""

    notebook: Any
    cost: Cost
    outputs: Mapping[str, bytes] = field(default_factory=dict)


def folder(out: Path) -> Path:
    """Return the cache's folder for a build in `out`."""
    return Path(os.environ.get("PANGEO_DEPLOY_CACHE") or out / "cache")


def load(cache: Path, name: str, parts: Parts) -> Entry | None:
    """Return the entry of the notebook with these `parts`, or None if it is absent or damaged."""
    try:
        kept = json.loads(_path(cache, name, parts).read_text())
        if _checksum(kept["notebook"], kept["outputs"]) != kept["sha256"]:
            return None
        return Entry(
            nbformat.reads(kept["notebook"], as_version=4),
            Cost(**kept["cost"]),
            {path: base64.b64decode(text) for path, text in kept["outputs"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def store(cache: Path, name: str, parts: Parts, entry: Entry) -> None:
    """Keep `entry` under the key of `parts`, with the parts that the key stands for."""
    text = dumps(entry.notebook)
    outputs = {path: base64.b64encode(data).decode() for path, data in entry.outputs.items()}
    kept = {
        "key": parts,
        "sha256": _checksum(text, outputs),
        "cost": asdict(entry.cost),
        "outputs": outputs,
        "notebook": text,
    }
    write_whole(_path(cache, name, parts), json.dumps(kept, indent=1))
    entries = sorted(_entries(cache, name), key=lambda path: path.stat().st_mtime)
    for old in entries[:-KEPT]:
        old.unlink(missing_ok=True)


def seconds(cache: Path, name: str) -> float | None:
    """Return what the notebook's last kept run took; None where none is kept."""
    for path in sorted(_entries(cache, name), key=lambda path: path.stat().st_mtime, reverse=True):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            return Cost(**json.loads(path.read_text())["cost"]).seconds
    return None


def why_missing(cache: Path, name: str, parts: Parts) -> list[str]:
    """Return how `parts` differ from the kept run that is nearest to them."""
    told = [differences(known, parts) for known in _known(cache, name)]
    if not told:
        return ["no earlier run is kept"]
    return min(told, key=lambda one: (len(one), one)) or ["the kept run is damaged"]


def _known(cache: Path, name: str) -> Iterator[Parts]:
    for path in sorted(_entries(cache, name)):
        try:
            parts = json.loads(path.read_text())["key"]
            differences(parts, parts)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        yield parts


def _entries(cache: Path, name: str) -> list[Path]:
    return list(cache.glob(f"{name}-{'[0-9a-f]' * 32}.json"))


def _checksum(notebook: str, outputs: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps([notebook, outputs], sort_keys=True).encode()).hexdigest()


def _path(cache: Path, name: str, parts: Parts) -> Path:
    return cache / f"{name}-{key_of(parts)[:32]}.json"
