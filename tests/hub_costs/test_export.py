"""What the project's own export brings is what the allocation reads: one list, and it works."""

from decimal import Decimal
from pathlib import Path

import hcl2
import pytest

from hub_costs.allocation import allocation_groups
from hub_costs.allocation.allocate import allocate
from hub_costs.allocation.owner_rules import NO_CORE_TAG
from hub_costs.bills import export_columns, sample_forms
from hub_costs.bills.ingest import ingest
from hub_costs.estimates.estimate import estimate
from hub_costs.estimates.reconcile import reconcile
from hub_costs.months import Month

from .bill_lines import cur, written
from .test_gate import LIST, plan

BILL_TF = Path(__file__).parents[2] / "terraform" / "modules" / "cost" / "bill.tf"


@pytest.fixture(scope="module")
def exported():
    """Return the columns that bill.tf exports, and its tag columns with their keys in the map."""
    (local,) = hcl2.loads(BILL_TF.read_text())["locals"]
    columns = {str(name).strip('"') for name in local["columns"]}
    tags = {str(k).strip('"'): str(v).strip('"') for k, v in local["tag_columns"].items()}
    return columns, {name: key for name, key in tags.items() if not name.startswith("__")}


def test_the_export_has_every_column_that_is_read(exported):
    assert export_columns.COLUMNS - exported[0] == set()


def test_the_export_has_every_tag_that_a_rule_reads(exported):
    _, tags = exported
    assert export_columns.TAG_COLUMNS - set(tags) == set()
    assert set(tags) - export_columns.TAG_COLUMNS <= {  # for people: what a pod belongs to
        "tag_eks_namespace", "tag_eks_node", "tag_eks_workload_name", "tag_eks_workload_type",
    }  # fmt: skip


def test_a_tags_column_has_the_name_that_ingest_gives_its_key(exported):
    """An export by map and ours by columns are one table."""
    from hub_costs.bills.format_columns import tag_key

    for column, key in exported[1].items():
        if "${" not in key:
            assert tag_key(key) == column


@pytest.mark.parametrize("splits", [False, True], ids=["plain", "with splits"])
def test_a_month_in_the_exports_shape_is_allocated_as_what_it_is(
    sample, session_file, tmp_path, splits
):
    """The core node is the hub's, users have their truth, and Dask's pods their people."""
    lines = [*sample.lines, *(sample.splits if splits else ())]
    sample_forms.export(lines, tmp_path / "month.parquet")
    table = ingest([tmp_path / "month.parquet"], tmp_path / "out").table
    result = allocate(table, session_file)
    assert result.total == sample.total
    assert not result.warnings
    by_rule = {row["rule"]: row["amount"] for row in result.by("rule")}
    hours = 24 * 29
    assert by_rule["core-machine"] == Decimal("0.252") * hours
    found = {r["owner"]: r["amount"] for r in result.by("owner", "kind") if r["kind"] == "user"}
    assert set(found) == set(sample.truth)
    for user, usd in sample.truth.items():
        assert float(found[user]) == pytest.approx(float(usd), abs=1e-6)
    billed = allocation_groups.by_rule(table, sample.month)
    assert billed["core-machine"].quantity == hours
    assert billed["core-machine"].usd == by_rule["core-machine"]


def test_a_bill_without_the_tags_of_core_machines_says_so(session_file, sample, tmp_path):
    """Without them the core node looks like a user's, idle all month."""
    line = cur(tag_eks_cluster_name="pangeo-prod")
    month = Month(2024, 7)
    table = ingest([written(tmp_path / "b.csv", line)], tmp_path / "old").table
    core = {"scaling_config": [{"desired_size": 1}], "instance_types": ["r5.xlarge"]}
    planned = estimate(plan(("aws_eks_node_group", core)), LIST)
    assert reconcile(planned, table, month).warnings == (NO_CORE_TAG,)
    assert NO_CORE_TAG in allocate(table, session_file).warnings
    tagged = line | {"tag_pool": "core"}
    table = ingest([written(tmp_path / "c.csv", tagged)], tmp_path / "new").table
    assert not reconcile(planned, table, month).warnings
    assert NO_CORE_TAG not in allocate(table, session_file).warnings
