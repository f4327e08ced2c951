"""Bills that are written oddly are read right, or refused with what, where and the way out.

Each test is a finding of a review with foreign bills: it fails on the code that the review saw.
"""

import gzip
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hub_costs.bills import table as bill
from hub_costs.bills.ingest import ingest
from pangeo_core.errors import BadInput

from .bill_lines import cur, explorer, focus, written


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


def test_an_amortised_cost_that_cannot_be_read_is_not_taken_for_one_that_is_not_given(tmp_path):
    lines = [focus(EffectiveCost=cost) for cost in ("0.5", "", "0,5")]
    result = ingest([written(tmp_path / "b.csv", *lines)], tmp_path / "out")
    assert (result.total, result.rejected, result.rejected_cost) == (2, 1, 1)
    assert any("amortised cost is not an amount" in said for said in result.warnings)


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


def test_json_tags_may_be_a_list_of_keys_and_values(tmp_path):
    """As Google's own export has labels; FOCUS wants an object."""
    lines = [
        focus(Tags='[{"key": "hub", "value": "prod"}, {"key": "env", "value": null}]'),
        focus(Tags='{"hub": "staging"}'),
        *(focus(Tags=tags) for tags in ("[]", "[1]", "[cut", "")),
    ]
    table = ingest([written(tmp_path / "b.csv", *lines)], tmp_path / "out").table
    found = {row["tag_hub"]: row["usd"] for row in bill.summary(table, ["tag_hub"])}
    assert (found.pop("prod"), found.pop("staging"), sum(found.values())) == (1, 1, 4)


def test_a_billing_period_in_another_zone_is_its_own_month(tmp_path):
    line = cur(
        bill_billing_period_start_date="2024-12-01T00:00:00+09:00",
        line_item_usage_start_date="2024-12-01T00:00:00+09:00",
        line_item_usage_end_date="2024-12-01T01:00:00+09:00",
    )
    assert ingest([written(tmp_path / "b.csv", line)], tmp_path / "out").months == {"2024-12": 1}


@pytest.mark.parametrize(
    "start",
    [
        "2024-11-30T18:30:00Z",  # midnight in India
        "2024-12-01T05:00:00Z",  # midnight in New York
        "2024-12-01T00:00:00+05:30",
        "2024-12-01T00:00Z",
        "2024-12-01",
    ],
)
def test_a_billing_period_is_the_month_that_starts_somewhere(tmp_path, start):
    line = cur(bill_billing_period_start_date=start)
    assert ingest([written(tmp_path / "b.csv", line)], tmp_path / "out").months == {"2024-12": 1}
    times = pd.DataFrame([line | {"bill_billing_period_start_date": pd.Timestamp(start)}])
    times.to_parquet(tmp_path / "b.parquet")
    assert ingest([tmp_path / "b.parquet"], tmp_path / "times").months == {"2024-12": 1}


def test_focus_1_3_names_its_provider_in_another_column(tmp_path):
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


@pytest.mark.parametrize("size", [1, 3])
def test_a_line_that_is_too_long_is_of_unknown_cost_and_says_what_to_do(tmp_path, size):
    long = cur(line_item_operation="x" * 2_100_000, line_item_unblended_cost="5")
    path = written(tmp_path / "b.csv", *[cur()] * (size - 1), long)
    if size == 1:
        with pytest.raises(BadInput) as caught:
            ingest([path], tmp_path / "out")
        said = f"{caught.value.why} {caught.value.fix}"
    else:
        result = ingest([path], tmp_path / "out")
        assert result.total == size - 1
        (said,) = result.problems
        assert "of unknown cost" in said
        assert "0.00" not in said
    assert f"b.csv, row {size + 1}" in said
    assert "quotation mark may be open" in said


