"""Who used the hub, when, and with how much: sessions from real sources, and reports of them."""

from hub_costs.usage.session_files import read, write
from hub_costs.usage.sessions import COLUMNS, KINDS, Sessions, check
from hub_costs.usage.usage_report import UsageReport, report

__all__ = ["COLUMNS", "KINDS", "Sessions", "UsageReport", "check", "read", "report", "write"]
