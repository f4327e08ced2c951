"""The days of a bill: usage on the day it starts, whole months, and whose cost changed."""

from datetime import date, timedelta
from decimal import Decimal

import pandas as pd
import pytest

from hub_costs.allocation.allocate import allocate
from hub_costs.bills import bill_days, sample_bill, sample_forms
from hub_costs.bills import table as bill
from hub_costs.bills.ingest import ingest
from hub_costs.budgeting.anomalies import anomalies
from hub_costs.budgeting.forecast import month_end
from hub_costs.months import Month

MONTHLY = ("Tax", "Credit")


@pytest.fixture(scope="module")
def quarter(tmp_path_factory):
    """Three made-up months in one table, the last one open, and their sessions."""
    folder = tmp_path_factory.mktemp("quarter")
    made = [sample_bill.sample(Month(2024, n), users=3, seed=n) for n in (1, 2, 3)]
    for one in made[:-1]:
        sample_forms.cur_parquet(one.lines, folder / f"{one.month}.parquet")
    last = [
        line | {"bill_invoice_id": ""}
        for line in made[-1].lines
        if line["line_item_usage_start_date"] < "2024-03-20T08"
    ]
    sample_forms.cur_parquet(last, folder / "2024-03.parquet")
    pd.concat([one.sessions for one in made]).to_csv(folder / "sessions.csv", index=False)
    return (
        ingest(sorted(folder.glob("*.parquet")), folder / "table").table,
        folder / "sessions.csv",
        [*made[:-1], last],
    )


def test_the_days_and_their_parts_are_the_bills_usage(quarter):
    table, sessions, made = quarter
    days = bill_days.of(table)
    assert days.left_out == date(2024, 3, 20), "a day whose hours are not all there"
    assert days.daily.start == date(2024, 1, 1)
    assert len(days.daily.usd) == 31 + 29 + 19
    usage = sum(
        Decimal(line["line_item_unblended_cost"])
        for line in [*made[0].lines, *made[1].lines, *made[2]]
        if line["line_item_line_item_type"] not in MONTHLY
        and line["line_item_usage_start_date"] < "2024-03-20"
    )
    assert sum(days.daily.usd) == usage
    for parts in (days.parts, bill_days.of(table, sessions).parts):
        assert [sum(usd) for usd in zip(*parts.values(), strict=True)] == list(days.daily.usd)


def test_the_month_ends_with_what_was_billed_and_the_days_to_come(quarter):
    table, _, made = quarter
    days = bill_days.of(table)
    billed = sum(
        Decimal(line["line_item_unblended_cost"])
        for line in made[2]
        if line["line_item_usage_start_date"] < "2024-03-20"
    )
    end = month_end(days.daily, so_far=days.month_so_far)
    assert (str(end.month), end.so_far, end.days_left) == ("2024-03", billed, 12)
    assert end.so_far < end.low <= end.mean <= end.high
    whole = bill_days.BillDays(days.daily, {}, None, Decimal(0)).daily
    closed = type(whole)(whole.start, whole.usd[: 31 + 29])
    february = month_end(closed)
    assert (february.days_left, february.low) == (0, february.high)


def test_a_step_says_the_day_the_service_and_the_owner(quarter, tmp_path):
    table, sessions, _ = quarter
    day = date(2024, 2, 21)
    lines = sample_bill.sample(Month(2024, 2), users=3, seed=2).lines
    hours = [x for x in lines if x["line_item_usage_start_date"].startswith(str(day))]
    machine = next(x for x in hours if x["line_item_resource_id"] == "i-core")
    stray = machine | {
        "identity_line_item_id": "stray",
        "line_item_resource_id": "i-stray",
        "line_item_unblended_cost": "60",
        "resource_tags_user_node_purpose": "",
        "resource_tags_user_hub_jupyter_org_username": "user-000",
    }
    sample_forms.cur_parquet([*lines, stray], tmp_path / "2024-02.parquet")
    folder = tmp_path / "table"
    folder.mkdir()
    (folder / "bill.parquet").write_bytes(table.read_bytes())
    ingest([tmp_path / "2024-02.parquet"], folder)
    for session_file, name in (
        (None, "Elastic Compute Cloud"),
        (sessions, "resources of user-000"),
    ):
        days = bill_days.of(folder, session_file)
        (found,) = [a for a in anomalies(days.daily, parts=days.parts) if a.date == day]
        part, change = found.parts[0]
        assert name in part
        assert abs(change - 60) < 10
        assert found.kind == "spike"


def test_what_owners_caused_by_day_is_the_allocation(quarter):
    table, sessions, _ = quarter
    parts = bill_days.of(table, sessions).parts
    rows = allocate(table, sessions).rows
    first = Month(2024, 1).interval().start.date()
    for n in (0, 40):
        day = first + timedelta(days=n)
        whole = {r.component for r in rows if r.day == day and r.kind == "user"}
        assert {p.split(" of ")[0] for p, usd in parts.items() if usd[n]} >= whole


def test_a_bill_without_usage_is_refused(tmp_path):
    from pangeo_core.errors import BadInput

    sample = sample_bill.sample(Month(2024, 2), users=1)
    credits = [x for x in sample.lines if x["line_item_line_item_type"] in MONTHLY]
    sample_forms.cur_csv(credits, tmp_path / "b.csv.gz")
    table = ingest([tmp_path / "b.csv.gz"], tmp_path / "out").table
    assert bill.total(table) != 0
    with pytest.raises(BadInput, match="no usage"):
        bill_days.of(table)
