"""What the terminal shows: results on stdout (tables, or one JSON document), the rest on stderr."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pangeo_core.errors import PangeoDeployError
from pangeo_core.progress import Event, Progress

PIPE_COLUMNS = 160
_MARKS = {"done": "[green]✓[/]", "failed": "[red]✗[/]", "info": "[yellow]![/]"}


def output() -> Console:
    """Return the console for results; in a pipe there is room for whole paths and addresses."""
    return Console() if sys.stdout.isatty() else Console(width=PIPE_COLUMNS, soft_wrap=True)


def show(document: Any, as_json: bool, human: Iterable[Any]) -> None:
    """Print the result: `document` as JSON, or the `human` renderables."""
    if as_json:
        print(json.dumps(document, indent=2, ensure_ascii=False))  # noqa: T201
        return
    console = output()
    for part in human:
        console.print(part)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Return a rich table; a column whose name ends in `)` holds numbers and is set right."""
    result = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        result.add_column(
            column, justify="right" if column.endswith(")") else "left", overflow="fold"
        )
    for row in rows:
        result.add_row(*(escape(str(cell)) for cell in row))
    return result


@contextmanager
def reporting(what: str) -> Iterator[Progress]:
    """Show on stderr what long work is doing: one line for each thing done, a spinner meanwhile."""
    console = Console(stderr=True, soft_wrap=True)
    running: dict[str, str] = {}
    with console.status(what) as status:

        def report(event: Event) -> None:
            if event.state in ("start", "step"):
                running[event.task] = event.message
            else:
                running.pop(event.task, None)
                took = f" {event.seconds:.1f} s" if event.seconds is not None else ""
                line = f"{event.task} {event.message}".strip()
                console.print(f"{_MARKS[event.state]} {escape(line)}{took}", highlight=False)
            now = ", ".join(f"{task} {message}".strip() for task, message in running.items())
            status.update(f"{what} {escape(now[:60])}")

        yield report


def show_error(error: PangeoDeployError, as_json: bool) -> None:
    """Print what went wrong, why, and the way out."""
    if as_json:
        print(json.dumps({"error": error.as_dict()}, indent=2, ensure_ascii=False))  # noqa: T201
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(f"[bold red]Error:[/] {escape(error.what)}")
    for part, style in ((error.why, "default"), (error.fix, "bold")):
        if part:
            console.print(escape(part), style=style)
