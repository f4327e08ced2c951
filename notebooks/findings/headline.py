"""How much a report's headline month is too low, from what later reports say of the same month.

Each report covers six months and asks Cost Explorer for them with the last day of its own month
as `End`. `End` is exclusive, so the own month lacks its last day, and every later report, for which
the month is no longer the last, has it whole. The functions here take tables of `facts.TABLES` and
return tables; amounts are Decimal.
"""

from datetime import date
from decimal import Decimal

import pandas as pd

from hub_costs.months import Month

EKS = "Amazon Elastic Container Service for Kubernetes"
COMPUTE = "Amazon Elastic Compute Cloud - Compute"
# The control plane is billed by the hour, every hour: the bill's own clock.
# 0.10 USD an hour: price of a cluster in standard support (AWS containers blog, April 2024).
EKS_USD_PER_DAY = Decimal("0.10") * 24


def shortfall(totals: pd.DataFrame) -> pd.DataFrame:
    """Compare each report's own month with the same month in later reports.

    `totals` has report, month, usd. Returns one row a month that a later report covers: month,
    `own` and `later` (the first later report) in USD, `missing` in USD, `percent` of `later`,
    `one_day_percent` (an even month's share of one day), `reports` (how many later ones) and
    `revised` (the largest change among the later ones, USD).
    """
    rows = []
    for name, own in _own(totals).items():
        later = totals[(totals.month == name) & (totals.report > name)].sort_values("report")
        if later.empty:
            continue
        after = later.usd.iloc[0]
        rows.append(
            {
                "month": name,
                "own": own,
                "later": after,
                "missing": after - own,
                "percent": 100 * (after - own) / after,
                "one_day_percent": Decimal(100) / Month.parse(name).length,
                "reports": len(later),
                "revised": max(later.usd) - min(later.usd),
            }
        )
    return pd.DataFrame(rows)


def missing_by_service(services: pd.DataFrame, reports: pd.DataFrame) -> pd.DataFrame:
    """Return what each service lacks in each report's own month, in USD and in days.

    `services` has report, month, service, usd; `reports` has report and usd_per_step. `days` is the
    amount missing over the later report's average day; `plus_minus` is the largest error of `days`
    that reading two bars can make (one coordinate step each). Rows: month, service, own, later,
    missing, days, plus_minus. `Other` is left out: each report lumps other services into it.
    """
    step = dict(zip(reports.report, reports.usd_per_step, strict=True))
    rows = []
    for name, group in services[services.service != "Other"].groupby("month"):
        own = group[group.report == name].set_index("service").usd
        later = group[group.report > name].sort_values("report")
        if own.empty or later.empty:
            continue
        report = later.report.iloc[0]
        after = later[later.report == report].set_index("service").usd
        length = Month.parse(str(name)).length
        for service in sorted(set(own.index) & set(after.index)):
            day = after[service] / length
            rows.append(
                {
                    "month": name,
                    "service": service,
                    "own": own[service],
                    "later": after[service],
                    "missing": after[service] - own[service],
                    "days": (after[service] - own[service]) / day,
                    "plus_minus": (step[str(name)] + step[report]) / day,
                }
            )
    return pd.DataFrame(rows)


def clock(services: pd.DataFrame, reports: pd.DataFrame) -> pd.DataFrame:
    """Return how many days each report's own month holds by the control plane's clock.

    The control plane costs `EKS_USD_PER_DAY` every day, so its bar counts days by itself, with no
    later report needed. Rows: month, `days` billed, `length` of the month, `short` = length - days,
    `plus_minus` (the largest reading error, in days).
    """
    step = dict(zip(reports.report, reports.usd_per_step, strict=True))
    eks = services[services.service == EKS]
    rows = []
    for name, usd in _own(eks).items():
        days, length = usd / EKS_USD_PER_DAY, Month.parse(name).length
        rows.append(
            {
                "month": name,
                "days": days,
                "length": length,
                "short": length - days,
                "plus_minus": step[name] / EKS_USD_PER_DAY,
            }
        )
    return pd.DataFrame(rows)


def daily_chart(daily: pd.DataFrame, services: pd.DataFrame) -> pd.DataFrame:
    """Return whether each report's daily EC2 chart stops before its month does.

    Rows: month, `last_day` in the chart, `length` of the month, `chart` (sum of its days, USD) and
    `bar` (the EC2 bar of the same report's own month, USD): equal if both lack the same day.
    """
    bars = _own(services[services.service == COMPUTE])
    rows = []
    for name, group in daily.groupby(daily.date.map(lambda day: str(Month.of(day)))):
        rows.append(
            {
                "month": name,
                "last_day": max(group.date).day,
                "length": Month.parse(str(name)).length,
                "chart": sum(group.usd, Decimal(0)),
                "bar": bars[str(name)],
            }
        )
    return pd.DataFrame(rows)


def ec2_by_day(daily: pd.DataFrame, services: pd.DataFrame) -> dict[date, Decimal]:
    """Return EC2's cost of every day, the months' last days filled in.

    No daily chart shows its month's last day. What later reports' bars have above the chart's days
    is that day; it carries the reading errors of a bar and of the chart, together below 0.5 USD.
    A month that no later report covers stays without its last day.
    """
    days: dict[date, Decimal] = {
        day: sum(group.usd, Decimal(0)) for day, group in daily.groupby("date")
    }
    bars = services[services.service == COMPUTE]
    for name in sorted({str(Month.of(day)) for day in days}):
        month = Month.parse(name)
        last = date(month.year, month.number, month.length)
        later = bars[(bars.month == name) & (bars.report > name)].sort_values("report")
        if last not in days and not later.empty:
            shown = sum((usd for day, usd in days.items() if Month.of(day) == month), Decimal(0))
            days[last] = later.usd.iloc[-1] - shown
    return dict(sorted(days.items()))


def _own(frame: pd.DataFrame) -> dict[str, Decimal]:
    """Return what each report says of its own month."""
    own = frame[frame.report == frame.month]
    return dict(zip(own.month, own.usd, strict=True))
