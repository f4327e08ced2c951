"""The verb `bench run`: measure workloads on a cluster and write one row a run."""

from pathlib import Path
from typing import Annotated, Any, Literal

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
from pangeo_deploy.cli.console import reporting, show, table
from pangeo_deploy.cli.options import MOST_SECONDS, JsonOption, within
from pangeo_deploy.deployment import DEFAULT_TARGET, TargetName

FAILED = 3


def run(
    workloads: WorkloadsArgument = None,
    tier: TierOption = "xs",
    on: Annotated[
        Literal["local", "gateway"],
        typer.Option(help="Run on processes of this machine or on a hub's Dask-Gateway."),
    ] = "local",
    out: OutOption = Path("bench.parquet"),
    folder: FolderOption = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="Folder or URL of the data, seen by every worker (default on a gateway: the "
            "hub's scratch bucket)."
        ),
    ] = None,
    workers: WorkersOption = None,
    threads: ThreadsOption = None,
    memory_mb: Annotated[
        float | None,
        typer.Option(callback=within(1, 10**8), help="Memory limit of each worker (MB)."),
    ] = None,
    weak: Annotated[
        bool, typer.Option("--weak", help="Let the data grow with the number of workers.")
    ] = False,
    blocks: Annotated[
        int, typer.Option(callback=within(1, 1000), help="Minimum number of blocks.")
    ] = 10,
    most: Annotated[
        int | None,
        typer.Option(
            callback=within(1, 1000), help="Maximum number of blocks (default 30, or --blocks)."
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            callback=within(0, 10**6),
            help="Stop after so many minutes and one block, and spend them where medians "
            "are least certain.",
        ),
    ] = None,
    grid: GridOption = None,
    chunk_mb: ChunkOption = None,
    seed: SeedOption = 0,
    longest: Annotated[
        float, typer.Option(callback=within(1, MOST_SECONDS), help="Maximum duration of a run (s).")
    ] = 600.0,
    patience: Annotated[
        float | None,
        typer.Option(
            callback=within(0, 10**6),
            help="Time to wait for workers (s; default 120, on a gateway 1200).",
        ),
    ] = None,
    environment: Annotated[str, typer.Option(help="Environment whose gateway to use.")] = "staging",
    target: Annotated[TargetName, typer.Option(help="Target of that gateway.")] = DEFAULT_TARGET,
    json: JsonOption = False,
) -> None:
    """Run workloads in random blocks, check every answer, and write one row a run."""
    from dask_bench.campaign import start
    from pangeo_deploy.bench_request import Request, prepare

    request = Request(
        workloads=tuple(workloads or ("core",)),
        tier=tier,
        on=on,
        out=out,
        folder=folder,
        workers=tuple(workers or ()),
        threads=threads,
        memory_limit_mb=memory_mb,
        weak=weak,
        least=blocks,
        most=most,
        grid=grid,
        chunk_mb=chunk_mb,
        seed=seed,
        longest=longest,
        minutes=minutes,
        data=data,
        patience=patience,
        environment=environment,
        target=target,
    )
    with reporting(f"Measuring {tier} on {on}") as progress:
        campaign = start(**prepare(request), progress=progress)
        found = campaign.go()
    counted = found[found.role != "warm-up"]
    medians = counted[~counted.failed.astype(bool)].groupby(
        ["operation", "scheme", "variant", "nodes"], dropna=False
    )
    rows = [(*key, len(part), f"{part.seconds.median():.3f}") for key, part in medians]
    failed = counted[counted.failed.astype(bool)]
    human: list[Any] = [
        table(
            f"{len(counted)} runs in {out}",
            ("operation", "scheme", "variant", "workers (1)", "runs (1)", "median (s)"),
            rows,
        ),
        *(f"Failed: {row.operation} {row.variant}: {row.reason}" for row in failed.itertuples()),
    ]
    show({"runs": str(out), "rows": len(found), "failed": len(failed)}, json, human)
    if len(failed):
        raise typer.Exit(FAILED)
