"""Bills of any provider and form as one table, one delivery for each month."""

from hub_costs.bills.fetch import fetch_explorer, fetch_export
from hub_costs.bills.ingest import ingest, opened
from hub_costs.bills.report import Ingested
from hub_costs.bills.table import summary, total

__all__ = [
    "Ingested",
    "fetch_explorer",
    "fetch_export",
    "ingest",
    "opened",
    "summary",
    "total",
]
