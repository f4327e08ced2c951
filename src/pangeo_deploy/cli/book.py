"""The verb `book`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from pangeo_core.errors import CheckFailed, MissingPrerequisite, PangeoDeployError
from pangeo_core.progress import Event
from pangeo_deploy.cli.console import reporting, show, show_error, table
from pangeo_deploy.cli.options import JsonOption, within
from pangeo_deploy.cli.verbs import group
from pangeo_deploy.deployment import find_project

app = group(help="Execute the notebooks and render the book.")
REASONS_SHOWN = 3

OutOption = Annotated[
    Path | None,
    typer.Option(help="The folder of the built book (default: _build in the project)."),
]


def _publisher() -> ModuleType:
    """Return what builds the book; its libraries take seconds to load, other verbs need none."""
    try:
        import proof_book
    except ModuleNotFoundError as error:
        raise MissingPrerequisite(
            f"The book needs {error.name}, which is not installed here.",
            why="It is in the group `book`, which other commands do not need.",
            fix="In a clone: make book. Elsewhere: pip install 'pangeo-deploy[book]'",
        ) from error
    return proof_book


@app.command()
def build(
    out: OutOption = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show what would run and why; build nothing.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Execute what changed, then render; the last line is the page to open."""
    publish = _publisher()

    if explain:
        reasons = publish.explain(find_project(), out=out)
        document = {"would_execute": {name: list(why) for name, why in reasons.items()}}
        show(document, json, [_table("What a build would execute", reasons, "nothing changed")])
        return
    with reporting("Building the book") as progress:
        result = publish.build(find_project(), out=out, progress=progress)
    human = [
        *[f"{name} ran: {_short(why)}." for name, why in result.reasons.items() if why],
        f"Executed: {', '.join(result.executed) or 'none'}; "
        f"unchanged: {', '.join(result.cached) or 'none'}; "
        f"pages {'rendered' if result.rendered else 'up to date'}; {result.seconds:.1f} s.",
        f"Open: {result.index}",
    ]
    show(result.as_dict(), json, human)


@app.command()
def status(out: OutOption = None, json: JsonOption = False) -> None:
    """List pages that are out of date with their sources; builds nothing; exit 3 if any is."""
    publish = _publisher()

    pages = publish.status(find_project(), out=out)
    stale = [page.name for page in pages if not page.fresh]
    document = {
        "fresh": not stale,
        "pages": {page.name: {"fresh": page.fresh, "why": list(page.why)} for page in pages},
    }
    reasons = {page.name: page.why for page in pages}
    show(document, json, [_table("The published book against its sources", reasons, "fresh")])
    if stale:
        raise typer.Exit(CheckFailed.exit_code)


@app.command()
def serve(
    port: Annotated[int, typer.Option(callback=within(0, 65535), help="0 takes a free one.")] = 0,
) -> None:
    """Build at each change of a source and serve the pages on this machine, until Ctrl-C."""
    publish = _publisher()
    from proof_book.page import serve as live

    project = find_project()
    with reporting("Watching the sources") as progress:
        publish.build(project, progress=progress)
        server = live.serve(project / "_build" / "html", port)
        address = f"http://{live.HOST}:{server.server_port}/"
        progress(Event("served at", "info", address))
        for result in live.rebuilds(project, lambda: publish.build(project, progress=progress)):
            if isinstance(result, PangeoDeployError):
                show_error(result, as_json=False)


@app.command()
def pdf(out: OutOption = None, json: JsonOption = False) -> None:
    """Print the built book to one tagged PDF; needs Chromium."""
    publish = _publisher()

    with reporting("Printing the book") as progress:
        file = publish.pdf(out or find_project() / "_build", progress=progress)
    show({"pdf": str(file)}, json, [f"Printed: {file}"])


@app.command()
def archive(
    version: Annotated[str, typer.Argument(help="The version's name, such as 0.2.0.")],
    to: Annotated[Path, typer.Option(help="The folder of all archived versions.")] = Path(
        "versions"
    ),
    json: JsonOption = False,
) -> None:
    """Archive the built book under its version; the next one is compared with it."""
    publish = _publisher()

    kept = publish.archive(find_project(), version, to)
    human = [f"Kept: {kept}", "Commit data/versions.csv and data/figures_last.json."]
    show({"version": version, "kept": str(kept)}, json, human)


def _table(title: str, reasons: Mapping[str, Sequence[str]], none: str) -> object:
    rows = [(name, _short(why) if why else none) for name, why in reasons.items()]
    return table(title, ("page", "why"), rows)


def _short(why: Sequence[str]) -> str:
    rest = len(why) - REASONS_SHOWN
    return "; ".join(why[:REASONS_SHOWN]) + (f"; and {rest} more" if rest > 0 else "")
