"""The always-on floor of a bill against the part that follows its users.

Three groups. `always on` is billed in a month without a single user. `kept data` is what users once
stored: it stays on the bill whoever logs in, and follows what they keep, not what they do. `users`
follows what they do. A monthly bill by service cannot split the machines between hub and users; the
daily EC2 hours can: see `core_node`.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import pandas as pd

from findings.headline import COMPUTE
from hub_costs.months import Month

ALWAYS_ON, KEPT_DATA, USERS = "always on", "kept data", "users"
GROUPS = (ALWAYS_ON, KEPT_DATA, USERS)
CENT = Decimal("0.01")

# Service -> group, and why. EC2 compute is split: `core_node` is always on, the rest is users'.
RULES: Mapping[str, tuple[str, str]] = {
    "Amazon Elastic Container Service for Kubernetes": (ALWAYS_ON, "control plane, by the hour"),
    "EC2 - Other": (ALWAYS_ON, "disks, NAT and traffic of a running cluster"),
    "Amazon Elastic Load Balancing": (ALWAYS_ON, "the hub's front door, by the hour"),
    "Amazon Virtual Private Cloud": (ALWAYS_ON, "public addresses, by the hour"),
    "Other": (ALWAYS_ON, "what the report did not name; not known to follow users"),
    "AWS Cost Explorer": (ALWAYS_ON, "the reports' own queries"),
    "Amazon Elastic File System": (KEPT_DATA, "home directories, by size"),
    "AWS Backup": (KEPT_DATA, "copies of the home directories"),
    "Amazon Simple Storage Service": (KEPT_DATA, "buckets, by size"),
    "AWS DataSync": (KEPT_DATA, "moving home directories"),
    COMPUTE: (USERS, "machines above the one that always runs"),
}


def latest(services: pd.DataFrame) -> pd.DataFrame:
    """Return each month as the latest report shows it: report, month, service, usd, `complete`.

    Rows of different reports are never mixed within a month: `Other` means something else in each.
    A month that only its own report covers is not `complete`: it lacks its last day.
    """
    newest = services.groupby("month").report.transform("max")
    rows = services[services.report == newest].copy()
    rows["complete"] = rows.report > rows.month
    return rows.sort_values(["month", "service"], ignore_index=True)


def core_node(daily: pd.DataFrame) -> dict[str, Decimal | int]:
    """Return what the machine that always runs costs a day, read from the quietest days.

    The day with the least EC2 hours bounds the floor from above. Where that least is 24 hours of
    one machine it also bounds it from below, since the hub itself needs one. Keys: `usd` a day
    (median of the quietest days: within 1 % of the least hours), `hours`, `days` (how many such
    days), `months` (in how many months), `low` and `high` (USD a day, the range over those days).
    """
    day = daily.groupby("date")[["usd", "hours"]].sum()
    quiet = day[day.hours <= min(day.hours) * Decimal("1.01")]
    usd = sorted(quiet.usd)
    return {
        "usd": usd[len(usd) // 2],
        "hours": min(day.hours),
        "days": len(quiet),
        "months": len({Month.of(date) for date in quiet.index}),
        "low": usd[0],
        "high": usd[-1],
    }


def split(bill: pd.DataFrame, core_usd_per_day: Decimal) -> pd.DataFrame:
    """Return month, group, usd for a bill by month and service; the groups sum to the bill.

    `bill` is what `latest` returns. A service without a rule counts as always on, since only a
    reason can make a cost follow users. In a month that lacks its last day the core node is counted
    for the days there are.
    """
    rows = []
    for name, group in bill.groupby("month"):
        sums = dict.fromkeys(GROUPS, Decimal(0))
        for service, usd in zip(group.service, group.usd, strict=True):
            sums[RULES.get(service, (ALWAYS_ON, ""))[0]] += usd
        days = Month.parse(str(name)).length - (not group.complete.iloc[0])
        core = min(core_usd_per_day * days, sums[USERS])
        sums[USERS] -= core
        sums[ALWAYS_ON] += core
        rows += [{"month": name, "group": part, "usd": usd} for part, usd in sums.items()]
    return pd.DataFrame(rows)


def by_day(bill: pd.DataFrame, ec2: Mapping[date, Decimal]) -> dict[date, Decimal]:
    """Return the whole bill's cost of each day of `ec2`.

    `bill` is what `latest` returns, `ec2` EC2's cost by day. The other services are known by the
    month: each day gets an even share of what its month holds of them, which is right for what is
    billed by the hour or by size, and hides how the rest moved within the month.
    """
    rest: dict[str, Decimal] = {}
    for name, group in bill[bill.service != COMPUTE].groupby("month"):
        days = Month.parse(str(name)).length - (not group.complete.iloc[0])
        rest[str(name)] = sum(group.usd, Decimal(0)) / days
    return {day: usd + rest[str(Month.of(day))].quantize(CENT) for day, usd in ec2.items()}


def steadiness(bill: pd.DataFrame) -> pd.DataFrame:
    """Return how much each service's cost a day varies over the complete months.

    Rows: service, `months`, `low` and `high` (USD a day), `ratio` = high / low. What follows users
    varies with them; a ratio near 1 is the evidence that a service does not. `Other` is left out.
    """
    rows = []
    for service, group in bill[bill.complete & (bill.service != "Other")].groupby("service"):
        day = [u / Month.parse(m).length for u, m in zip(group.usd, group.month, strict=True)]
        low, high = min(day), max(day)
        rows.append(
            {
                "service": service,
                "months": len(day),
                "low": low,
                "high": high,
                "ratio": high / low if low else None,
            }
        )
    return pd.DataFrame(rows)
