"""A month counts once, whatever its deliveries are called, and what does not count is said.

Each test is a finding of a review with foreign bills: it fails on the code that the review saw.
"""

import json
import os
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub_costs.bills import bill_files, deliveries
from hub_costs.bills import table as bill
from hub_costs.bills.fetch import fetch_export
from hub_costs.bills.ingest import ingest
from pangeo_core.errors import BadInput, CheckFailed

from .bill_lines import cur, explorer, focus, written


def month(days, prefix="", **changes):
    """Return a line for each day of July, with line ids that start with `prefix`."""
    return [
        cur(
            identity_line_item_id=f"{prefix}{day}",
            line_item_usage_start_date=f"2024-07-{day:02d}T10:00:00Z",
            line_item_usage_end_date=f"2024-07-{day:02d}T11:00:00Z",
            **changes,
        )
        for day in range(1, days + 1)
    ]


def legacy_manifest(path, assembly, *keys):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(
            {
                "assemblyId": assembly,
                "reportKeys": list(keys),
                "billingPeriod": {"start": "20240701T000000.000Z", "end": "20240801T000000.000Z"},
            }
        )
    )


def assemblies(folder):
    """Write two report versions of one month, as AWS does with "create new report version"."""
    period = folder / "rep" / "20240701-20240801"
    for assembly, days, prefix in (("1111-aaaa", 10, "a"), ("2222-bbbb", 12, "b")):
        key = f"rep/20240701-20240801/{assembly}/rep-00001.csv.gz"
        written(folder / key, *month(days, prefix))
        legacy_manifest(period / assembly / "rep-Manifest.json", assembly, key)
    legacy_manifest(period / "rep-Manifest.json", "2222-bbbb", key)
    return period


def test_of_two_report_versions_the_manifests_assembly_is_read(tmp_path):
    assemblies(tmp_path / "in")
    result = ingest([tmp_path / "in"], tmp_path / "out")
    assert result.total == 12
    (note,) = result.notes
    assert "1111-aaaa" in note
    assert "10.00" in note


def test_an_assembly_that_lacks_a_file_is_refused(tmp_path):
    period = assemblies(tmp_path / "in")
    (period / "2222-bbbb" / "rep-00001.csv.gz").unlink()
    with pytest.raises(BadInput, match=r"names rep/.*2222-bbbb.*not there"):
        ingest([tmp_path / "in"], tmp_path / "out")


def test_a_file_that_the_manifest_does_not_name_is_not_read(tmp_path):
    """An export that overwrites itself leaves the chunks that it no longer needs."""
    root = tmp_path / "in" / "exp"
    data = root / "data" / "BILLING_PERIOD=2024-07"
    written(data / "exp-00001.csv.gz", *month(10))
    written(data / "exp-00002.csv.gz", *month(3, line_item_resource_id="i-old"))
    manifest = root / "metadata" / "BILLING_PERIOD=2024-07" / "exp-Manifest.json"
    manifest.parent.mkdir(parents=True)
    name = "s3://bucket/exp/data/BILLING_PERIOD=2024-07/exp-00001.csv.gz"
    manifest.write_text(json.dumps({"executionId": "e-1", "dataFiles": [name]}))
    result = ingest([tmp_path / "in"], tmp_path / "out")
    assert result.total == 10
    assert any("exp-00002" in note and "3.00" in note for note in result.notes)


def test_of_a_cur_2_exports_executions_the_newest_is_read(tmp_path):
    for name in (
        "2024-07-20T08:00:00.000Z-0a1b2c3d-1111",
        "2024-07-21T08:00:00.000Z-4e5f6a7b-2222",
    ):
        folder = tmp_path / "in" / "data" / "BILLING_PERIOD=2024-07" / name
        written(folder / "exp-00001.csv.gz", *month(int(name[8:10]), name[24:28]))
        written(folder / "exp-00002.csv.gz", cur(line_item_resource_id="i-2"))
    result = ingest([tmp_path / "in"], tmp_path / "out")
    assert result.total == 22
    assert any("21.00" in note and "2024-07-20" in note for note in result.notes)


