"""The verbs of `cost` on bills: ingest, fetch, allocate, units, sample."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from pangeo_core.errors import BadInput
from pangeo_core.files import read_json
from pangeo_deploy.cli.console import reporting, show, table
from pangeo_deploy.cli.options import (
    MOST_SEED,
    EnvironmentArgument,
    JsonOption,
    TargetOption,
    amount,
    usd,
    within,
)
from pangeo_deploy.deployment import DEFAULT_TARGET, Deployment

BillsOption = Annotated[
    list[str],
    typer.Option("--bill", help="The table that `ingest` wrote, or bills as `ingest` takes them."),
]
MoreBills = Annotated[list[str] | None, typer.Argument(hidden=True)]  # --bill ONE TWO THREE
SessionsOption = Annotated[Path, typer.Option(help="Sessions, parquet or csv.")]


def ingest(
    paths: Annotated[
        list[str], typer.Argument(help="Bills: files, folders, globs, s3:// prefixes.")
    ],
    out: Annotated[
        Path,
        typer.Option(help="The folder of the table; a newer delivery of a month replaces it."),
    ],
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Exit 3 and change nothing if a month falls or a row or file is lost.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Read bills (CUR, FOCUS, Cost Explorer) into one table, one delivery for each month."""
    from hub_costs.bills import ingest as read_bill

    with reporting("Reading bills") as progress:
        result = read_bill(list(paths), out, strict=strict, progress=progress)
    months = ", ".join(f"{month}: {total}" for month, total in result.months.items())
    human = [
        f"{result.table}: {result.rows} rows, {result.total} {result.currency} ({months}).",
        f"{result.rejected} rows rejected"
        + (f", see {result.rejects}." if result.rejects else "."),
        f"{result.duplicates} lines replaced by newer deliveries ({result.duplicate_cost}).",
        *result.notes,
        *result.warnings,
    ]
    show(result.as_dict(), json, human)


def fetch(
    environment: EnvironmentArgument,
    out: Annotated[Path, typer.Option(help="The folder that the files come to.")],
    export: Annotated[
        str,
        typer.Option(help="The export's place, s3://BUCKET/PREFIX, instead of the environment's."),
    ] = "",
    explorer: Annotated[
        bool, typer.Option("--explorer", help="Ask Cost Explorer instead: each page costs.")
    ] = False,
    month: Annotated[str, typer.Option(help="The month to ask for, YYYY-MM.")] = "",
    target: TargetOption = DEFAULT_TARGET,
    json: JsonOption = False,
) -> None:
    """Download the environment's bill: the export, or Cost Explorer's figures to reconcile it."""
    from hub_costs.bills import fetch as room
    from hub_costs.months import Month
    from pangeo_deploy.targets import connect
    from pangeo_deploy.terraform import lifecycle

    if (export and explorer) or explorer != bool(month):
        raise BadInput(
            "It is not clear what to fetch.",
            fix="Give --export s3://BUCKET/PREFIX, or --explorer --month YYYY-MM, or neither.",
        )
    interval = Month.parse(month).interval() if explorer else None
    deployment = Deployment(environment, target)
    if not (export or explorer):
        export = lifecycle.outputs(deployment).get("bill_location", "")
        if not export:
            raise BadInput(
                f"{environment} has no bill export yet.",
                fix="Apply it first, or give --export s3://BUCKET/PREFIX.",
            )
    with reporting("Fetching the bill"), connect(deployment) as cloud:
        if interval:
            result = room.fetch_explorer(cloud.client("ce"), interval, out)
        else:
            result = room.fetch_export(export, out, cloud.client("s3"))
    human = [
        f"{len(result.files)} files in {out}.",
        f"{result.pages} pages asked for, {result.usd} USD.",
        *(f"{file} is no longer in the bucket, and was removed." for file in result.removed),
        *(f"{key} is an archive, which is not read: unpack it yourself." for key in result.left),
    ]
    show(result.as_dict(), json, human)


