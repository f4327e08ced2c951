"""Cost reports that providers also write and that are not read here: what to export instead."""

from collections.abc import Set

from pangeo_core.errors import BadInput

# What it is, columns by which it is known (all of one of these sets), and the way out.
_OTHERS = (
    (
        "Azure's own cost details",
        ({"metercategory", "costinbillingcurrency"}, {"metercategory", "cost"}),
        'Export "Cost and usage details (FOCUS)" from Cost Management, and give that.',
    ),
    (
        "Oracle's own cost report",
        ({"cost_my_cost"},),
        "Give Oracle's FOCUS reports instead: they lie beside it, in the folder FOCUS Reports.",
    ),
    (
        "Google's own billing export",
        ({"service_description", "sku_description", "cost"}, {"usage_start_time", "credits"}),
        "Make the FOCUS view of the export in BigQuery, and give what it says.",
    ),
)


def refuse(columns: Set[str], where: str) -> None:
    """Raise `BadInput` naming the file `where`, if `columns` (plain names) are such a report's."""
    for what, signs, fix in _OTHERS:
        if any(sign <= columns for sign in signs):
            raise BadInput(f"{where} is {what}, which is not read.", fix=fix)
