"""Bills of every form become the same table; nothing is lost, nothing counts twice."""

import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub_costs.bills import sample_bill, sample_forms
from hub_costs.bills import table as bill
from hub_costs.bills.ingest import ingest
from pangeo_core.errors import BadInput

from .bill_lines import cur, focus, written

FORMS = {
    "CUR 2.0 parquet": ("b.parquet", sample_forms.cur_parquet, {}),
    "CUR 2.0 parquet, exact": ("b.parquet", sample_forms.cur_parquet, {"double": False}),
    "CUR 2.0 parquet, map": ("b.parquet", sample_forms.cur_parquet, {"tags": "map"}),
    "CUR 2.0 csv.gz": ("b.csv.gz", sample_forms.cur_csv, {}),
    "CUR 2.0 csv.gz, map": ("b.csv.gz", sample_forms.cur_csv, {"tags": "map"}),
    "legacy CUR": ("b.csv.gz", sample_forms.cur_csv, {"legacy": True}),
    "FOCUS 1.0 csv": ("b.csv", sample_forms.focus, {}),
    "FOCUS 1.1 csv": ("b.csv", sample_forms.focus, {"version": "1.1"}),
    "FOCUS 1.1 parquet, map": (
        "b.parquet",
        sample_forms.focus,
        {"version": "1.1", "tags": "map"},
    ),
    "FOCUS 1.2 parquet": ("b.parquet", sample_forms.focus, {"version": "1.2"}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_bill(sample, tmp_path, form):
    name, write, options = FORMS[form]
    write(sample.lines, tmp_path / name, **options)
    result = ingest([tmp_path / name], tmp_path / "out")
    assert result.total == sample.total, "exactly, not nearly"
    assert (result.rows, result.rejected) == (len(sample.lines), 0)
    by_hub = bill.summary(result.table, ["tag_hub"])
    tagged = [x for x in sample.lines if x["resource_tags_user_hub"] == "sample"]
    expected = sum(Decimal(line["line_item_unblended_cost"]) for line in tagged)
    assert {row["tag_hub"]: row["usd"] for row in by_hub}["sample"] == expected
    services = {row["ServiceName"] for row in bill.summary(result.table, ["ServiceName"])}
    assert services == {line["product_product_name"] for line in sample.lines}


SPLIT_FORMS = [form for form in FORMS if "CUR" in form]


@pytest.mark.parametrize("form", SPLIT_FORMS)
def test_every_form_of_a_split_bill_keeps_both_views(sample, tmp_path, form):
    name, write, options = FORMS[form]
    day = [x for x in sample.lines + sample.splits
           if x["line_item_usage_start_date"] < "2024-02-03"]  # fmt: skip
    splits = [x for x in day if x["split_line_item_parent_resource_id"]]
    assert splits
    write(day, tmp_path / name, **options)
    result = ingest([tmp_path / name], tmp_path / "out")
    whole = [x for x in day if not x["split_line_item_parent_resource_id"]]
    expected = sum(Decimal(x["line_item_unblended_cost"]) for x in whole)
    views = {v: bill.total(result.table, v) for v in bill.VIEWS}
    assert views == {"invoice": expected, "split": expected}
    pods = bill.summary(result.table, ["x_View"], view="split")
    parts = [
        Decimal(x["split_line_item_split_cost"]) + Decimal(x["split_line_item_unused_cost"])
        for x in splits
    ]
    assert {row["x_View"]: row["usd"] for row in pods}["split"] == sum(parts)


def test_a_month_read_early_is_replaced_by_the_final_one(sample, tmp_path):
    early = sample_bill.as_of(sample.lines, datetime(2024, 2, 20, 9, tzinfo=UTC))
    sample_forms.cur_csv(early, tmp_path / "early.csv.gz")
    first = ingest([tmp_path / "early.csv.gz"], tmp_path / "out")
    assert 0 < first.total < sample.total
    assert any("not final" in warning for warning in first.warnings)
    sample_forms.cur_csv(sample.lines, tmp_path / "final.csv.gz")
    final = ingest([tmp_path / "final.csv.gz"], tmp_path / "out")
    assert final.replaced == {"2024-02": first.total}
    assert final.total == sample.total
    assert not any("not final" in warning for warning in final.warnings)
    both = ingest([tmp_path / "early.csv.gz", tmp_path / "final.csv.gz"], tmp_path / "both")
    assert both.total == sample.total, "an early export beside the final one counts once"


def test_cost_explorer_by_tag_and_without_groups(tmp_path):
    """A tag's key comes back as tag$value, and empty where a line has none (Cost Explorer API)."""
    cost = {"UnblendedCost": {"Amount": "2.5", "Unit": "USD"}}
    period = {"Start": "2024-07-01", "End": "2024-07-02"}
    by_tag = {
        "GroupDefinitions": [
            {"Type": "TAG", "Key": "Hub"},
            {"Type": "DIMENSION", "Key": "RECORD_TYPE"},
        ],
        "ResultsByTime": [
            {
                "TimePeriod": period,
                "Estimated": True,
                "Total": {},
                "Groups": [
                    {"Keys": ["Hub$prod", "Usage"], "Metrics": cost},
                    {"Keys": ["Hub$", "Credit"], "Metrics": cost},
                ],
            }
        ],
    }
    (tmp_path / "a.json").write_text(json.dumps(by_tag))
    table = ingest([tmp_path / "a.json"], tmp_path / "out").table
    rows = bill.summary(table, ["tag_hub", "ChargeCategory"])
    assert {(r["tag_hub"], r["ChargeCategory"]) for r in rows} == {
        ("prod", "Usage"),
        (None, "Credit"),
    }
    plain = {"ResultsByTime": [{"TimePeriod": period, "Estimated": False, "Total": cost}]}
    (tmp_path / "b.json").write_text(json.dumps(plain))
    assert ingest([tmp_path / "b.json"], tmp_path / "plain").total == Decimal("2.5")


def test_files_folders_and_globs_are_the_same_bill(tmp_path):
    a = written(tmp_path / "in" / "a.csv", cur())
    b = written(tmp_path / "in" / "deep" / "b.csv", cur(line_item_resource_id="i-2"))
    ways = ([a, b], [tmp_path / "in"], [tmp_path / "in" / "*.csv", tmp_path / "in" / "deep"])
    for n, paths in enumerate(ways):
        assert ingest(paths, tmp_path / f"out-{n}").total == 2


def test_another_currency_does_not_join_a_table(tmp_path):
    out = tmp_path / "out"
    june = cur(bill_billing_period_start_date="2024-06-01T00:00:00Z")
    ingest([written(tmp_path / "usd.csv", june)], out)
    euros = written(tmp_path / "eur.csv", cur(line_item_currency_code="EUR"))
    with pytest.raises(BadInput, match="mixes currencies"):
        ingest([euros], out)
    assert bill.summary(out, ["BillingCurrency"]) == [{"BillingCurrency": "USD", "usd": 1}]


def test_cost_explorer_pages_are_one_answer(sample, tmp_path):
    pages = sample_forms.explorer(sample.lines, sample.month, tmp_path)
    assert ingest([tmp_path], tmp_path / "out").total == sample.total
    with pytest.raises(BadInput, match="last page"):
        ingest(pages[:-1], tmp_path / "other")


def test_a_focus_bill_of_several_providers_keeps_each_ones_total(tmp_path):
    """Azure and Oracle write FOCUS too; their months lie side by side, and are replaced apart."""
    lines = [
        focus(ProviderName="AWS", BilledCost="18.0066386184"),
        focus(ProviderName="Microsoft", BilledCost="1.97651418586", BillingCurrency="USD"),
        focus(ProviderName="Oracle", BilledCost="0.53707392473"),
    ]
    out = tmp_path / "out"
    ingest([written(tmp_path / "b.csv", *lines)], out)
    azure = written(tmp_path / "azure.csv", focus(ProviderName="Microsoft", BilledCost="2"))
    result = ingest([azure], out)
    by_provider = {r["ProviderName"]: r["usd"] for r in bill.summary(out, ["ProviderName"])}
    assert by_provider == {
        "AWS": Decimal("18.0066386184"),
        "Microsoft": Decimal(2),
        "Oracle": Decimal("0.53707392473"),
    }
    assert result.replaced == {"2024-12": Decimal("1.97651418586")}


def test_split_rows_replace_their_instance_and_both_views_are_kept(sample, split_bill):
    assert bill.total(split_bill, "invoice") == bill.total(split_bill, "split") == sample.total
    pods = bill.summary(split_bill, ["x_View"], view="split")
    given_to_pods = next(row["usd"] for row in pods if row["x_View"] == "split")
    expected = sum(
        Decimal(s["split_line_item_split_cost"]) + Decimal(s["split_line_item_unused_cost"])
        for s in sample.splits
    )
    assert given_to_pods == expected
    assert sum(row["usd"] for row in pods) == sample.total


def test_a_split_without_its_instance_is_kept_aside(sample, tmp_path):
    gone = sample.splits[0]["split_line_item_parent_resource_id"]
    lines = [line for line in sample.lines if line["line_item_resource_id"] != gone]
    sample_forms.cur_parquet(lines + sample.splits, tmp_path / "b.parquet")
    result = ingest([tmp_path / "b.parquet"], tmp_path / "out")
    orphans = [s for s in sample.splits if s["split_line_item_parent_resource_id"] == gone]
    assert result.rejected == len(orphans)
    assert set(pd.read_parquet(result.rejects).reason) == {
        "split of an instance that is not in the bill"
    }
    assert bill.total(result.table, "split") == bill.total(result.table, "invoice")


# Line type, what the line says beside its unblended cost of 1, and its amortised cost.
AMORTISED = [
    ("Usage", {}, "1"),
    ("Tax", {}, "1"),
    ("Credit", {}, "1"),
    ("Refund", {}, "1"),
    ("EdpDiscount", {}, "1"),
    ("SavingsPlanCoveredUsage", {"savings_plan_savings_plan_effective_cost": "0.6"}, "0.6"),
    (
        "SavingsPlanRecurringFee",
        {
            "savings_plan_total_commitment_to_date": "10",
            "savings_plan_used_commitment": "7.5",
        },
        "2.5",
    ),
    ("SavingsPlanNegation", {}, "0"),
    ("SavingsPlanUpfrontFee", {}, "0"),
    ("DiscountedUsage", {"reservation_effective_cost": "0.4"}, "0.4"),
    (
        "RIFee",
        {
            "reservation_unused_amortized_upfront_fee_for_billing_period": "0.25",
            "reservation_unused_recurring_fee": "0.5",
        },
        "0.75",
    ),
    ("Fee", {"reservation_reservation_a_r_n": "arn:aws:ec2:reserved"}, "0"),
    ("Fee", {}, "1"),
]


@pytest.mark.parametrize(("kind", "extra", "amortised"), AMORTISED)
def test_amortised_cost_follows_awss_rules(tmp_path, kind, extra, amortised):
    path = written(tmp_path / "b.csv", cur(line_item_line_item_type=kind, **extra))
    table = ingest([path], tmp_path / "out").table
    assert bill.total(table) == 1
    assert bill.total(table, cost="EffectiveCost") == Decimal(amortised)


def test_splits_of_an_instance_under_a_savings_plan_keep_both_sums(tmp_path):
    covered = cur(
        line_item_line_item_type="SavingsPlanCoveredUsage",
        line_item_unblended_cost="0.252",
        savings_plan_savings_plan_effective_cost="0.17",
    )
    negation = cur(
        identity_line_item_id="2",
        line_item_line_item_type="SavingsPlanNegation",
        line_item_unblended_cost="-0.252",
    )
    pods = [
        cur(
            identity_line_item_id=str(n),
            line_item_resource_id=f"pod/{n}",
            line_item_unblended_cost="0.252",
            split_line_item_parent_resource_id="i-1",
            split_line_item_split_cost="0.0566666667",
            split_line_item_unused_cost="0.01",
        )
        for n in (3, 4)
    ]
    table = ingest([written(tmp_path / "b.csv", covered, negation, *pods)], tmp_path / "out").table
    for cost, expected in (("BilledCost", "0"), ("EffectiveCost", "0.17")):
        assert bill.total(table, "invoice", cost) == Decimal(expected)
        assert bill.total(table, "split", cost) == Decimal(expected)


def test_a_refreshed_month_replaces_itself_and_leaves_the_others(tmp_path):
    june = cur(bill_billing_period_start_date="2024-06-01T00:00:00Z")
    out = tmp_path / "out"
    ingest([written(tmp_path / "1.csv", june, cur())], out)
    refreshed = written(tmp_path / "2.csv", cur(line_item_unblended_cost="3"))
    result = ingest([refreshed], out)
    assert result.replaced == {"2024-07": Decimal(1)}
    assert result.months == {"2024-06": Decimal(1), "2024-07": Decimal(3)}
    assert ingest([refreshed], out).total == 4, "the same file again changes nothing"


def test_the_same_file_under_two_names_counts_once(tmp_path):
    one = written(tmp_path / "a" / "b.csv", cur())
    (tmp_path / "a" / "copy.csv").write_bytes(one.read_bytes())
    assert ingest([tmp_path / "a"], tmp_path / "out").total == 1


def test_equal_lines_within_one_file_both_count(tmp_path):
    """Two requests of one cent in one hour are two cents: only another file can repeat a line."""
    assert ingest([written(tmp_path / "b.csv", cur(), cur())], tmp_path / "out").total == 2


def test_tags_in_another_case_or_spelling_are_one_tag(tmp_path):
    a = written(tmp_path / "a.csv", cur(line_item_resource_id="i-1", resource_tags_user_hub="x"))
    b = written(tmp_path / "b.csv", cur(line_item_resource_id="i-2", resource_tags_user_Hub="x"))
    c = written(
        tmp_path / "c.csv", cur(line_item_resource_id="i-3", resource_tags='{"user_HUB": "x"}')
    )
    result = ingest([a, b, c], tmp_path / "out")
    assert bill.tags(result.table) == ["tag_hub"]
    assert bill.summary(result.table, ["tag_hub"]) == [{"tag_hub": "x", "usd": 3}]


def test_files_with_different_columns_are_one_bill(tmp_path):
    a = written(tmp_path / "a.csv", cur(line_item_resource_id="i-1", resource_tags_user_hub="x"))
    b = written(tmp_path / "b.csv", cur(line_item_resource_id="i-2", resource_tags_user_team="y"))
    table = ingest([a, b], tmp_path / "out").table
    assert bill.tags(table) == ["tag_hub", "tag_team"]
    assert bill.total(table) == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"line_item_unblended_cost": "abc"}, "billed cost"),
        ({"line_item_unblended_cost": ""}, "billed cost"),
        ({"line_item_unblended_cost": "nan"}, "billed cost"),
        ({"line_item_unblended_cost": "1e40"}, "billed cost"),
        ({"line_item_usage_start_date": "July"}, "charge's start"),
        ({"line_item_usage_end_date": "2024-06-01T00:00:00Z"}, "ends before"),
        ({"line_item_currency_code": "dollars"}, "currency"),
    ],
    ids=lambda value: next(iter(value.values())) or "empty" if isinstance(value, dict) else value,
)
def test_rows_that_cannot_be_read_are_counted_and_kept(tmp_path, change, reason):
    lines = [cur(identity_line_item_id=str(n)) for n in range(5)]
    lines[3] |= change
    result = ingest([written(tmp_path / "b.csv", *lines)], tmp_path / "out")
    assert (result.rejected, result.total) == (1, 4)
    kept = pd.read_parquet(result.rejects).iloc[0]
    assert reason in kept.reason
    assert kept.row == 4
    assert kept.source.endswith("b.csv")
    assert json.loads(kept.content)["identity_line_item_id"] == "3"


