"""Executed notebooks by content: an entry is whole and true, or it is not there.

The folder is `_build/cache` unless PANGEO_DEPLOY_CACHE names another: inside the project, so that
removing `_build` forgets everything and a fresh clone really computes what it publishes. It holds
nothing that cannot be computed again.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat

from pangeo_deploy.files import write_whole
from pangeo_deploy.publish.normalise import dumps

# Entries of one notebook that are kept: enough to go back and forth between a few branches.
KEPT = 8


def folder(out: Path) -> Path:
    """Return the cache's folder for a build in `out`."""
    return Path(os.environ.get("PANGEO_DEPLOY_CACHE") or out / "cache")


def load(cache: Path, name: str, key: str) -> Any | None:
    """Return the executed notebook stored under `key`, or None if it is absent or damaged."""
    try:
        entry = json.loads(_path(cache, name, key).read_text())
        if hashlib.sha256(entry["notebook"].encode()).hexdigest() != entry["sha256"]:
            return None
        return nbformat.reads(entry["notebook"], as_version=4)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def store(cache: Path, name: str, parts: Mapping[str, str], key: str, notebook: Any) -> None:
    """Keep `notebook` under `key`, with the `parts` that the key stands for."""
    text = dumps(notebook)
    entry = {
        "key": dict(parts),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "notebook": text,
    }
    write_whole(_path(cache, name, key), json.dumps(entry, indent=1))
    entries = sorted(cache.glob(f"{name}-*.json"), key=lambda path: path.stat().st_mtime)
    for old in entries[:-KEPT]:
        old.unlink(missing_ok=True)


def _path(cache: Path, name: str, key: str) -> Path:
    return cache / f"{name}-{key[:32]}.json"
