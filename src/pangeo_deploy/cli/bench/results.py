"""The verbs `bench report` and `bench import`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pangeo_core.errors import BadInput
from pangeo_deploy.cli.bench import texts
from pangeo_deploy.cli.console import reporting, show, table
from pangeo_deploy.cli.options import MOST_SECONDS, JsonOption, within

if TYPE_CHECKING:
    import pandas as pd

    from dask_bench.run_cost import Rates

RunsArgument = Annotated[
    list[Path],
    typer.Argument(help="Run files, or csv files and folders of pangeo-data/benchmarking."),
]


def report(
    runs: RunsArgument,
    instance: Annotated[
        str | None,
        typer.Option(help="Also price each run on nodes of this type, such as r5.large."),
    ] = None,
    region: Annotated[str, typer.Option(help="Region whose prices to use.")] = "us-west-2",
    capacity: Annotated[
        Literal["on-demand", "spot"], typer.Option(help="Capacity type of the workers' nodes.")
    ] = "on-demand",
    scheduler: Annotated[
        str | None,
        typer.Option(help="Instance type of the scheduler's node (default: the workers')."),
    ] = None,
    life: Annotated[
        Path | None, typer.Option(help="Runs of `life`: how long start, tail and a lost node take.")
    ] = None,
    node_start: Annotated[
        float,
        typer.Option(
            callback=within(0, MOST_SECONDS), help="Time a node takes before its worker starts (s)."
        ),
    ] = 0.0,
    interruptions: Annotated[
        float,
        typer.Option(
            callback=within(0, 3600), help="Interruptions per node and hour; needs --life."
        ),
    ] = 0.0,
    json: JsonOption = False,
) -> None:
    """Show the median time of each configuration, how it scales, and what it costs."""
    with reporting("Reading runs"):
        rates = None
        if instance is not None:
            what = instance, scheduler or instance, region, capacity
            rates = _rates(what, life, node_start, interruptions)
        elif life is not None or node_start or interruptions:
            raise BadInput("Nothing is priced without a node.", fix="Add --instance r5.large.")
        from dask_bench import bench_report as room  # seconds of imports

        result = room.report(room.load(runs), rates)
    origins = ", ".join(result.origins)
    columns = (
        "operation",
        "variant",
        "scheme",
        "chunk (MB)",
        "nodes (1)",
        "runs (1)",
        "median (s)",
        "95 %",
        "over numpy (1)",
    )
    rows = [
        (
            row["operation"],
            row.get("variant", ""),
            row.get("scheme", ""),
            texts.digits(row.get("chunk_mb")),
            row["nodes"],
            row["n"],
            texts.digits(row.get("median_seconds")),
            texts.interval(row.get("low"), row.get("high")),
            texts.digits(row.get("roofline_ratio")),
        )
        for row in result.as_dict()["table"]
    ]
    human = [
        table(f"{result.rows} runs ({origins}), {result.failed} failed", columns, rows),
        *_curves("Strong scaling: the same data, more workers", result.strong),
        *_curves("Weak scaling: the same data for each worker", result.weak),
        *_limits(result.limits),
        *([] if result.costs is None else _costs(result.costs, result.price)),
    ]
    show(result.as_dict(), json, human)


def import_(
    published: Annotated[
        list[Path], typer.Argument(help="csv files of pangeo-data/benchmarking, or folders.")
    ],
    out: Annotated[Path, typer.Option(help="The run file to write (parquet).")],
    json: JsonOption = False,
) -> None:
    """Turn NCAR's published results into a run file."""
    from dask_bench import importer, runs

    with reporting("Reading results"):
        found = importer.read(published)
    runs.write(found, out)
    campaigns = list(found.campaign.unique())
    document = {"runs": str(out), "rows": len(found), "campaigns": campaigns}
    show(document, json, [f"{out}: {len(found)} runs of {len(campaigns)} campaigns (published)."])


def _rates(
    what: tuple[str, str, str, str], life: Path | None, node_start: float, interruptions: float
) -> "Rates":
    instance, scheduler, region, capacity = what
    if interruptions and (life is None or capacity != "spot"):
        raise BadInput(
            "Interruptions have no cost without the runs that say what one takes.",
            why="They need spot nodes, and runs of `life`.",
            fix="Add --capacity spot and --life data/bench_life.parquet.",
        )
    from dask_bench import bench_report as room
    from dask_bench import run_cost
    from hub_costs.estimates import prices

    rates = run_cost.rates(
        prices.read().get, region, instance, scheduler, capacity, start_seconds=node_start
    )
    if life is None:
        return rates
    recorded = room.load(life)
    rates = run_cost.lived(rates, recorded, node_start=node_start)
    return (
        run_cost.interrupted(rates, recorded, "killed", interruptions) if interruptions else rates
    )


def _curves(title: str, curves: "pd.DataFrame") -> list[Any]:
    if curves.empty:
        return []
    columns = ("operation", "scheme", "same", "workers (1)", "median (s)", "efficiency (1)", "95 %")
    size = "dataset_mb" if "dataset_mb" in curves else "chunk_mb"
    rows = [
        (
            row["operation"],
            row["scheme"],
            f"{row[size]:.5g} MB",
            row["workers"],
            texts.digits(row["seconds"]),
            f"{row['efficiency']:.2f}",
            f"{row['low']:.2f} to {row['high']:.2f}",
        )
        for row in curves.to_dict("records")
    ]
    return [table(title, columns, rows)]


def _limits(limits: "pd.DataFrame") -> list[Any]:
    if limits.empty:
        return []
    shares = [name for name in limits if limits[name].dtype == float and name != "chunk_mb"]
    rows = [
        (
            f"{row['operation']} {row['variant']} {row['scheme']}",
            *(f"{100 * row[share]:.0f}" for share in shares),
            row["limit"],
        )
        for row in limits.to_dict("records")
    ]
    columns = ("configuration", *(f"{share} (%)" for share in shares), "limit")
    return [table("Where the threads' time goes", columns, rows)]


def _costs(costs: "pd.DataFrame", price: str) -> list[Any]:
    columns = (
        "configuration",
        "nodes (1)",
        "billed (s)",
        "marginal (USD)",
        "full (USD)",
        "marginal (USD/TB)",
        "full (USD/TB)",
    )
    kinds = ("usd_marginal", "usd_full", "usd_tb_marginal", "usd_tb_full")
    rows = [
        (
            texts.name({name: value for name, value in row.items() if name != "nodes"}),
            row["nodes"],
            f"{row['billed_seconds']:.0f}",
            *(texts.digits(row[kind]) for kind in kinds),
        )
        for row in costs.to_dict("records")
    ]
    return [table(f"What it costs (modelled: {price})", columns, rows)]
