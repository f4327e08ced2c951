"""What one user, one hour, one launch, one terabyte costs, and emits."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from hub_costs.allocation import session_tables
from hub_costs.allocation.allocation_groups import make
from hub_costs.bills import table as bill
from hub_costs.bills.table import connect
from hub_costs.estimates import published_tables
from hub_costs.machines import machine
from pangeo_core.errors import BadInput


@dataclass(frozen=True)
class Units:
    """Ratios of one bill and its sessions; None where there is nothing to divide by."""

    usd: Decimal
    active_users: int
    user_hours: Decimal
    launches: int
    usd_per_active_user: Decimal | None
    usd_per_user_hour: Decimal | None
    usd_per_launch: Decimal | None
    usd_per_tb: Decimal | None
    kg_co2e_low: Decimal
    kg_co2e_high: Decimal
    machines_of_unknown_size: tuple[str, ...] = ()  # not in the kgCO2e

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            key: format(value, "f") if isinstance(value, Decimal) else value
            for key, value in vars(self).items()
        }


def units(
    table: Path,
    session_file: Path,
    *,
    tb_processed: Decimal | None = None,
    folder: Path | None = None,
) -> Units:
    """Divide the whole bill in `table` by what its sessions did.

    An active user had a notebook or a cluster; a user-hour is an hour of a notebook server; a
    launch is a notebook or Binder start. `tb_processed` comes from benchmark runs or metrics. The
    kgCO2e range runs from idle to fully loaded machines, by the cited coefficients in `folder`
    (the repository's data/coefficients.csv); it leaves out storage, network and manufacture, and
    takes the grid of us-west-2 by location: AWS' own market-based figure is lower.
    """
    if tb_processed is not None and tb_processed < 0:
        raise BadInput(f"{tb_processed} TB cannot be.", fix="Give an amount of 0 or more.")
    usd = bill.total(table)
    with connect() as connection:
        session_tables.load(connection, session_file)
        users, seconds, launches = connection.execute(
            """SELECT count(DISTINCT "user") FILTER ("user" <> '' AND kind <> 'binder'),
              coalesce(sum(date_diff('second', "start", "end")) FILTER (kind = 'notebook'), 0),
              count(*) FILTER (kind IN ('notebook', 'binder')) FROM sessions"""
        ).fetchall()[0]
        make(connection, bill.rows(table, "invoice"), bill.tags(table))
        machines = connection.execute(
            "SELECT machine, sum(hours) FROM allocation_groups WHERE machine IS NOT NULL"
            " GROUP BY 1 ORDER BY 1"
        ).fetchall()
    hours = Decimal(seconds) / 3600
    low, high, unsized = _kg_co2e([(name, Decimal(count)) for name, count in machines], folder)
    return Units(
        usd,
        users,
        hours.quantize(Decimal("0.01")),
        launches,
        _over(usd, Decimal(users)),
        _over(usd, hours),
        _over(usd, Decimal(launches)),
        _over(usd, tb_processed) if tb_processed is not None else None,
        low,
        high,
        unsized,
    )


def terabytes_of(runs: Path) -> Decimal:
    """Return the terabytes (10^12 bytes) that the benchmark runs in a parquet file have read.

    Runs whose answer was wrong do not count. Raises `BadInput` where the file is no run table.
    """
    query = (
        "SELECT coalesce(sum(bytes_read) FILTER (coalesce(result_ok, true)), 0)"
        f" FROM read_parquet({bill.quote(str(runs))})"
    )
    try:
        with connect("256MB") as connection:
            found = connection.execute(query).fetchall()[0][0]
    except duckdb.Error as error:
        raise BadInput(
            f"{runs} is not a file of benchmark runs.",
            why=str(error).split("\n")[0],
            fix="Give the parquet file that bench run or bench import wrote.",
        ) from None
    return Decimal(found).scaleb(-12)


def _kg_co2e(
    machines: Iterable[tuple[str, Decimal]], folder: Path | None
) -> tuple[Decimal, Decimal, tuple[str, ...]]:
    """Return what machines (type, hours) emit if they idled and if they were fully loaded, kg.

    Types whose size is not known are left out, and returned.
    """
    table = published_tables.read("coefficients", folder)
    of: dict[str, Decimal] = dict(zip(table.item, table.value, strict=True))
    cores = memory = Decimal(0)  # vCPU-hours, GiB-hours
    unsized: list[str] = []
    for name, hours in machines:
        try:
            vcpus, gib, _ = machine(name)
        except BadInput:
            unsized.append(name)
            continue
        cores += hours * vcpus
        memory += hours * gib
    kg = [
        (cores * of[watts] / 1000 + memory * of["memory"]) * of["overhead"] * of["grid"]
        for watts in ("watts-vcpu-idle", "watts-vcpu-full")
    ]
    low, high = (value.quantize(Decimal("0.01")) for value in kg)
    return low, high, tuple(unsized)


def _over(usd: Decimal, count: Decimal) -> Decimal | None:
    return (usd / count).quantize(Decimal("0.0001")) if count else None
