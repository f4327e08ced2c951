"""Serve the repositories that the rehearsal's Binder can launch, in git's HTTP protocol.

    python -m local_hub.git_repositories

The name of each in a launch is written to `repositories.json` in the hub's folder.
"""

import json
import os
import subprocess
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

from local_hub import hub_state
from pangeo_core.files import write_whole
from pangeo_core.lifeline import die_with_parent

# `broken` cannot be built, `miner` is banned.
REPOSITORIES = {
    "example": {
        "environment.yml": "dependencies:\n  - python=3.12\n  - xarray\n",
        "answer.py": "def answer():\n    return 6 * 7\n",
    },
    "second": {"requirements.txt": "xarray\n"},
    "broken": {"environment.yml": "dependencies: [python\n"},
    "miner": {"requirements.txt": "xarray\n"},
}
AUTHOR = {
    "GIT_AUTHOR_NAME": "rehearsal",
    "GIT_AUTHOR_EMAIL": "rehearsal@localhost",
    "GIT_COMMITTER_NAME": "rehearsal",
    "GIT_COMMITTER_EMAIL": "rehearsal@localhost",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def make(folder: Path, files: dict[str, str]) -> str:
    """Create a repository in `folder` that can be served as files; return its only commit."""
    folder.mkdir(parents=True, exist_ok=True)

    def git(*words: str) -> str:
        command = ["git", "-C", str(folder), *words]
        environment = {**os.environ, **AUTHOR}
        done = subprocess.run(
            command, env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout.strip()

    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git("init", "--quiet", "--initial-branch", "main")
    git("add", ".")
    git("commit", "--quiet", "--allow-empty", "--message", "Begin")
    git("update-server-info")
    return git("rev-parse", "HEAD")


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without logging requests."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def main() -> None:
    """Create the repositories and serve them until the process ends."""
    die_with_parent()
    hub = hub_state.load()
    root = hub.folder / "repositories"
    called = {}
    for name, files in REPOSITORIES.items():
        commit = make(root / name, files)
        url = f"{hub.url('repositories')}/{name}/.git"
        called[name] = f"git/{quote(url, safe='')}/{commit}"
    write_whole(hub.folder / "repositories.json", json.dumps(called, indent=2))
    address = (hub_state.HOST, hub.ports["repositories"])
    ThreadingHTTPServer(address, partial(QuietHandler, directory=str(root))).serve_forever()


if __name__ == "__main__":
    main()
