"""`pangeo-deploy book build`: execute what changed, lay it out, render it, publish it whole."""

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pangeo_deploy.errors import BadInput, Interrupted, MissingPrerequisite
from pangeo_deploy.progress import Event, Progress, silent
from pangeo_deploy.publish import cache, execute, notebooks, render, stage

TIMEOUT_SECONDS = 900.0


@dataclass(frozen=True)
class BuildResult:
    """What a build did: the page to open, which notebooks ran, which came from the cache."""

    index: Path
    executed: tuple[str, ...]
    cached: tuple[str, ...]
    rendered: bool
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of `pangeo-deploy book build --json`."""
        return {**asdict(self), "index": str(self.index), "seconds": round(self.seconds, 3)}


def build(
    project: Path,
    *,
    out: Path | None = None,
    workers: int | None = None,
    timeout: float = TIMEOUT_SECONDS,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    progress: Progress = silent,
) -> BuildResult:
    """Build the book of `project` in `out` (`_build` in the project) and return what was done.

    `workers` notebooks run at once (as many as there are cores and notebooks), each for at most
    `timeout` seconds; `parameters` holds papermill parameters by notebook name. The book is in
    `out/html`, and is the old one or the new one at any moment. Raises `NotebookFailed` when a
    notebook does (what it had done is then in `out/failed`), `BadInput` when a page is wrong.
    """
    started = time.monotonic()
    project = project.resolve()
    out = (out or project / "_build").resolve()
    render.check()
    with _kind_errors(out), _alone(out), _scratch(out) as scratch:
        found = notebooks.find(project, parameters)
        done, ran = _execute(found, project, out, scratch, workers, timeout, progress)
        stage.write(out / "stage", project, done)
        progress(Event("book", "start"))
        before = time.monotonic()
        rendered = render.render(out / "stage", out / "html", scratch / "book")
        message = "" if rendered else "up to date"
        progress(Event("book", "done", message, time.monotonic() - before))
    names = [notebook.name for notebook in found]
    return BuildResult(
        out / "html" / "index.html",
        tuple(name for name in names if name in ran),
        tuple(name for name in names if name not in ran),
        rendered,
        time.monotonic() - started,
    )


def _execute(
    found: list[notebooks.Notebook],
    project: Path,
    out: Path,
    scratch: Path,
    workers: int | None,
    timeout: float,
    progress: Progress,
) -> tuple[dict[str, Any], set[str]]:
    """Return all notebooks by name with their outputs, and the names of those that had to run."""
    folder = cache.folder(out)
    parts = {notebook.name: notebooks.key_parts(notebook, project) for notebook in found}
    known = {
        notebook.name: cache.load(folder, notebook.name, notebooks.key(parts[notebook.name]))
        for notebook in found
    }
    missing = [notebook for notebook in found if known[notebook.name] is None]

    def keep(notebook: notebooks.Notebook, content: Any) -> None:
        known[notebook.name] = content
        of_it = parts[notebook.name]
        cache.store(folder, notebook.name, of_it, notebooks.key(of_it), content)
        (out / "failed" / f"{notebook.name}.ipynb").unlink(missing_ok=True)

    failures = execute.run(
        missing,
        project,
        scratch,
        workers=workers or max(1, min(os.cpu_count() or 1, len(missing))),
        timeout=timeout,
        progress=progress,
        executed=keep,
    )
    if failures:
        raise execute.failed(failures, out / "failed")
    done = {notebook.name: notebooks.graft(notebook, known[notebook.name]) for notebook in found}
    return done, {notebook.name for notebook in missing}


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Refuse a second build in `out`. The lock is on the open folder: it goes with the process."""
    out.mkdir(parents=True, exist_ok=True)
    folder = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise BadInput(
            f"another build is at work in {out}",
            fix="Wait for it to end, or build to another folder.",
        ) from None
    finally:
        os.close(folder)


@contextmanager
def _scratch(out: Path) -> Iterator[Path]:
    """Lend an empty folder for this build; what a killed build left there goes first."""
    folder = out / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _kind_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            "the build was stopped",
            fix="Run it again: the finished notebooks are kept. The last good book is untouched.",
        ) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            fix = "Free some space, or build to another disk."
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            fix = "Make it a folder that you may write to, or build to another one."
        else:
            raise
        raise MissingPrerequisite(
            f"cannot write to {error.filename or out}", why=error.strerror or "", fix=fix
        ) from error
