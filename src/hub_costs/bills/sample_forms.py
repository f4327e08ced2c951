"""Write a made-up bill in each form that AWS gives one."""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hub_costs.bills.export_columns import COLUMNS, TAG_COLUMNS
from hub_costs.bills.sample_bill import Line
from hub_costs.months import Month

_TAG = "resource_tags_user_"
_AMOUNTS = ("unblended_cost", "usage_amount", "split_cost", "unused_cost")
_LEGACY = {
    "identity_line_item_id": "identity/LineItemId",
    "identity_time_interval": "identity/TimeInterval",
    "bill_payer_account_id": "bill/PayerAccountId",
    "bill_invoice_id": "bill/InvoiceId",
    "bill_billing_period_start_date": "bill/BillingPeriodStartDate",
    "line_item_line_item_type": "lineItem/LineItemType",
    "line_item_usage_start_date": "lineItem/UsageStartDate",
    "line_item_usage_end_date": "lineItem/UsageEndDate",
    "line_item_usage_type": "lineItem/UsageType",
    "line_item_operation": "lineItem/Operation",
    "line_item_resource_id": "lineItem/ResourceId",
    "line_item_usage_amount": "lineItem/UsageAmount",
    "line_item_unblended_cost": "lineItem/UnblendedCost",
    "line_item_currency_code": "lineItem/CurrencyCode",
    "product_product_name": "product/ProductName",
    "product_region_code": "product/regionCode",
    "resource_tags_user_hub": "resourceTags/user:Hub",
    "resource_tags_user_node_purpose": "resourceTags/user:node-purpose",
    "split_line_item_parent_resource_id": "splitLineItem/ParentResourceId",
    "split_line_item_split_cost": "splitLineItem/SplitCost",
    "split_line_item_unused_cost": "splitLineItem/UnusedCost",
}
_FOCUS = {
    "bill_payer_account_id": "BillingAccountId",
    "line_item_usage_start_date": "ChargePeriodStart",
    "line_item_usage_end_date": "ChargePeriodEnd",
    "line_item_usage_type": "x_UsageType",
    "line_item_operation": "x_Operation",
    "line_item_resource_id": "ResourceId",
    "line_item_usage_amount": "ConsumedQuantity",
    "line_item_unblended_cost": "BilledCost",
    "line_item_currency_code": "BillingCurrency",
    "product_product_name": "ServiceName",
    "product_region_code": "RegionId",
}


def cur_parquet(
    lines: Iterable[Line], path: Path, *, tags: str = "flat", double: bool = True
) -> None:
    """Write CUR 2.0 as parquet: amounts as doubles as AWS does, tags flat or as a map."""
    frame = pd.DataFrame(list(lines))
    for name in frame:
        if str(name).endswith(_AMOUNTS):
            frame[name] = pd.to_numeric(frame[name]) if double else frame[name]
        if str(name).endswith("_date"):
            frame[name] = pd.to_datetime(frame[name], utc=True).dt.tz_localize(None)
    table = pa.Table.from_pandas(_mapped(frame) if tags == "map" else frame, preserve_index=False)
    if tags == "map":
        at = table.schema.get_field_index("resource_tags")
        values = pa.array(
            [list(item.items()) for item in _mapped(frame).resource_tags],
            pa.map_(pa.string(), pa.string()),
        )
        table = table.set_column(at, "resource_tags", values)
    pq.write_table(table, path)


def export(lines: Iterable[Line], path: Path, *, deployment: str = "sample") -> None:
    """Write the lines as this project's own export does: parquet, each of its tags a column.

    A node's pool is "core" or "user"; everything is tagged with the deployment, machines and pods
    with the cluster too.
    """
    frame = pd.DataFrame(list(lines))
    purpose = frame.pop(f"{_TAG}node_purpose")
    of_machine = frame["line_item_resource_id"].str.contains("^i-|:pod/", regex=True)
    tags = {
        "tag_deployment": deployment,
        "tag_pool": purpose,
        "tag_eks_cluster_name": of_machine.map({True: deployment, False: ""}),
    }
    frame = frame.drop(columns=f"{_TAG}hub")
    frame["line_item_product_code"] = frame.pop("product_product_name")
    frame = frame.assign(**tags)
    for name in sorted((COLUMNS | TAG_COLUMNS) - set(frame.columns)):
        frame[name] = ""
    cur_parquet(frame.to_dict("records"), path)


