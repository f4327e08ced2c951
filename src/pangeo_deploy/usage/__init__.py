"""Who used the hub, when, and with how much: sessions from real sources, and reports of them."""

from pangeo_deploy.usage.files import read, write
from pangeo_deploy.usage.report import UsageReport, report
from pangeo_deploy.usage.sessions import COLUMNS, KINDS, Sessions, check

__all__ = ["COLUMNS", "KINDS", "Sessions", "UsageReport", "check", "read", "report", "write"]
