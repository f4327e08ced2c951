"""The verb `bench run`: measure workloads on a cluster and write one row a run."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from pangeo_deploy.cli.console import reporting, show, table
from pangeo_deploy.cli.options import JsonOption
from pangeo_deploy.deployment import TargetName

FAILED = 3


def run(
    workloads: Annotated[
        list[str] | None, typer.Argument(help="Sets, operations or operation:variant:scheme.")
    ] = None,
    tier: Annotated[str, typer.Option(help="The data's size: xs, s, m, l.")] = "xs",
    on: Annotated[
        Literal["local", "gateway"], typer.Option(help="Processes of this machine, or a gateway's.")
    ] = "local",
    out: Annotated[Path, typer.Option(help="The run file; resumed if it is there.")] = Path(
        "bench.parquet"
    ),
    folder: Annotated[
        Path | None, typer.Option(help="Where the data lies; the project's state if not named.")
    ] = None,
    workers: Annotated[
        list[int] | None, typer.Option(help="Workers; repeat it to compare sizes of the cluster.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Threads of each worker.")] = None,
    memory_mb: Annotated[float | None, typer.Option(help="Memory limit of each worker.")] = None,
    weak: Annotated[bool, typer.Option("--weak", help="Let the data grow with workers.")] = False,
    blocks: Annotated[int, typer.Option(min=1, help="Blocks at least.")] = 10,
    most: Annotated[int | None, typer.Option(help="Blocks at most; 30, or what is asked.")] = None,
    grid: Annotated[
        tuple[int, int, int] | None, typer.Option(help="Years, latitudes, longitudes instead.")
    ] = None,
    chunk_mb: Annotated[float, typer.Option(help="Size of a chunk.")] = 16.0,
    seed: Annotated[int, typer.Option(help="Of the data's noise and of the order.")] = 0,
    longest: Annotated[float, typer.Option(help="Seconds that a run may take.")] = 600.0,
    environment: Annotated[str, typer.Option(help="On a gateway: whose.")] = "staging",
    target: Annotated[TargetName, typer.Option(help="On a gateway: where.")] = "rehearsal",
    json: JsonOption = False,
) -> None:
    """Run workloads in random blocks, check every answer, and write one row a run."""
    from dask_bench.campaign import Campaign, start
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
        environment=environment,
        target=target,
    )
    with reporting(f"Measuring {tier} on {on}") as progress:
        campaign: Campaign = start(**prepare(request), progress=progress)
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