def allocate(
    bill: BillsOption,
    sessions: SessionsOption,
    more: MoreBills = None,
    weights: Annotated[
        str,
        typer.Option(
            help="How machines are divided: aws (split cost allocation), opencost, or memory."
        ),
    ] = "aws",
    cost: Annotated[
        str,
        typer.Option(
            help="unblended (the invoice), amortised (commitments spread over what they cover) or"
            " net (after discounts)."
        ),
    ] = "unblended",
    owner_tag: Annotated[
        list[str] | None,
        typer.Option(help="A further tag whose value is the user who caused a line; repeatable."),
    ] = None,
    homes: Annotated[Path | None, typer.Option(help="A JSON file: bytes at home by user.")] = None,
    loaded: Annotated[
        bool,
        typer.Option(
            "--loaded",
            help="Spread shared cost over the users, and idle cost over those of the same thing.",
        ),
    ] = False,
    evenly: Annotated[
        bool, typer.Option("--evenly", help="Spread it evenly, not by what each caused.")
    ] = False,
    by: Annotated[
        list[str] | None,
        typer.Option(help="Sums by day, month, hub, owner, kind, component or rule; repeatable."),
    ] = None,
    groups: Annotated[
        Path | None, typer.Option(help="A JSON file: each user's groups, to sum by group.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Give every cent of a bill an owner, by a stated rule."""
    from hub_costs.allocation import allocate as divide
    from hub_costs.allocation.allocate import text

    sizes = read_json(homes) if homes else None
    members = read_json(groups) if groups else None
    with _billed(bill, more) as (table_file, notes):
        result = divide(
            table_file,
            sessions,
            weights=weights,
            homes=sizes,
            cost=cost,
            owner_tags=owner_tag or (),
        )
    result = result.loaded("even" if evenly else "proportion") if loaded or evenly else result
    document = result.as_dict()
    if by:
        document["by"] = text(result.by(*by))
    if members is not None:
        document["groups"] = text(result.groups(members))
    document["warnings"] = [*notes, *document["warnings"]]
    rows = [
        (row["owner"], row["kind"], row["component"], row["rule"], row["cents"])
        for row in document["rows"]
    ]
    columns = ("owner", "kind", "component", "rule", f"amount ({document['currency']})")
    human: list[Any] = [table("Who caused what", columns, rows)]
    for extra in ("by", "groups"):
        if found := document.get(extra):
            keys = [key for key in found[0] if key != "cents"]
            cells = [[row[key] for key in (*keys[:-1], "cents")] for row in found]
            title = ", ".join(keys[:-1])
            heads = [*keys[:-1], f"amount ({document['currency']})"]
            human.append(table(f"By {title}", heads, cells))
    human.append(f"Total {document['total']} ({cost}), conserved; machines divided as {weights}.")
    show(document, json, [*human, *document["warnings"]])


def units(
    bill: BillsOption,
    sessions: SessionsOption,
    more: MoreBills = None,
    tb_processed: Annotated[
        str, typer.Option(callback=amount, help="Terabytes read by computations.")
    ] = "",
    runs: Annotated[
        Path | None, typer.Option(help="Benchmark runs (parquet), whose bytes read count.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Divide a bill by what its users did: per user, hour, launch, terabyte; and kgCO2e."""
    from hub_costs.allocation import unit_costs as room

    terabytes = usd(tb_processed)
    if runs:
        terabytes = (terabytes or Decimal(0)) + room.terabytes_of(runs)
    with _billed(bill, more) as (table_file, notes):
        result = room.units(table_file, sessions, tb_processed=terabytes).as_dict()
    result["warnings"] = notes
    show(result, json, [table("Unit costs", ("unit", "value"), list(result.items()))])


def sample(
    month: Annotated[str, typer.Argument(help="YYYY-MM")],
    out: Annotated[Path, typer.Option(help="The folder for bill.parquet and sessions.csv.")],
    users: Annotated[int, typer.Option(callback=within(1, 5000), help="Number of users.")] = 12,
    seed: Annotated[
        int,
        typer.Option(
            callback=within(0, MOST_SEED), help="Random seed; another one gives another month."
        ),
    ] = 1,
    json: JsonOption = False,
) -> None:
    """Generate a month's bill and sessions with known totals, for trials (origin: sample)."""
    from hub_costs.bills import sample_bill, sample_forms
    from hub_costs.months import Month

    made = sample_bill.sample(Month.parse(month), users=users, seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    sample_forms.cur_parquet([*made.lines, *made.splits], out / "bill.parquet")
    made.sessions.to_csv(out / "sessions.csv", index=False)
    document = {
        "origin": "sample",
        "bill": str(out / "bill.parquet"),
        "sessions": str(out / "sessions.csv"),
        "total": format(made.total, "f"),
    }
    show(
        document, json, [f"{document['bill']} ({made.total} USD), {document['sessions']}: made up."]
    )


@contextmanager
def _billed(bills: list[str], more: list[str] | None) -> Iterator[tuple[Path, list[str]]]:
    from hub_costs.bills.ingest import opened

    with (
        reporting("Reading bills") as progress,
        opened([*bills, *(more or ())], progress=progress) as found,
    ):
        yield found
