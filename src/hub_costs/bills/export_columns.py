"""The columns that an export of the bill (CUR 2.0) must have for all that is read of it here.

`terraform/modules/cost/bill.tf` exports them; a test holds both lists against each other.
"""

import re

from hub_costs.allocation.owner_rules import TAGS
from hub_costs.bills.formats import CUR

# Columns of legacy CUR, or of CUR 2.0's `product` map, which an export need not have: what they say
# is in `line_item_product_code`; and maps, which read several times slower than flat columns.
_ELSEWHERE = frozenset(
    ("product_product_name", "product", "product_servicename", "product_region", "resource_tags")
)

COLUMNS = (
    frozenset(
        name
        for expressions in CUR.columns.values()
        for expression in expressions
        for name in re.findall(r"\{(\w+)\??\}", expression)
    )
    - _ELSEWHERE
)
TAG_COLUMNS = frozenset(TAGS)
