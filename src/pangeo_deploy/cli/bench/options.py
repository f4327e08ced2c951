"""The options that `bench run` and `bench ab` share, each declared once."""

from pathlib import Path
from typing import Annotated

import typer

from pangeo_deploy.cli.options import finite

WorkloadsArgument = Annotated[
    list[str] | None,
    typer.Argument(help="Sets, operations, or operation:variant:scheme (default: core)."),
]
TierOption = Annotated[str, typer.Option(help="Size of the data: xs, s, m or l.")]
OutOption = Annotated[Path, typer.Option(help="Run file to write, to resume, or to extend.")]
FolderOption = Annotated[
    Path | None, typer.Option(help="Folder for files (default: the project's state).")
]
WorkersOption = Annotated[
    list[int] | None, typer.Option(help="Number of workers; repeat to compare cluster sizes.")
]
ThreadsOption = Annotated[int | None, typer.Option(help="Threads of each worker.")]
GridOption = Annotated[
    tuple[int, int, int] | None,
    typer.Option(metavar="YEARS LATITUDES LONGITUDES", help="Size of the data instead."),
]
ChunkOption = Annotated[
    float | None,
    typer.Option(min=0.001, callback=finite, help="Size of a chunk (MB; default: the tier's)."),
]
SeedOption = Annotated[int, typer.Option(help="Seed of the data's noise and of the order.")]
