"""Bills that are written oddly are read right, or refused with what, where and the way out.

Each test is a finding of a review with foreign bills: it fails on the code that the review saw.
"""

from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hub_costs.bills import table as bill
from hub_costs.bills.ingest import ingest
from pangeo_core.errors import BadInput

from .bill_lines import cur, written


def test_a_fee_of_a_moment_counts(tmp_path):
    """A fee may start and end at one time."""
    at = {"line_item_usage_start_date": "2024-07-03T10:00:00Z"}
    fee = cur(line_item_line_item_type="Fee", line_item_unblended_cost="1000", **at,
              line_item_usage_end_date="2024-07-03T10:00:00Z")  # fmt: skip
    result = ingest([written(tmp_path / "b.csv", cur(), fee)], tmp_path / "out")
    assert (result.total, result.rejected) == (1001, 0)


def test_the_cost_of_rejected_rows_is_said(tmp_path):
    lines = [cur(), cur(line_item_currency_code="dollars", line_item_unblended_cost="40")]
    result = ingest([written(tmp_path / "b.csv", *lines)], tmp_path / "out")
    assert (result.total, result.rejected, result.rejected_cost) == (1, 1, 40)
    (warning,) = [w for w in result.warnings if "rejected" in w]
    assert "40.00" in warning
    assert "b.csv, row 2" in warning


def test_tag_keys_that_differ_in_case_are_one_tag(tmp_path):
    """AWS's tag keys are case-sensitive, so that a legacy CUR may have a column for each."""
    line = {
        "identity/LineItemId": "L1",
        "bill/BillingPeriodStartDate": "2024-12-01T00:00:00Z",
        "lineItem/LineItemType": "Usage",
        "lineItem/UsageStartDate": "2024-12-03T10:00:00Z",
        "lineItem/UsageEndDate": "2024-12-03T11:00:00Z",
        "lineItem/CurrencyCode": "USD",
        "lineItem/UnblendedCost": "1.00",
        "resourceTags/user:hub": "",
        "resourceTags/user:Hub": "prod",
    }
    result = ingest([written(tmp_path / "b.csv", line)], tmp_path / "out")
    assert result.total == 1
    assert bill.summary(result.table, ["tag_hub"]) == [{"tag_hub": "prod", "usd": 1}]


def test_tags_as_a_list_of_keys_and_values_are_read(tmp_path):
    table = pa.Table.from_pandas(pd.DataFrame([cur()]), preserve_index=False)
    tags = [[{"key": "user_hub", "value": "prod"}]]
    kind = pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))
    pq.write_table(
        table.append_column("resource_tags", pa.array(tags, kind)), tmp_path / "b.parquet"
    )
    result = ingest([tmp_path / "b.parquet"], tmp_path / "out")
    assert bill.summary(result.table, ["tag_hub"]) == [{"tag_hub": "prod", "usd": 1}]


def test_a_billing_period_in_another_zone_is_its_own_month(tmp_path):
    line = cur(
        bill_billing_period_start_date="2024-12-01T00:00:00+09:00",
        line_item_usage_start_date="2024-12-01T00:00:00+09:00",
        line_item_usage_end_date="2024-12-01T01:00:00+09:00",
    )
    assert ingest([written(tmp_path / "b.csv", line)], tmp_path / "out").months == {"2024-12": 1}


def test_focus_1_3_names_its_provider_in_another_column(tmp_path):
    from .bill_lines import focus

    line = focus(ServiceProviderName="AWS")
    del line["ProviderName"]
    table = ingest([written(tmp_path / "b.csv", line)], tmp_path / "out").table
    assert bill.summary(table, ["ProviderName"]) == [{"ProviderName": "AWS", "usd": 1}]


@pytest.mark.parametrize(
    ("encoding", "says", "fix"),
    [("utf-16", "UTF-16", "iconv -f UTF-16"), ("latin-1", "unicode", "iconv -f LATIN1")],
)
def test_another_encoding_is_named_with_its_way_out(tmp_path, encoding, says, fix):
    text = written(tmp_path / "b.csv", cur(line_item_operation="Universit\u00e9")).read_text()
    (tmp_path / "b.csv").write_bytes(text.encode(encoding))
    with pytest.raises(BadInput) as caught:
        ingest([tmp_path / "b.csv"], tmp_path / "out")
    assert says in f"{caught.value.what} {caught.value.why}"
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"line_item_usage_start_date": "12/03/2024 10:00"}, "start is not a time"),
        ({"line_item_resource_id": '"i-1'}, "unterminated quote"),
    ],
)
def test_a_bill_of_which_no_row_can_be_read_says_why(tmp_path, change, reason):
    path = written(tmp_path / "b.csv", cur(**change))
    if "quote" in reason:
        path.write_text(path.read_text().replace('"""i-1"', '"i-1'))
    with pytest.raises(BadInput) as caught:
        ingest([path], tmp_path / "out")
    assert reason in caught.value.why
    assert "b.csv" in f"{caught.value.what} {caught.value.why}"
    assert list((tmp_path / "out").iterdir()) == []


def test_a_table_of_an_earlier_release_is_read_and_added_to(tmp_path):
    out = tmp_path / "out"
    table = ingest([written(tmp_path / "june.csv", cur(
        bill_billing_period_start_date="2024-06-01T00:00:00Z"))], out).table  # fmt: skip
    old = pq.read_table(table).drop_columns(
        ["SubAccountId", "x_NetCost", "x_Delivery", "x_Delivered"]
    )
    pq.write_table(old, table)
    assert bill.total(table) == 1
    result = ingest([written(tmp_path / "july.csv", cur())], out)
    assert result.months == {"2024-06": Decimal(1), "2024-07": Decimal(1)}
