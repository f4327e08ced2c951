"""What one user, one hour, one launch, one terabyte costs, and emits."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from pangeo_deploy.cost import bill, sessions
from pangeo_deploy.cost.bill import connect
from pangeo_deploy.cost.pots import make
from pangeo_deploy.cost.shapes import shape
from pangeo_deploy.errors import BadInput

# Coefficients of Cloud Carbon Footprint (AwsFootprintEstimationConstants.ts): watts a vCPU at rest
# and at full load, kWh a GB and hour of memory, the data centre's overhead.
WATTS_LOW, WATTS_HIGH = Decimal("0.74"), Decimal("3.5")
KWH_PER_GB_HOUR = Decimal("0.000392")
OVERHEAD = Decimal("1.135")
# kg CO2e a kWh of the grid that us-west-2 is in (WECC), location-based: the same source's factor,
# US EPA eGRID. AWS' market-based figure is lower.
KG_PER_KWH = Decimal("0.322167")


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

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            key: format(value, "f") if isinstance(value, Decimal) else value
            for key, value in vars(self).items()
        }


def units(table: Path, session_file: Path, *, tb_processed: Decimal | None = None) -> Units:
    """Divide the whole bill in `table` by what its sessions did.

    An active user had a notebook or a cluster; a user-hour is an hour of a notebook server; a
    launch is a notebook or Binder start. `tb_processed` comes from benchmark runs or metrics. The
    kgCO2e range runs from idle to fully loaded machines and leaves out storage, network and
    manufacture.
    """
    if tb_processed is not None and tb_processed < 0:
        raise BadInput(f"{tb_processed} TB cannot be.", fix="Give an amount of 0 or more.")
    usd = bill.total(table)
    with connect() as connection:
        sessions.load(connection, session_file)
        users, seconds, launches = connection.execute(
            """SELECT count(DISTINCT "user") FILTER ("user" <> '' AND kind <> 'binder'),
              coalesce(sum(date_diff('second', "start", "end")) FILTER (kind = 'notebook'), 0),
              count(*) FILTER (kind IN ('notebook', 'binder')) FROM sessions"""
        ).fetchall()[0]
        make(connection, bill.rows(table, "invoice"), bill.tags(table), "BilledCost")
        machines = connection.execute(
            "SELECT machine, sum(hours) FROM pots WHERE machine IS NOT NULL GROUP BY 1 ORDER BY 1"
        ).fetchall()
    hours = Decimal(seconds) / 3600
    low = high = Decimal(0)
    for machine, count in machines:
        cores, gib = shape(machine)
        memory = Decimal(count) * gib * KWH_PER_GB_HOUR
        low += Decimal(count) * cores * WATTS_LOW / 1000 + memory
        high += Decimal(count) * cores * WATTS_HIGH / 1000 + memory
    return Units(
        usd,
        users,
        hours.quantize(Decimal("0.01")),
        launches,
        _over(usd, Decimal(users)),
        _over(usd, hours),
        _over(usd, Decimal(launches)),
        _over(usd, tb_processed) if tb_processed is not None else None,
        (low * OVERHEAD * KG_PER_KWH).quantize(Decimal("0.01")),
        (high * OVERHEAD * KG_PER_KWH).quantize(Decimal("0.01")),
    )


def _over(usd: Decimal, count: Decimal) -> Decimal | None:
    return (usd / count).quantize(Decimal("0.0001")) if count else None