def test_of_an_azure_exports_runs_the_newest_is_read(tmp_path):
    """Azure names its blobs in a manifest for each run, with the time that it was asked for."""
    for hour, days in (("08", 9), ("20", 12)):
        run = f"00000000-0000-0000-0000-0000000000{hour}"
        folder = tmp_path / "in" / "costs" / "20240701-20240731" / f"20240713{hour}00" / run
        lines = [
            focus(
                BillingPeriodStart="2024-07-01T00:00:00Z",
                ChargePeriodStart=f"2024-07-{day:02d}T00:00:00Z",
                ChargePeriodEnd=f"2024-07-{day:02d}T00:00:00Z",
                ProviderName="Microsoft",
                BilledCost="10",
            )
            for day in range(1, days + 1)
        ]
        written(folder / "part_0_0001.csv", *lines)
        blob = f"costs/20240701-20240731/20240713{hour}00/{run}/part_0_0001.csv"
        info = {"runId": run, "submittedTime": f"2024-07-13T{hour}:00:00Z",
                "startDate": "2024-07-01T00:00:00"}  # fmt: skip
        (folder / "manifest.json").write_text(
            json.dumps({"runInfo": info, "blobs": [{"blobName": blob, "dataRowCount": days}]})
        )
    result = ingest([tmp_path / "in"], tmp_path / "out")
    assert result.total == 120
    assert any("90.00" in note for note in result.notes)


def test_oracles_reports_are_increments_of_one_bill(tmp_path):
    """A later report may say a line of an earlier one again, as a correction: both count."""
    tree = tmp_path / "in" / "FOCUS Reports" / "2024" / "12"
    line = focus(ProviderName="Oracle")
    written(tree / "03" / "abc.csv.gz", line, focus(ProviderName="Oracle", ResourceId="r-2"))
    written(tree / "04" / "def.csv.gz", line | {"BilledCost": "-0.25"})
    assert ingest([tmp_path / "in"], tmp_path / "out").total == Decimal("1.75")


def test_daily_loads_of_a_month_count_once_in_one_call_and_one_by_one(tmp_path):
    """Line ids are renewed with each load, as AWS documents."""
    loads = [written(tmp_path / f"load{n}.csv", *month(9 + n, f"{n}-")) for n in (1, 2, 3)]
    result = ingest(loads, tmp_path / "out")
    assert result.total == 12
    assert (result.duplicates, result.duplicate_cost) == (21, 21)
    assert len(result.notes) == 2
    for load in loads:
        last = ingest([load], tmp_path / "each")
    assert last.total == 12
    assert ingest([loads[0]], tmp_path / "each").total == 12, "an older delivery never replaces"


def test_a_refresh_that_fills_a_tag_counts_once(tmp_path):
    first = written(tmp_path / "v1.csv", *month(10, resource_tags_user_hub=""))
    second = written(tmp_path / "v2.csv", *month(10, resource_tags_user_hub="prod"))
    result = ingest([first, second], tmp_path / "out")
    assert result.total == 10
    assert bill.summary(result.table, ["tag_hub"]) == [{"tag_hub": "prod", "usd": 10}]


def test_a_one_off_and_a_daily_export_of_a_month_count_once(tmp_path):
    """A column that names the run makes every line differ; and the fuller file wins."""
    for name, days, run in (("daily", 12, "run2"), ("oneoff", 9, "run1")):
        lines = [
            focus(
                ProviderName="Microsoft",
                ChargePeriodStart=f"2024-12-{day:02d}T00:00:00Z",
                ChargePeriodEnd=f"2024-12-{day + 1:02d}T00:00:00Z",
                BilledCost="10",
                x_IngestionId=run,
            )
            for day in range(1, days + 1)
        ]
        written(tmp_path / "in" / f"{name}.csv", *lines)
    assert ingest([tmp_path / "in"], tmp_path / "out").total == 120


