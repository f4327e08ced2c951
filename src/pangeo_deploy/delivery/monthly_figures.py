"""A month's usage and cost as a few figures, kept for the book: no person and no resource in it."""

import tempfile
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from pangeo_core.progress import Progress, silent
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets import target_of
from pangeo_deploy.terraform import lifecycle

SCHEMA = 1


def report(
    deployment: Deployment, month: str, sessions: Path | None = None, progress: Progress = silent
) -> dict[str, Any]:
    """Return what `month` (YYYY-MM) cost and who used it, in USD as decimal strings.

    On aws the bill is read from the deployment's own bucket; without `sessions` it is divided by
    service alone. The rehearsal has no bill: there a month is made up, and says so (`origin`).
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bill = target_of(deployment).monthly_bill(
            month, folder, sessions, partial(lifecycle.outputs, deployment)
        )
        return {
            "schema": SCHEMA,
            "month": month,
            "environment": deployment.environment,
            "target": deployment.target,
            "origin": bill.origin,
            **_divided([str(file) for file in bill.files], bill.sessions, month, folder, progress),
        }


def _divided(
    bill: list[str], sessions: Path | None, month: str, folder: Path, progress: Progress
) -> dict[str, Any]:
    import duckdb

    from hub_costs.allocation import allocate
    from hub_costs.bills import ingest

    table = ingest(bill, folder / "table", progress=progress).table
    rows = duckdb.execute(
        "SELECT ServiceName, sum(BilledCost) FROM read_parquet(?) "
        "WHERE x_View IN ('both', 'parent') AND strftime(BillingPeriodStart, '%Y-%m') = ? "
        "GROUP BY 1 HAVING sum(BilledCost) <> 0 ORDER BY 2 DESC, 1",
        [str(table), month],
    ).fetchall()
    found: dict[str, Any] = {
        "total": _usd(sum((usd for _, usd in rows), Decimal(0))),
        "services": {str(service or "unnamed"): _usd(usd) for service, usd in rows},
    }
    if sessions:
        kinds = allocate(table, sessions).by("kind")
        found["kinds"] = {str(one["kind"]): _usd(one["amount"]) for one in kinds}
        found["usage"] = _usage(sessions)
    return found


def _usage(sessions: Path) -> Mapping[str, Any]:
    from hub_costs.usage import session_files
    from hub_costs.usage.usage_report import report as make

    summary = make(session_files.read([sessions]), published=True).summary
    return {key: value for key, value in summary.items() if isinstance(value, int | float | str)}


def _usd(amount: Decimal) -> str:
    return format(Decimal(amount).quantize(Decimal("0.01")), "f")
