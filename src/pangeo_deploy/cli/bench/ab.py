"""The verb `bench ab`: measure two environments in turns, and say whether B is worse."""

from pathlib import Path
from typing import Annotated

import typer

from pangeo_deploy.cli.console import reporting, show
from pangeo_deploy.cli.options import JsonOption, finite

Environment = "a virtual environment, a checkout of another commit, or a Dask setting KEY=VALUE"


def ab(
    workloads: Annotated[
        list[str] | None,
        typer.Argument(help="Sets, operations, or operation:variant:scheme (default: core)."),
    ] = None,
    a: Annotated[
        list[str] | None,
        typer.Option("--a", help=f"The environment before (default: this one): {Environment}."),
    ] = None,
    b: Annotated[
        list[str] | None, typer.Option("--b", help=f"The environment after: {Environment}.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Run file to write, to resume, or to extend.")] = Path(
        "ab.parquet"
    ),
    tier: Annotated[str, typer.Option(help="Size of the data: xs, s, m or l.")] = "xs",
    folder: Annotated[
        Path | None, typer.Option(help="Folder for files (default: the project's state).")
    ] = None,
    workers: Annotated[
        list[int] | None, typer.Option(help="Number of workers; repeat to compare cluster sizes.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Threads of each worker.")] = None,
    blocks: Annotated[int, typer.Option(min=1, help="Number of blocks.")] = 10,
    confirm: Annotated[
        int, typer.Option(min=0, help="Number of blocks in which flagged workloads are repeated.")
    ] = 10,
    grid: Annotated[
        tuple[int, int, int] | None,
        typer.Option(metavar="YEARS LATITUDES LONGITUDES", help="Size of the data instead."),
    ] = None,
    chunk_mb: Annotated[
        float | None,
        typer.Option(min=0.001, callback=finite, help="Size of a chunk (MB; default: the tier's)."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the data's noise and of the order.")] = 0,
    json: JsonOption = False,
) -> None:
    """Measure A and B in turns, repeat what looks slower, and end with 3 where B is worse."""
    from dask_bench import compare
    from dask_bench.ab import Interleaved
    from dask_bench.interleaved import parse
    from pangeo_deploy.bench_request import Request, prepare
    from pangeo_deploy.cli.bench.results import comparison, document

    request = Request(
        workloads=tuple(workloads or ("core",)), out=out, tier=tier, folder=folder,
        workers=tuple(workers or ()), threads=threads, least=blocks, most=blocks, grid=grid,
        chunk_mb=chunk_mb, seed=seed,
    )  # fmt: skip
    asked = prepare(request)
    arms = parse("a", a or ["."]), parse("b", b or ["."])
    with reporting("Measuring A and B in turns") as progress:
        campaign = Interleaved(
            asked["plan"], arms, out, asked["folder"], asked["cluster"].shape, confirm, progress
        )
        compared = campaign.go()
    verdict = compare.verdict(compared)
    files = {"runs": str(out), "again": str(campaign.again) if campaign.again.exists() else None}
    show({**files, **document(compared)}, json, comparison(compared, verdict))
    if verdict in compare.SAYS_NO:
        raise typer.Exit(3)