@pytest.mark.parametrize("line", [focus, cur], ids=["FOCUS", "CUR 2.0 without line ids"])
def test_lines_that_differ_only_in_amount_are_two_lines_in_two_chunks(tmp_path, line):
    """FOCUS has no line ids, and an export by SQL may leave them out."""
    amount = "BilledCost" if line is focus else "line_item_unblended_cost"
    for number, usd in ((1, "5.00"), (2, "7.00")):
        one = line(**{amount: usd})
        one.pop("identity_line_item_id", None)
        written(tmp_path / "in" / f"part-0000{number}.csv", one)
    assert ingest([tmp_path / "in"], tmp_path / "out").total == 12


def test_report_keys_that_count_from_0_are_one_delivery(tmp_path):
    for n in range(3):
        written(tmp_path / "in" / f"k{n}.csv.gz", *month(5, str(n)))
    assert ingest([tmp_path / "in"], tmp_path / "out").total == 15


def test_a_month_that_falls_is_a_warning_and_strict_changes_nothing(tmp_path):
    files = [written(tmp_path / f"c{n}.csv", *month(10, f"{n}-")) for n in range(3)]
    out = tmp_path / "out"
    assert ingest(files, out).total == 30
    before = (out / "bill.parquet").read_bytes()
    later = files[0].stat().st_mtime + 86_400  # a refresh is younger than what it replaces
    os.utime(files[0], (later, later))
    with pytest.raises(CheckFailed, match="not taken over"):
        ingest(files[:2], out, strict=True)
    assert (out / "bill.parquet").read_bytes() == before
    result = ingest(files[:2], out)
    assert result.total == 20
    assert result.falls == ("2024-07",)
    assert any("falls from 30.00 to 20.00" in warning for warning in result.warnings)


def test_a_missing_chunk_is_said(tmp_path):
    for number in (1, 3):
        lines = month(2, line_item_resource_id=f"i-{number}")
        written(tmp_path / "in" / f"bill-{number:05d}.csv", *lines)
    result = ingest([tmp_path / "in"], tmp_path / "out")
    assert any("chunk 2 is not there" in warning for warning in result.warnings)


def test_machines_with_more_hours_than_time_are_said(tmp_path):
    """Names made one delivery of what are two: the sum of a machine's hours tells."""
    for number in (1, 2):
        written(tmp_path / "in" / f"part-{number}.csv", *month(3, f"{number}-"))
    result = ingest([tmp_path / "in"], tmp_path / "out")
    assert result.total == 6
    assert any("3 machine-hours" in w and "3.00" in w for w in result.warnings)


def test_two_files_that_agree_in_part_are_refused(tmp_path):
    """Windows that roll over the month: neither is the whole, and their sum counts days twice."""
    lines = month(20)
    written(tmp_path / "in" / "early.csv", *lines[:10])
    written(tmp_path / "in" / "late.csv", *lines[8:])
    with pytest.raises(BadInput, match=r"agree in part.*early\.csv.*late\.csv"):
        ingest([tmp_path / "in"], tmp_path / "out")


def test_two_formats_of_a_month_are_refused_with_both_named(tmp_path):
    legacy = {
        "identity/LineItemId": "L1",
        "bill/BillingPeriodStartDate": "2024-07-01T00:00:00Z",
        "bill/PayerAccountId": "1",
        "lineItem/LineItemType": "Usage",
        "lineItem/UsageStartDate": "2024-07-03T10:00:00Z",
        "lineItem/UsageEndDate": "2024-07-03T11:00:00Z",
        "lineItem/UsageType": "BoxUsage:r5.xlarge",
        "lineItem/CurrencyCode": "USD",
        "lineItem/UnblendedCost": "1.00",
    }
    old = written(tmp_path / "old.csv", legacy)
    new = written(tmp_path / "new.csv", cur())
    with pytest.raises(BadInput, match=r"legacy CUR.*old\.csv|old\.csv.*legacy CUR"):
        ingest([old, new], tmp_path / "out")
    ingest([old], tmp_path / "table")
    with pytest.raises(BadInput, match=r"as legacy CUR and as CUR 2\.0"):
        ingest([new], tmp_path / "table")