def cur_csv(lines: Iterable[Line], path: Path, *, tags: str = "flat", legacy: bool = False) -> None:
    """Write CUR 2.0 or, with `legacy`, the older CUR as csv.gz; a map of tags is JSON text."""
    frame = pd.DataFrame(list(lines))
    if legacy:
        frame = frame.rename(columns=_LEGACY)
    elif tags == "map":
        frame = _mapped(frame)
        frame["resource_tags"] = frame.resource_tags.map(json.dumps)
    path.write_bytes(gzip.compress(frame.to_csv(index=False).encode(), mtime=0))


def focus(lines: Iterable[Line], path: Path, *, version: str = "1.0", tags: str = "json") -> None:
    """Write FOCUS as csv or parquet, by the path's name; in parquet, tags may be a map.

    Version 1.1 says more of what was bought; 1.2 knows the invoice and the currency of prices.
    """
    kept = [line for line in lines if not line["split_line_item_parent_resource_id"]]
    frame = pd.DataFrame(kept)
    flat = frame.filter(like=_TAG).rename(columns=lambda n: n.removeprefix(_TAG))
    out = frame[list(_FOCUS)].rename(columns=_FOCUS)
    out["BillingPeriodStart"] = frame.bill_billing_period_start_date
    out["ProviderName"] = "AWS"
    out["ChargeCategory"] = frame.line_item_line_item_type
    out["EffectiveCost"] = out["ListCost"] = out.BilledCost
    found = [{k: v for k, v in row.items() if v} for row in flat.to_dict("records")]
    out["Tags"] = [list(row.items()) if tags == "map" else json.dumps(row) for row in found]
    if version >= "1.1":
        out = out.assign(ServiceSubcategory="Other", SkuMeter="", CapacityReservationId=None)
    if version >= "1.2":
        out["InvoiceId"] = frame.bill_invoice_id
        out = out.assign(PricingCurrency="USD", BillingAccountType="", SubAccountType=None)
    if path.suffix == ".parquet":
        for name in ("BilledCost", "EffectiveCost", "ListCost"):
            out[name] = [Decimal(value).quantize(Decimal("1e-12")) for value in out[name]]
        table = pa.Table.from_pandas(out, preserve_index=False)
        if tags == "map":
            at = table.schema.get_field_index("Tags")
            column = pa.array(out.Tags, pa.map_(pa.string(), pa.string()))
            table = table.set_column(at, "Tags", column)
        pq.write_table(table, path)
    else:
        out.to_csv(path, index=False)


def explorer(lines: Iterable[Line], month: Month, folder: Path, *, pages: int = 3) -> list[Path]:
    """Write Cost Explorer's answer by service and day, over `pages` pages; return their paths."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for line in lines:
        if not line["split_line_item_parent_resource_id"]:
            day = line["line_item_usage_start_date"][:10]
            sums[day, line["product_product_name"]] += Decimal(line["line_item_unblended_cost"])
    days = list(month.interval().days())
    files = []
    for number in range(pages):
        results = []
        for day in days[number * len(days) // pages : (number + 1) * len(days) // pages]:
            groups = [
                {
                    "Keys": [service],
                    "Metrics": {"UnblendedCost": {"Amount": str(usd), "Unit": "USD"}},
                }
                for (at, service), usd in sorted(sums.items())
                if at == day.isoformat()
            ]
            after = (pd.Timestamp(day) + pd.Timedelta(days=1)).date()
            period = {"Start": day.isoformat(), "End": after.isoformat()}
            results.append(
                {"TimePeriod": period, "Total": {}, "Groups": groups, "Estimated": False}
            )
        page = {
            "GroupDefinitions": [{"Type": "DIMENSION", "Key": "SERVICE"}],
            "ResultsByTime": results,
        }
        if number < pages - 1:
            page["NextPageToken"] = f"page-{number + 1}"
        files.append(folder / f"page-{number}.json")
        files[-1].write_text(json.dumps(page))
    return files


def _mapped(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with its flat tags as one column of dictionaries without empty values."""
    flat = [name for name in frame if str(name).startswith(_TAG)]
    rows = frame[flat].rename(columns=lambda n: n.removeprefix("resource_tags_"))
    tags = [{k: v for k, v in row.items() if v} for row in rows.to_dict("records")]
    return frame.drop(columns=flat).assign(resource_tags=tags)
