"""What a workflow says about its run and the jobs before: options that several verbs share."""

import json
from typing import Annotated, Any

import typer

from pangeo_core.errors import BadInput

RunOption = Annotated[str, typer.Option(help="Where the workflow's run is to be seen.")]
NeedsOption = Annotated[str, typer.Option(help="The workflow's context `needs`, as JSON.")]


def jobs(text: str) -> dict[str, Any]:
    """Return the jobs that a workflow's context `needs` tells of, by name."""
    try:
        found = json.loads(text)
        return {str(name): dict(one) for name, one in found.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise BadInput("--needs holds no jobs.", why=str(error)) from None
