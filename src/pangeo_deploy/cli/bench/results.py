"""The verbs that read benchmark runs: `bench report`, `compare` and `import`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pangeo_core.errors import BadInput
from pangeo_deploy.cli.console import reporting, show, table
from pangeo_deploy.cli.options import JsonOption, finite

if TYPE_CHECKING:
    import pandas as pd

    from dask_bench.compare import Compared
    from dask_bench.run_cost import Rates

REGRESSION = 3

RunsArgument = Annotated[
    list[Path],
    typer.Argument(help="Run files, or csv files and folders of pangeo-data/benchmarking."),
]


def report(
    runs: RunsArgument,
    instance: Annotated[
        str | None, typer.Option(help="Also what it costs on nodes such as r5.large.")
    ] = None,
    region: Annotated[str, typer.Option(help="Whose prices.")] = "us-west-2",
    capacity: Annotated[
        Literal["on-demand", "spot"], typer.Option(help="Of the workers' nodes.")
    ] = "on-demand",
    scheduler: Annotated[
        str | None, typer.Option(help="The scheduler's node; as the workers' if not named.")
    ] = None,
    life: Annotated[
        Path | None, typer.Option(help="Runs of `life`: what start, tail and a lost node take.")
    ] = None,
    node_start: Annotated[
        float,
        typer.Option(min=0, callback=finite, help="Seconds a node takes before its worker starts."),
    ] = 0.0,
    interruptions: Annotated[
        float,
        typer.Option(min=0, callback=finite, help="Interruptions of a node an hour; needs --life."),
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
            _digits(row.get("chunk_mb")),
            row["nodes"],
            row["n"],
            _digits(row.get("median_seconds")),
            _interval(row.get("low"), row.get("high")),
            _digits(row.get("roofline_ratio")),
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


def compare(
    a: Annotated[Path, typer.Argument(help="Runs before the change, or a file of bench ab.")],
    b: Annotated[
        Path | None, typer.Argument(help="Runs after the change; not with a file of bench ab.")
    ] = None,
    paired: Annotated[
        bool, typer.Option("--paired", help="Runs of A and B took turns, in this order.")
    ] = False,
    again: Annotated[
        Path | None,
        typer.Option(help="Interleaved runs (bench ab) of what a first comparison flagged."),
    ] = None,
    counts: Annotated[
        bool,
        typer.Option("--counts", help="Compare counts and times relative to numpy only: for CI."),
    ] = False,
    machines: Annotated[
        bool, typer.Option("--machines", help="Allow A and B to come from different machines.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Compare B with A; ends with 3 where B is slower, fails, lacks runs or needs more."""
    from dask_bench import bench_report as room
    from dask_bench.runs import arms, require_one_machine

    with reporting("Reading runs"):
        if b is None:
            before, after = arms(room.load(a))
            paired = True
        else:
            before, after = room.load(a), room.load(b)
        second = None if again is None else arms(room.load(again))
    if not (machines or counts):
        import pandas as pd

        require_one_machine(pd.concat([before, after]))
    refused = (
        _compare_counts(before, after, json)
        if counts
        else _compare_seconds(before, after, paired, second, json)
    )
    if refused:
        raise typer.Exit(REGRESSION)


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


def _compare_seconds(
    before: "pd.DataFrame",
    after: "pd.DataFrame",
    paired: bool,
    again: "tuple[pd.DataFrame, pd.DataFrame] | None",
    json: bool,
) -> bool:
    from dask_bench import compare as room

    compared = room.compare(before, after, paired=paired, again=again)
    verdict = room.verdict(compared)
    show(document(compared), json, comparison(compared, verdict))
    return verdict in room.SAYS_NO


def document(compared: "list[Compared]") -> dict[str, Any]:
    """Return the JSON of a comparison."""
    from dask_bench import compare as room

    worst = room.worst(compared)
    return {
        "verdict": room.verdict(compared),
        **{name: getattr(worst, name) for name in ("ratio", "low", "high", "p")},
        "margin": room.MARGIN,
        "measure_again": [
            workload_name(one.configuration) for one in room.to_measure_again(compared)
        ],
        "configurations": [one.as_dict() for one in compared],
    }


def comparison(compared: "list[Compared]", verdict: str) -> list[Any]:
    """Return what people read of a comparison."""
    from dask_bench import compare as room

    columns = ("configuration", "verdict", "B / A (1)", "95 %", "p (1)", "runs", "why")
    rows = [
        (
            _name(one.configuration),
            one.verdict,
            _digits(one.ratio),
            _interval(one.low, one.high),
            _digits(one.p if one.p_again is None else one.p_again),
            f"{one.n[0]}, {one.n[1]}" + (" in pairs" if one.paired else ""),
            one.reason or ("confirmed by a second measurement" if one.p_again else ""),
        )
        for one in compared
    ]
    notes = [f"Slowdowns of less than {100 * room.MARGIN:.0f} % are not looked for."]
    if flagged := room.to_measure_again(compared):
        names = " ".join(workload_name(one.configuration) for one in flagged)
        notes.append(
            f"Measure again, A and B taking turns: pangeo-deploy bench ab {names} --a ... --b ... "
            "--out again.parquet; then give --again again.parquet."
        )
    return [table(f"B against A: {verdict}", columns, rows), *notes]


def workload_name(configuration: dict[str, Any]) -> str:
    """Return the name by which `bench run` and `bench ab` take a configuration's workload."""
    return ":".join(str(configuration[name]) for name in ("operation", "variant", "scheme"))


def _compare_counts(before: "pd.DataFrame", after: "pd.DataFrame", json: bool) -> bool:
    from dask_bench import counts_gate

    gate = counts_gate.gate(before, after)
    verdict = "regression" if gate.grown else "missing" if gate.missing else "no change"
    document = {
        "verdict": verdict,
        "compared": gate.compared,
        "grown": [one.as_dict() for one in gate.grown],
        "missing": gate.missing,
        "too_few": gate.too_few,
    }
    columns = ("configuration", "what", "A (1)", "B (1)", "allowed more (%)")
    rows = [
        (
            _name(one.configuration),
            one.what,
            _digits(one.before),
            _digits(one.after),
            f"{100 * one.allowed:.0f}",
        )
        for one in gate.grown
    ]
    human: list[Any] = [f"{verdict}: {gate.compared} counts compared, {len(gate.grown)} grew."]
    if rows:
        human.append(table("Grew", columns, rows))
    human += [f"Missing in B: {_name(one)}" for one in gate.missing]
    if gate.too_few:
        human.append(f"{gate.too_few} comparisons of memory and relative time need more runs.")
    show(document, json, human)
    return gate.says_no


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
            _digits(row["seconds"]),
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
            _name({name: value for name, value in row.items() if name != "nodes"}),
            row["nodes"],
            f"{row['billed_seconds']:.0f}",
            *(_digits(row[kind]) for kind in kinds),
        )
        for row in costs.to_dict("records")
    ]
    return [table(f"What it costs (modelled: {price})", columns, rows)]


def _name(configuration: dict[str, Any]) -> str:
    """Return what tells configurations apart for people: not all parameters differ."""
    shown = ("operation", "variant", "scheme", "chunk_mb", "dataset_mb", "nodes")
    return " ".join(str(configuration[name]) for name in shown if name in configuration)


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _interval(low: float | None, high: float | None) -> str:
    """Return an interval for people, or nothing where one run allows none."""
    if low is None or high is None or low != low:
        return ""
    return f"{_digits(low)} to {_digits(high)}"