def test_one_line_in_another_encoding_is_said_with_its_file_and_way_out(tmp_path):
    path = written(tmp_path / "b.csv", cur(), cur(line_item_operation="Universit\u00e9"))
    path.write_bytes(path.read_text().encode("latin-1"))
    (said,) = ingest([path], tmp_path / "out").problems
    assert "1 row is rejected, of unknown cost" in said
    assert f"iconv -f LATIN1 -t UTF-8 {path}" in said


@pytest.mark.parametrize(
    ("head", "whose", "fix"),
    [
        ("Date,MeterCategory,CostInBillingCurrency", "Azure", "Cost and usage details (FOCUS)"),
        ("lineItem/intervalUsageStart,product/service,cost/myCost", "Oracle", "FOCUS Reports"),
        ("service.description,sku.description,cost,currency", "Google", "BigQuery"),
    ],
)
def test_a_report_of_another_form_is_named_with_what_to_export_instead(tmp_path, head, whose, fix):
    (tmp_path / "b.csv").write_text(f"{head}\n{',' * head.count(',')}\n")
    with pytest.raises(BadInput, match=f"b.csv is {whose}'s own") as caught:
        ingest([tmp_path / "b.csv"], tmp_path / "out")
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("content", "says", "fix"),
    [
        (lambda text: text.encode("utf-16-be"), "is UTF-16", "iconv"),
        (lambda text: b"PK\x03\x04" + text.encode(), "is a zip archive", "unzip"),
        (lambda text: gzip.compress(text.encode()), "packed by gzip", ".csv.gz"),
        (lambda text: b"PAR1" + text.encode(), "is a parquet file", ".parquet"),
        (lambda text: text.replace(",", ";").encode(), "semicolons separate", "commas"),
        (lambda text: text.replace(",", "\t").encode(), "tabs separate", "commas"),
    ],
)
def test_a_csv_that_is_none_is_named_as_what_it_is(tmp_path, content, says, fix):
    path = written(tmp_path / "b.csv", cur())
    path.write_bytes(content(path.read_text()))
    with pytest.raises(BadInput, match=f"b.csv .*{says}") as caught:
        ingest([path], tmp_path / "out")
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("name", "content", "says", "fix"),
    [
        ("b.csv.gz", lambda text: gzip.compress(text.encode("utf-16")), "is UTF-16",
         "gzip -dc {} | iconv -f UTF-16 -t UTF-8 > utf8.csv"),
        ("b.csv", lambda text: text.encode("utf-16-be"), "is UTF-16", "iconv -f UTF-16BE "),
        ("b.csv", lambda text: text.encode("utf-16-le"), "is UTF-16", "iconv -f UTF-16LE "),
        ("b.csv", lambda text: text.encode("utf-32"), "is UTF-32", "iconv -f UTF-32 "),
        ("b.csv.gz", lambda text: gzip.compress(gzip.compress(text.encode())), "packed by gzip",
         "packed twice: gzip -dc {} >"),
    ],
)  # fmt: skip
def test_the_command_that_converts_a_file_is_one_that_works(tmp_path, name, content, says, fix):
    path = written(tmp_path / "b.csv", cur())
    path.with_name(name).write_bytes(content(path.read_text()))
    with pytest.raises(BadInput, match=says) as caught:
        ingest([path.with_name(name)], tmp_path / "out")
    assert fix.format(path.with_name(name)) in caught.value.fix


@pytest.mark.parametrize("above", ["# exported 2024-12-01", "", "  ", "sep=,", "Cost report,,"])
def test_a_line_above_the_columns_names_is_quoted_with_its_way_out(tmp_path, above):
    path = written(tmp_path / "b.csv", cur())
    path.write_text(f"{above}\n{path.read_text()}")
    with pytest.raises(BadInput, match="does not name its columns") as caught:
        ingest([path], tmp_path / "out")
    assert (above.strip() or "nothing") in caught.value.why
    assert "lines above" in caught.value.fix


def test_an_answer_without_a_day_of_cost_is_a_bill_without_rows(tmp_path):
    with pytest.raises(BadInput, match="a bill without rows"):
        ingest([explorer(tmp_path / "a.json")], tmp_path / "out")
