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

from pangeo_core.errors import BadInput, Interrupted, MissingPrerequisite
from pangeo_core.files import write_whole
from pangeo_core.progress import Event, Progress, silent
from proof_book.identity import freshness, keys, notebook_cache, notebook_files
from proof_book.page import provenance, render, stage
from proof_book.page.build_report import Report
from proof_book.run import execute, observed_reads
from proof_book.run.executed import Executed

TIMEOUT_SECONDS = 900.0


@dataclass(frozen=True)
class BuildResult:
    """What a build did: the page to open, which notebooks ran and why, which were kept."""

    index: Path
    executed: tuple[str, ...]
    cached: tuple[str, ...]
    rendered: bool
    seconds: float
    reasons: Mapping[str, tuple[str, ...]]

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
    `out/html`, and is the old one or the new one at any moment; `out/report.json` tells meanwhile
    what each notebook did and took. Raises `NotebookFailed` when a notebook does (what it had done
    is then in `out/failed`), `BadInput` when a page is wrong.
    """
    started = time.monotonic()
    project = project.resolve()
    out = (out or project / "_build").resolve()
    render.check()
    with _kind_errors(out), _alone(out), _scratch(out) as scratch:
        found = notebook_files.find(project, parameters)
        report = Report(out / "report.json", [book.name for book in found])
        done = _execute(found, project, out, scratch, workers, timeout, report.watching(progress))
        report.finish(done)
        stage.write(out / "stage", project, done)
        progress(Event("book", "start"))
        before = time.monotonic()
        rendered = render.render(out / "stage", out / "html", scratch / "book")
        freshness.record(out, project, done)
        message = "" if rendered else "up to date"
        progress(Event("book", "done", message, time.monotonic() - before))
    return BuildResult(
        out / "html" / "index.html",
        tuple(name for name, one in done.items() if one.why),
        tuple(name for name, one in done.items() if not one.why),
        rendered,
        time.monotonic() - started,
        {name: one.why for name, one in done.items()},
    )


def _execute(
    found: list[notebook_files.Notebook],
    project: Path,
    out: Path,
    scratch: Path,
    workers: int | None,
    timeout: float,
    progress: Progress,
) -> dict[str, Executed]:
    """Return all notebooks by name as they stand after this build."""
    folder = notebook_cache.folder(out)
    done: dict[str, Executed] = {}
    for ready in notebook_files.rounds(found):
        parts = {book.name: keys.parts_of(book, project) for book in ready}
        kept = {
            book.name: notebook_cache.load(folder, book.name, parts[book.name]) for book in ready
        }
        why = {
            name: () if entry else tuple(notebook_cache.why_missing(folder, name, parts[name]))
            for name, entry in kept.items()
        }

        def keep(
            book: notebook_files.Notebook,
            entry: notebook_cache.Entry,
            seen: observed_reads.Seen,
            parts: Mapping[str, keys.Parts] = parts,
            kept: dict[str, notebook_cache.Entry | None] = kept,
        ) -> str:
            if forgotten := keys.undeclared(book, parts[book.name], seen):
                return f"its metadata's inputs do not say that it {', '.join(forgotten)}"
            notebook_cache.store(folder, book.name, parts[book.name], entry)
            (out / "failed" / f"{book.name}.ipynb").unlink(missing_ok=True)
            kept[book.name] = entry
            return ""

        missing = [book for book in ready if kept[book.name] is None]
        failures = execute.run(
            longest_first(missing, folder, project),
            project,
            scratch,
            workers=workers or max(1, min(os.cpu_count() or 1, len(missing))),
            timeout=timeout,
            progress=progress,
            executed=keep,
        )
        if failures:
            raise execute.failed(failures, out / "failed")
        for book in ready:
            entry = kept[book.name]
            assert entry is not None
            _put_back(entry, project)
            whole = notebook_files.graft(book, entry.notebook)
            done[book.name] = Executed(book, whole, parts[book.name], entry.cost, why[book.name])
    return {book.name: done[book.name] for book in found}


def longest_first(
    books: list[notebook_files.Notebook], folder: Path, project: Path
) -> list[notebook_files.Notebook]:
    """Return `books` by what each took when it last ran, so that none is begun late and waited for.

    That is in the cache in `folder`; where it is not, in the project's recorded costs. One that has
    never run comes first: it may be the longest.
    """
    recorded = provenance.read_costs(project)

    def expected(book: notebook_files.Notebook) -> float:
        known = notebook_cache.seconds(folder, book.name)
        return float(recorded.get(book.name, {}).get("seconds", "inf")) if known is None else known

    return sorted(books, key=expected, reverse=True)


def _put_back(entry: notebook_cache.Entry, project: Path) -> None:
    """Write the files that a kept notebook had written, where they are not there as they were."""
    for path, content in entry.outputs.items():
        file = project / path
        if not file.is_file() or file.read_bytes() != content:
            write_whole(file, content)


def explain(
    project: Path,
    *,
    out: Path | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, tuple[str, ...]]:
    """Return by notebook why a build would execute it; nothing where it would not.

    A notebook that reads another one's outputs is judged by those that are there now.
    """
    project = project.resolve()
    folder = notebook_cache.folder((out or project / "_build").resolve())
    return {
        book.name: _why(book, project, folder) for book in notebook_files.find(project, parameters)
    }


def _why(book: notebook_files.Notebook, project: Path, folder: Path) -> tuple[str, ...]:
    try:
        parts = keys.parts_of(book, project)
    except BadInput as error:  # an input that another notebook has not made yet, or a wrong one
        return (error.what,)
    if notebook_cache.load(folder, book.name, parts):
        return ()
    return tuple(notebook_cache.why_missing(folder, book.name, parts))


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
            fix="Wait for it to end, or build to another folder with --out.",
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
            fix = "Free some space, or build to another disk with --out."
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            fix = "Make it a folder that you may write to, or build to another one with --out."
        else:
            raise
        raise MissingPrerequisite(
            f"cannot write to {error.filename or out}", why=error.strerror or "", fix=fix
        ) from error