def test_two_grains_of_a_month_are_refused(tmp_path):
    hourly = [
        cur(line_item_usage_start_date=f"2024-07-01T{h:02d}:00:00Z",
            line_item_usage_end_date=f"2024-07-01T{h + 1:02d}:00:00Z")
        for h in range(23)
    ]  # fmt: skip
    daily = cur(line_item_usage_end_date="2024-07-02T00:00:00Z", line_item_usage_amount="23")
    written(tmp_path / "in" / "hourly.csv", *hourly)
    written(tmp_path / "in" / "daily.csv", daily)
    with pytest.raises(BadInput, match="two grains"):
        ingest([tmp_path / "in"], tmp_path / "out")


SERVICE = {"Type": "DIMENSION", "Key": "SERVICE"}
DAY = ("2024-12-01", "2024-12-02")


def test_cost_explorer_asked_on_two_days_counts_once(tmp_path):
    """Two runs of `cost fetch --explorer` into one folder."""
    for stamp, usd in (("20241206T080000", "12.00"), ("20241205T080000", "10.00")):
        page = tmp_path / "in" / f"explorer-{stamp}-0.page.json"
        explorer(page, (*DAY, ("EC2",), usd), group_by=[SERVICE])
    result = ingest([tmp_path / "in"], tmp_path / "out")
    assert result.total == 12
    assert any("10.00" in note for note in result.notes)


@pytest.mark.parametrize(
    "other",
    [
        {"group_by": [{"Type": "TAG", "Key": "hub"}], "keys": ("hub$prod",), "end": DAY[1]},
        {"group_by": [], "keys": (), "end": "2025-01-01"},
    ],
    ids=["another grouping", "another grain"],
)
def test_two_questions_to_cost_explorer_are_refused_with_both_named(tmp_path, other):
    explorer(tmp_path / "in" / "a.json", (*DAY, ("EC2",), "10"), group_by=[SERVICE])
    day = (DAY[0], other["end"], other["keys"], "10")
    explorer(tmp_path / "in" / "b.json", day, group_by=other["group_by"])
    with pytest.raises(BadInput, match=r"Cost Explorer by .*a\.json.*b\.json"):
        ingest([tmp_path / "in"], tmp_path / "out")


def test_an_archive_beside_a_bill_is_named(tmp_path):
    written(tmp_path / "in" / "a.csv", cur())
    (tmp_path / "in" / "b.zip").write_bytes(b"PK")
    result = ingest([tmp_path / "in"], tmp_path / "out")
    assert any("b.zip is not read" in warning for warning in result.warnings)
    with pytest.raises(CheckFailed):
        ingest([tmp_path / "in"], tmp_path / "out", strict=True)


class Bucket:
    """An S3 client that has the objects in `keys`, as boto3 answers (S3 API, ListObjectsV2)."""

    def __init__(self, content):
        self.content = content

    def get_paginator(self, _):
        return self

    def paginate(self, Bucket, Prefix):  # noqa: N803 (boto3's names)
        yield {
            "Contents": [
                {"Key": key, "ETag": f'"{hash(body)}"', "Size": len(body)}
                for key, body in sorted(self.content.items())
                if key.startswith(Prefix)
            ]
        }

    def download_file(self, _, key, file):
        Path(file).write_bytes(self.content[key])


