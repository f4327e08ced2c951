"""What price lists mean and how they are asked, each written once."""

from collections.abc import Callable
from decimal import Decimal

# AWS' price lists and calculators mean 730 hours by "monthly" (8,760 hours a year over 12).
HOURS_PER_MONTH = Decimal(730)
# A look-up in a price list: the USD of one unit of a service's item, or None where it has none.
PriceOf = Callable[[str, str], Decimal | None]