def test_lines_with_too_many_values_are_counted_and_kept(tmp_path):
    path = written(tmp_path / "b.csv", cur(), cur(identity_line_item_id="2"))
    with path.open("a") as file:
        file.write("one,two\n")
    result = ingest([path], tmp_path / "out")
    assert (result.total, result.rejected) == (2, 1)


@pytest.mark.parametrize("name", ["b.csv", "b.csv.gz"])
def test_mixed_line_ends_are_read_and_broken_lines_still_kept(tmp_path, name):
    lines = [cur(identity_line_item_id=str(n), resource_tags_user_hub="a\nb") for n in range(4)]
    text = written(tmp_path / "even.csv", *lines).read_bytes()
    head, rest = text[: len(text) // 2], text[len(text) // 2 :]
    mixed = head + rest.replace(b"\n", b"\r\n") + b"one,two\r\n"
    file = tmp_path / "in" / name
    file.parent.mkdir()
    file.write_bytes(gzip.compress(mixed) if name.endswith(".gz") else mixed)
    result = ingest([file], tmp_path / "out")
    assert (result.total, result.rejected) == (4, 1)
    assert set(pd.read_parquet(result.rejects).source) == {str(file)}
    assert set(pd.read_parquet(result.table).x_Source) == {str(file)}
    assert [path.name for path in (tmp_path / "out").glob("*.csv")] == []


def test_a_time_with_an_offset_is_taken_as_what_it_says(tmp_path):
    """An hour of the last evening in California is in the next month in UTC."""
    line = cur(
        line_item_usage_start_date="2024-07-31T17:00:00-07:00",
        line_item_usage_end_date="2024-07-31T18:00:00-07:00",
    )
    table = ingest([written(tmp_path / "b.csv", line)], tmp_path / "out").table
    assert str(pd.read_parquet(table).ChargePeriodStart[0]) == "2024-08-01 00:00:00"


def test_a_formula_in_a_tag_stays_text(tmp_path):
    formula = '=HYPERLINK("http://example.invalid")'
    path = written(tmp_path / "b.csv", cur(resource_tags_user_hub=formula))
    table = ingest([path], tmp_path / "out").table
    assert bill.summary(table, ["tag_hub"])[0]["tag_hub"] == formula


def test_a_negative_month_is_said(tmp_path):
    path = written(tmp_path / "b.csv", cur(line_item_unblended_cost="-3"))
    assert any("negative" in w for w in ingest([path], tmp_path / "out").warnings)


def broken(tmp_path, case):
    good = written(tmp_path / "b.csv", cur())
    if case == "no such file":
        return tmp_path / "none.csv"
    if case == "no bill in the folder":
        (tmp_path / "empty").mkdir()
        return tmp_path / "empty"
    if case == "missing column":
        line = cur()
        del line["line_item_unblended_cost"]
        return written(tmp_path / "c.csv", line)
    if case == "no rows":
        good.write_text(good.read_text().split("\n")[0] + "\n")
        return good
    if case == "cut parquet":
        pd.DataFrame([cur()] * 1000).to_parquet(tmp_path / "c.parquet")
        data = (tmp_path / "c.parquet").read_bytes()
        (tmp_path / "c.parquet").write_bytes(data[: len(data) // 2])
        return tmp_path / "c.parquet"
    if case == "cut gzip":
        data = gzip.compress(good.read_bytes() * 100)
        (tmp_path / "c.csv.gz").write_bytes(data[: len(data) // 2])
        return tmp_path / "c.csv.gz"
    if case == "zip bomb":
        (tmp_path / "c.csv.gz").write_bytes(gzip.compress(good.read_bytes() + b"0" * 2**26))
        return tmp_path / "c.csv.gz"
    if case == "zip":
        return written(tmp_path / "c.zip", cur())
    if case == "mixed currencies":
        return written(tmp_path / "c.csv", cur(), cur(line_item_currency_code="EUR"))
    if case == "broken json":
        (tmp_path / "c.json").write_text('{"ResultsByTime": [')
        return tmp_path / "c.json"
    (tmp_path / "c.json").write_text('{"other": 1}')
    return tmp_path / "c.json"


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("no such file", "none.csv"),
        ("no bill in the folder", "empty"),
        ("missing column", "line_item_unblended_cost"),
        ("no rows", "without rows"),
        ("cut parquet", "c.parquet"),
        ("cut gzip", "c.csv.gz"),
        ("zip bomb", "grows"),
        ("zip", "c.zip"),
        ("mixed currencies", "currencies"),
        ("broken json", "c.json"),
        ("other json", "ResultsByTime"),
    ],
)
def test_what_is_not_a_bill_is_refused_and_changes_nothing(tmp_path, case, says):
    out = tmp_path / "out"
    before = ingest([written(tmp_path / "first.csv", cur(identity_line_item_id="9"))], out)
    content = before.table.read_bytes()
    with pytest.raises(BadInput) as caught:
        ingest([broken(tmp_path, case)], out)
    assert says in str(caught.value)
    assert caught.value.fix
    assert before.table.read_bytes() == content
    assert [p.name for p in out.iterdir()] == ["bill.parquet"], "nothing half-written stays"


def test_one_month_in_two_formats_is_refused(sample, tmp_path):
    sample_forms.focus(sample.lines, tmp_path / "f.csv")
    sample_forms.cur_csv(sample.lines, tmp_path / "c.csv.gz")
    with pytest.raises(BadInput, match=r"as CUR 2.0 and as FOCUS|as FOCUS and as CUR 2.0"):
        ingest([tmp_path], tmp_path / "out")


amounts = st.one_of(
    st.decimals(-1000, 1000, places=12),
    st.sampled_from(
        ["1e-12", "-1e-12", "1000000000", "-0.000000000001", "0", "123456789.987654321"]
    ),
).map(Decimal)
ENDS_OF_MONTHS = ["2024-02-29T23:00", "2023-02-28T23:59", "2024-03-10T10:00", "2024-12-31T23:00"]


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(amounts, st.sampled_from(ENDS_OF_MONTHS)), min_size=1, max_size=30),
    st.integers(1, 4),
)
def test_any_amounts_in_any_number_of_files_sum_exactly(tmp_path_factory, lines, files):
    tmp = tmp_path_factory.mktemp("bill")
    rows = [
        cur(
            line_item_resource_id=f"i-{n}",
            line_item_unblended_cost=str(usd),
            bill_billing_period_start_date=f"{start[:7]}-01T00:00:00Z",
            line_item_usage_start_date=f"{start}:00Z",
            line_item_usage_end_date="2025-01-01T00:00:00Z",
        )
        for n, (usd, start) in enumerate(lines)
    ]
    for n in range(min(files, len(rows))):
        written(tmp / f"{n}.csv", *rows[n::files])
    result = ingest([tmp], tmp / "out")
    assert result.total == sum(usd for usd, _ in lines)
    assert sum(result.months.values()) == result.total
    assert result.rejected == 0
