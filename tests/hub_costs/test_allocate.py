"""Every cent of a bill gets an owner, and the owners' cents are the bill's."""

import csv
from decimal import Decimal
from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub_costs.allocation import session_tables
from hub_costs.allocation.allocate import allocate
from hub_costs.allocation.owner_rules import RULES, WEIGHTS
from hub_costs.apportion import amount, apportion, cents, units
from hub_costs.bills import sample_bill
from hub_costs.bills import table as bill
from hub_costs.bills.ingest import ingest
from hub_costs.months import Month
from hub_costs.usage.sessions import COLUMNS
from pangeo_core.errors import BadInput

big = st.integers(-(10**22), 10**22)
shares = st.lists(st.integers(0, 10**15), min_size=1, max_size=50).filter(lambda w: sum(w) > 0)


@given(big, shares)
def test_apportioned_shares_sum_to_the_amount_and_are_fair(total, weights):
    parts = apportion(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(total * weight, sum(weights))) < 1
        assert weight or part == 0, "who asked for nothing pays nothing"


@given(big)
def test_amounts_go_through_units_unchanged(number):
    assert units(amount(number)) == number


@given(st.lists(big, min_size=1, max_size=30))
def test_cents_sum_to_the_totals_cents(numbers):
    total = sum(cents(numbers))
    assert abs(total * 10**10 - sum(numbers)) * 2 <= 10**10
    for part, number in zip(cents(numbers), numbers, strict=True):
        assert abs(part * 10**10 - number) <= 10**10


def test_aws_own_example_of_two_thirds_does_not_become_a_cent_more():
    """AWS' worked example prints two namespaces that add to 1.01 for an instance of 1.00."""
    one = 10**12
    assert sum(cents(apportion(one, [455, 545]))) == 100


@pytest.mark.parametrize("weights", WEIGHTS)
def test_known_truth_is_found(tmp_path, weights):
    made = sample_bill.sample(Month(2023, 2), users=4, seed=3, weights=weights)
    from hub_costs.bills import sample_forms

    sample_forms.cur_csv(made.lines, tmp_path / "b.csv.gz")
    made.sessions.to_csv(tmp_path / "s.csv", index=False)
    table = ingest([tmp_path / "b.csv.gz"], tmp_path / "out").table
    result = allocate(table, tmp_path / "s.csv", weights=weights, view="invoice")
    assert result.conserved
    assert result.total == made.total
    found = {
        row["owner"]: row["amount"] for row in result.by("owner", "kind") if row["kind"] == "user"
    }
    assert set(found) == set(made.truth)
    for user, usd in made.truth.items():
        assert abs(Fraction(found[user]) - usd) < Fraction(1, 10**9)
    idle = next(row["amount"] for row in result.by("kind") if row["kind"] == "idle")
    assert abs(Fraction(idle) - made.idle) < Fraction(1, 10**9)


def test_split_rows_give_the_same_users_the_same_cost(sample, split_bill, session_file):
    result = allocate(split_bill, session_file)
    found = {
        row["owner"]: row["amount"] for row in result.by("owner", "kind") if row["kind"] == "user"
    }
    for user, usd in sample.truth.items():
        assert float(found[user]) == pytest.approx(float(usd), abs=1e-6)
    assert result.total == sample.total
    assert not result.warnings


def test_idle_shared_and_unallocated_are_rows_of_their_own(plain_bill, session_file):
    kinds = {row["kind"]: row["amount"] for row in allocate(plain_bill, session_file).by("kind")}
    assert set(kinds) == {"user", "shared", "idle", "unallocated"}
    assert kinds["unallocated"] == Decimal("0.05") * 29, "what no rule knows"


def test_fully_loaded_users_carry_everything_but_the_unknown(plain_bill, session_file):
    caused = allocate(plain_bill, session_file)
    for how in ("proportion", "even"):
        loaded = caused.loaded(how)
        assert loaded.conserved
        kinds = {row["kind"]: row["amount"] for row in loaded.by("kind")}
        assert set(kinds) == {"user", "unallocated"}
        assert sum(kinds.values()) == caused.total


