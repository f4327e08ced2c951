"""Numbers of the front page, the blog and the abstract, computed again from `data/` by pandas.

Nothing of the packages computes here: two ways to the same number are compared. A number that no
file in `data/` holds (it is run or modelled while the book is built) is listed with what tests it.
"""

import calendar
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import PROJECT

PAGES = ("index", "blog")
ALWAYS_ON = (
    "Amazon Elastic Container Service for Kubernetes",
    "EC2 - Other",
    "Amazon Elastic Load Balancing",
    "Amazon Virtual Private Cloud",
    "Other",
    "AWS Cost Explorer",
)
EC2 = "Amazon Elastic Compute Cloud - Compute"
# What the build itself runs or models: where its rightness is tested.
ELSEWHERE = {
    "01-deploy/floor-prod": "tests/hub_costs (the estimate against the price list)",
    "01-deploy/floor-staging": "tests/hub_costs (the estimate against the price list)",
    "01-deploy/left": "tests/pangeo_deploy/terraform/test_life.py",
    "01-deploy/planned": "tests/pangeo_deploy/terraform/test_inventory.py",
    "05-cost/sample-idle": "tests/hub_costs/test_allocate.py (a made-up month)",
    "05-cost/sample-users": "tests/hub_costs/test_allocate.py (a made-up month)",
}
MODELLED = re.compile(r"^06-what-if/|^04-usage/peak-over-mean$")  # tests/hub_costs/whatif


@cache
def table(name: str) -> pd.DataFrame:
    return pd.read_csv(PROJECT / "data" / f"{name}.csv", comment="#")


def days_of(month: str) -> int:
    year, number = map(int, month.split("-"))
    return calendar.monthrange(year, number)[1]


@cache
def months() -> pd.DataFrame:
    """Each complete month of the latest report that shows it: floor, stored, users, USD."""
    services = table("openscapes_services_by_report")
    newest = services[services.report == services.groupby("month").report.transform("max")]
    newest = newest[newest.report > newest.month]
    daily = table("openscapes_daily_ec2").groupby("date")[["usd", "hours"]].sum()
    quiet = daily[daily.hours <= daily.hours.min() * 1.01].usd.sort_values().tolist()
    node = quiet[len(quiet) // 2]
    rows = []
    for month, group in newest.groupby("month"):
        usd = group.groupby("service").usd.sum()
        floor = usd[usd.index.isin(ALWAYS_ON)].sum() + node * days_of(str(month))
        users = usd.get(EC2, 0) - node * days_of(str(month))
        rows.append((month, floor, usd.sum() - floor - users, users))
    return pd.DataFrame(rows, columns=["month", "floor", "stored", "users"]).set_index("month")


@cache
def headlines() -> pd.DataFrame:
    totals = table("openscapes_totals_by_report")
    own = totals[totals.report == totals.month].set_index("month").usd
    later = totals[totals.report > totals.month].sort_values("report").groupby("month").usd.first()
    both = pd.DataFrame({"own": own, "later": later}).dropna()
    return both.assign(missing=both.later - both.own, percent=100 * (1 - both.own / both.later))


def shares() -> pd.Series:
    return 100 * months().users / months().sum(axis=1)


def anomaly(variant: str) -> float:
    """The median over blocks of a run of `variant` over the numpy baseline of its block."""
    runs = pd.read_parquet(PROJECT / "data" / "bench_xs.parquet")
    runs = runs[(runs.role == "run") & ~runs.failed.astype(bool) & (runs.operation == "anomaly")]
    space = runs[runs.scheme == "space"]
    wide = space.pivot_table(index="block", columns="variant", values="seconds", aggfunc="median")
    return float((wide[variant] / wide["numpy"]).median())


def rows_lost() -> float:
    points = table("ncar_labels")
    cut = points[points.files == "clean-cheyenne"]
    return float(100 * (1 - cut.rows_left.sum() / cut.rows_all.sum()))


def rehearsal_seconds() -> float:
    times = table("rehearsal_times")
    whole = times[times.environment == "staging"].groupby("run").seconds.sum()
    return float(whole.median())


def seconds_to_computing() -> float:
    times = table("hub_times")
    steps = list(dict.fromkeys(times.step))
    until = steps[: steps.index("compute") + 1]
    return float(times[times.step.isin(until)].groupby("run").seconds.sum().median())


CLAIMS: dict[str, Callable[[], float]] = {
    "05-cost/floor-low": lambda: months().floor.min(),
    "05-cost/floor-high": lambda: months().floor.max(),
    "05-cost/lowest-month": lambda: months().sum(axis=1).min(),
    "05-cost/highest-month": lambda: months().sum(axis=1).max(),
    "05-cost/users-share-low": lambda: shares().min(),
    "05-cost/users-share-high": lambda: shares().max(),
    "05-cost/users-share-overall": lambda: 100 * months().users.sum() / months().sum().sum(),
    "05-cost/users-largest-months": lambda: (months().idxmax(axis=1) == "users").sum(),
    "05-cost/headline-months": lambda: len(headlines()),
    "05-cost/headline-low": lambda: headlines().percent.min(),
    "05-cost/headline-high": lambda: headlines().percent.max(),
    "05-cost/headline-missing": lambda: headlines().missing.sum(),
    "03-benchmarks/label-rows-lost": rows_lost,
    "03-benchmarks/anomaly-naive": lambda: anomaly("naive"),
    "03-benchmarks/anomaly-better": lambda: anomaly("better"),
    "01-deploy/total-seconds": rehearsal_seconds,
    "02-hub/to-computing": seconds_to_computing,
}


@pytest.fixture(scope="module")
def published(html: Path) -> dict[str, dict[str, str]]:
    index: dict[str, dict[str, str]] = json.loads((html / "results" / "index.json").read_text())
    return index


def used() -> set[str]:
    text = "".join((PROJECT / "book" / f"{page}.md").read_text() for page in PAGES)
    text += (PROJECT / "book" / "report.md").read_text().split("## The question")[0]  # its abstract
    return set(re.findall(r"\{value\}`([\w/-]+)`", text))


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_is_what_plain_pandas_says(published: dict[str, dict[str, str]], name: str) -> None:
    assert float(published[name]["value"]) == pytest.approx(CLAIMS[name](), rel=0.01)


def test_no_claim_is_left_out() -> None:
    known = {*CLAIMS, *ELSEWHERE}
    assert sorted(name for name in used() - known if not MODELLED.match(name)) == []
