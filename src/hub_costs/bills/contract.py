"""The bill's table as a contract: a check on its rows read into pandas.

Apart from `bill`, since pandera and pandas take 60 MB that the sums of a bill do not need.
"""

from decimal import Decimal

import pandera.pandas as pa

from hub_costs.bills.table import CATEGORIES, COLUMNS, MONEY, VIEWS

_required = {"BillingPeriodStart", "ChargePeriodStart", "ChargePeriodEnd", "BilledCost"}
_required |= {
    "EffectiveCost",
    "BillingCurrency",
    "ChargeCategory",
    "x_View",
    "x_Format",
    "x_Source",
}

CONTRACT = pa.DataFrameSchema(
    {
        name: pa.Column(
            None,
            nullable=name not in _required,
            checks=[
                *([pa.Check(_exact)] if kind == MONEY else []),
                *([pa.Check.isin(CATEGORIES)] if name == "ChargeCategory" else []),
                *([pa.Check.isin(sum(VIEWS.values(), ()))] if name == "x_View" else []),
                *([pa.Check.str_matches(r"^[A-Z]{3}$")] if name == "BillingCurrency" else []),
            ],
        )
        for name, kind in COLUMNS.items()
        for _exact in [lambda column: column.map(lambda v: isinstance(v, Decimal))]
    }
    | {r"^tag_[a-z0-9_]+$": pa.Column(None, nullable=True, regex=True, required=False)},
    checks=pa.Check(lambda rows: rows.ChargePeriodStart < rows.ChargePeriodEnd),
    strict=True,
)
