"""The forms in which AWS gives a bill, as tables of expressions over their columns.

`{name}` in an expression is a column that the file must have for the expression to be used,
`{name?}` one that may be missing and then is NULL. Of several expressions the first that fits is
used. Names are those of `format_columns.plain`. `money(x)` and `moment(x)` are SQL macros
(`MACROS`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub_costs.bills import refused_forms
from hub_costs.bills.table import MONEY
from pangeo_core.errors import BadInput

# By way of text: a double becomes the decimal it was written as, not its binary neighbour, and an
# offset in a time is honoured (a cast to TIMESTAMP would drop it). What cannot be read is NULL.
MACROS = (
    f"CREATE OR REPLACE MACRO money(x) AS TRY_CAST(CAST(x AS VARCHAR) AS {MONEY})",
    "CREATE OR REPLACE MACRO moment(x) AS"
    " CAST(TRY_CAST(CAST(x AS VARCHAR) AS TIMESTAMPTZ) AS TIMESTAMP)",
    "CREATE OR REPLACE MACRO filled(x) AS nullif(trim(CAST(x AS VARCHAR)), '')",
    # A billing period is a month of the provider's calendar, whatever zone it is written in: its
    # start is a month's first midnight somewhere, at most 14 hours before it is midnight in UTC.
    "CREATE OR REPLACE MACRO month_of(x) AS CAST(date_trunc('month', coalesce("
    "TRY_CAST(left(CAST(x AS VARCHAR), 19) AS TIMESTAMP) + INTERVAL 14 HOUR,"
    " TRY_CAST(left(CAST(x AS VARCHAR), 10) AS DATE))) AS DATE)",
)

# CUR line type -> FOCUS charge category.
LINE_TYPES = {
    "Usage": "Usage",
    "DiscountedUsage": "Usage",
    "SavingsPlanCoveredUsage": "Usage",
    "Fee": "Purchase",
    "RIFee": "Purchase",
    "SavingsPlanRecurringFee": "Purchase",
    "SavingsPlanUpfrontFee": "Purchase",
    "Tax": "Tax",
    "Credit": "Credit",
    "Refund": "Adjustment",
    "SavingsPlanNegation": "Adjustment",
    "BundledDiscount": "Adjustment",
    "EdpDiscount": "Adjustment",
    "PrivateRateDiscount": "Adjustment",
}


@dataclass(frozen=True)
class Format:
    """One form of a bill: what it must have to be it, and where each of our columns comes from."""

    needs: tuple[str, ...]
    columns: Mapping[str, Sequence[str]]
    tags: str  # the column that holds a map or JSON of tags
    flat: tuple[str, ...]  # what the names of flat tag columns start with


_LINE = "filled({line_item_line_item_type})"
_PARENT = "filled({split_line_item_parent_resource_id?})"
_UNBLENDED = "money({line_item_unblended_cost})"
_SPLIT = (
    "(money({split_line_item_split_cost?}) + coalesce(money({split_line_item_unused_cost?}), 0))"
)
# AWS' rules for amortised cost (AWS CUR user guide and its query library; FACTS, Cost interfaces).
_AMORTISED = f"""CASE {_LINE}
 WHEN 'SavingsPlanCoveredUsage' THEN
  coalesce(money({{savings_plan_savings_plan_effective_cost?}}), {_UNBLENDED})
 WHEN 'SavingsPlanRecurringFee' THEN
  coalesce(money({{savings_plan_total_commitment_to_date?}})
   - money({{savings_plan_used_commitment?}}), {_UNBLENDED})
 WHEN 'SavingsPlanNegation' THEN 0
 WHEN 'SavingsPlanUpfrontFee' THEN 0
 WHEN 'DiscountedUsage' THEN coalesce(money({{reservation_effective_cost?}}), {_UNBLENDED})
 WHEN 'RIFee' THEN
  coalesce(money({{reservation_unused_amortized_upfront_fee_for_billing_period?}})
   + money({{reservation_unused_recurring_fee?}}), {_UNBLENDED})
 WHEN 'Fee' THEN
  CASE WHEN filled({{reservation_reservation_a_r_n?}}) IS NULL THEN {_UNBLENDED} ELSE 0 END
 ELSE {_UNBLENDED} END"""
# What is paid after discounts that AWS keeps apart; a line without any is as it is billed.
_NET = f"coalesce(money({{line_item_net_unblended_cost}}), {_UNBLENDED})"
_NET_SPLIT = (
    "coalesce(money({split_line_item_net_split_cost?})"
    f" + coalesce(money({{split_line_item_net_unused_cost?}}), 0), {_SPLIT})"
)
_CATEGORY = " ".join(f"WHEN '{line}' THEN '{focus}'" for line, focus in LINE_TYPES.items())

CUR = Format(
    needs=(
        "line_item_line_item_type",
        "line_item_usage_start_date",
        "line_item_unblended_cost",
        "line_item_currency_code",
    ),
    columns={
        "BillingPeriodStart": [
            "month_of({bill_billing_period_start_date})",
            "CAST(date_trunc('month', moment({line_item_usage_start_date})) AS DATE)",
        ],
        "ChargePeriodStart": ["moment({line_item_usage_start_date})"],
        "ChargePeriodEnd": [
            "coalesce(moment({line_item_usage_end_date?}),"
            " moment({line_item_usage_start_date}) + INTERVAL 1 HOUR)"
        ],
        "BillingAccountId": ["filled({bill_payer_account_id})"],
        "SubAccountId": ["filled({line_item_usage_account_id})"],
        "ProviderName": ["'AWS'"],
        "ServiceName": [
            "coalesce(filled({product_product_name?}), filled({product?}['product_name']),"
            " filled({product_servicename?}), filled({line_item_product_code?}))",
        ],
        "x_UsageType": ["filled({line_item_usage_type})"],
        "x_Operation": ["filled({line_item_operation})"],
        "ResourceId": ["filled({line_item_resource_id})"],
        "RegionId": ["filled({product_region_code})", "filled({product_region})"],
        "ChargeCategory": [f"CASE {_LINE} {_CATEGORY} ELSE 'Usage' END"],
        "x_LineType": [_LINE],
        "ConsumedQuantity": [
            f"CASE WHEN {_PARENT} IS NULL THEN money({{line_item_usage_amount?}})"
            " ELSE money({split_line_item_split_usage?}) END"
        ],
        "ConsumedUnit": ["filled({pricing_unit})"],
        # A split row repeats its parent's cost: its own is the split and unused parts.
        "BilledCost": [f"CASE WHEN {_PARENT} IS NULL THEN {_UNBLENDED} ELSE {_SPLIT} END"],
        "EffectiveCost": [f"CASE WHEN {_PARENT} IS NULL THEN {_AMORTISED} ELSE {_SPLIT} END"],
        "x_NetCost": [f"CASE WHEN {_PARENT} IS NULL THEN {_NET} ELSE {_NET_SPLIT} END", "NULL"],
        "ListCost": [
            f"CASE WHEN {_PARENT} IS NULL THEN money({{pricing_public_on_demand_cost?}})"
            " ELSE money({split_line_item_public_on_demand_split_cost?}) END"
        ],
        "BillingCurrency": ["filled({line_item_currency_code})"],
        "x_Estimated": ["filled({bill_invoice_id}) IS NULL"],
        "x_View": [f"CASE WHEN {_PARENT} IS NULL THEN 'both' ELSE 'split' END"],
        "x_Parent": [_PARENT],
        "x_SplitUnused": [
            f"CASE WHEN {_PARENT} IS NULL THEN NULL"
            " ELSE coalesce(money({split_line_item_unused_cost?}), 0) END"
        ],
    },
    tags="resource_tags",
    flat=("resource_tags_user_", "resource_tags_", "tag_"),
)

FOCUS = Format(
    needs=("billedcost", "chargeperiodstart", "chargeperiodend", "billingcurrency"),
    columns={
        "BillingPeriodStart": [
            "month_of({billingperiodstart})",
            "CAST(date_trunc('month', moment({chargeperiodstart})) AS DATE)",
        ],
        "ChargePeriodStart": ["moment({chargeperiodstart})"],
        "ChargePeriodEnd": ["moment({chargeperiodend})"],
        "BillingAccountId": ["filled({billingaccountid})"],
        "SubAccountId": ["filled({subaccountid})"],
        "ProviderName": ["filled({providername})", "filled({serviceprovidername})"],
        "ServiceName": ["filled({servicename})"],
        "x_UsageType": ["filled({x_usagetype})", "filled({chargedescription})"],
        "x_Operation": ["filled({x_operation})"],
        "ResourceId": ["filled({resourceid})"],
        "RegionId": ["filled({regionid})", "filled({region})"],
        "ChargeCategory": ["filled({chargecategory})", "'Usage'"],
        "x_LineType": ["coalesce(filled({chargeclass?}), filled({chargecategory?}))"],
        "ConsumedQuantity": ["money({consumedquantity})", "money({usagequantity})"],
        "ConsumedUnit": ["filled({consumedunit})", "filled({usageunit})"],
        "BilledCost": ["money({billedcost})"],
        "EffectiveCost": [
            "coalesce(money({effectivecost}),"
            " CASE WHEN filled({effectivecost}) IS NULL THEN money({billedcost}) END)",
            "money({billedcost})",
        ],
        "ListCost": ["money({listcost})"],
        "BillingCurrency": ["filled({billingcurrency})"],
        "x_Estimated": ["filled({invoiceid}) IS NULL", "CAST(NULL AS BOOLEAN)"],
        "x_View": ["'both'"],
    },
    tags="tags",
    flat=("tag_",),
)

# Cost Explorer pages become rows with our own names first (`explorer`).
EXPLORER = Format(
    needs=("explorer_start", "explorer_amount"),
    columns={
        "BillingPeriodStart": ["CAST(date_trunc('month', moment({explorer_start})) AS DATE)"],
        "ChargePeriodStart": ["moment({explorer_start})"],
        "ChargePeriodEnd": ["moment({explorer_end})"],
        "SubAccountId": ["filled({linked_account})"],
        "ProviderName": ["'AWS'"],
        "ServiceName": ["filled({service})"],
        "x_UsageType": ["filled({usage_type})"],
        "x_Operation": ["filled({operation})"],
        "RegionId": ["filled({region})"],
        "ChargeCategory": [
            f"CASE filled({{record_type}}) {_CATEGORY} ELSE 'Usage' END",
            "'Usage'",
        ],
        "x_LineType": ["filled({record_type})"],
        "BilledCost": ["money({explorer_amount})"],
        "EffectiveCost": [
            "coalesce(money({explorer_amortised}), money({explorer_amount}))",
        ],
        "x_NetCost": ["coalesce(money({explorer_net}), money({explorer_amount}))"],
        "BillingCurrency": ["filled({explorer_unit})"],
        "x_Estimated": ["CAST({explorer_estimated} AS BOOLEAN)"],
        "x_View": ["'both'"],
    },
    tags="",
    flat=("tag_",),
)

# Columns that say where a row comes from, and that no source has.
OURS = ("x_Source", "x_Format", "x_Delivery", "x_Delivered")
FORMATS: Mapping[str, Format] = {"cur": CUR, "focus": FOCUS, "explorer": EXPLORER}


def detect(columns: Sequence[str], where: str) -> str:
    """Return the name of the format that has `columns` (plain names), or say what is missing."""
    have = set(columns)
    missing = {n: [c for c in f.needs if c not in have] for n, f in FORMATS.items()}
    for name, gaps in missing.items():
        if not gaps:
            return name
    refused_forms.refuse(have, where)
    nearest = min(missing, key=lambda n: len(missing[n]) / len(FORMATS[n].needs))
    raise BadInput(
        f"{where} is not a bill: it lacks {', '.join(missing[nearest])}.",
        why=f"It was compared with {', '.join(FORMATS)}; {nearest} is the nearest.",
        fix="Give CUR 2.0, legacy CUR, FOCUS 1.0 to 1.3 or Cost Explorer JSON with these columns.",
    )


def dialect(name: str, raw: Sequence[str], question: str = "") -> str:
    """Return what to call a file's format where two of them are compared."""
    if name == "explorer":
        return f"Cost Explorer {question}".strip()
    if name == "focus":
        return "FOCUS"
    return "legacy CUR" if any("/" in column for column in raw) else "CUR 2.0"
