"""What the terminal shows: results on stdout (tables, or one JSON document), the rest on stderr."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from pangeo_core.errors import PangeoDeployError
from pangeo_core.progress import Event, Progress

if TYPE_CHECKING:  # rich takes as long to import as the rest of the command line
    from rich.table import Table

_MARKS = {"done": "[green]✓[/]", "failed": "[red]✗[/]", "info": "[yellow]![/]"}


@dataclass(frozen=True)
class Sheet:
    """A table to be shown: in a box on a terminal that is wide enough, else in plain columns."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def boxed(self) -> "Table":
        """Return it as rich draws it; a column whose name ends in `)` holds numbers."""
        from rich.markup import escape
        from rich.table import Table

        result = Table(title=self.title, title_justify="left", header_style="bold")
        for column in self.columns:
            result.add_column(column, justify="right" if column.endswith(")") else "left")
        for row in self.rows:
            result.add_row(*(escape(cell) for cell in row))
        return result

    def plain(self) -> str:
        """Return it as `kubectl` would: columns two spaces apart, each row one whole line."""
        from rich.cells import cell_len

        lines = [
            tuple(self.columns),
            *(tuple(" ".join(cell.split()) for cell in row) for row in self.rows),
        ]
        widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
        padded = (
            "  ".join(
                cell + " " * (width - cell_len(cell))
                for cell, width in zip(line, widths, strict=True)
            )
            for line in lines
        )
        return "\n".join([self.title, *(line.rstrip() for line in padded)])


def show(document: Any, as_json: bool, human: Iterable[Any]) -> None:
    """Print the result: `document` as JSON, or the `human` sentences and tables."""
    if as_json:
        print_json(document)
        return
    from rich.console import Console

    console = Console()
    for part in human:
        if not isinstance(part, Sheet):
            console.print(part, soft_wrap=True)
        elif console.is_terminal and console.measure(part.boxed()).maximum <= console.width:
            console.print(part.boxed())
        else:
            console.print(part.plain(), soft_wrap=True, markup=False, highlight=False)


def print_json(document: Any) -> None:
    """Print one JSON document on stdout; NaN and infinities, which JSON has not, become null."""
    plain = not (sys.stdout.encoding or "").lower().startswith("utf")
    print(json.dumps(_finite(document), indent=2, ensure_ascii=plain, allow_nan=False))  # noqa: T201


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Sheet:
    """Return a table to be shown."""
    return Sheet(title, columns, [[str(cell) for cell in row] for row in rows])


@contextmanager
def reporting(what: str) -> Iterator[Progress]:
    """Show on stderr what long work is doing: one line for each thing done, a spinner meanwhile."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True, soft_wrap=True)
    running: dict[str, str] = {}
    with console.status(what) as status:

        def report(event: Event) -> None:
            with suppress(OSError):  # nobody reads it any more: the work goes on
                say(event)

        def say(event: Event) -> None:
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
        print_json({"error": error.as_dict()})
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True, soft_wrap=True, highlight=False)
    with suppress(OSError):  # nobody reads it
        console.print(f"[bold red]Error:[/] {escape(error.what)}")
        for part, style in ((error.why, "default"), (error.fix, "bold")):
            if part:
                console.print(escape(part), style=style)
