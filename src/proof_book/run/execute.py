"""Run notebooks with papermill, several at a time, each in a process of its own."""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from pangeo_core.errors import NotebookFailed
from pangeo_core.files import write_whole
from pangeo_core.progress import Event, Progress
from proof_book.identity.normalise_outputs import dumps, normalise, plain
from proof_book.identity.notebook_cache import Cost, Entry
from proof_book.identity.notebook_files import METADATA, Notebook, declared, read
from proof_book.run import observed_reads, processes

POLL_SECONDS = 0.05
MEMORY_SECONDS = 0.25  # between two looks at a notebook's memory
RECORD = "record.json"
MEMORY_MB = 2000  # what Binder ends a notebook at; one may set `memory_mb` in its metadata


@dataclass(frozen=True)
class Failure:
    """Why a notebook did not get to its end, and the notebook as far as it got."""

    name: str
    cell: int | None
    source: str
    error: str
    detail: str
    partial: Path | None


@dataclass
class _Run:
    notebook: Notebook
    folder: Path
    process: Popen[bytes]
    started: float
    peak_mb: float = 0.0
    looked: float = 0.0

    @property
    def target(self) -> Path:
        return self.folder / "executed.ipynb"

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


def run(
    notebooks: Sequence[Notebook],
    project: Path,
    scratch: Path,
    *,
    workers: int,
    timeout: float,
    progress: Progress,
    executed: Callable[[Notebook, Entry, observed_reads.Seen], str],
) -> list[Failure]:
    """Execute `notebooks`, at most `workers` at once and `timeout` seconds each.

    Each runs in its own folder, as it does when a reader opens it, and gives its normalised result
    to `executed` as soon as it ends, which may return why it will not have it. One that needs more
    memory than its limit is ended. A failure does not stop the others; all are returned.
    """
    waiting, running, failures = list(notebooks), list[_Run](), list[Failure]()
    with ExitStack() as children:
        while waiting or running:
            while waiting and len(running) < workers:
                running.append(_start(waiting.pop(0), project, scratch, children))
                progress(Event(running[-1].notebook.name, "start"))
            time.sleep(POLL_SECONDS)
            for job in list(running):
                why = _excess(job, timeout)
                if job.process.poll() is None and not why:
                    continue
                running.remove(job)
                if why:
                    processes.end(job.process)
                if why or job.process.returncode:
                    failure = _failure(job, project, why)
                elif refused := _lost(job, project) or executed(
                    job.notebook,
                    _entry(job, project),
                    observed_reads.seen(job.folder / RECORD, project),
                ):
                    failure = Failure(job.notebook.name, None, "", refused, "", job.target)
                else:
                    progress(Event(job.notebook.name, "done", seconds=job.seconds))
                    continue
                failures.append(failure)
                progress(Event(job.notebook.name, "failed", failure.error, job.seconds))
    return failures


def _excess(job: _Run, timeout: float) -> str:
    """Return what `job` takes too much of, if anything; look at its memory now and then."""
    if job.seconds > timeout:
        return f"it was still running after {timeout:g} s"
    if time.monotonic() - job.looked > MEMORY_SECONDS:
        job.peak_mb = max(job.peak_mb, observed_reads.memory_mb(job.process.pid))
        job.looked = time.monotonic()
    limit = job.notebook.content.metadata.get(METADATA, {}).get("memory_mb", MEMORY_MB)
    return f"it needed more than {limit} MB of memory" if job.peak_mb > limit else ""


def _lost(job: _Run, project: Path) -> str:
    """Return which of its declared outputs `job` did not write, if any."""
    outputs = declared(job.notebook, "outputs")
    lost = [path for path in outputs if not (project / path).is_file()]
    return f"it declares the outputs {', '.join(lost)} and did not write them" if lost else ""


def _entry(job: _Run, project: Path) -> Entry:
    return Entry(
        normalise(read(job.target), project),
        Cost(round(job.seconds, 2), round(job.peak_mb, 1)),
        {path: (project / path).read_bytes() for path in declared(job.notebook, "outputs")},
    )


def _start(notebook: Notebook, project: Path, scratch: Path, children: ExitStack) -> _Run:
    folder = scratch / notebook.name
    source = folder / "source.ipynb"
    content = notebook.content.copy()
    content["cells"] = [
        {**cell, "outputs": [], "execution_count": None} if cell.cell_type == "code" else cell
        for cell in notebook.content.cells
    ]
    write_whole(source, json.dumps(content))
    write_whole(
        folder / "ipython" / observed_reads.START_UP,
        observed_reads.recorder(folder / RECORD, project),
    )
    env = processes.environment(
        {
            # The reader's own kernels, start-up files and history must not show in the book.
            "IPYTHONDIR": str(folder / "ipython"),
            "JUPYTER_CONFIG_DIR": str(folder / "jupyter"),
            "JUPYTER_DATA_DIR": str(folder / "jupyter"),
            "JUPYTER_RUNTIME_DIR": str(folder / "jupyter"),
            "JUPYTER_PREFER_ENV_PATH": "1",
            # Nor may a notebook change what the reader has deployed.
            "PANGEO_DEPLOY_STATE": str(folder / "state"),
        }
    )
    arguments = [
        "notebook",
        str(source),
        str(folder / "executed.ipynb"),
        str(notebook.path.parent),
        json.dumps(dict(notebook.parameters)),
    ]
    with (folder / "log.txt").open("wb") as log:
        process = processes.start(arguments, log=log, env=env)
    children.enter_context(processes.ended_on_exit(process))
    return _Run(notebook, folder, process, time.monotonic())


def _failure(job: _Run, project: Path, why: str) -> Failure:
    report = job.folder / "failure.json"
    partial = job.target if job.target.exists() else None
    if not report.exists():
        lines = plain((job.folder / "log.txt").read_text(errors="replace")).strip().splitlines()
        return Failure(
            job.notebook.name,
            None,
            "",
            why or lines[-1:][0] if lines else why,
            "\n".join(lines[-20:]),
            partial,
        )
    found = json.loads(report.read_text())
    detail = plain("\n".join(found["traceback"])).replace(f"{project}/", "")
    return Failure(
        job.notebook.name, found["cell"], found["source"], why or found["error"], detail, partial
    )


def failed(failures: Sequence[Failure], kept: Path) -> NotebookFailed:
    """Keep the partial notebooks in `kept` and return the error that tells about `failures`."""
    for failure in failures:
        if failure.partial:
            write_whole(kept / f"{failure.name}.ipynb", dumps(read(failure.partial)))
    first = failures[0]
    place = f" in cell {first.cell}" if first.cell else ""
    also = [failure.name for failure in failures[1:]]
    what = f"notebook {first.name} failed{place}: {first.error}"
    if also:
        what += f" (also failed: {', '.join(also)})"
    source = "\n".join(f"    {line}" for line in first.source.splitlines())
    return NotebookFailed(
        what,
        why="\n".join(part for part in (source, first.detail) if part),
        fix=f"What had been executed is in {kept}. The last good book is untouched, and the other "
        "notebooks' results are kept: correct the cell and build again.",
    )
