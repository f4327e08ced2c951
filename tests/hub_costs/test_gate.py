"""The budget, the waterfall, the units, the peers' rule, and what fetching costs."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import boto3
import pandas as pd
import pytest
import requests
from moto import mock_aws

from findings.peer_methods import by_memory_share_of_the_day, two_i2c
from hub_costs.allocation.unit_costs import terabytes_of, units
from hub_costs.bills import bill_files
from hub_costs.bills import table as bill
from hub_costs.bills.daily_cost import Daily
from hub_costs.bills.fetch import fetch_explorer, fetch_export
from hub_costs.bills.ingest import ingest
from hub_costs.budgeting.budget_gate import budget_of, gate, gate_total, judged_month
from hub_costs.estimates import prices
from hub_costs.estimates.estimate import estimate
from hub_costs.estimates.reconcile import reconcile
from hub_costs.months import Month
from pangeo_core.errors import BadInput, CheckFailed, MissingPrerequisite

LIST = prices.read(Path(__file__).parents[2] / "data" / "prices.csv")


def plan(*resources):
    found = [
        {"address": f"{kind}.{n}", "type": kind, "values": values}
        for n, (kind, values) in enumerate(resources)
    ]
    return {"planned_values": {"root_module": {"resources": found}}}


def test_the_gate_says_no_with_the_amount_and_the_way_out():
    told = gate(Decimal(100), floor=Decimal("100"), forecast_high=Decimal("100.01"))
    assert [check.ok for check in told.checks] == [True, False]
    with pytest.raises(CheckFailed, match=r"100\.01") as caught:
        told.require()
    assert caught.value.exit_code == 3
    assert json.loads(json.dumps(told.as_dict()))["ok"] is False
    gate(Decimal(100), month_so_far=Decimal(3)).require()


def test_a_gate_without_budget_or_amount_is_refused():
    with pytest.raises(BadInput):
        gate(Decimal(0), floor=Decimal(1))
    with pytest.raises(BadInput, match="nothing"):
        gate(Decimal(1))


@pytest.mark.parametrize("wrong", ["NaN", "Infinity", "-1", "0"])
def test_a_budget_that_is_no_amount_is_refused(wrong):
    with pytest.raises(BadInput, match="Invalid budget"):
        gate(Decimal(wrong), floor=Decimal(1))


def days(start, count, usd="10"):
    return Daily(start, tuple(Decimal(usd) for _ in range(count)))


def test_the_gate_names_the_month_it_judges_and_refuses_a_stale_bill():
    daily = days(date(2024, 10, 1), 60)  # to 29 November
    judged = judged_month(daily, Decimal(290), today=date(2024, 12, 2))
    assert (str(judged.month), judged.so_far) == ("2024-12", 0), "not November under its name"
    assert judged.forecast_high == 310
    now = judged_month(daily, Decimal(290), today=date(2024, 11, 30))
    assert (str(now.month), now.so_far, now.forecast_high) == ("2024-11", 290, 300)
    told = gate(
        Decimal(295), month=now.month, month_so_far=now.so_far, forecast_high=now.forecast_high
    )
    assert "2024-11 so far" in [check.name for check in told.checks]
    assert told.as_dict()["period"] == "2024-11"
    assert not told.ok
    with pytest.raises(CheckFailed, match="stale: its last day is 2024-11-29"):
        judged_month(daily, Decimal(290), today=date(2026, 11, 29))


def test_a_fixed_total_is_held_from_its_first_day_to_its_last():
    daily, today = days(date(2024, 10, 1), 60), date(2024, 11, 30)
    period = date(2024, 11, 20), date(2024, 12, 9)
    told = gate_total(Decimal(200), daily, *period, today=today)
    assert [check.usd for check in told.checks] == [100, 200]
    assert told.ok
    assert not gate_total(Decimal(199), daily, *period, today=today).ok
    assert gate_total(Decimal(100), daily, period[0], date(2024, 11, 29), today=date(2026, 1, 1)).ok
    with pytest.raises(CheckFailed, match="stale"):
        gate_total(Decimal(200), daily, *period, today=date(2025, 1, 1))
    with pytest.raises(BadInput, match="begins on"):
        gate_total(Decimal(200), daily, date(2024, 9, 1), period[1], today=today)
    with pytest.raises(BadInput, match="before it begins"):
        gate_total(Decimal(200), daily, period[1], period[0], today=today)


def test_the_budget_is_terraforms():
    budget = ("aws_budgets_budget", {"limit_amount": "500", "time_unit": "MONTHLY"})
    assert budget_of(plan(budget)) == 500
    with pytest.raises(BadInput, match="no monthly budgets"):
        budget_of(plan())


def test_the_waterfall_reaches_the_bill_exactly(plain_bill, sample):
    told = reconcile(
        estimate(
            plan(
                ("aws_eks_cluster", {}),
                ("aws_nat_gateway", {}),
                ("aws_efs_file_system", {}),
                ("aws_kms_key", {}),
                (
                    "aws_eks_node_group",
                    {"scaling_config": [{"desired_size": 1}], "instance_types": ["r5.xlarge"]},
                ),
            ),
            LIST,
        ),
        plain_bill,
        sample.month,
    )
    assert told.estimate + sum(step.usd for step in told.steps) == told.bill == sample.total
    steps = {(step.step, step.about): step.usd for step in told.steps}
    # 29 days of 24 hours were billed where 730 hours were planned
    assert steps["quantity", "control-plane"] == Decimal("0.10") * (29 * 24 - 730)
    assert steps["not on the bill", "aws_kms_key.3"] == -1
    kinds = {step for step, _ in steps}
    assert {"tax and credit", "users' machines", "missing from the plan"} <= kinds
    assert "not tagged or not known" in kinds


def test_a_month_without_a_charge_is_refused_with_the_months_that_there_are(plain_bill, sample):
    with pytest.raises(BadInput, match="no charge in 2023-11") as caught:
        reconcile(estimate(plan(), LIST), plain_bill, Month(2023, 11))
    assert str(sample.month) in caught.value.why


def test_the_waterfall_goes_on_to_who_caused_the_bill(plain_bill, session_file, sample):
    told = reconcile(estimate(plan(), LIST), plain_bill, sample.month, session_file)
    assert set(told.allocated) == {"user", "shared", "idle", "unallocated"}
    assert sum(told.allocated.values()) == told.bill == sample.total
    assert json.loads(json.dumps(told.as_dict()))["allocated"]["user"]


def test_bytes_of_right_answers_are_the_terabytes(tmp_path):
    rows = {
        "bytes_read": [10**12, 5 * 10**11, 10**12, None],
        "result_ok": [True, None, False, True],
    }
    pd.DataFrame(rows).convert_dtypes().to_parquet(tmp_path / "runs.parquet")
    assert terabytes_of(tmp_path / "runs.parquet") == Decimal("1.5")
    (tmp_path / "no.parquet").write_text("no")
    with pytest.raises(BadInput, match="benchmark runs"):
        terabytes_of(tmp_path / "no.parquet")


def test_days_that_are_not_billed_yet_are_a_step(sample, tmp_path):
    from hub_costs.bills import sample_forms

    half = [x for x in sample.lines if x["line_item_usage_start_date"] < "2024-02-16"]
    sample_forms.cur_csv(half, tmp_path / "b.csv.gz")
    table = ingest([tmp_path / "b.csv.gz"], tmp_path / "out").table
    told = reconcile(estimate(plan(("aws_eks_cluster", {})), LIST), table, sample.month)
    steps = {(step.step, step.about): step.usd for step in told.steps}
    missing = steps["days not billed", "control-plane"]
    assert abs(missing + Decimal(73) * 14 / 29) < Decimal("1e-9")


def test_units_of_a_known_month(plain_bill, session_file, sample):
    told = units(plain_bill, session_file, tb_processed=Decimal(2))
    people = set(sample.sessions[sample.sessions.kind != "binder"].user)
    assert told.active_users == len(people)
    assert told.usd_per_tb == round(sample.total / 2, 4)
    assert told.kg_co2e_low < told.kg_co2e_high
    assert units(plain_bill, session_file).usd_per_tb is None
    assert json.loads(json.dumps(told.as_dict()))["launches"] == told.launches


def test_emissions_follow_the_coefficients_that_are_given(plain_bill, session_file, tmp_path):
    shipped = (Path(__file__).parents[2] / "data" / "coefficients.csv").read_text()
    doubled = shipped.replace(",0.322167,", ",0.644334,")
    assert doubled != shipped
    (tmp_path / "coefficients.csv").write_text(doubled)
    told, twice = (units(plain_bill, session_file, folder=f) for f in (None, tmp_path))
    assert abs(twice.kg_co2e_high - 2 * told.kg_co2e_high) <= Decimal("0.02")
    assert abs(twice.kg_co2e_low - 2 * told.kg_co2e_low) <= Decimal("0.02")


def test_2i2cs_rule_loses_the_days_without_users():
    cost = {date(2024, 1, n): Decimal(10) for n in (5, 6, 7)}
    told = by_memory_share_of_the_day(cost, {date(2024, 1, 5): {"ana": 3, "ben": 1}})
    assert (told.machines, told.to_users, told.lost) == (30, 10, 20)


def test_2i2cs_rule_has_no_idle(plain_bill, session_file):
    told = two_i2c(plain_bill, session_file)
    assert 0 < told.to_users <= told.machines


RESULTS = "http://motoapi.amazonaws.com/moto-api/static/ce/cost-and-usage-results"


def page(day, usd, token=None):
    groups = [{"Keys": ["EC2"], "Metrics": {"UnblendedCost": {"Amount": usd, "Unit": "USD"}}}]
    period = {"Start": day, "End": day[:-1] + str(int(day[-1]) + 1)}
    answer = {
        "GroupDefinitions": [{"Type": "DIMENSION", "Key": "SERVICE"}],
        "ResultsByTime": [{"TimePeriod": period, "Total": {}, "Groups": groups, "Estimated": True}],
        "DimensionValueAttributes": [],
    }
    return answer | ({"NextPageToken": token} if token else {})


@pytest.fixture
def account(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        yield


def test_cost_explorer_is_read_to_its_last_page_with_a_meter(account, tmp_path):
    pages = [page("2024-07-01", "1.5", "next"), page("2024-07-02", "2.25")]
    requests.post(RESULTS, json={"results": pages}, timeout=5)
    client = boto3.client("ce", region_name="us-east-1")
    now = datetime(2024, 8, 1, tzinfo=UTC)
    told = fetch_explorer(client, Month(2024, 7).interval(), tmp_path, now=now)
    assert (told.pages, told.usd) == (2, Decimal("0.02"))
    result = ingest([tmp_path], tmp_path / "out")
    assert result.total == Decimal("3.75")
    assert any("not final" in warning for warning in result.warnings)
    ledger = json.loads((tmp_path / "explorer-calls.json").read_text())
    assert ledger[0]["request"]["TimePeriod"] == {"Start": "2024-07-01", "End": "2024-08-01"}


def test_the_third_query_of_a_day_is_refused(account, tmp_path):
    client = boto3.client("ce", region_name="us-east-1")
    now = datetime(2024, 8, 1, tzinfo=UTC)
    for n in range(2):
        requests.post(RESULTS, json={"results": [page("2024-07-01", "1")]}, timeout=5)
        fetch_explorer(client, Month(2024, 7).interval(), tmp_path, now=now.replace(hour=n))
    with pytest.raises(CheckFailed, match="today"):
        fetch_explorer(client, Month(2024, 7).interval(), tmp_path, now=now.replace(hour=5))
    later = now.replace(day=2)
    requests.post(RESULTS, json={"results": [page("2024-07-01", "1")]}, timeout=5)
    assert fetch_explorer(client, Month(2024, 7).interval(), tmp_path, now=later).pages == 1


def test_an_export_is_copied_once_and_only_what_changed_again(account, sample, tmp_path):
    from hub_costs.bills import sample_forms

    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="bills")
    sample_forms.cur_csv(sample.lines, tmp_path / "b.csv.gz")
    key = "cur/data/BILLING_PERIOD=2024-02/b.csv.gz"
    client.upload_file(str(tmp_path / "b.csv.gz"), "bills", key)
    told = fetch_export("s3://bills/cur", tmp_path / "in", client)
    first = told.files[0].stat().st_mtime_ns
    assert fetch_export("s3://bills/cur", tmp_path / "in", client).files == told.files
    assert told.files[0].stat().st_mtime_ns == first
    assert ingest([tmp_path / "in"], tmp_path / "out").total == sample.total


def test_a_bucket_that_may_not_be_read_says_what_is_needed(account, tmp_path):
    client = boto3.client("s3", region_name="us-east-1")
    with pytest.raises(MissingPrerequisite, match="cannot be read") as caught:
        fetch_export("s3://not-ours/cur", tmp_path, client)
    assert "s3:ListBucket" in caught.value.fix
    with pytest.raises(MissingPrerequisite, match="cannot be listed"):
        bill_files.find(["s3://not-ours/cur"], client)


def test_a_bill_is_read_straight_from_its_bucket(sample, tmp_path, monkeypatch):
    from moto.server import ThreadedMotoServer

    from hub_costs.bills import sample_forms

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        client = boto3.client("s3", region_name="us-west-2", endpoint_url=f"http://{host}:{port}")
        place = {"LocationConstraint": "us-west-2"}
        client.create_bucket(Bucket="bills", CreateBucketConfiguration=place)
        sample_forms.cur_parquet(sample.lines, tmp_path / "b.parquet")
        client.upload_file(str(tmp_path / "b.parquet"), "bills", "cur/b.parquet")
        result = ingest(["s3://bills/cur"], tmp_path / "out", client=client)
        assert result.total == sample.total
        # listed, but not to be read: gone since, or another's key
        listed = bill_files.find(["s3://bills/cur"], client)
        client.delete_object(Bucket="bills", Key="cur/b.parquet")
        monkeypatch.setattr(bill_files, "find", lambda *_: listed)
        with pytest.raises(BadInput, match=r"s3://bills/cur/b\.parquet cannot be read"):
            ingest(["s3://bills/cur"], tmp_path / "out", client=client)
        assert bill.total(result.table) == sample.total
    finally:
        server.stop()
