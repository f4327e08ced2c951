"""The verb `book`."""

import typer

from pangeo_deploy.cli.console import JsonOption, reporting, show
from pangeo_deploy.deployment import find_project

app = typer.Typer(help="Execute the notebooks and render the book.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `build` a word of its own although it is the only one."""


@app.command()
def build(json: JsonOption = False) -> None:
    """Execute what changed, then render; the last line is the page to open."""
    from pangeo_deploy import publish  # its libraries take seconds to load; other verbs need none

    with reporting("Building the book") as progress:
        result = publish.build(find_project(), progress=progress)
    human = [
        f"Executed: {', '.join(result.executed) or 'none'}; "
        f"unchanged: {', '.join(result.cached) or 'none'}; "
        f"pages {'rendered' if result.rendered else 'up to date'}; {result.seconds:.1f} s.",
        f"Open: {result.index}",
    ]
    show(result.as_dict(), json, human)
