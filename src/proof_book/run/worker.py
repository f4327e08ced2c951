"""The child process of a build: execute one notebook, or render the book.

Run as `python -m proof_book.run.worker PARENT notebook SOURCE TARGET CWD PARAMETERS` or
`... PARENT book ARGUMENTS-OF-JUPYTER-BOOK`.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pangeo_core.files import write_whole
from proof_book.run.processes import die_with


def execute(source: Path, target: Path, cwd: Path, parameters: dict[str, Any]) -> int:
    """Execute `source` in `cwd` into `target`; return 1 if it did not get to its end.

    Then `target` holds what had been executed, and `failure.json` beside it says which cell failed.
    """
    import papermill
    from papermill.engines import NBClientEngine, papermill_engines
    from papermill.exceptions import PapermillExecutionError

    class KeepPartial(NBClientEngine):  # type: ignore[misc]
        """papermill's own engine; an interrupted notebook is kept as far as it got."""

        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
            try:
                return super().execute_managed_notebook(nb_man, kernel_name, **options)
            except BaseException as error:
                papermill.iorw.write_ipynb(nb_man.nb, str(target))
                begun = [
                    (number, cell)
                    for number, cell in enumerate(nb_man.nb.cells)
                    if cell.metadata.get("papermill", {}).get("start_time")
                ]
                number, cell = begun[-1] if begun else (0, nb_man.nb.cells[0])
                _report(target, number, cell.source, type(error).__name__, [repr(error)])
                raise

    papermill_engines.register("keep-partial", KeepPartial)
    try:
        papermill.execute_notebook(
            str(source),
            str(target),
            parameters=parameters or None,
            engine_name="keep-partial",
            request_save_on_cell_execute=False,
            progress_bar=False,
            cwd=str(cwd),
        )
    except PapermillExecutionError as error:
        heading = f"{error.ename}: {error.evalue}"
        _report(target, error.cell_index, error.source, heading, list(error.traceback))
        return 1
    return 0


def _report(target: Path, index: int, source: str, error: str, traceback: list[str]) -> None:
    failure = {"cell": index + 1, "source": source, "error": error, "traceback": traceback}
    write_whole(target.with_name("failure.json"), json.dumps(failure))


def main(arguments: list[str]) -> int:
    """Do what `arguments` say and return the exit code."""
    parent, job, *rest = arguments
    die_with(int(parent))
    if job == "notebook":
        source, target, cwd, parameters = rest
        return execute(Path(source), Path(target), Path(cwd), json.loads(parameters))
    from jupyter_book.cli.main import main as jupyter_book

    jupyter_book(rest, prog_name="jupyter-book")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
