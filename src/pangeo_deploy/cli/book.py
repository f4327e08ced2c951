"""The verb `book`."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from pangeo_deploy.cli.console import JsonOption, reporting, show, table
from pangeo_deploy.deployment import find_project
from pangeo_deploy.errors import CheckFailed

app = typer.Typer(help="Execute the notebooks and render the book.", no_args_is_help=True)
REASONS_SHOWN = 3


@app.command()
def build(
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what would run and why; build nothing.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Execute what changed, then render; the last line is the page to open."""
    from pangeo_deploy import publish  # its libraries take seconds to load; other verbs need none

    if explain:
        reasons = publish.explain(find_project())
        document = {"would_execute": {name: list(why) for name, why in reasons.items()}}
        show(document, json, [_table("What a build would execute", reasons, "nothing changed")])
        return
    with reporting("Building the book") as progress:
        result = publish.build(find_project(), progress=progress)
    human = [
        *[f"{name} ran: {_short(why)}." for name, why in result.reasons.items() if why],
        f"Executed: {', '.join(result.executed) or 'none'}; "
        f"unchanged: {', '.join(result.cached) or 'none'}; "
        f"pages {'rendered' if result.rendered else 'up to date'}; {result.seconds:.1f} s.",
        f"Open: {result.index}",
    ]
    show(result.as_dict(), json, human)


@app.command()
def status(json: JsonOption = False) -> None:
    """Say which pages no longer say what their sources do; builds nothing; exit 3 if any."""
    from pangeo_deploy import publish

    pages = publish.status(find_project())
    stale = [page.name for page in pages if not page.fresh]
    document = {
        "fresh": not stale,
        "pages": {page.name: {"fresh": page.fresh, "why": list(page.why)} for page in pages},
    }
    reasons = {page.name: page.why for page in pages}
    show(document, json, [_table("The published book against its sources", reasons, "fresh")])
    if stale:
        raise typer.Exit(CheckFailed.exit_code)


def _table(title: str, reasons: Mapping[str, Sequence[str]], none: str) -> object:
    rows = [(name, _short(why) if why else none) for name, why in reasons.items()]
    return table(title, ("page", "why"), rows)


def _short(why: Sequence[str]) -> str:
    rest = len(why) - REASONS_SHOWN
    return "; ".join(why[:REASONS_SHOWN]) + (f"; and {rest} more" if rest > 0 else "")
