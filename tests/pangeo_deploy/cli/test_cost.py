"""The verb `cost` as an operator uses it: files in, one JSON document out, amounts that add up."""

import csv
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hub_costs.bills import sample_bill, sample_forms
from hub_costs.bills.ingest import ingest
from hub_costs.months import Month
from tests.conftest import Cli, Ran


def good(ran: Ran) -> Ran:
    assert ran.code == 0, ran.err
    return ran


@pytest.fixture
def month(cli: Cli, tmp_path: Path) -> Path:
    good(cli("cost", "sample", str(before_today(1)), "--out", str(tmp_path)))
    good(cli("cost", "ingest", str(tmp_path / "bill.parquet"), "--out", str(tmp_path / "table")))
    return tmp_path


def test_a_bill_comes_in_and_every_cent_gets_an_owner(cli: Cli, month: Path) -> None:
    again = good(
        cli("cost", "ingest", str(month / "bill.parquet"), "--out", str(month / "table"), "--json")
    ).json
    assert again["rejected"] == 0
    sessions = ("--sessions", str(month / "sessions.csv"))
    found = good(cli("cost", "allocate", "--bill", str(month / "table"), *sessions, "--json")).json
    assert found["conserved"] is True
    assert Decimal(found["total"]) == Decimal(again["total"])
    assert sum(Decimal(row["amount"]) for row in found["rows"]) == Decimal(found["total"])
    assert {"user", "shared", "idle", "unallocated"} <= {row["kind"] for row in found["rows"]}

    units = good(cli("cost", "units", "--bill", str(month / "table"), *sessions, "--json")).json
    assert Decimal(units["usd"]) == Decimal(found["total"])


def test_raw_bills_are_allocated_like_the_table_of_them(cli: Cli, month: Path) -> None:
    (month / "copy.parquet").write_bytes((month / "bill.parquet").read_bytes())
    raw = ("--bill", str(month / "bill.parquet"), str(month / "copy.parquet"))
    sessions = ("--sessions", str(month / "sessions.csv"))
    found = good(cli("cost", "allocate", *raw, *sessions, "--json")).json
    table = ("--bill", str(month / "table" / "bill.parquet"))
    assert found["rows"] == good(cli("cost", "allocate", *table, *sessions, "--json")).json["rows"]


def test_cost_explorer_is_asked_twice_a_day_at_most(cli: Cli, tmp_path: Path) -> None:
    ask = ("cost", "fetch", "staging", "--explorer", "--month", "2026-10", "--out", str(tmp_path))
    first = good(cli(*ask, "--json")).json
    assert (first["pages"], first["usd"]) == (1, "0.01")
    assert Path(first["files"][0]).is_file()
    good(cli(*ask))
    assert cli(*ask).code == 3


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "no bill export yet"),
        (("--explorer",), "what to fetch"),
        (("--export", "s3://b", "--explorer", "--month", "2026-10"), "what to fetch"),
        (("--export", "s3://nobody-has-this/cur"), "s3:ListBucket"),
    ],
)
def test_a_fetch_that_cannot_be_says_why(
    cli: Cli, tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    ran = cli("cost", "fetch", "staging", *options, "--out", str(tmp_path), "--json")
    assert ran.code == 2
    assert says in str(ran.json["error"])


def test_a_bill_that_is_not_there_is_named(cli: Cli, tmp_path: Path) -> None:
    ran = cli("cost", "ingest", str(tmp_path / "nothing.parquet"), "--out", str(tmp_path), "--json")
    assert ran.code == 2
    assert "nothing.parquet" in ran.json["error"]["what"]


@pytest.mark.parametrize("option", ["--month-so-far", "--forecast-high", "--budget"])
def test_an_amount_that_is_none_is_named(cli: Cli, option: str) -> None:
    ran = cli("cost", "gate", "staging", option, "much", "--json")
    assert ran.code == 2
    assert option in ran.json["error"]["what"]


@pytest.mark.slow
def test_an_estimate_says_what_changes_against_another_plan(cli: Cli, tmp_path: Path) -> None:
    nothing = tmp_path / "plan.json"
    nothing.write_text('{"planned_values": {"root_module": {}}}')
    found = good(cli("cost", "estimate", "staging", "--against", str(nothing), "--json")).json
    assert found["floor_change_usd_per_month"] == found["floor_usd_per_month"]
    changes = sum(Decimal(row["change"]) for row in found["difference"])
    assert changes == sum(Decimal(line["usd_per_month"]) for line in found["lines"])


@pytest.mark.slow
def test_the_gate_says_no_with_its_own_exit_code(cli: Cli) -> None:
    floor = Decimal(good(cli("cost", "estimate", "prod", "--json")).json["floor_usd_per_month"])
    assert floor > 0
    assert good(cli("cost", "gate", "prod", "--budget", str(floor), "--json")).json
    over = cli("cost", "gate", "prod", "--budget", str(floor - Decimal("0.01")), "--json")
    assert over.code == 3
    assert cli("cost", "gate", "prod", "--budget", "100000", "--month-so-far", "100001").code == 3


@pytest.fixture
def daily(tmp_path: Path) -> Path:
    file = tmp_path / "daily.csv"
    start = date(2026, 1, 1)
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["date", "usd"])
        for number in range(120):
            weekend = (start + timedelta(number)).weekday() > 4
            usd = 20 + (number % 5) - 8 * weekend + 200 * (number == 100)
            writer.writerow([start + timedelta(number), usd])
    return file


