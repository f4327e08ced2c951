"""The options that `bench run` and `bench ab` share, each declared once."""

from pathlib import Path
from typing import Annotated

import typer

from pangeo_deploy.cli.options import MOST_SEED, within

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
    list[int] | None,
    typer.Option(
        callback=within(1, 10_000), help="Number of workers; repeat to compare cluster sizes."
    ),
]
ThreadsOption = Annotated[
    int | None, typer.Option(callback=within(1, 1024), help="Threads of each worker.")
]
GridOption = Annotated[
    tuple[int, int, int] | None,
    typer.Option(
        callback=within(1, 100_000),
        metavar="YEARS LATITUDES LONGITUDES",
        help="Size of the data instead.",
    ),
]
ChunkOption = Annotated[
    float | None,
    typer.Option(callback=within(0.001, 10**6), help="Size of a chunk (MB; default: the tier's)."),
]
SeedOption = Annotated[
    int,
    typer.Option(callback=within(0, MOST_SEED), help="Seed of the data's noise and of the order."),
]