def test_a_chunk_that_left_the_bucket_leaves_the_folder(tmp_path):
    chunk = {n: written(tmp_path / f"{n}.csv", *month(5, f"{n}-")).read_bytes() for n in (1, 2, 3)}
    bucket = Bucket({f"x/b-0000{n}.csv": body for n, body in chunk.items()})
    assert len(fetch_export("s3://b/x", tmp_path / "in", bucket).files) == 3
    del bucket.content["x/b-00003.csv"]
    result = fetch_export("s3://b/x", tmp_path / "in", bucket)
    assert [file.name for file in result.removed] == ["b-00003.csv"]
    assert ingest([tmp_path / "in"], tmp_path / "out").total == 10


@pytest.mark.parametrize(
    ("names", "count"),
    [
        (["b-00001.csv.gz", "b-00002.csv.gz"], 1),
        (["part-0.parquet", "part-1.parquet"], 1),
        (["part-00000-1a2b3c4d.c000.snappy.parquet", "part-00001-1a2b3c4d.c000.snappy.parquet"], 1),
        (["part-00000-1a2b3c4d.parquet", "part-00001-9f8e7d6c.parquet"], 2),
        (["part_0_0001.csv", "part_0_0002.csv"], 1),
        (["k0.csv", "k1.csv"], 1),
        (["v1.csv", "v2.csv"], 2),
        (["bill-2024-12-05.csv", "bill-2024-12-06.csv"], 2),
        (["bill-20241205.csv", "bill-20241206.csv"], 2),
        (["a.csv", "b.csv"], 2),
        (["x.csv", "x.csv.gz"], 2),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else str(value),
)
def test_names_tell_chunks_from_versions(names, count):
    sources = [bill_files.Source(f"f/{name}", "csv", 0.0) for name in names]
    assert len(deliveries.group(bill_files.Listing(sources)).read) == count


def test_an_older_file_is_not_taken_over_a_newer_one(tmp_path):
    old, new = (written(tmp_path / f"v{n}.csv", *month(n)) for n in (1, 2))
    os.utime(old, (1_000, 1_000))
    ingest([new], tmp_path / "out")
    result = ingest([old], tmp_path / "out")
    assert result.total == 2
    assert any("is older than what the table has (2.00)" in w for w in result.warnings)


refreshes = st.lists(st.integers(1, 28), min_size=1, max_size=4, unique=True).map(sorted)


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(days=refreshes, data=st.data())
def test_any_chunks_any_order_and_any_refreshes_give_the_same_table(tmp_path_factory, days, data):
    """A month is delivered again and again, whole each time, as AWS builds on previous reports.

    However each delivery is cut into chunks, each in its own way, in whatever order they are read,
    in one call or one by one: the table is that of the last delivery.
    """
    tmp = tmp_path_factory.mktemp("history")
    amounts = data.draw(st.lists(st.integers(-9, 99), min_size=28, max_size=28))
    folders = []
    for turn, last in enumerate(days):
        lines = [
            line | {"line_item_unblended_cost": str(usd), "resource_tags_user_hub": f"h{turn}"}
            for line, usd in zip(month(last, f"{turn}-"), amounts, strict=False)
        ]
        folders.append(tmp / f"run-{turn}")
        cut = data.draw(st.lists(st.integers(1, 3), min_size=last, max_size=last))
        for place, chunk in enumerate(sorted(set(cut)), 1):
            held = [line for line, of in zip(lines, cut, strict=True) if of == chunk]
            file = written(folders[-1] / f"bill-{place:05d}.csv", *held)
            os.utime(file, (1_000 + turn, 1_000 + turn))
    order = data.draw(st.permutations(folders))
    together = ingest(order, tmp / "together")
    for folder in order:
        last_one = ingest([folder], tmp / "each")
    expected = sum(amounts[: days[-1]])
    assert together.total == last_one.total == expected
    by = ["day", "tag_hub"]
    tables = [bill.summary(tmp / name, by) for name in ("together", "each")]
    assert sorted(map(str, tables[0])) == sorted(map(str, tables[1]))
    assert together.rows == days[-1]
    assert {row["tag_hub"] for row in tables[0]} == {f"h{len(days) - 1}"}