def test_the_days_ahead_and_their_sum(cli: Cli, daily: Path) -> None:
    found = good(cli("cost", "forecast", "--daily", str(daily), "--horizon", "7", "--json")).json
    assert len(found["days"]) == 7
    assert found["days"][0]["date"] == "2026-05-01"
    for one in (*found["days"], found["total"]):
        assert Decimal(one["low"]) <= Decimal(one["mean"]) <= Decimal(one["high"])


def test_the_day_that_is_out_of_line(cli: Cli, daily: Path) -> None:
    found = good(cli("cost", "anomalies", "--daily", str(daily), "--json")).json["anomalies"]
    assert "2026-04-11" in {one["date"] for one in found}


def before_today(months: int) -> Month:
    """Return the month that lies so many before today's: a bill is held against today's month."""
    day = datetime.now(UTC).date()
    for _ in range(months):
        day = day.replace(day=1) - timedelta(1)
    return Month.of(day)


@pytest.mark.slow
def test_a_bill_of_months_is_looked_ahead_from_and_held_against_a_budget(
    cli: Cli, tmp_path: Path
) -> None:
    made = [sample_bill.sample(before_today(n), users=3, seed=n) for n in (2, 1)]
    for one in made:
        sample_forms.cur_parquet(one.lines, tmp_path / f"{one.month}.parquet")
    made[1].sessions.to_csv(tmp_path / "sessions.csv", index=False)
    table = ("--bill", str(ingest([*tmp_path.glob("*.parquet")], tmp_path / "table").table))
    found = good(cli("cost", "forecast", *table, "--json")).json
    end = found["month_end"]
    assert (end["month"], end["days_left"]) == (str(made[1].month), 0)
    assert Decimal(end["so_far"]) == made[1].total
    assert found["days"][0]["date"] == f"{made[1].month.next()}-01"
    sessions = ("--sessions", str(tmp_path / "sessions.csv"))
    assert good(cli("cost", "anomalies", *table, *sessions, "--json")).json["notes"] == []
    gate = ("cost", "gate", "staging", *table, "--budget", "1", "--json")
    over = cli(*gate, "--max-age", "40")
    assert over.code == 3
    # Of today's month nothing is billed yet; all of it is forecast.
    period, checks = over.json["period"], {each["name"]: each for each in over.json["checks"]}
    assert checks[f"{period} so far"]["usd"] == "0"
    assert not checks[f"the forecast's upper bound for {period}"]["ok"]
    stale = cli(*gate, "--max-age", "0")
    assert (stale.code, stale.json["error"]["what"][:18]) == (3, "The bill is stale:")


@pytest.mark.slow
def test_a_young_hub_is_held_against_what_it_cost_so_far(cli: Cli, month: Path) -> None:
    young = (str(month / "table"), "--budget", "1", "--max-age", "40", "--json")
    told = cli("cost", "gate", "staging", "--bill", *young)
    assert told.code == 3
    assert [check["name"] for check in told.json["checks"]] == [
        "the plan's floor",
        f"{told.json['period']} so far",
    ]


def test_days_of_nothing_are_asked_for(cli: Cli) -> None:
    ran = cli("cost", "forecast", "--json")
    assert ran.code == 2
    assert "--bill" in ran.json["error"]["fix"]
