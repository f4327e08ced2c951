"""The verb `bench ab`: measure two environments in turns, and say whether B is worse."""

from pathlib import Path
from typing import Annotated

import typer

from pangeo_deploy.cli.bench.options import (
    ChunkOption,
    FolderOption,
    GridOption,
    OutOption,
    SeedOption,
    ThreadsOption,
    TierOption,
    WorkersOption,
    WorkloadsArgument,
)
from pangeo_deploy.cli.console import reporting, show
from pangeo_deploy.cli.options import JsonOption, within

Environment = "a virtual environment, a checkout of another commit, or a Dask setting KEY=VALUE"


def ab(
    workloads: WorkloadsArgument = None,
    a: Annotated[
        list[str] | None,
        typer.Option("--a", help=f"The environment before (default: this one): {Environment}."),
    ] = None,
    b: Annotated[
        list[str] | None, typer.Option("--b", help=f"The environment after: {Environment}.")
    ] = None,
    out: OutOption = Path("ab.parquet"),
    tier: TierOption = "xs",
    folder: FolderOption = None,
    workers: WorkersOption = None,
    threads: ThreadsOption = None,
    blocks: Annotated[int, typer.Option(callback=within(1, 1000), help="Number of blocks.")] = 10,
    confirm: Annotated[
        int,
        typer.Option(
            callback=within(0, 1000),
            help="Number of blocks in which flagged workloads are repeated.",
        ),
    ] = 10,
    grid: GridOption = None,
    chunk_mb: ChunkOption = None,
    seed: SeedOption = 0,
    json: JsonOption = False,
) -> None:
    """Measure A and B in turns, repeat what looks slower, and exit 3 if B is worse."""
    from dask_bench import compare
    from dask_bench.ab import Interleaved
    from dask_bench.interleaved import parse
    from pangeo_deploy.bench_request import Request, prepare
    from pangeo_deploy.cli.bench.comparison import comparison, document

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