def test_groups_count_once(plain_bill, session_file):
    caused = allocate(plain_bill, session_file)
    members = {"user-000": ["a", "b"], "user-001": ["b"]}
    for several in ("first", "even"):
        groups = caused.groups(members, several)
        assert sum(group["amount"] for group in groups) == caused.total
    by_name = {g["group"]: g["amount"] for g in caused.groups(members, "first")}
    by_owner = {row["owner"]: row["amount"] for row in caused.by("owner")}
    assert by_name["a"] == by_owner["user-000"]


def test_sums_by_day_hub_and_month_are_the_bill(plain_bill, session_file, sample):
    caused = allocate(plain_bill, session_file)
    for keys in (("day",), ("hub", "owner"), ("month", "component", "rule")):
        assert sum(row["amount"] for row in caused.by(*keys)) == sample.total
    assert len(caused.by("day")) == 29
    with pytest.raises(BadInput, match="price"):
        caused.by("price")


def test_homes_go_by_size(plain_bill, session_file):
    sized = allocate(plain_bill, session_file, homes={"user-000": 3, "gone": 1})
    homes = {
        row["owner"]: row["amount"] for row in sized.by("owner", "rule") if row["rule"] == "homes"
    }
    assert homes["user-000"] == 3 * homes["gone"], "who left data behind still pays for it"


def test_the_sum_is_the_bills_in_cents_and_in_json(plain_bill, session_file, sample):
    told = allocate(plain_bill, session_file).as_dict()
    assert told["conserved"] is True
    assert sum(Decimal(row["amount"]) for row in told["rows"]) == Decimal(told["total"])
    assert sum(Decimal(row["cents"]) for row in told["rows"]) == round(sample.total, 2)
    assert {row["rule"] for row in told["rows"]} <= {rule.id for rule in RULES} | {
        "machine-idle",
        "split-unused",
        "homes-unsized",
        "homes-backup-unsized",
    }


def written(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def session(**changes):
    return {
        "user": "ana",
        "hub": "h",
        "kind": "notebook",
        "start": "2024-02-05T10:00:00Z",
        "end": "2024-02-05T12:00:00Z",
        "cpu_cores": "1",
        "memory_gib": "8",
        "node_type": "r5.xlarge",
        "capacity": "on-demand",
    } | changes


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"end": "2024-02-05T09:00:00Z"}, "negative"),
        ({"start": "yesterday"}, "bad-time"),
        ({"cpu_cores": "-1"}, "bad-value"),
        ({"memory_gib": "much"}, "bad-value"),
        ({"kind": "game"}, "bad-value"),
        ({"capacity": "free"}, "bad-value"),
    ],
)
def test_sessions_that_cannot_be_are_counted_with_row_and_reason(
    plain_bill, tmp_path, change, reason
):
    path = written(tmp_path / "s.csv", [session(), session(**change)])
    result = allocate(plain_bill, path, view="invoice")
    assert result.conserved
    ((row, why),) = result.rejected_sessions
    assert row == 3, "the line of the file"
    assert why.startswith(reason)


def test_a_session_without_a_user_is_unallocated(plain_bill, tmp_path, sample):
    machine = next(x for x in sample.lines if x["line_item_resource_id"] == "i-on-demand-0")
    start = machine["line_item_usage_start_date"]
    nobody = session(user="", start=start, end=start.replace(":00:00Z", ":30:00Z"))
    result = allocate(plain_bill, written(tmp_path / "s.csv", [nobody]), view="invoice")
    rules = {row["rule"]: row for row in result.by("rule", "kind")}
    assert rules["session-without-user"]["kind"] == "unallocated"
    assert rules["session-without-user"]["amount"] > 0
    assert result.conserved


