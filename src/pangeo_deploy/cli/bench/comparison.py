"""The verb `bench compare`, and how a comparison is shown."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pangeo_deploy.cli.bench import texts
from pangeo_deploy.cli.console import reporting, show, table
from pangeo_deploy.cli.options import JsonOption

if TYPE_CHECKING:
    import pandas as pd

    from dask_bench.compare import Compared

REGRESSION = 3


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
    """Compare B with A; exit 3 if B is slower, fails, lacks runs or needs more."""
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
            texts.name(one.configuration),
            one.verdict,
            texts.digits(one.ratio),
            texts.interval(one.low, one.high),
            texts.digits(one.p if one.p_again is None else one.p_again),
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
            texts.name(one.configuration),
            one.what,
            texts.digits(one.before),
            texts.digits(one.after),
            f"{100 * one.allowed:.0f}",
        )
        for one in gate.grown
    ]
    human: list[Any] = [f"{verdict}: {gate.compared} counts compared, {len(gate.grown)} grew."]
    if rows:
        human.append(table("Grew", columns, rows))
    human += [f"Missing in B: {texts.name(one)}" for one in gate.missing]
    if gate.too_few:
        human.append(f"{gate.too_few} comparisons of memory and relative time need more runs.")
    show(document, json, human)
    return gate.says_no