def test_a_servers_hours_count_once_and_a_clusters_workers_each(plain_bill, tmp_path):
    """A person has one server of a name at a time; workers of one cluster run side by side."""
    first, later = session(), session(start="2024-02-05T11:00:00Z", end="2024-02-05T13:00:00Z")
    whole = session(end="2024-02-05T13:00:00Z")

    def weight(*rows):
        with bill.connect() as connection:
            loaded = session_tables.load(connection, written(tmp_path / "s.csv", rows))
            query = "SELECT sum(seconds * memory) FROM session_days"
            return connection.execute(query).fetchall()[0][0], loaded

    assert weight(first, later)[0] == weight(whole)[0]
    assert weight(first, later)[1].changed == 1
    assert [why.split(":")[0] for _, why in weight(first, first)[1].rejected] == ["overlap"]
    worker = session(kind="dask-worker")
    assert weight(worker, worker)[0] == 2 * weight(worker)[0]
    path = written(tmp_path / "s.csv", [first, later])
    assert any("cut" in warning for warning in allocate(plain_bill, path).warnings)


def test_a_month_without_sessions_is_all_shared_or_idle(plain_bill, tmp_path):
    kinds = {r["kind"] for r in allocate(plain_bill, written(tmp_path / "s.csv", [])).by("kind")}
    assert kinds == {"shared", "idle", "unallocated"}


@pytest.mark.parametrize("content", ["", "user,start\nana,2024-01-01\n"])
def test_a_file_that_is_not_sessions_is_refused(plain_bill, tmp_path, content):
    (tmp_path / "s.csv").write_text(content)
    with pytest.raises(BadInput, match="sessions"):
        allocate(plain_bill, tmp_path / "s.csv")


def test_a_bill_that_was_not_ingested_is_refused(session_file, tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "bill.parquet")
    with pytest.raises(BadInput, match="cost ingest"):
        allocate(tmp_path / "bill.parquet", session_file)


zones = st.sampled_from(["Z", "+02:00", "-08:00", "+05:30"])
# Clock changes of Europe and America, a leap day, and the month's first and last hours.
starts = st.sampled_from(
    ["2024-02-01T00:00:00", "2024-02-29T23:59:59", "2024-03-10T02:30:00", "2024-03-31T01:59:59",
     "2024-02-05T10:15:00", "2024-01-31T20:00:00"]
)  # fmt: skip
people = st.sampled_from(["ana", "ben", "", "o'hara"])
any_session = st.builds(
    lambda user, start, zone, seconds, cpu, gib, capacity: session(
        user=user,
        start=start + zone,
        end=(pd.Timestamp(start + zone) + pd.Timedelta(seconds=seconds)).isoformat(),
        cpu_cores=str(cpu),
        memory_gib=str(gib),
        capacity=capacity,
    ),
    people,
    starts,
    zones,
    st.integers(-3600, 4 * 86400),
    st.decimals(0, 64, places=3),
    st.decimals(0, 512, places=3),
    st.sampled_from(["on-demand", "spot"]),
)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(any_session, max_size=20),
    st.sampled_from(sorted(WEIGHTS)),
    st.dictionaries(people, st.integers(0, 10**15), max_size=3),
    st.dictionaries(people, st.lists(st.sampled_from(["a", "b", "c"]), unique=True), max_size=3),
)
def test_whatever_the_sessions_homes_and_groups_the_rows_sum_to_the_bill(
    plain_bill, sample, tmp_path_factory, rows, weights, homes, members
):
    path = written(tmp_path_factory.mktemp("s") / "s.csv", rows)
    result = allocate(plain_bill, path, weights=weights, homes=homes, view="invoice")
    assert sum(row["amount"] for row in result.by("owner", "rule", "day")) == sample.total
    for how in ("even", "proportion"):
        assert result.loaded(how).conserved
    for several in ("even", "first"):
        by_group = result.groups(members, several)
        assert sum(group["amount"] for group in by_group) == sample.total
